// The map of the context: a strip over the whole text that tells what memory still holds and where an answer looked.

import { useId, useState } from "preact/hooks";
import type { Cell, Evidence, ReadDocument } from "../../api/types.ts";
import { count, percent } from "../../words.ts";

interface Props {
  documents: readonly ReadDocument[];
  /** Null before there is an answer. */
  cells: readonly Cell[] | null;
  evidence: readonly Evidence[];
  /** The bytes that are in view now. */
  seen: { document: number; start: number; end: number } | null;
  /** Null where there is no text beside it. */
  onJump: ((cell: Cell) => void) | null;
}

/** Inner units of the drawing; it is stretched to the width there is. */
const WIDTH = 1200;
const HELD = { top: 0, height: 12 };
const MASS = { top: 17, height: 26 };

export function Strip({ documents, cells, evidence, seen, onJump }: Props) {
  const [at, setAt] = useState<number | null>(null);
  const id = useId();
  if (!cells || cells.length === 0) {
    return (
      <div class="strip bare">
        <p class="hint">
          The map of the context appears with the first answer: what memory holds, and where the answer looked.
        </p>
      </div>
    );
  }
  const scale = scaleOf(documents);
  const most = Math.max(...cells.map((cell) => cell.mass), 0);
  const now = at === null ? null : (cells[Math.min(at, cells.length - 1)] ?? null);
  const describe = (cell: Cell) =>
    `${documents[cell.document]?.name ?? ""}, bytes ${count(cell.start)} to ${count(cell.end)}: ` +
    `${percent(cell.held)} in memory, ${percent(cell.mass)} of attention`;

  const key = (event: KeyboardEvent) => {
    const step: Record<string, number> = {
      ArrowRight: 1,
      ArrowUp: 1,
      ArrowLeft: -1,
      ArrowDown: -1,
      PageUp: 10,
      PageDown: -10,
    };
    const from = at ?? 0;
    if (event.key in step)
      setAt(Math.min(cells.length - 1, Math.max(0, at === null ? 0 : from + (step[event.key] ?? 0))));
    else if (event.key === "Home") setAt(0);
    else if (event.key === "End") setAt(cells.length - 1);
    else if ((event.key === "Enter" || event.key === " ") && now && onJump) onJump(now);
    else return;
    event.preventDefault();
  };
  const under = (event: MouseEvent): number | null => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    const index = cells.findIndex((cell) => x < scale(cell.document, cell.end));
    return index < 0 ? null : index;
  };
  const click = (event: MouseEvent) => {
    const cell = cells[under(event) ?? -1];
    if (cell) onJump?.(cell);
  };

  return (
    <div class="strip">
      <div
        class="cells"
        role="slider"
        tabIndex={0}
        aria-label="Map of the context"
        aria-describedby={`${id}-legend`}
        aria-valuemin={1}
        aria-valuemax={cells.length}
        aria-valuenow={(at ?? 0) + 1}
        aria-valuetext={describe(now ?? (cells[0] as Cell))}
        onKeyDown={key}
        onMouseMove={(event) => setAt(under(event))}
        onMouseLeave={() => setAt(null)}
        onClick={click}
      >
        <svg viewBox={`0 0 ${WIDTH} ${MASS.top + MASS.height}`} preserveAspectRatio="none" aria-hidden="true">
          {documents.map((document, index) => (
            <rect
              key={index}
              class="ground"
              x={scale(index, 0)}
              width={Math.max(0, scale(index, document.bytes) - scale(index, 0))}
              y={HELD.top}
              height={HELD.height}
            />
          ))}
          {cells.map((cell, index) => {
            const [x, end] = [scale(cell.document, cell.start), scale(cell.document, cell.end)];
            const held = HELD.height * clamp(cell.held);
            const mass = most > 0 ? MASS.height * clamp(cell.mass / most) : 0;
            return (
              <g key={index}>
                {held > 0 && (
                  <rect
                    class="held"
                    x={x}
                    width={Math.max(0, end - x)}
                    y={HELD.top + HELD.height - held}
                    height={held}
                  />
                )}
                {mass > 0 && (
                  <rect
                    class="mass"
                    x={x + 0.5}
                    width={Math.max(1, end - x - 1)}
                    y={MASS.top + MASS.height - mass}
                    height={mass}
                  />
                )}
                {at === index && (
                  <rect class="here" x={x} width={Math.max(0, end - x)} y={0} height={MASS.top + MASS.height} />
                )}
              </g>
            );
          })}
          {seen && (
            <rect
              class="seen"
              x={scale(seen.document, seen.start)}
              width={Math.max(4, scale(seen.document, seen.end) - scale(seen.document, seen.start))}
              y={HELD.height + 1}
              height={3}
            />
          )}
        </svg>
      </div>
      <p class="legend" id={`${id}-legend`}>
        {now ? (
          <span>{describe(now)}</span>
        ) : (
          <>
            <span>
              <i class="key held" /> still in memory
            </span>
            <span>
              <i class="key mass" /> looked at{most > 0 && <>, most {percent(most)}</>}
            </span>
            {seen && (
              <span>
                <i class="key seen" /> in view
              </span>
            )}
            <span class="unseen">
              {evidence.length} passages. Arrow keys move over the map
              {onJump ? ", Enter shows the place in the text" : ""}.
            </span>
          </>
        )}
      </p>
    </div>
  );
}

/** Where a byte of a document stands on the strip; documents lie side by side with a small gap. */
function scaleOf(documents: readonly ReadDocument[]): (document: number, byte: number) => number {
  const gap = documents.length > 1 ? Math.min(6, WIDTH / 4 / documents.length) : 0;
  const total = documents.reduce((sum, document) => sum + document.bytes, 0);
  const unit = total > 0 ? (WIDTH - gap * (documents.length - 1)) / total : 0;
  const starts: number[] = [];
  let x = 0;
  for (const document of documents) {
    starts.push(x);
    x += document.bytes * unit + gap;
  }
  return (document, byte) => (starts[document] ?? 0) + byte * unit;
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
