// What the server told in the last minutes.

import type { Status } from "../../api/types.ts";

export interface Sample {
  /** Milliseconds since 1970. */
  at: number;
  prefill: number;
  decode: number;
  resident: number;
  context: number;
}

/** How far back charts go at most, and at least, so that the first samples do not fill the whole width. */
const LONGEST_MS = 5 * 60 * 1000;
const SHORTEST_MS = 60 * 1000;

export function add(samples: readonly Sample[], status: Status, at: number): Sample[] {
  const sample = {
    at,
    prefill: status.speed.prefill_tokens_per_s,
    decode: status.speed.decode_tokens_per_s,
    resident: status.memory.resident_bytes,
    context: status.memory.context_bytes,
  };
  return [...samples.filter((one) => one.at > at - LONGEST_MS), sample];
}

/** Milliseconds that a chart of these samples spans: whole minutes. */
export function span(samples: readonly Sample[]): number {
  const covered = (samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0);
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, Math.ceil(covered / SHORTEST_MS) * SHORTEST_MS));
}
