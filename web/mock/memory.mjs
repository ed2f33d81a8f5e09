// The mock's governed memory: items with states, a gate, conflicts, forgetting with certificates, a log of hashes. As the
// contract says, in memory only and as simple as it can be.

import { createHash } from "node:crypto";

const COMMON = new Set(
  "a an and are at by did do does for from has have he her his how i in is it me my not now of on or she that the they to was what when where which who whose why will with you your".split(
    " ",
  ),
);
const ORDERS = /\b(?:ignore (?:all )?(?:previous|prior)|disregard (?:all|the)|you must now|system prompt)\b/i;
const MONTHS = "january february march april may june july august september october november december".split(" ");
const USED = new Set(["released"]);
const ALIVE = new Set(["proposed", "admitted", "canary", "released"]);
const CHOICES = {
  proposed: ["admitted", "canary", "released", "rolled-back"],
  admitted: ["canary", "released", "rolled-back"],
  canary: ["released", "rolled-back"],
  released: ["rolled-back"],
};
const DAY_MS = 86_400_000;

const digest = (text) => createHash("sha256").update(text).digest("hex");
const words = (text) =>
  (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])
    .filter((word) => !COMMON.has(word))
    .map((word) => word.replace(/(?:ing|ed|es|e|s)$/, ""));
const plain = (text) => words(text).join(" ");
const placeOf = (item) => item.valid_from ?? item.learned;

export class MemoryError extends Error {
  constructor(message, status = 400, code = "invalid_request") {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What is remembered of one user. */
export class Memory {
  constructor(user) {
    this.user = user;
    this.items = [];
    this.log = [];
    this.ways = new Map();
    this.policy = {
      most_bytes: 65536,
      hold_instructions: true,
      least_trust: 20,
      canary: false,
      keep_days: { round: 90 },
    };
  }

  get head() {
    return this.log.at(-1)?.hash ?? "0".repeat(64);
  }

  entry(action, changes, { at = new Date().toISOString(), reason, actor = "me", by = null } = {}) {
    const seq = this.log.length + 1;
    const body = { changes, ...(reason ? { reason } : {}) };
    const prev = this.head;
    const hash = digest(JSON.stringify([prev, seq, at, action, body]));
    this.log.push({ seq, at, actor, action, tenant: "local", user: this.user, prev, hash, body });
    for (const { id, to } of changes) {
      const way = this.ways.get(id) ?? [];
      way.push({ seq, at, actor, action, to, by, reason: reason ?? null });
      this.ways.set(id, way);
    }
    return { seq, hash, at };
  }

  add(asked, learned = new Date().toISOString()) {
    const { text, kind = "note", trust = 80, reason, supersedes, source = {}, ...rest } = asked;
    if (typeof text !== "string" || text.trim() === "")
      throw new MemoryError("text is empty; say what is to be remembered");
    const size = Buffer.byteLength(text);
    if (size > this.policy.most_bytes)
      throw new MemoryError(`text has ${size} bytes, the policy takes ${this.policy.most_bytes}; split it`);
    const same = this.items.find((item) => item.text === text && ALIVE.has(item.state));
    if (same) {
      const { seq } = this.entry("add", [], { at: learned, reason: "duplicate" });
      return { id: same.id, verdict: "duplicate", of: same.id, seq };
    }
    const id = digest(`${text}${this.items.length}${this.user}`).slice(0, 16);
    const order = ORDERS.exec(text);
    const held_for = [
      ...(order ? [`it gives orders to a model ("${order[0].toLowerCase()}")`] : []),
      ...(trust < this.policy.least_trust ? [`its trust ${trust} is below ${this.policy.least_trust}`] : []),
    ];
    const state = held_for.length > 0 ? "proposed" : "released";
    const item = { id, text, kind, source, ...rest, trust, learned, state, digest: digest(text) };
    if (held_for.length > 0) item.held_for = held_for;
    this.items.push(item);
    const { seq } = this.entry("add", [{ id, from: null, to: state }], { at: learned, reason });
    const old = supersedes && this.find(supersedes);
    if (old) {
      this.move(old, "superseded", { at: learned, by: id });
      old.superseded_by = id;
    }
    return {
      id,
      verdict: state === "released" ? "released" : "held",
      ...(held_for.length > 0 ? { reasons: held_for } : {}),
      seq,
    };
  }

  find(begin) {
    const found = this.items.filter((item) => item.id.startsWith(begin));
    if (found.length === 1) return found[0];
    throw new MemoryError(`there is no item "${begin}"`, 404, "item_not_found");
  }

  move(item, to, more) {
    const from = item.state;
    item.state = to;
    return this.entry(to === "superseded" ? "supersede" : "decide", [{ id: item.id, from, to }], more);
  }

  change(id, { state, reason }) {
    const item = this.find(id);
    if (item.state === "forgotten")
      throw new MemoryError(`item ${id} is forgotten; nothing brings it back`, 409, "forgotten");
    if (!CHOICES[item.state]?.includes(state))
      throw new MemoryError(`item ${item.id} is ${item.state} and cannot become ${state}`, 409, "invalid_state");
    this.move(item, state, { reason });
    if (state === "released") delete item.held_for;
    return item;
  }

  detail(id) {
    const item = this.find(id);
    const keys = item.text === undefined ? [] : [{ kind: "plain", text: item.text, maker: "text" }];
    if (item.kind === "round" && item.text)
      keys.push({ kind: "summary", text: item.text.split(/[.!?]/)[0], maker: "smollm2" });
    return { item, keys, way: this.ways.get(item.id) ?? [] };
  }

  list({ state, kind, session, topic, from, until, last }, by) {
    const fits = this.items.filter(
      (item) =>
        (!state || item.state === state) &&
        (!kind || item.kind === kind) &&
        (!session || item.session === session) &&
        (!topic || item.topic === topic) &&
        (!from || placeOf(item) >= from) &&
        (!until || placeOf(item) <= until),
    );
    fits.sort((a, b) => (by(a) < by(b) ? -1 : 1));
    return last ? fits.slice(-Number(last)) : fits;
  }

  /** What stands against an item at a time: the newest on a topic wins; of one day, neither does. */
  standing(item, at) {
    if ((item.valid_from && item.valid_from > at) || (item.valid_until && item.valid_until < at))
      return { standing: "not-then" };
    const rivals = this.rivals(item).filter((one) => placeOf(one) <= at);
    const newer = rivals.find((one) => placeOf(one).slice(0, 10) > placeOf(item).slice(0, 10));
    if (newer) return { standing: "outdone", by: newer.id };
    const tied = rivals.find((one) => placeOf(one).slice(0, 10) === placeOf(item).slice(0, 10));
    return tied ? { standing: "tied", with: tied.id } : { standing: "current" };
  }

  rivals(item) {
    if (!item.topic) return [];
    return this.items.filter(
      (one) => one !== item && one.topic === item.topic && USED.has(one.state) && plain(one.text) !== plain(item.text),
    );
  }

  search({ query, top = 10, at = new Date().toISOString(), by = "words", past = false, days: wanted = true }) {
    if (!query?.trim()) throw new MemoryError("query is empty");
    const asked = new Set(words(query));
    const days = wanted ? daysOf(query) : null;
    const found = this.items
      .filter((item) => USED.has(item.state) || (past && item.state === "superseded"))
      .map((item) => {
        const own = new Set(words(item.text));
        const hits = [...asked].filter((word) => own.has(word)).length;
        const of_the_days =
          days !== null && placeOf(item) >= days[0] && placeOf(item) <= `${days[1].slice(0, 10)}T23:59:59Z`;
        const score =
          asked.size === 0 ? 0 : Math.min(0.99, hits / asked.size / (1 + own.size / 200) + (of_the_days ? 0.1 : 0));
        return {
          ...item,
          score: Number(score.toFixed(2)),
          ...this.standing(item, at),
          of_the_days,
          supports: hits * 2 >= Math.max(2, asked.size),
        };
      })
      .filter((hit) => hit.score > 0 && (past || hit.standing !== "not-then"))
      .sort((a, b) => Number(b.supports) - Number(a.supports) || b.score - a.score)
      .slice(0, top);
    return { at, ...(days ? { days } : {}), by, found, supported: found.some((hit) => hit.supports) };
  }

  forget({ ids, query, expired, dry_run = false, reason }) {
    const roots = ids
      ? ids.map((id) => this.find(id))
      : expired
        ? this.audit().expired.map((id) => this.find(id))
        : this.items.filter((item) => item.text && words(query ?? "").every((word) => words(item.text).includes(word)));
    const all = new Map(roots.filter((item) => item.state !== "forgotten").map((item) => [item.id, false]));
    for (let before = -1; before !== all.size;) {
      before = all.size;
      for (const item of this.items)
        if (item.state !== "forgotten" && !all.has(item.id) && item.parents?.some((parent) => all.has(parent)))
          all.set(item.id, true);
    }
    const gone = [...all].map(([id, derived]) => ({ item: this.find(id), derived }));
    const items = gone.map(({ item, derived }) => ({ id: item.id, digest: item.digest, was: item.state, derived }));
    const keys = gone.reduce((sum, { item }) => sum + this.detail(item.id).keys.length, 0);
    const elsewhere = gone.some(({ item }) => item.kind === "document")
      ? [{ place: "saved readings", removed: 1 }]
      : [];
    const shape = { items, keys, vectors: 0, elsewhere, actor: "me", ...(reason ? { reason } : {}), dry_run };
    if (dry_run) return { ...shape, keys: 0, at: new Date().toISOString(), seq: 0, hash: "" };
    const changes = items.map(({ id, was }) => ({ id, from: was, to: "forgotten" }));
    for (const { item } of gone) {
      const { id, learned, digest: left } = item;
      for (const name of Object.keys(item)) delete item[name];
      Object.assign(item, { id, state: "forgotten", learned, digest: left });
    }
    return { ...shape, ...this.entry("forget", changes, { reason }) };
  }

  rollback({ to, dry_run = false, reason }) {
    const then = new Map();
    for (const entry of this.log.slice(0, to)) for (const change of entry.body.changes) then.set(change.id, change.to);
    const gone = this.items.filter((item) => item.state === "forgotten" && then.get(item.id) !== "forgotten");
    const changes = this.items
      .filter((item) => item.state !== "forgotten" && item.state !== (then.get(item.id) ?? "rolled-back"))
      .map((item) => ({ id: item.id, from: item.state, to: then.get(item.id) ?? "rolled-back" }));
    const done = { to, changes, gone: gone.map((item) => item.id), dry_run, seq: 0 };
    if (dry_run || changes.length === 0) return done;
    for (const change of changes) this.find(change.id).state = change.to;
    return { ...done, seq: this.entry("rollback", changes, { reason }).seq };
  }

  audit() {
    const used = this.items.filter((item) => USED.has(item.state));
    const now = new Date().toISOString();
    const groups = (keyOf) => {
      const all = new Map();
      for (const item of used) {
        const key = keyOf(item);
        if (key) all.set(key, [...(all.get(key) ?? []), item.id]);
      }
      return [...all.values()].filter((ids) => ids.length > 1);
    };
    const ids = (list) => list.map((item) => item.id);
    const standing = (item) => this.standing(item, now).standing;
    const dead = (id) => !this.items.some((item) => item.id === id && USED.has(item.state));
    return {
      states: this.states(),
      duplicates: groups((item) => plain(item.text)),
      contradictions: groups((item) => (standing(item) === "tied" ? item.topic : null)),
      unsupported: ids(used.filter((item) => item.parents?.some(dead))),
      outdated: ids(used.filter((item) => item.valid_until && item.valid_until <= now)),
      expired: ids(
        used.filter(
          (item) =>
            this.policy.keep_days[item.kind] !== undefined &&
            Date.parse(item.learned) < Date.now() - this.policy.keep_days[item.kind] * DAY_MS,
        ),
      ),
      held: this.items.filter((item) => item.state === "proposed").map((item) => [item.id, item.held_for ?? []]),
    };
  }

  states() {
    const states = {};
    for (const item of this.items) states[item.state] = (states[item.state] ?? 0) + 1;
    return states;
  }

  verify(head, faults) {
    const noted = head ? [`the head ${head} is not in the log`] : [];
    const known = !head || this.log.some((entry) => `${entry.seq}:${entry.hash}` === head);
    return {
      entries: this.log.length,
      items: this.items.length,
      keys: this.items.reduce((sum, item) => sum + this.detail(item.id).keys.length, 0),
      head: this.head,
      faults: [...faults, ...(known ? [] : noted)],
    };
  }
}

/** The days a question names: one, or a month. */
function daysOf(query) {
  const day = /\d{4}-\d\d-\d\d/.exec(query)?.[0];
  if (day) return [`${day}T00:00:00Z`, `${day}T00:00:00Z`];
  const named = new RegExp(`\\b(${MONTHS.join("|")}) (\\d{4})`, "i").exec(query);
  if (!named) return null;
  const month = MONTHS.indexOf(named[1].toLowerCase());
  const [first, last] = [Date.UTC(Number(named[2]), month, 1), Date.UTC(Number(named[2]), month + 1, 0)];
  return [first, last].map((at) => new Date(at).toISOString());
}
