import assert from "node:assert/strict";
import { test } from "node:test";
import { EventParser } from "../../src/api/sse.ts";

const STREAM =
  ': hello\r\ndata: {"a":"Küsnacht 🦉"}\r\n\r\nevent: x\ndata: one\ndata: two\n\ndata:three\r\rdata: [DONE]\n\n';
const EVENTS = ['{"a":"Küsnacht 🦉"}', "one\ntwo", "three", "[DONE]"];

test("events are the same wherever the stream is cut", () => {
  const bytes = new TextEncoder().encode(STREAM);
  for (let first = 0; first <= bytes.length; first++) {
    for (const second of [first, Math.min(bytes.length, first + 1), Math.min(bytes.length, first + 7)]) {
      const parser = new EventParser();
      const found = [bytes.slice(0, first), bytes.slice(first, second), bytes.slice(second)].flatMap((part) =>
        parser.push(part),
      );
      assert.deepEqual(found, EVENTS, `cut at ${first} and ${second}`);
    }
  }
});

test("byte by byte, too", () => {
  const parser = new EventParser();
  const found = [...new TextEncoder().encode(STREAM)].flatMap((byte) => parser.push(Uint8Array.of(byte)));
  assert.deepEqual(found, EVENTS);
});

test("an event that is not complete is none", () => {
  assert.deepEqual(new EventParser().push(new TextEncoder().encode("data: half\n")), []);
});
