// Which parts of a text are highlighted, and how strongly.

/** A passage in string offsets. */
export interface Mark {
  start: number;
  end: number;
  /** Its number in the answer, from 0: the strongest first. */
  passage: number;
  /** 1 (faint) to 5 (strong). */
  level: number;
}

/** A run of text that is highlighted as a whole or not at all. */
export interface Run {
  start: number;
  end: number;
  mark: Mark | null;
}

/** Strength of each passage beside the strongest one. */
export function levels(masses: readonly number[]): number[] {
  const most = Math.max(...masses, 0);
  return masses.map((mass) => (most > 0 ? Math.min(5, Math.max(1, Math.ceil((5 * mass) / most))) : 1));
}

/** Cuts `[start, end)` where highlighting changes; where passages overlap, the stronger one is shown. */
export function runs(start: number, end: number, marks: readonly Mark[]): Run[] {
  const inside = marks.filter((mark) => mark.start < end && mark.end > start && mark.end > mark.start);
  if (inside.length === 0) return end > start ? [{ start, end, mark: null }] : [];
  const cuts = new Set([start, end]);
  for (const mark of inside) {
    cuts.add(Math.max(start, mark.start));
    cuts.add(Math.min(end, mark.end));
  }
  const places = [...cuts].sort((a, b) => a - b);
  const found: Run[] = [];
  for (let index = 0; index + 1 < places.length; index++) {
    const [from, to] = [places[index] ?? 0, places[index + 1] ?? 0];
    const mark = strongest(inside.filter((candidate) => candidate.start <= from && candidate.end >= to));
    const last = found.at(-1);
    if (last && last.mark === mark) last.end = to;
    else found.push({ start: from, end: to, mark });
  }
  return found;
}

function strongest(marks: Mark[]): Mark | null {
  return marks.reduce<Mark | null>(
    (best, mark) =>
      best === null || mark.level > best.level || (mark.level === best.level && mark.passage < best.passage)
        ? mark
        : best,
    null,
  );
}
