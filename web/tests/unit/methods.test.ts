import assert from "node:assert/strict";
import { test } from "node:test";
import type { Method, Parameter } from "../../src/api/types.ts";
import { budgetBytes, budgetProblem } from "../../src/methods/budget.ts";
import { domainOf, problemWith } from "../../src/methods/domain.ts";
import { format, parse, problems, same } from "../../src/methods/spec.ts";

const parameter = (name: string, value: Parameter["default"], domain: string): Parameter => ({
  name,
  unit: "",
  default: value,
  domain,
  meaning: "",
});

const METHODS: Method[] = [
  {
    id: "inf-llm",
    title: "",
    paper: "",
    exactness: "heuristic",
    description: "",
    cost: "",
    composes_with: [],
    parameters: [
      parameter("window", 2048, "a whole number from 1 to 1048576"),
      parameter("gamma", 1.0, "a number from -inf to inf"),
      parameter("split", "surprise", "surprise or uniform or random"),
      parameter("refine", true, "true or false"),
      parameter("free", "", "a path"),
    ],
  },
];

test("domains are read from the words that state them", () => {
  const kinds = METHODS[0]?.parameters.map(domainOf);
  assert.deepEqual(kinds, [
    { kind: "integer", low: 1, high: 1048576 },
    { kind: "number", low: null, high: null },
    { kind: "words", words: ["surprise", "uniform", "random"] },
    { kind: "flag" },
    { kind: "text" },
  ]);
  assert.deepEqual(domainOf({ domain: "a number from 0.001 to 1e30" }), { kind: "number", low: 0.001, high: 1e30 });
});

test("values outside their domain are named with it", () => {
  const window = parameter("window", 2048, "a whole number from 1 to 4096");
  assert.equal(problemWith(window, "4096"), null);
  for (const wrong of ["0", "4097", "1.5", "", "many"]) {
    assert.equal(problemWith(window, wrong), `window is a whole number from 1 to 4096, not “${wrong}”.`);
  }
  assert.equal(problemWith(parameter("gamma", 1, "a number from 0 to 1"), "0.5"), null);
  assert.ok(problemWith(parameter("flag", true, "true or false"), "yes"));
  assert.ok(problemWith(parameter("path", "", "a path"), "a,b"));
});

test("a typed method survives being taken apart, and defaults need not be typed", () => {
  assert.deepEqual(parse("inf-llm:window=512,split=random"), {
    id: "inf-llm",
    values: { window: "512", split: "random" },
  });
  assert.equal(format(parse("inf-llm:window=512,split=random"), METHODS), "inf-llm:window=512,split=random");
  assert.equal(format(parse("inf-llm:window=2048,gamma=1.0"), METHODS), "inf-llm");
  assert.equal(format(parse("snap-kv+think"), METHODS), "snap-kv+think");
});

test("methods are the same whichever defaults are spelled out, in whatever order", () => {
  assert.ok(same("inf-llm", "inf-llm:window=2048,split=surprise", METHODS));
  assert.ok(same("inf-llm:gamma=2,window=1", "inf-llm:window=1,gamma=2.0", METHODS));
  assert.ok(!same("inf-llm", "inf-llm:window=1024", METHODS));
  assert.ok(!same("inf-llm", "full", METHODS));
});

test("every problem of a choice is told", () => {
  assert.deepEqual(problems(parse("inf-llm:window=0,nothing=1"), METHODS).length, 2);
  assert.deepEqual(problems(parse("nowhere"), METHODS), ["There is no method “nowhere”."]);
  assert.deepEqual(problems(parse("inf-llm"), METHODS), []);
});

test("budgets are what the program's own options take", () => {
  assert.equal(budgetBytes("512MiB"), 512 * 2 ** 20);
  assert.equal(budgetBytes("1.5 gib"), 1.5 * 2 ** 30);
  assert.equal(budgetBytes("1GB"), 1e9);
  assert.equal(budgetBytes("2g"), 2 ** 31);
  assert.equal(budgetBytes("4096"), 4096);
  for (const wrong of ["0MiB", "-1MiB", "lots", "5 apples", "1.2.3MiB"]) assert.equal(budgetBytes(wrong), null);
  assert.equal(budgetProblem(""), null);
  assert.match(budgetProblem("lots") ?? "", /such as 512MiB/);
});
