import assert from "node:assert/strict";
import { test } from "node:test";

Object.assign(globalThis, { window: globalThis, document: { baseURI: "http://page/" } });
const { Conversation } = await import("../../src/state/conversation.ts");

const TERMS = { model: "m", loci: {} };
const event = (chunk: unknown) => `data: ${JSON.stringify(chunk)}\n\n`;
const word = (content: string) => event({ choices: [{ delta: { content }, finish_reason: null }] });
const END = `${event({ choices: [{ delta: {}, finish_reason: "stop" }] })}data: [DONE]\n\n`;

/** The next request is answered by these parts, one each turn of the event loop; null breaks the connection. */
function answerWith(parts: (string | null)[], bodies: unknown[] = []): void {
  globalThis.fetch = async (_url, init) => {
    bodies.push(JSON.parse(String(init?.body)));
    const left = [...parts];
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        init?.signal?.throwIfAborted();
        const part = left.shift();
        if (part === undefined) controller.close();
        else if (part === null) controller.error(new TypeError("network error"));
        else controller.enqueue(new TextEncoder().encode(part));
      },
    });
    return new Response(stream, { status: 200 });
  };
}

test("turns go on, and earlier ones are sent along", async () => {
  const bodies: { messages: { role: string; content: string }[] }[] = [];
  const talk = new Conversation();
  answerWith([word("one "), word("two") + END], bodies);
  await talk.ask("first?", TERMS);
  assert.deepEqual(
    talk.turns.get().map((turn) => [turn.answer, turn.state, turn.reason]),
    [["one two", "done", "stop"]],
  );
  await talk.ask("second?", TERMS);
  assert.deepEqual(bodies[1]?.messages, [
    { role: "user", content: "first?" },
    { role: "assistant", content: "one two" },
    { role: "user", content: "second?" },
  ]);
});

test("a broken answer is told, is not sent along, and can be asked again", async () => {
  const bodies: { messages: unknown[] }[] = [];
  const talk = new Conversation();
  answerWith([word("half"), null]);
  await talk.ask("q?", TERMS);
  assert.equal(talk.turns.get()[0]?.state, "failed");
  assert.match(talk.turns.get()[0]?.error ?? "", /connection broke/);
  answerWith([word("half")]);
  await talk.again(TERMS);
  assert.match(talk.turns.get()[0]?.error ?? "", /ended before the answer did/);
  answerWith([word("whole") + END], bodies);
  await talk.again(TERMS);
  assert.deepEqual(
    talk.turns.get().map((turn) => turn.answer),
    ["whole"],
  );
  assert.equal(bodies[0]?.messages.length, 1);
});

test("what comes late for a question that was cleared does not touch the next", async () => {
  const talk = new Conversation();
  answerWith([word("slow"), word("slow"), word("slow"), END]);
  const first = talk.ask("first?", TERMS);
  await new Promise((resolve) => setTimeout(resolve, 12));
  talk.clear();
  answerWith([word("new") + END]);
  const second = talk.ask("second?", TERMS);
  await Promise.all([first, second]);
  assert.deepEqual(
    talk.turns.get().map((turn) => [turn.question, turn.answer, turn.state]),
    [["second?", "new", "done"]],
  );
});

test("a stopped answer keeps what was written", async () => {
  const talk = new Conversation();
  answerWith([word("some"), word("more"), word("more"), word("more"), END]);
  const asked = talk.ask("q?", TERMS);
  while (talk.turns.get()[0]?.answer === "") await new Promise((resolve) => setTimeout(resolve, 1));
  talk.stop();
  await asked;
  const [turn] = talk.turns.get();
  assert.equal(turn?.state, "stopped");
  assert.ok(turn?.answer.startsWith("some"));
});
