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

/** How far back charts go. */
export const SPAN_MS = 5 * 60 * 1000;

export function add(samples: readonly Sample[], status: Status, at: number): Sample[] {
  const sample = {
    at,
    prefill: status.speed.prefill_tokens_per_s,
    decode: status.speed.decode_tokens_per_s,
    resident: status.memory.resident_bytes,
    context: status.memory.context_bytes,
  };
  return [...samples.filter((one) => one.at > at - SPAN_MS), sample];
}
