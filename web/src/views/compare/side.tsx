// One side of a comparison: a reading, and its answer.

import { useState } from "preact/hooks";
import type { Reading } from "../../api/types.ts";
import { parse } from "../../methods/spec.ts";
import type { Turn } from "../../state/conversation.ts";
import { meet } from "../../text/overlap.ts";
import { ProgressBar } from "../../ui/progress.tsx";
import { counted } from "../../words.ts";
import { Strip } from "../reading/strip.tsx";
import { TurnView } from "../reading/turn.tsx";

interface Props {
  reading: Reading;
  turn: Turn | undefined;
  against: Turn | undefined;
  onAgain: () => void;
}

export function Side({ reading, turn, against, onAgain }: Props) {
  const [shown, setShown] = useState<number | null>(null);
  const { id, values } = parse(reading.method ?? "");
  const passages = turn?.account?.evidence ?? [];
  const others = against?.account?.evidence ?? [];
  const common = new Set(
    passages.flatMap((passage, index) => (others.some((other) => meet(passage, other)) ? [index] : [])),
  );
  const parameters = Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
  return (
    <section class="side" aria-label={`Answer with ${id || "the planned method"}`}>
      <header>
        <h2>{id || "Not planned yet"}</h2>
        <p class="hint">{parameters || (reading.tokens !== null ? counted(reading.tokens, "token") : "")}</p>
      </header>
      {reading.status === "queued" && <p class="hint">Waiting to be read</p>}
      {reading.status === "reading" && (
        <ProgressBar progress={reading.progress} label={`Reading ${reading.name} by ${id}`} />
      )}
      {reading.status === "failed" && <p class="error">{reading.error ?? "It could not be read."}</p>}
      {reading.status === "ready" && !turn && <p class="hint">Ready to be asked.</p>}
      {turn?.account?.map && (
        <Strip
          documents={reading.documents}
          cells={turn.account.map.cells}
          evidence={passages}
          seen={null}
          onJump={null}
        />
      )}
      {turn && (
        <TurnView
          turn={turn}
          onAgain={onAgain}
          shown={shown}
          onPassage={(passage) => setShown(passage === shown ? null : passage)}
          common={common}
          sizes={reading.documents.map((document) => document.bytes)}
        />
      )}
    </section>
  );
}
