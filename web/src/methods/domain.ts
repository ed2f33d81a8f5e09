// What values a parameter takes, from the words in which the server states it.

import type { Parameter } from "../api/types.ts";

export type Domain =
  | { kind: "integer" | "number"; low: number | null; high: number | null }
  | { kind: "flag" }
  | { kind: "words"; words: string[] }
  | { kind: "text" };

const NUMBER = String.raw`(-?(?:[\d.]+(?:e[+-]?\d+)?|inf))`;
const RANGE = new RegExp(`^a (whole )?number from ${NUMBER} to ${NUMBER}$`, "i");

/** Reads the words; what is not understood is a free text, which the server then checks. */
export function domainOf(parameter: Pick<Parameter, "domain">): Domain {
  const words = parameter.domain.trim();
  const range = RANGE.exec(words);
  if (range) return { kind: range[1] ? "integer" : "number", low: bound(range[2]), high: bound(range[3]) };
  if (words === "true or false") return { kind: "flag" };
  if (/^\S+(?: or \S+)+$/.test(words)) return { kind: "words", words: words.split(" or ") };
  return { kind: "text" };
}

/** Why `value` does not fit, in words, or null. */
export function problemWith(parameter: Parameter, value: string): string | null {
  const domain = domainOf(parameter);
  const wrong = `${parameter.name} is ${parameter.domain}, not “${value}”.`;
  switch (domain.kind) {
    case "integer":
    case "number": {
      const number = Number(value);
      if (value.trim() === "" || !Number.isFinite(number)) return wrong;
      if (domain.kind === "integer" && !Number.isInteger(number)) return wrong;
      if ((domain.low !== null && number < domain.low) || (domain.high !== null && number > domain.high)) return wrong;
      return null;
    }
    case "flag":
      return value === "true" || value === "false" ? null : wrong;
    case "words":
      return domain.words.includes(value) ? null : wrong;
    case "text":
      return /[,:+]/.test(value) || value === "" ? `${parameter.name} takes no comma, colon or plus sign.` : null;
  }
}

function bound(words: string | undefined): number | null {
  const number = Number(words);
  return Number.isFinite(number) ? number : null;
}
