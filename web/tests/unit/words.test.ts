import assert from "node:assert/strict";
import { test } from "node:test";
import { lines, sentence } from "../../src/report.ts";
import { add, span } from "../../src/views/health/history.ts";
import * as said from "../../src/words.ts";

/** The same with plain spaces, which are easier to write here. */
const plain = (text: string) => text.replaceAll("\u00a0", " ");
const words = {
  ...said,
  bytes: (value: number) => plain(said.bytes(value)),
  seconds: (value: number) => plain(said.seconds(value)),
  percent: (value: number) => plain(said.percent(value)),
};

test("numbers are told in words that people read", () => {
  assert.equal(words.count(16012), "16,012");
  assert.equal(words.counted(1, "token"), "1 token");
  assert.equal(words.bytes(999), "999 bytes");
  assert.equal(words.bytes(1536), "1.5 KiB");
  assert.equal(words.bytes(536870912), "512 MiB");
  assert.equal(words.seconds(0.04), "0.04 s");
  assert.equal(words.seconds(75), "1 min 15 s");
  assert.equal(words.seconds(7800), "2 h 10 min");
  assert.equal(words.percent(0.0004), "under 0.1 %");
  assert.equal(words.percent(0.213), "21 %");
  assert.equal(words.percent(0.041), "4.1 %");
  assert.equal(words.percent(0), "0 %");
  assert.equal(words.timeLeft({ done: 0, total: 100, tokens_per_s: 0 }), null);
  assert.equal(words.timeLeft({ done: 400, total: 1000, tokens_per_s: 10 }), "about 1 min 00 s left");
});

const report = {
  given: 16012,
  read: 16012,
  skipped: 0,
  kept: 2048,
  compressed: 13964,
  recalled: 1024,
  dropped: 0,
  window: 2048,
};

test("the report tells everything that it counts", () => {
  assert.equal(
    sentence(report),
    "16,012 tokens read; 2,048 kept exactly, 13,964 kept in fewer bits, 1,024 recalled, none dropped.",
  );
  assert.equal(
    sentence({ ...report, read: 1000, skipped: 15012, kept: 0, compressed: 400, recalled: 0, dropped: 600 }),
    "1,000 of 16,012 tokens read, 15,012 skipped; 400 kept in fewer bits, 600 dropped.",
  );
  assert.deepEqual(
    lines(report)
      .map((line) => line.tokens)
      .sort(),
    Object.values(report).sort(),
  );
});

test("charts keep five minutes and begin with one", () => {
  const status = {
    speed: { prefill_tokens_per_s: 1, decode_tokens_per_s: 2 },
    memory: { resident_bytes: 3, context_bytes: 4 },
  } as Parameters<typeof add>[1];
  let samples: ReturnType<typeof add> = [];
  for (let second = 0; second <= 600; second += 2) samples = add(samples, status, second * 1000);
  assert.ok(samples.every((sample) => sample.at > 300000));
  assert.equal(span(samples), 300000);
  assert.equal(span(samples.slice(0, 2)), 60000);
  assert.equal(span([]), 60000);
});
