// A budget of memory as it is typed: "512MiB".

const UNITS: Record<string, number> = { b: 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, kb: 1e3, mb: 1e6, gb: 1e9 };

/** Bytes, or null where it is no budget. */
export function budgetBytes(typed: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmg]i?b|b)\s*$/i.exec(typed);
  const unit = UNITS[(match?.[2] ?? "").toLowerCase()];
  const bytes = unit === undefined ? NaN : Number(match?.[1]) * unit;
  return Number.isFinite(bytes) && bytes >= 1 ? Math.floor(bytes) : null;
}

/** Why it cannot be taken, or null; nothing typed means the server's own budget. */
export function budgetProblem(typed: string): string | null {
  if (typed.trim() === "" || budgetBytes(typed) !== null) return null;
  return `“${typed}” is no budget. Type a number and a unit, such as 512MiB or 2GiB.`;
}
