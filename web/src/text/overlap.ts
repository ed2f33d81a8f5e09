// How far two answers looked at the same places.

interface Span {
  document: number;
  start: number;
  end: number;
}

/** Whether two passages have a byte in common. */
export function meet(a: Span, b: Span): boolean {
  return a.document === b.document && a.start < b.end && b.start < a.end;
}

/** Bytes of both, as a share of the bytes of either; null where neither has any. */
export function shared(a: readonly Span[], b: readonly Span[]): number | null {
  const [left, right] = [union(a), union(b)];
  const both = left.reduce(
    (sum, one) =>
      sum +
      right.reduce(
        (inner, other) =>
          inner + (meet(one, other) ? Math.min(one.end, other.end) - Math.max(one.start, other.start) : 0),
        0,
      ),
    0,
  );
  const either = length(left) + length(right) - both;
  return either > 0 ? both / either : null;
}

function union(spans: readonly Span[]): Span[] {
  const sorted = spans
    .filter((span) => span.end > span.start)
    .sort((a, b) => a.document - b.document || a.start - b.start);
  const joined: Span[] = [];
  for (const span of sorted) {
    const last = joined.at(-1);
    if (last && last.document === span.document && span.start <= last.end) last.end = Math.max(last.end, span.end);
    else joined.push({ document: span.document, start: span.start, end: span.end });
  }
  return joined;
}

function length(spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + span.end - span.start, 0);
}
