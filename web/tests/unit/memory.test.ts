import assert from "node:assert/strict";
import { test } from "node:test";

const storage = new Map<string, string>();
const store = {
  getItem: (name: string) => storage.get(name) ?? null,
  setItem: (name: string, value: string) => void storage.set(name, value),
  removeItem: (name: string) => void storage.delete(name),
};
Object.assign(globalThis, {
  window: Object.assign(globalThis, { addEventListener: () => undefined }),
  document: { baseURI: "http://page/" },
  location: { hash: "" },
  sessionStorage: store,
  localStorage: store,
});
const { MemoryApi, filled } = await import("../../src/api/memory.ts");
const { actionWord, alongside, choices, facts, headOf, stateWord, unseen, verdictWords } =
  await import("../../src/memory/said.ts");
const times = await import("../../src/memory/times.ts");
const state = await import("../../src/state/memory.ts");
const { href, routeOf } = await import("../../src/state/route.ts");

const item = (id: string, more: object = {}) => ({
  id,
  text: `text of ${id}`,
  state: "released" as const,
  learned: "2026-11-02T09:00:00Z",
  digest: `digest of ${id}`,
  ...more,
});

test("times are told in UTC, and midnight is a day", () => {
  assert.equal(times.moment("2026-03-12T00:00:00Z"), "Mar 12, 2026");
  assert.equal(times.moment("2026-11-28T11:00:46.64Z"), "Nov 28, 2026, 11:00");
  assert.equal(times.moment("2026-11-28T23:30:00-02:00"), "Nov 29, 2026, 01:30");
  assert.equal(times.moment("whenever"), "whenever");
  assert.equal(times.momentOn("2026-11-28", "2026-11-28T11:00:00Z"), "11:00");
  assert.equal(times.momentOn("2026-11-27", "2026-11-28T11:00:00Z"), "Nov 28, 2026, 11:00");
  assert.equal(times.span(["2026-03-12T00:00:00Z", "2026-03-12T23:00:00Z"]), "Mar 12, 2026");
  assert.equal(times.span(["2026-03-01T00:00:00Z", "2026-03-31T00:00:00Z"]), "Mar 1, 2026 to Mar 31, 2026");
});

test("chosen days and times become moments of UTC, and nothing stays nothing", () => {
  assert.equal(times.edge("2026-03-12", "first"), "2026-03-12T00:00:00Z");
  assert.equal(times.edge("2026-03-12", "last"), "2026-03-12T23:59:59.999Z");
  assert.equal(times.edge("", "first"), "");
  assert.equal(times.utc("2026-03-12T10:30"), "2026-03-12T10:30:00Z");
  assert.equal(times.utc("2026-03-12T10:30:05"), "2026-03-12T10:30:05Z");
  assert.equal(times.utc(""), "");
});

test("days hold items by when they were true, the newest first", () => {
  const days = times.byDay([
    item("a", { valid_from: "2026-03-12T00:00:00Z", learned: "2026-11-28T11:00:00Z" }),
    item("b"),
    item("c", { learned: "2026-11-02T10:00:00Z" }),
  ]);
  assert.deepEqual(
    days.map((day) => [day.day, day.weekday, day.title, day.items.map((one) => one.id)]),
    [
      ["2026-11-02", "Monday", "Nov 2, 2026", ["c", "b"]],
      ["2026-03-12", "Thursday", "Mar 12, 2026", ["a"]],
    ],
  );
});

test("how long something is true", () => {
  const from = "2026-03-12T00:00:00Z";
  const until = "2026-09-02T00:00:00Z";
  assert.equal(times.validity({}), null);
  assert.equal(times.validity({ valid_from: from }), "true since Mar 12, 2026");
  assert.equal(times.validity({ valid_from: from }, "2026-03-12"), null);
  assert.equal(times.validity({ valid_from: from, valid_until: until }), "true Mar 12, 2026 to Sep 2, 2026");
  assert.equal(times.validity({ valid_from: from, valid_until: until }, "2026-03-12"), "true until Sep 2, 2026");
});

test("terms in words, unknown ones as they are", () => {
  assert.equal(stateWord("proposed"), "held");
  assert.equal(stateWord("odd"), "odd");
  assert.deepEqual(facts(item("a", { kind: "note", speaker: "anna", trust: 0, topic: "home" })), [
    "note",
    "said by anna",
    "trust 0",
    "topic home",
  ]);
  assert.equal(verdictWords({ id: "a", verdict: "held" }).title, "Held for review");
  assert.equal(verdictWords({ id: "a", verdict: "duplicate", of: "b" }).title, "Already remembered");
  assert.deepEqual(alongside({ keys: 1, vectors: 0, elsewhere: [{ place: "saved readings", removed: 2 }] }), [
    "1 key",
    "0 vectors",
    "saved readings: 2",
  ]);
  assert.equal(headOf({ entries: 6, head: "436e" }), "6:436e");
  assert.equal(headOf({ entries: 6, head: "6:436e" }), "6:436e");
});

test("what can be decided follows from the state", () => {
  assert.deepEqual(choices("proposed"), ["released", "rolled-back"]);
  assert.deepEqual(choices("released"), ["rolled-back"]);
  for (const state of ["superseded", "rolled-back", "forgotten"] as const) assert.deepEqual(choices(state), []);
  assert.equal(actionWord("forget"), "Forgotten");
  assert.equal(actionWord("odd"), "odd");
});

test("the log is read to its end, whatever its numbers leave out", async () => {
  const from: string[] = [];
  globalThis.fetch = async (url) => {
    const at = Number(new URL(String(url)).searchParams.get("from"));
    from.push(String(at));
    // Every second entry is another user's.
    const seqs = Array.from({ length: 500 }, (_, index) => at + 1 + 2 * index).filter((seq) => seq <= 1300);
    return Response.json({ data: seqs.map((seq) => ({ seq })) });
  };
  const { data, from: first } = await new MemoryApi("me").log(120, 50);
  assert.equal(first, 71);
  assert.deepEqual(from, ["71", "1071"]);
  assert.equal(data.at(-1)?.seq, 1300);
});

test("of the timeline nothing is forgotten, so those are listed", async () => {
  const asked: string[] = [];
  globalThis.fetch = async (url) => (asked.push(String(url)), Response.json({ data: [] }));
  const filter = { kind: "note", state: "", session: "", from: "2026-03-12T00:00:00Z", until: "" };
  await new MemoryApi("a b").timeline(filter, 100);
  await new MemoryApi("me").timeline({ ...filter, state: "forgotten" }, 100);
  assert.deepEqual(asked, [
    "http://page/v1/memory/timeline?user=a+b&kind=note&from=2026-03-12T00%3A00%3A00Z&last=100",
    "http://page/v1/memory/items?user=me&state=forgotten&last=100",
  ]);
});

test("what was left empty is not sent", () => {
  assert.deepEqual(filled({ a: "", b: "x", c: 0, d: null, e: undefined, f: false }), { b: "x", c: "0", f: "false" });
});

test("more may go than was shown", () => {
  const gone = (...ids: string[]) => ({
    items: ids.map((id) => ({ id, digest: "", was: "released" as const, derived: false })),
  });
  assert.equal(unseen(gone("a", "b"), gone("a", "b")), 0);
  assert.equal(unseen(gone("a"), gone("a", "b", "c")), 2);
});

test("addresses name user and part", () => {
  assert.deepEqual(routeOf("#/memory"), { view: "memory", user: null, tab: "timeline" });
  assert.deepEqual(routeOf(href.memoryOf("Anna / ö", "review")), { view: "memory", user: "Anna / ö", tab: "review" });
  assert.equal(routeOf("#/memory/me/nothing").view, "unknown");
});

test("what is dropped is gone from everything that is known, and no late answer brings it back", async () => {
  const since = state.version.get();
  state.note([item("a"), item("b")], since);
  state.select("a", true);
  state.select("b", true);
  state.opened.set("a");
  const bodies: string[] = [];
  globalThis.fetch = async (url, init) => {
    bodies.push(`${init?.method ?? "GET"} ${String(url)}`);
    const certificate = {
      items: [{ id: "a", digest: "d", was: "released", derived: false }],
      keys: 1,
      vectors: 0,
      elsewhere: [],
      at: "",
      actor: "me",
      dry_run: false,
      seq: 7,
      hash: "h",
    };
    return Response.json(init?.method === "POST" ? certificate : { states: {} });
  };
  const certificate = await state.forget({ ids: ["a"] }, "asked");
  assert.equal(certificate.seq, 7);
  assert.deepEqual([...state.items.get().keys()], ["b"]);
  assert.deepEqual([...state.selection.get()], ["b"]);
  assert.equal(state.opened.get(), null);
  assert.equal(bodies[0], "POST http://page/v1/memory/forget?user=me");
  // A list that was asked for before the forgetting.
  state.note([item("a")], since);
  assert.deepEqual([...state.items.get().keys()], ["b"]);
  assert.doesNotMatch(JSON.stringify([...storage]), /text of/);
});

test("of another user nothing stays", () => {
  state.note([item("z")], state.version.get());
  state.select("z", true);
  state.show("anna");
  assert.equal(state.items.get().size, 0);
  assert.equal(state.selection.get().size, 0);
  assert.equal(state.receipts.get().length, 0);
  assert.equal(state.lastUser(), "anna");
});
