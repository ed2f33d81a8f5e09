// Whether the server can be reached; while it cannot, it is tried again after growing pauses.

import { Store } from "./store.ts";

export type Connection = { lost: false } | { lost: true; nextTry: number };

export const connection = new Store<Connection>({ lost: false });

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 15000;

let pause = FIRST_PAUSE_MS;
let timer: number | undefined;
let probe: (() => Promise<boolean>) | null = null;
/** How often a lost connection came back: whoever watches this asks again what failed. */
export const restorations = new Store(0);

/** What asks the server for a sign of life. */
export function probeWith(test: () => Promise<boolean>): void {
  probe = test;
}

export function markLost(): void {
  if (connection.get().lost) return;
  pause = FIRST_PAUSE_MS;
  plan();
}

export function markFine(): void {
  window.clearTimeout(timer);
  if (!connection.get().lost) return;
  connection.set({ lost: false });
  restorations.update((times) => times + 1);
}

export async function tryNow(): Promise<void> {
  window.clearTimeout(timer);
  if (probe && (await probe())) {
    markFine();
  } else {
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    plan();
  }
}

function plan(): void {
  connection.set({ lost: true, nextTry: Date.now() + pause });
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void tryNow(), pause);
}
