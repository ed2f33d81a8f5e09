import assert from "node:assert/strict";
import { test } from "node:test";

// The client knows the page's address and storage; neither is used here.
Object.assign(globalThis, { window: globalThis, document: { baseURI: "http://page/" } });
const { events } = await import("../../src/api/ask.ts");
const { refusal } = await import("../../src/api/client.ts");

const all = (chunk: unknown) => [...events(JSON.stringify(chunk))];

test("each kind of chunk is told apart", () => {
  assert.deepEqual(all({ choices: [], loci: { queued: 3 } }), [{ kind: "queued", ahead: 3 }]);
  const progress = { done: 1, total: 2, tokens_per_s: 3 };
  assert.deepEqual(all({ choices: [], loci: { progress } }), [{ kind: "progress", progress }]);
  assert.deepEqual(all({ choices: [{ delta: { role: "assistant", content: "" }, finish_reason: null }] }), []);
  assert.deepEqual(all({ choices: [{ delta: { content: "<b>" }, finish_reason: null }] }), [
    { kind: "text", text: "<b>" },
  ]);
  const account = { method: "full", context: {} };
  assert.deepEqual(all({ choices: [{ delta: {}, finish_reason: "stop" }], loci: account }), [
    { kind: "end", reason: "stop", account },
  ]);
  assert.deepEqual(all({ choices: [], usage: { prompt_tokens_details: { cached_tokens: 9 } } }), [
    { kind: "usage", cached: 9 },
  ]);
});

test("an error in mid-stream is thrown in the server's words", () => {
  assert.throws(
    () => all({ error: { message: "the answer took longer than 600 s", code: "timeout" } }),
    /the answer took longer than 600 s/,
  );
});

test("what is no JSON is said to be so", () => {
  assert.throws(() => [...events("{oops")], /no JSON: \{oops/);
});

test("refusals are shown as they are said, whatever their form", () => {
  assert.equal(refusal(400, '{"error":{"message":"too long","code":"context_too_long"}}').message, "too long");
  assert.equal(refusal(400, '{"error":{"message":"too long","code":"context_too_long"}}').code, "context_too_long");
  assert.equal(refusal(502, "<h1>Bad gateway</h1>").message, "<h1>Bad gateway</h1>");
  assert.equal(refusal(502, "").message, "The server answered with status 502.");
});
