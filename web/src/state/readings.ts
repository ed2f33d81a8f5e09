// The library: all readings, kept fresh while something is being read.

import { ConnectionError, said } from "../api/client.ts";
import * as api from "../api/readings.ts";
import type { Reading } from "../api/types.ts";
import { restorations } from "./connection.ts";
import { Store } from "./store.ts";

export interface Library {
  /** Null until they were fetched for the first time. */
  readings: Reading[] | null;
  error: string | null;
}

export const library = new Store<Library>({ readings: null, error: null });

const BUSY_MS = 700;
const IDLE_MS = 10000;
let timer: number | undefined;
/** Only the newest answer counts: an older one may lack what was just added or deleted. */
let newest = 0;

export async function refresh(): Promise<void> {
  window.clearTimeout(timer);
  const mine = ++newest;
  try {
    const readings = await api.list();
    if (mine === newest) library.set({ readings, error: null });
  } catch (error) {
    // A lost connection is told by its own banner.
    const words = error instanceof ConnectionError ? null : said(error);
    if (mine === newest) library.update((now) => ({ ...now, error: words }));
  }
  if (mine === newest) {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void refresh(), busy() ? BUSY_MS : IDLE_MS);
  }
}

export function find(id: string): Reading | null {
  return library.get().readings?.find((reading) => reading.id === id) ?? null;
}

export async function remove(id: string): Promise<void> {
  await api.remove(id);
  library.update((now) => ({ ...now, readings: now.readings?.filter((reading) => reading.id !== id) ?? null }));
  await refresh();
}

export async function change(id: string, changes: { name?: string; pinned?: boolean }): Promise<void> {
  put(await api.change(id, changes));
}

export async function readAgain(from: string, method: string, budget: string): Promise<Reading> {
  const reading = await api.readAgain(from, method, budget);
  put(reading);
  void refresh();
  return reading;
}

/** Adds a reading, or replaces what was known of it. */
export function put(reading: Reading): void {
  newest++;
  library.update((now) => {
    const others = now.readings ?? [];
    const known = others.some((other) => other.id === reading.id);
    return {
      ...now,
      readings: known ? others.map((other) => (other.id === reading.id ? reading : other)) : [reading, ...others],
    };
  });
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void refresh(), BUSY_MS);
}

/** Other readings of the same documents by the same model. */
export function siblings(reading: Reading, all: readonly Reading[]): Reading[] {
  const what = documents(reading);
  return all.filter((other) => other.id !== reading.id && documents(other) === what);
}

function documents(reading: Reading): string {
  return JSON.stringify([reading.model, reading.documents.map((document) => [document.name, document.bytes])]);
}

function busy(): boolean {
  return (
    library.get().readings?.some((reading) => reading.status === "queued" || reading.status === "reading") ?? false
  );
}

restorations.watch(() => void refresh());
