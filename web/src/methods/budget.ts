// A budget of memory as it is typed: "512MiB". The same forms as in the program's own options.

const THOUSANDS = ["kb", "mb", "gb", "tb"];
const POWERS = ["kib", "mib", "gib", "tib"];
const SHORT = ["k", "m", "g", "t"];

/** Bytes, or null where it is no budget. */
export function budgetBytes(typed: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(typed);
  if (!match) return null;
  const factor = factorOf((match[2] ?? "").toLowerCase());
  const bytes = factor === null ? NaN : Number(match[1]) * factor;
  return Number.isFinite(bytes) && bytes >= 1 ? Math.floor(bytes) : null;
}

/** Why it cannot be taken, or null; nothing typed means the server's own budget. */
export function budgetProblem(typed: string): string | null {
  if (typed.trim() === "" || budgetBytes(typed) !== null) return null;
  return `“${typed}” is no budget. Type a number and a unit, such as 512MiB or 2GiB.`;
}

function factorOf(unit: string): number | null {
  if (unit === "" || unit === "b") return 1;
  for (const [names, base] of [
    [THOUSANDS, 1000],
    [POWERS, 1024],
    [SHORT, 1024],
  ] as const) {
    const power = names.indexOf(unit);
    if (power >= 0) return base ** (power + 1);
  }
  return null;
}
