// A text of any size in sections that the browser lays out only while they are near, each with its paragraphs.

export interface Paragraph {
  /** String offsets; the line ends between paragraphs belong to none. */
  start: number;
  end: number;
  /** Lines were only broken to fit a page, so they may flow. */
  flows: boolean;
}

export interface Section {
  start: number;
  end: number;
  paragraphs: Paragraph[];
}

/** About so many units a section; a paragraph is never in two. */
const SECTION = 6000;
/** A paragraph longer than this is shown in pieces, or one line of megabytes would have to be laid out at once. */
const PIECE = 4000;

export function sections(text: string): Section[] {
  const found: Section[] = [];
  let current: Paragraph[] = [];
  let start = 0;
  for (const paragraph of paragraphs(text)) {
    current.push(paragraph);
    if (paragraph.end - start >= SECTION) {
      found.push({ start, end: paragraph.end, paragraphs: current });
      current = [];
      start = paragraph.end;
    }
  }
  if (current.length > 0) found.push({ start, end: text.length, paragraphs: current });
  return found;
}

function* paragraphs(text: string): Generator<Paragraph> {
  const gap = /(?:[ \t]*\r?\n){2,}/g;
  let start = skipLineEnds(text, 0);
  while (start < text.length) {
    gap.lastIndex = start;
    const match = gap.exec(text);
    const end = match ? match.index : trimmedEnd(text, start);
    if (end > start) yield* pieces(text, start, end);
    start = match ? gap.lastIndex : text.length;
  }
}

function* pieces(text: string, start: number, end: number): Generator<Paragraph> {
  const flows = flowing(text.slice(start, Math.min(end, start + 2 * PIECE)));
  while (end - start > PIECE) {
    const cut = cutNear(text, start, start + PIECE);
    yield { start, end: cut, flows };
    start = cut;
  }
  yield { start, end, flows };
}

/** A place to cut not after `limit`: behind a line end, else behind a space, else between two characters. */
function cutNear(text: string, start: number, limit: number): number {
  const window = text.slice(start + PIECE / 2, limit);
  const line = window.lastIndexOf("\n");
  const at = line >= 0 ? line : window.lastIndexOf(" ");
  if (at >= 0) return start + PIECE / 2 + at + 1;
  const code = text.charCodeAt(limit);
  return code >= 0xdc00 && code < 0xe000 ? limit - 1 : limit;
}

/** Whether lines look like prose that was broken at a fixed width: all but the last are about as long. */
export function flowing(paragraph: string): boolean {
  const lines = paragraph.split("\n");
  if (lines.length === 1) return true;
  const full = lines.slice(0, -1);
  const longest = Math.max(...full.map((line) => line.length));
  return (
    longest >= 50 &&
    longest <= 100 &&
    full.every((line) => line.length >= longest * 0.7) &&
    lines.slice(1).every((line) => !/^[\s\-*#|>{}]/.test(line))
  );
}

function skipLineEnds(text: string, from: number): number {
  const match = /^(?:[ \t]*\r?\n)+/.exec(text.slice(from, from + 4096));
  return match ? from + match[0].length : from;
}

function trimmedEnd(text: string, start: number): number {
  let end = text.length;
  while (end > start && /\s/.test(text[end - 1] ?? "")) end--;
  return end;
}
