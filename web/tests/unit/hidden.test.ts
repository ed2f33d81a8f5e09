import assert from "node:assert/strict";
import { test } from "node:test";
import { excerpt, pieces } from "../../src/text/hidden.ts";

test("characters that deceive are named, and counted where they repeat", () => {
  assert.deepEqual(pieces("pay \u202eyas\u202c\u200b\u200b\u200b."), [
    { text: "pay ", hidden: 0 },
    { text: "U+202E", hidden: 1 },
    { text: "yas", hidden: 0 },
    { text: "U+202C", hidden: 1 },
    { text: "U+200B", hidden: 3 },
    { text: ".", hidden: 0 },
  ]);
  assert.deepEqual(pieces("a\u0000b"), [
    { text: "a", hidden: 0 },
    { text: "U+0000", hidden: 1 },
    { text: "b", hidden: 0 },
  ]);
  assert.deepEqual(pieces("\u{e0041}\u{e0041}"), [{ text: "U+E0041", hidden: 2 }]);
});

test("what texts are made of stays: line ends, tabs, joined emoji, Hebrew and Arabic", () => {
  for (const text of ["one\r\n\ttwo", "👩‍👩‍👧", "שלום", "مرحبا", ""])
    assert.deepEqual(pieces(text), text === "" ? [] : [{ text, hidden: 0 }]);
});

test("an excerpt is one line that ends with a word", () => {
  assert.equal(excerpt("  one\n\ntwo  "), "one two");
  assert.equal(excerpt("one two three four", 10), "one two …");
  assert.equal(excerpt("🦉".repeat(20), 5), `${"🦉".repeat(5)} …`);
  assert.equal(excerpt("a\u202eb"), "a U+202E b");
});
