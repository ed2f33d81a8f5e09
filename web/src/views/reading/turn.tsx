// A question and its answer: while it is written, and everything that is known of it afterwards.

import { running, type Turn } from "../../state/conversation.ts";
import { Icon } from "../../ui/icons.tsx";
import { ProgressBar } from "../../ui/progress.tsx";
import { counted } from "../../words.ts";
import { AccountView } from "./account.tsx";
import { PassageList } from "./passages.tsx";

interface Props {
  turn: Turn;
  onAgain: (() => void) | null;
  /** The passage that is shown in the text, if it is one of this answer's. */
  shown: number | null;
  onPassage: ((passage: number) => void) | null;
  /** Passages that the other answer of a comparison rests on, too. */
  common?: ReadonlySet<number>;
  /** Documents of the reading, by which passages are placed. */
  sizes: readonly number[];
}

export function TurnView({ turn, onAgain, shown, onPassage, common, sizes }: Props) {
  const passages = turn.account?.evidence ?? [];
  return (
    <article class={`turn ${turn.state}`}>
      <h3 class="question" dir="auto">
        {turn.question}
      </h3>
      <div class="answer" dir="auto" aria-live="polite" aria-busy={running(turn)}>
        {turn.answer}
        {turn.state === "writing" && <span class="caret" aria-hidden="true" />}
      </div>
      <StateLine turn={turn} onAgain={onAgain} />
      {passages.length > 0 && (
        <PassageList passages={passages} shown={shown} onPassage={onPassage} common={common} sizes={sizes} />
      )}
      {turn.account && <AccountView account={turn.account} cached={turn.cached} />}
    </article>
  );
}

function StateLine({ turn, onAgain }: { turn: Turn; onAgain: (() => void) | null }) {
  const again = onAgain && (
    <button type="button" class="quiet small" onClick={onAgain}>
      Ask again
    </button>
  );
  switch (turn.state) {
    case "waiting":
      return (
        <p class="hint pulse">
          {turn.ahead ? `Waiting: ${counted(turn.ahead, "request")} before this one` : "Waiting for the server"}
        </p>
      );
    case "reading":
      return <ProgressBar progress={turn.progress} label="Reading the question" />;
    case "writing":
      return null;
    case "stopped":
      return <p class="hint">Stopped before the end. {again}</p>;
    case "failed":
      return (
        <div class="failure" role="alert">
          <p class="error">{turn.error}</p>
          {again}
        </div>
      );
    case "done":
      if (turn.answer === "") return <p class="hint">The model answered with nothing. {again}</p>;
      return turn.reason === "length" ? (
        <p class="hint">Cut off at the longest answer that the settings allow.</p>
      ) : null;
  }
}

export function StopButton({ onStop }: { onStop: () => void }) {
  return (
    <button type="button" class="round" aria-label="Stop the answer" title="Stop" onClick={onStop}>
      <Icon name="stop" />
    </button>
  );
}
