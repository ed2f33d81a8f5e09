// The same question to the same text, read by two methods, side by side.

import { useMemo, useState } from "preact/hooks";
import { said } from "../../api/client.ts";
import type { Reading } from "../../api/types.ts";
import { parse, problems, same } from "../../methods/spec.ts";
import { Conversation, running } from "../../state/conversation.ts";
import { facts } from "../../state/facts.ts";
import { library, readAgain, siblings } from "../../state/readings.ts";
import { href } from "../../state/route.ts";
import { settings } from "../../state/settings.ts";
import { useStore } from "../../state/store.ts";
import { MethodField } from "../../ui/method.tsx";
import { Composer } from "../reading/composer.tsx";
import { SettingsPanel, termsFor } from "../reading/settings.tsx";
import { Outcome } from "./outcome.tsx";
import { Side } from "./side.tsx";

export function CompareView({ id }: { id: string | null }) {
  const { readings } = useStore(library);
  const ready = (readings ?? []).filter((reading) => reading.status === "ready");
  const left = id === null ? null : (readings?.find((reading) => reading.id === id) ?? null);
  const choose = (chosen: string) => {
    location.hash = chosen ? href.compareOf(chosen) : href.compare;
  };
  return (
    <div class="page compare">
      <div class="title">
        <div>
          <h1>Compare</h1>
          <p class="lead">One question, one text, two methods of reading it.</p>
        </div>
      </div>
      {readings !== null && ready.length === 0 && left === null ? (
        <p>
          There is nothing to compare yet. <a href={href.library}>Add a text to the library</a> first.
        </p>
      ) : (
        <label class="field narrow">
          <span>Text</span>
          <select value={left?.id ?? ""} onChange={(event) => choose(event.currentTarget.value)}>
            <option value="">Choose a reading</option>
            {ready.map((reading) => (
              <option key={reading.id} value={reading.id}>
                {reading.name} ({parse(reading.method ?? "").id})
              </option>
            ))}
          </select>
        </label>
      )}
      {id !== null && readings !== null && left === null && <p class="error">There is no reading {id}.</p>}
      {left && <Pair key={left.id} left={left} all={readings ?? []} />}
    </div>
  );
}

function Pair({ left, all }: { left: Reading; all: readonly Reading[] }) {
  const others = siblings(left, all);
  const [rightId, setRightId] = useState<string>(others[0]?.id ?? "");
  const right = others.find((reading) => reading.id === rightId) ?? null;
  const now = useStore(settings);
  // A pair of its own for each pair of readings: answers of other readings would only mislead.
  const talks = useMemo(() => ({ left: new Conversation(), right: new Conversation() }), [left.id, rightId]);
  const [leftTurn, rightTurn] = [useStore(talks.left.turns).at(-1), useStore(talks.right.turns).at(-1)];
  const busy = running(leftTurn) || running(rightTurn);

  const ask = (question: string) => {
    if (!right) return;
    // Each question by itself, so that both sides are asked exactly the same.
    for (const [talk, reading] of [
      [talks.left, left],
      [talks.right, right],
    ] as const) {
      talk.clear();
      void talk.ask(question, termsFor(reading, now));
    }
  };
  const blocked =
    right === null
      ? "Choose what to compare with first."
      : left.status !== "ready" || right.status !== "ready"
        ? "Both readings have to be finished first."
        : null;
  return (
    <>
      <Other left={left} others={others} right={right} onRight={setRightId} />
      {right && (
        <>
          <div class="asking">
            <Composer
              label="Question to both"
              placeholder={blocked ?? "Ask both"}
              blocked={blocked}
              running={busy}
              onAsk={ask}
              onStop={() => {
                talks.left.stop();
                talks.right.stop();
              }}
            />
            <SettingsPanel reading />
          </div>
          {leftTurn && rightTurn && <Outcome left={leftTurn} right={rightTurn} />}
          <div class="sides">
            <Side
              reading={left}
              turn={leftTurn}
              against={rightTurn}
              onAgain={() => void talks.left.again(termsFor(left, now))}
            />
            <Side
              reading={right}
              turn={rightTurn}
              against={leftTurn}
              onAgain={() => void talks.right.again(termsFor(right, now))}
            />
          </div>
        </>
      )}
    </>
  );
}

interface OtherProps {
  left: Reading;
  others: readonly Reading[];
  right: Reading | null;
  onRight: (id: string) => void;
}

/** The other reading: one that is there, or a new one by a method that is chosen. */
function Other({ left, others, right, onRight }: OtherProps) {
  const { methods } = useStore(facts);
  const [method, setMethod] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [sent, setSent] = useState(false);
  const wrong = method ? problems(parse(method), methods) : [];
  const known = method
    ? [left, ...others].find((reading) => reading.method !== null && same(reading.method, method, methods))
    : undefined;

  const read = (event: Event) => {
    event.preventDefault();
    setError(null);
    if (known && known.id !== left.id) return onRight(known.id);
    setSent(true);
    readAgain(left.id, method, left.budget === null ? "" : `${left.budget}B`)
      .then(
        (reading) => onRight(reading.id),
        (problem: unknown) => setError(said(problem)),
      )
      .finally(() => setSent(false));
  };
  return (
    <div class="other">
      {others.length > 0 && (
        <label class="field narrow">
          <span>Compared with</span>
          <select value={right?.id ?? ""} onChange={(event) => onRight(event.currentTarget.value)}>
            {others.map((reading) => (
              <option key={reading.id} value={reading.id}>
                {reading.method ?? `${reading.name} (${reading.status})`}
              </option>
            ))}
            <option value="">Another method …</option>
          </select>
        </label>
      )}
      {right === null && (
        <form class="again" onSubmit={read} aria-label="Read by another method">
          <p>
            It was read by <code>{left.method}</code>. The same text is read once more by the method you choose; both
            readings stay in the library.
          </p>
          <MethodField label="Other method" value={method} onChange={setMethod} automatic={null} />
          {error && (
            <p class="error" role="alert">
              {error}
            </p>
          )}
          {known?.id === left.id && <p class="hint">That is how it was read already.</p>}
          <div class="buttons">
            <button type="submit" disabled={method === "" || wrong.length > 0 || sent || known?.id === left.id}>
              {known ? "Use that reading" : "Read it by this method"}
            </button>
          </div>
        </form>
      )}
    </div>
  );
}
