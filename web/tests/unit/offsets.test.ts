import assert from "node:assert/strict";
import { test } from "node:test";
import { Offsets } from "../../src/text/offsets.ts";

const bytesOf = (text: string) => Buffer.byteLength(text);

test("offsets agree with the encoder at every character of one to four bytes", () => {
  const text = "aé燈🦉\u{10ffff}ß".repeat(700);
  const offsets = new Offsets(text);
  assert.equal(offsets.bytes, bytesOf(text));
  let unit = 0;
  let bytes = 0;
  for (const character of text) {
    assert.equal(offsets.unit(bytes), unit);
    assert.equal(offsets.byte(unit), bytes);
    unit += character.length;
    bytes += bytesOf(character);
  }
  assert.equal(offsets.unit(bytes), text.length);
  assert.equal(offsets.byte(text.length), bytes);
});

test("a byte inside a character is moved to where the character begins", () => {
  const offsets = new Offsets("é🦉z");
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7].map((byte) => offsets.unit(byte)),
    [0, 0, 1, 1, 1, 1, 3, 4],
  );
});

test("offsets outside the text are its ends, and an empty text has one place", () => {
  const offsets = new Offsets("abc");
  assert.equal(offsets.unit(-5), 0);
  assert.equal(offsets.unit(99), 3);
  assert.equal(offsets.byte(99), 3);
  assert.equal(new Offsets("").unit(0), 0);
  assert.equal(new Offsets("").bytes, 0);
});

test("a byte order mark counts its three bytes", () => {
  assert.equal(new Offsets("\ufeffab").unit(3), 1);
});

test("a cut pair counts three bytes, as the replacement that an encoder writes", () => {
  const text = "a\ud83eb";
  assert.equal(new Offsets(text).bytes, bytesOf(text));
});

test("a passage is found again by its bytes, wherever it stands", () => {
  const passage = "“Der Schlüssel” 🦉 燈塔";
  for (const before of [0, 1, 1023, 1024, 1025, 5000]) {
    const text = `${"ü".repeat(before)}${passage}${"x".repeat(3000)}`;
    const offsets = new Offsets(text);
    const start = bytesOf("ü".repeat(before));
    assert.equal(text.slice(offsets.unit(start), offsets.unit(start + bytesOf(passage))), passage);
  }
});
