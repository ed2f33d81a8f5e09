// Answers of the mock: the sentences that share most words with the question, with their true byte offsets.

import { generator } from "./book.mjs";

const COMMON = new Set(
  "a an and at by did does for from he her his how in is it of on or she that the they to was what when where which who whose why with".split(
    " ",
  ),
);

const wordsOf = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** Sentences of a document with their bytes. */
function sentences(text) {
  const found = [];
  let bytes = 0;
  for (const piece of text.split(/(?<=[.!?”🦉])\s+(?=\S)|\n\n+/u)) {
    const at = text.indexOf(piece, found.length > 0 ? found.at(-1).unit + found.at(-1).text.length : 0);
    const before = found.length > 0 ? found.at(-1).unit : 0;
    bytes += Buffer.byteLength(text.slice(before, at));
    found.push({ text: piece, unit: at, start: bytes });
  }
  return found;
}

const cache = new WeakMap();

function sentencesOf(document) {
  if (!cache.has(document)) cache.set(document, sentences(document.text));
  return cache.get(document);
}

export function evidenceFor(documents, question, most, seed) {
  const asked = wordsOf(question).filter((word) => !COMMON.has(word));
  const scored = documents.flatMap((document, index) =>
    sentencesOf(document).map((sentence) => {
      const words = new Set(wordsOf(sentence.text));
      const hits = asked.filter((word) => words.has(word)).length;
      return { document: index, file: document.name, sentence, score: hits === 0 ? 0 : hits + hits / (words.size + 8) };
    }),
  );
  const random = generator(seed);
  // Where nothing fits, attention still goes somewhere.
  for (const one of scored) one.score += random() * 0.4;
  scored.sort((a, b) => b.score - a.score);
  const best = scored.slice(0, most);
  const sum = best.reduce((total, one) => total + one.score ** 2, 0) || 1;
  return best.map(({ document, file, sentence, score }) => ({
    document,
    file,
    start: sentence.start,
    end: sentence.start + Buffer.byteLength(sentence.text),
    text: sentence.text,
    mass: Number(((0.72 * score ** 2) / sum).toFixed(4)),
  }));
}

export function answerText(evidence) {
  if (evidence.length === 0)
    return "Without a text to read I can only say that I am a mock, and that this is a sentence.";
  return `The text says: ${evidence[0].text.replace(/\s+/g, " ")}`;
}

/** A map of `count` cells over all documents. */
export function mapOf(documents, evidence, count, method, seed) {
  const random = generator(seed + 3);
  const total = documents.reduce((sum, one) => sum + one.bytes, 0);
  const cells = documents.flatMap((document, index) => {
    const mine = Math.max(1, Math.round((count * document.bytes) / total));
    return Array.from({ length: mine }, (_, cell) => {
      const start = Math.floor((document.bytes * cell) / mine);
      const end = Math.floor((document.bytes * (cell + 1)) / mine);
      const mass = evidence
        .filter((one) => one.document === index && one.start < end && one.end > start)
        .reduce((sum, one) => sum + one.mass, 0);
      return { document: index, start, end, held: 0, mass: mass + 0.0015 * random() };
    });
  });
  const id = method.split(":")[0];
  cells.forEach((cell, index) => {
    const place = index / cells.length;
    if (id === "window") cell.held = place > 0.85 ? 1 : 0;
    else if (id === "snap-kv")
      cell.held = Math.min(1, (cell.mass > 0.01 ? 0.8 : 0.08) + 0.35 * random() ** 3 + (place > 0.97 ? 1 : 0));
    else cell.held = 1;
  });
  return { cells };
}

export function contextOf(tokens, method) {
  const id = method.split(":")[0];
  const window = Number(/window=(\d+)/.exec(method)?.[1] ?? 8192);
  const kept = id === "window" ? Math.min(tokens, window) : id === "snap-kv" ? Math.min(tokens, 512) : tokens;
  return {
    given: tokens,
    read: tokens,
    skipped: 0,
    kept: id === "full" ? kept : 0,
    compressed: id === "full" ? 0 : kept,
    recalled: id === "inf-llm" || id === "em-llm" ? Math.min(1024, Math.max(0, tokens - window)) : 0,
    dropped: tokens - kept,
    window: Math.min(window, 8192),
  };
}
