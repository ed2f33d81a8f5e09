// The passages an answer rests on, the strongest first.

import type { Evidence } from "../../api/types.ts";
import { levels } from "../../text/marks.ts";
import { percent } from "../../words.ts";

interface Props {
  passages: readonly Evidence[];
  shown: number | null;
  onPassage: ((passage: number) => void) | null;
  common: ReadonlySet<number> | undefined;
  sizes: readonly number[];
}

export function PassageList({ passages, shown, onPassage, common, sizes }: Props) {
  const strength = levels(passages.map((passage) => passage.mass));
  return (
    <section class="passages" aria-label="Passages this answer rests on">
      <h4>
        Rests on <span class="hint">share of the answer’s attention</span>
      </h4>
      <ol>
        {passages.map((passage, index) => {
          const size = sizes[passage.document] ?? 0;
          const place = size > 0 ? `${passage.file}, ${depth(passage.start / size)}` : passage.file;
          const inside = (
            <>
              <span class="share">{percent(passage.mass)}</span>
              <span class="place">
                {place}
                {common?.has(index) && <span class="chip">in both</span>}
              </span>
              <span class="words" dir="auto">
                {passage.text.trim().replace(/\s+/g, " ")}
              </span>
            </>
          );
          return (
            <li key={index} class={`level-${strength[index] ?? 1}`}>
              {onPassage ? (
                <button type="button" class="passage" aria-pressed={shown === index} onClick={() => onPassage(index)}>
                  {inside}
                </button>
              ) : (
                <div class="passage">{inside}</div>
              )}
            </li>
          );
        })}
      </ol>
    </section>
  );
}

function depth(share: number): string {
  return share < 0.005 ? "at the beginning" : `${percent(share)} in`;
}
