// The text of a reading with the passages of an answer highlighted, and the map of the context above it.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { said } from "../../api/client.ts";
import { documentText } from "../../api/readings.ts";
import type { Account, Cell, Reading } from "../../api/types.ts";
import { levels, type Mark } from "../../text/marks.ts";
import { Offsets } from "../../text/offsets.ts";
import { sections, type Section } from "../../text/sections.ts";
import { restorations } from "../../state/connection.ts";
import { useStore } from "../../state/store.ts";
import { Icon } from "../../ui/icons.tsx";
import { bytes } from "../../words.ts";
import { Page, place, scrollToPassage, scrollToUnit } from "./page.tsx";
import { Strip } from "./strip.tsx";

interface Props {
  reading: Reading;
  account: Account | null;
  /** The passage to show, and how often one was asked for: asking for the same again scrolls again. */
  passage: number | null;
  jumps: number;
  onPassage: (passage: number) => void;
}

interface Loaded {
  index: number;
  text: string;
  offsets: Offsets;
  sections: Section[];
}

export function TextPane({ reading, account, passage, jumps, onPassage }: Props) {
  const evidence = account?.evidence ?? [];
  const [index, setIndex] = useState(0);
  const { loaded, error } = useText(reading.id, index);
  const box = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState<{ start: number; end: number } | null>(null);
  /** A byte to scroll to as soon as its document is there. */
  const pending = useRef<number | null>(null);

  const marks = useMemo(() => (loaded ? marksIn(loaded, evidence) : []), [loaded, account]);

  // A new answer is shown at its strongest passage, a chosen one at the chosen.
  const target = passage ?? (evidence.length > 0 ? 0 : null);
  const wanted = target === null ? null : (evidence[target]?.document ?? null);
  useEffect(() => {
    if (wanted !== null) setIndex(wanted);
  }, [wanted, account, jumps]);
  useEffect(() => {
    if (!loaded || !box.current) return;
    if (pending.current !== null) {
      scrollToUnit(box.current, loaded.sections, loaded.offsets.unit(pending.current));
      pending.current = null;
    } else if (target !== null && wanted === loaded.index) {
      scrollToPassage(box.current, target);
    }
  }, [loaded, account, target, jumps]);

  const look = () => {
    if (!box.current || !loaded) return;
    const visible = place(box.current, loaded.sections);
    if (visible) setSeen({ start: loaded.offsets.byte(visible.start), end: loaded.offsets.byte(visible.end) });
  };
  useEffect(look, [loaded]);

  const jump = (cell: Cell) => {
    if (loaded && cell.document === loaded.index && box.current) {
      scrollToUnit(box.current, loaded.sections, loaded.offsets.unit(cell.start));
    } else {
      pending.current = cell.start;
      setIndex(cell.document);
    }
  };

  return (
    <section id="pane-text" class="pane text" aria-label="Text">
      <Strip
        documents={reading.documents}
        cells={account?.map?.cells ?? null}
        evidence={evidence}
        seen={seen ? { document: index, ...seen } : null}
        onJump={jump}
      />
      <div class="text-head">
        <DocumentChoice reading={reading} index={index} onIndex={setIndex} />
        {evidence.length > 0 && <Steps count={evidence.length} at={passage} onPassage={onPassage} />}
      </div>
      <div
        class="scroll"
        ref={box}
        tabIndex={0}
        role="region"
        aria-label={reading.documents[index]?.name ?? "Text"}
        onScroll={look}
      >
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        {!loaded && !error && <p class="hint">Fetching the text …</p>}
        {loaded && (
          <Page
            key={loaded.index}
            text={loaded.text}
            sections={loaded.sections}
            marks={marks}
            shown={passage}
            onPassage={onPassage}
          />
        )}
      </div>
    </section>
  );
}

function DocumentChoice({
  reading,
  index,
  onIndex,
}: {
  reading: Reading;
  index: number;
  onIndex: (index: number) => void;
}) {
  const [only] = reading.documents;
  if (reading.documents.length === 1 && only) {
    return (
      <span class="document">
        {only.name} <span class="hint">{bytes(only.bytes)}</span>
      </span>
    );
  }
  return (
    <select aria-label="Document" value={index} onChange={(event) => onIndex(Number(event.currentTarget.value))}>
      {reading.documents.map((document, number) => (
        <option key={number} value={number}>
          {document.name}
        </option>
      ))}
    </select>
  );
}

function Steps({ count, at, onPassage }: { count: number; at: number | null; onPassage: (passage: number) => void }) {
  const now = at ?? 0;
  return (
    <div class="steps" role="group" aria-label="Passages">
      <span aria-live="polite">
        Passage {now + 1} of {count}
      </span>
      <button
        type="button"
        class="icon"
        aria-label="Previous passage"
        onClick={() => onPassage((now + count - 1) % count)}
      >
        <Icon name="up" />
      </button>
      <button type="button" class="icon" aria-label="Next passage" onClick={() => onPassage((now + 1) % count)}>
        <Icon name="down" />
      </button>
    </div>
  );
}

function marksIn(loaded: Loaded, evidence: NonNullable<Account["evidence"]>): Mark[] {
  const strength = levels(evidence.map((one) => one.mass));
  return evidence.flatMap((one, passage) =>
    one.document === loaded.index
      ? [
          {
            start: loaded.offsets.unit(one.start),
            end: loaded.offsets.unit(one.end),
            passage,
            level: strength[passage] ?? 1,
          },
        ]
      : [],
  );
}

function useText(reading: string, index: number): { loaded: Loaded | null; error: string | null } {
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [error, setError] = useState<string | null>(null);
  const times = useStore(restorations);
  useEffect(() => {
    const abort = new AbortController();
    setError(null);
    documentText(reading, index, abort.signal).then(
      (text) => setLoaded({ index, text, offsets: new Offsets(text), sections: sections(text) }),
      (problem: unknown) => {
        if (!abort.signal.aborted) setError(said(problem));
      },
    );
    return () => abort.abort();
  }, [reading, index, times]);
  // The text of another document is not this one's.
  return { loaded: loaded?.index === index ? loaded : null, error };
}
