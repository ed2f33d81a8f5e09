// What the page knows of a memory. Texts of items are in one place here, so that a forgotten one is gone from every view;
// nothing of them goes to the browser's storage.

import { useEffect, useState } from "preact/hooks";
import { ConnectionError, ServerError, said } from "../api/client.ts";
import {
  MemoryApi,
  type Certificate,
  type Forgetting,
  type Found,
  type Item,
  type Note,
  type Overview,
  type Question,
  type RolledBack,
  type Standing,
  type State,
  type Verification,
} from "../api/memory.ts";
import { restorations } from "./connection.ts";
import { forTab, keep, recall } from "./kept.ts";
import { refresh as refreshLibrary } from "./readings.ts";
import { Store, useStore } from "./store.ts";

const USER = "loci.memory.user";
export const FIRST_USER = "me";

/** A result without its text, which is found by its id. */
export type Place = Standing & { id: string; score: number; of_the_days: boolean; supports: boolean };
export interface Answer {
  /** The version it was found at. */
  since: number;
  question: Question;
  found: Omit<Found, "found">;
  places: Place[];
}

export interface Governed {
  user: string;
  overview: Overview | null;
  /** Whom the server remembers something of; known while another user's memory is fetched, too. */
  users: string[];
  /** The server serves no memory; what it said. */
  off: string | null;
  error: string | null;
}

export const governed = new Store<Governed>(blank(lastUser()));
/** Raised by every change: whoever shows something of the memory asks again. */
export const version = new Store(0);
/** Items by id, or why one cannot be shown. */
export const items = new Store<ReadonlyMap<string, Item | string>>(new Map());
export const selection = new Store<ReadonlySet<string>>(new Set());
/** The item whose details are shown. */
export const opened = new Store<string | null>(null);
/** What is about to be forgotten; null where nothing is. */
export const forgetting = new Store<Forgetting | "words" | null>(null);
/** The receipt that is shown, and how many more items went than had been shown before. */
export const receipt = new Store<{ certificate: Certificate; more: number } | null>(null);
export const answer = new Store<Answer | null>(null);
export const verification = new Store<Verification | null>(null);
/** Certificates of this page's life; they hold no text. */
export const receipts = new Store<Certificate[]>([]);

export function lastUser(): string {
  return recall(forTab, USER) ?? FIRST_USER;
}

function blank(user: string): Governed {
  return { user, overview: null, users: [], off: null, error: null };
}

export function api(): MemoryApi {
  return new MemoryApi(governed.get().user);
}

/** Shows another user's memory; nothing of the last one's stays. */
export function show(user: string): void {
  if (governed.get().user === user) return;
  governed.set({ ...blank(user), users: governed.get().users });
  keep(forTab, USER, user);
  items.set(new Map());
  asked.clear();
  selection.set(new Set());
  opened.set(null);
  forgetting.set(null);
  receipt.set(null);
  answer.set(null);
  verification.set(null);
  receipts.set([]);
  version.update((now) => now + 1);
}

export async function look(): Promise<void> {
  const mine = [governed.get().user, version.get()];
  const current = () => mine[0] === governed.get().user && mine[1] === version.get();
  try {
    const overview = await api().overview();
    if (current()) governed.update((now) => ({ ...now, overview, users: overview.users, off: null, error: null }));
  } catch (error) {
    if (!current()) return;
    if (error instanceof ServerError && error.code === "memory_off")
      governed.update((now) => ({ ...now, overview: null, off: error.message, error: null }));
    else if (!(error instanceof ConnectionError)) governed.update((now) => ({ ...now, error: said(error) }));
  }
}

/** Something changed: the views ask again. */
export function changed(): void {
  version.update((now) => now + 1);
  void look();
}

/** The version at which each item was asked for last: what many parts of a view show is asked for once. */
const asked = new Map<string, number>();

/** Puts down what came of a request that began at version `since`; what is older may hold what was forgotten meanwhile. */
export function note(found: readonly Item[], since: number): void {
  if (since !== version.get() || found.length === 0) return;
  for (const item of found) asked.set(item.id, since);
  items.update((now) => new Map([...now, ...found.map((item) => [item.id, item] as const)]));
}

/** The item of this id, or why it cannot be shown; null until it came. */
export function useItem(id: string): Item | string | null {
  const all = useStore(items);
  const since = useStore(version);
  const times = useStore(restorations);
  useEffect(() => {
    if (asked.get(id) === since) return;
    asked.set(id, since);
    api()
      .item(id)
      .then(
        ({ item }) => note([item], since),
        (error: unknown) => {
          if (since !== version.get()) return;
          if (error instanceof ConnectionError) asked.delete(id);
          else items.update((now) => new Map([...now, [id, said(error)]]));
        },
      );
  }, [id, since, times]);
  return all.get(id) ?? null;
}

/** What `load` brings, asked again after changes and a lost connection; null until it came for this `key`. */
export function useLoaded<T>(
  key: string,
  load: (since: number) => Promise<T>,
): { data: T | null; error: string | null } {
  const { user } = useStore(governed);
  const since = useStore(version);
  const times = useStore(restorations);
  const [loaded, setLoaded] = useState<{ of: string; data: T | null; error: string | null } | null>(null);
  const of = JSON.stringify([user, key]);
  useEffect(() => {
    let over = false;
    load(since).then(
      (data) => !over && setLoaded({ of, data, error: null }),
      (error: unknown) => {
        if (over || error instanceof ConnectionError) return;
        setLoaded((now) => ({ of, data: now?.of === of ? now.data : null, error: said(error) }));
      },
    );
    return () => void (over = true);
  }, [of, since, times]);
  return loaded?.of === of ? loaded : { data: null, error: null };
}

export async function search(question: Question): Promise<void> {
  const since = version.get();
  const { found, ...rest } = await api().search(question);
  if (since !== version.get()) return;
  note(found, since);
  // The texts are left out: they are in `items` alone.
  const places = found.map((hit): Place => {
    const { id, score, of_the_days, supports } = hit;
    const base = { id, score, of_the_days, supports };
    switch (hit.standing) {
      case "outdone":
        return { ...base, standing: hit.standing, by: hit.by };
      case "tied":
        return { ...base, standing: hit.standing, with: hit.with };
      default:
        return { ...base, standing: hit.standing };
    }
  });
  answer.set({ since, question, found: rest, places });
}

export async function add(what: Note) {
  const verdict = await api().add(what);
  changed();
  return verdict;
}

export async function change(ids: readonly string[], state: State, reason: string): Promise<void> {
  try {
    for (const id of ids) await api().change(id, state, reason);
  } finally {
    changed();
  }
}

/** Takes up the states of an earlier time. */
export async function goBack(to: number, reason: string): Promise<RolledBack> {
  return api().rollback(to, false, reason).finally(changed);
}

/** Forgets for good; every view loses the items with the answer, before anything is fetched again. */
export async function forget(what: Forgetting, reason: string): Promise<Certificate> {
  // Where it fails half-way texts may be gone all the same: the views ask again.
  const certificate = await api().forget(what, false, reason).finally(changed);
  receipts.update((all) => [certificate, ...all]);
  drop(certificate.items.map((item) => item.id));
  // Copies elsewhere are readings: the library must not offer them any more.
  if (certificate.elsewhere.some((one) => one.removed > 0)) void refreshLibrary();
  return certificate;
}

/** Takes items out of everything that is known here. */
export function drop(ids: readonly string[]): void {
  const gone = new Set(ids);
  items.update((now) => new Map([...now].filter(([id]) => !gone.has(id))));
  selection.update((now) => new Set([...now].filter((id) => !gone.has(id))));
  for (const id of gone) asked.delete(id);
  answer.update((now) => now && { ...now, places: now.places.filter((place) => !gone.has(place.id)) });
  if (gone.has(opened.get() ?? "")) opened.set(null);
}

export function select(id: string, on: boolean): void {
  selection.update((now) => {
    const next = new Set(now);
    if (on) next.add(id);
    else next.delete(id);
    return next;
  });
}
