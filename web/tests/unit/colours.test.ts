import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// Texts are measured where they stand, in the browser tests; this is about borders, bars and highlights.
const css = readFileSync("src/styles/tokens.css", "utf8");
const colours = new Map(
  [...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name, light, dark]) => [
    name,
    [light, dark],
  ]),
);

function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

const least: [name: string, on: string, ratio: number][] = [
  ...["paper", "raised"].flatMap((on): [string, string, number][] => [
    ["edge", on, 3],
    ["attention", on, 3],
    ["memory", on, 3],
    ["accent", on, 4.5],
  ]),
  ["memory", "line", 3],
  ...[1, 2, 3, 4, 5].map((level): [string, string, number] => ["ink", `mark-${level}`, 4.5]),
];

test("borders, bars and highlights stand out enough in both schemes", () => {
  assert.ok(colours.size > 15);
  for (const [name, on, ratio] of least) {
    [0, 1].forEach((scheme) => {
      const found = contrast(colours.get(name)?.[scheme] ?? "", colours.get(on)?.[scheme] ?? "");
      assert.ok(found >= ratio, `${name} on ${on}, ${scheme === 0 ? "light" : "dark"}: ${found.toFixed(2)}`);
    });
  }
});
