// A method as it is typed: "id" or "id:name=value,name=value".

import type { Method } from "../api/types.ts";
import { problemWith } from "./domain.ts";

export interface Choice {
  id: string;
  /** Only what was set. */
  values: Record<string, string>;
}

export function parse(spec: string): Choice {
  const colon = spec.indexOf(":");
  if (colon < 0) return { id: spec, values: {} };
  const values: Record<string, string> = {};
  for (const pair of spec.slice(colon + 1).split(",")) {
    const equals = pair.indexOf("=");
    if (equals > 0) values[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return { id: spec.slice(0, colon), values };
}

/** The shortest way to type it: values that are the defaults are left out. */
export function format(choice: Choice, methods: readonly Method[]): string {
  const method = methods.find((candidate) => candidate.id === choice.id);
  const pairs = Object.entries(choice.values).filter(([name, value]) => {
    const parameter = method?.parameters.find((candidate) => candidate.name === name);
    return !parameter || !sameValue(String(parameter.default), value);
  });
  return pairs.length === 0 ? choice.id : `${choice.id}:${pairs.map(([name, value]) => `${name}=${value}`).join(",")}`;
}

/** Whether two specs mean the same, whichever defaults they spell out. */
export function same(a: string, b: string, methods: readonly Method[]): boolean {
  const normal = (spec: string) => {
    const short = parse(format(parse(spec), methods));
    return JSON.stringify([
      short.id,
      Object.entries(short.values)
        .map(([name, value]) => [name, plain(value)])
        .sort(),
    ]);
  };
  return normal(a) === normal(b);
}

/** All that is wrong with the values that were set. */
export function problems(choice: Choice, methods: readonly Method[]): string[] {
  const method = methods.find((candidate) => candidate.id === choice.id);
  if (!method) return [`There is no method “${choice.id}”.`];
  return Object.entries(choice.values).flatMap(([name, value]) => {
    const parameter = method.parameters.find((candidate) => candidate.name === name);
    if (!parameter) return [`${method.id} has no parameter “${name}”.`];
    return problemWith(parameter, value) ?? [];
  });
}

function sameValue(a: string, b: string): boolean {
  return plain(a) === plain(b);
}

/** 1.0 and 1 are one number. */
function plain(value: string): string {
  return value.trim() !== "" && Number.isFinite(Number(value)) ? String(Number(value)) : value;
}
