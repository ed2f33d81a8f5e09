// The governed memory as the server speaks of it. Nothing that comes back may be kept by the browser.

import { json, withBody } from "./client.ts";

export const KINDS = ["note", "round", "document", "fact", "event", "summary"] as const;
export const STATES = ["proposed", "admitted", "canary", "released", "rolled-back", "superseded", "forgotten"] as const;
export type Kind = (typeof KINDS)[number];
export type State = (typeof STATES)[number];
export type By = "words" | "meaning" | "fused";

export interface Overview {
  tenant: string;
  user: string;
  users: string[];
  states: Partial<Record<State, number>>;
  items: number;
  entries: number;
  head: string;
  encoder: string | null;
  extraction: { model: string; pending: number } | null;
}

/** Times are RFC 3339 in UTC. Of a forgotten item only what identifies it is left. */
export interface Item {
  id: string;
  state: State;
  learned: string;
  digest: string;
  text?: string;
  kind?: Kind;
  source?: { uri?: string; bytes?: [number, number]; hash?: string };
  session?: string;
  speaker?: string;
  topic?: string;
  valid_from?: string;
  valid_until?: string;
  /** 0 to 100. */
  trust?: number;
  parents?: string[];
  superseded_by?: string;
  held_for?: string[];
}

export interface Detail {
  item: Item;
  keys: { kind: string; text: string; maker: string }[];
  way: {
    seq: number;
    at: string;
    actor: string;
    action: string;
    to: State;
    by: string | null;
    reason: string | null;
  }[];
}

export interface Verdict {
  id: string;
  verdict: "released" | "canary" | "held" | "duplicate" | "echo";
  reasons?: string[];
  of?: string;
  seq?: number;
}

export type Standing =
  | { standing: "current" }
  | { standing: "not-then" }
  | { standing: "outdone"; by: string }
  | { standing: "tied"; with: string };

export type Hit = Item & Standing & { score: number; of_the_days: boolean; supports: boolean };

export interface Found {
  at: string;
  days?: [string, string];
  by: By;
  found: Hit[];
  /** False where nothing that is remembered supports an answer. */
  supported: boolean;
}

export interface Question {
  query: string;
  by: By;
  /** As of this time; "" is now. */
  at: string;
  past: boolean;
  top: number;
}

export interface Audit {
  states: Partial<Record<State, number>>;
  duplicates: string[][];
  contradictions: string[][];
  unsupported: string[];
  outdated: string[];
  expired: string[];
  held: [string, string[]][];
}

export type Forgetting = { ids: string[] } | { query: string } | { expired: true };

export interface Certificate {
  items: { id: string; digest: string; was: State; derived: boolean }[];
  keys: number;
  vectors: number;
  elsewhere: { place: string; removed: number }[];
  at: string;
  actor: string;
  reason?: string;
  dry_run: boolean;
  seq: number;
  hash: string;
}

export interface Verification {
  entries: number;
  items: number;
  keys: number;
  head: string;
  faults: string[];
}

export interface Change {
  id: string;
  from: State | null;
  to: State;
}

/** What going back to an entry of the log changes, or would change. */
export interface RolledBack {
  to: number;
  changes: Change[];
  /** Forgotten since: nothing brings them back. */
  gone: string[];
  dry_run: boolean;
  seq: number;
}

export interface Entry {
  seq: number;
  at: string;
  actor: string;
  action: string;
  hash: string;
  body: { changes?: Change[]; reason?: string; details?: Record<string, unknown> };
}

export interface Note {
  text: string;
  topic: string;
  session: string;
  valid_from: string;
  valid_until: string;
}

export interface Filter {
  kind: string;
  state: string;
  session: string;
  from: string;
  until: string;
}

type Values = Record<string, string | number | boolean | null | undefined>;

/** Without what was left empty: the server refuses fields that say nothing. */
export function filled<T extends Values>(values: T): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === "" || value === null || value === undefined ? [] : [[name, String(value)]],
    ),
  );
}

/** Entries of the log that are asked for at once. */
const BATCH = 500;

/** What is remembered of one user. */
export class MemoryApi {
  constructor(readonly user: string) {}

  overview = () => this.ask<Overview>("");
  item = (id: string) => this.ask<Detail>(`/items/${encodeURIComponent(id)}`);
  audit = () => this.ask<Audit>("/audit");
  verify = (head: string) => this.ask<Verification>("/verify", { head });
  /** In the order of time. The timeline has no forgotten items, so those are listed, by when they were learned. */
  timeline = ({ from, until, ...filter }: Filter, last: number) =>
    (filter.state === "forgotten"
      ? this.ask<{ data: Item[] }>("/items", { state: filter.state, last })
      : this.ask<{ data: Item[] }>("/timeline", { ...filter, from, until, last })
    ).then((all) => all.data);

  /** The last entries of the log, about `most` of them; numbers may be shared with other users, so that some are left out. */
  async log(entries: number, most: number): Promise<{ data: Entry[]; from: number }> {
    const first = Math.max(1, entries - most + 1);
    const data: Entry[] = [];
    for (let from = first; ; from = (data.at(-1)?.seq ?? from) + 1) {
      const more = await this.ask<{ data: Entry[] }>("/log", { from, most: BATCH });
      data.push(...more.data);
      if (more.data.length < BATCH) return { data, from: first };
    }
  }

  add = (note: Note) => this.send<Verdict>("POST", "/items", filled({ ...note }));
  change = (id: string, state: State, reason: string) =>
    this.send<Item>("PATCH", `/items/${encodeURIComponent(id)}`, { state, ...filled({ reason }) });
  search = ({ query, by, at, past, top }: Question) =>
    this.send<Found>("POST", "/search", { query, by, top, days: true, ...filled({ at }), ...(past ? { past } : {}) });
  forget = (what: Forgetting, dry: boolean, reason: string) =>
    this.send<Certificate>("POST", "/forget", { ...what, dry_run: dry, ...filled({ reason }) });

  rollback = (to: number, dry: boolean, reason: string) =>
    this.send<RolledBack>("POST", "/rollback", { to, dry_run: dry, ...filled({ reason }) });

  /** Where all of it can be fetched as JSON lines. */
  exportPath = () => this.path("/export", {});

  private path(what: string, values: Values): string {
    return `v1/memory${what}?${new URLSearchParams({ user: this.user, ...filled(values) }).toString()}`;
  }

  private ask<T>(what: string, values: Values = {}): Promise<T> {
    return json<T>(this.path(what, values), { cache: "no-store" });
  }

  private send<T>(method: string, what: string, body: unknown): Promise<T> {
    return json<T>(this.path(what, {}), { ...withBody(method, body), cache: "no-store" });
  }
}
