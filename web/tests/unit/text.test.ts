import assert from "node:assert/strict";
import { test } from "node:test";
import { levels, runs } from "../../src/text/marks.ts";
import { meet, shared } from "../../src/text/overlap.ts";
import { flowing, sections } from "../../src/text/sections.ts";

const whole = (text: string) =>
  sections(text)
    .flatMap((section) => section.paragraphs)
    .map((paragraph) => text.slice(paragraph.start, paragraph.end));

test("paragraphs are what stands between empty lines, whatever ends a line", () => {
  assert.deepEqual(whole("\n\none\ntwo\n\n \t\n\nthree\r\n\r\nfour  \n"), ["one\ntwo", "three", "four"]);
  assert.deepEqual(whole(""), []);
  assert.deepEqual(whole(" \n \n"), []);
});

test("nothing but white space is left out, and sections lie side by side", () => {
  const text = Array.from({ length: 400 }, (_, index) => `Absatz ${index} 🦉 ${"wörter ".repeat(index % 60)}`).join(
    "\n\n",
  );
  const found = sections(text);
  assert.ok(found.length > 10);
  assert.equal(whole(text).join("").replace(/\s/g, ""), text.replace(/\s/g, ""));
  found.forEach((section, index) => assert.equal(section.start, found[index - 1]?.end ?? 0));
  assert.equal(found.at(-1)?.end, text.length);
});

test("a line of megabytes comes in pieces that cut no character", () => {
  const text = `${"🦉".repeat(30000)}${" and on".repeat(30000)}`;
  const pieces = whole(text);
  assert.equal(pieces.join(""), text);
  assert.ok(pieces.every((piece) => piece.length <= 4000 && !/^[\udc00-\udfff]/.test(piece)));
});

test("prose broken at a width flows; verse, code and lists keep their lines", () => {
  const line = "some words that fill a line of a book until about here, as usual";
  assert.ok(flowing(`${line}\n${line}\nand the rest.`));
  assert.ok(!flowing("short verse\nafter short verse\nends here"));
  assert.ok(!flowing(`${line}\n    ${line}`));
  assert.ok(!flowing(`- ${line}\n- ${line}\n- ${line}`));
  assert.ok(flowing("one line alone"));
});

test("runs cover a paragraph without gaps, and the stronger passage wins", () => {
  const weak = { start: 5, end: 15, passage: 1, level: 2 };
  const strong = { start: 10, end: 30, passage: 0, level: 5 };
  assert.deepEqual(runs(0, 20, [weak, strong]), [
    { start: 0, end: 5, mark: null },
    { start: 5, end: 10, mark: weak },
    { start: 10, end: 20, mark: strong },
  ]);
  assert.deepEqual(runs(40, 50, [weak]), [{ start: 40, end: 50, mark: null }]);
  assert.deepEqual(runs(3, 3, []), []);
  assert.deepEqual(runs(0, 4, [{ start: 2, end: 2, passage: 0, level: 1 }]), [{ start: 0, end: 4, mark: null }]);
});

test("levels are relative to the strongest", () => {
  assert.deepEqual(levels([0.5, 0.25, 0.01, 0]), [5, 3, 1, 1]);
  assert.deepEqual(levels([0, 0]), [1, 1]);
  assert.deepEqual(levels([]), []);
});

test("shared text counts each byte once", () => {
  const at = (start: number, end: number, document = 0) => ({ document, start, end });
  assert.ok(meet(at(0, 10), at(9, 12)));
  assert.ok(!meet(at(0, 10), at(10, 12)));
  assert.ok(!meet(at(0, 10), at(0, 10, 1)));
  assert.equal(shared([at(0, 10), at(5, 10)], [at(0, 10)]), 1);
  assert.equal(shared([at(0, 10)], [at(5, 15)]), 5 / 15);
  assert.equal(shared([at(0, 10)], [at(0, 10, 1)]), 0);
  assert.equal(shared([], []), null);
});
