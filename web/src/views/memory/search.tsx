// A question to the memory: what is found in order, what each is worth, and whether anything supports an answer.

import { useEffect, useState } from "preact/hooks";
import { said } from "../../api/client.ts";
import type { By, Question } from "../../api/memory.ts";
import { moment, span, utc } from "../../memory/times.ts";
import { answer, governed, search, select, version, type Answer, type Place } from "../../state/memory.ts";
import { useStore } from "../../state/store.ts";
import { Icon } from "../../ui/icons.tsx";
import { counted } from "../../words.ts";
import { ItemLink, ItemRow } from "./item.tsx";
import { SelectionBar } from "./timeline.tsx";

const BY: [By, string][] = [
  ["words", "Words"],
  ["meaning", "Meaning"],
  ["fused", "Both"],
];
const TOP = 10;

export function SearchTab() {
  const now = useStore(answer);
  const since = useStore(version);
  const encoder = useStore(governed).overview?.encoder ?? null;
  const last = now?.question;
  const [query, setQuery] = useState(last?.query ?? "");
  const [by, setBy] = useState<By>(last?.by ?? (encoder ? "fused" : "words"));
  const [at, setAt] = useState(last?.at.replace(/:00Z$/, "") ?? "");
  const [past, setPast] = useState(last?.past ?? false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const ask = (question: Question) => {
    setBusy(true);
    setError(null);
    search(question)
      .catch((problem: unknown) => setError(said(problem)))
      .finally(() => setBusy(false));
  };
  useEffect(() => {
    // What was found may stand otherwise after a change.
    if (now && now.since !== since) ask(now.question);
  }, [since]);
  const submit = (event: Event) => {
    event.preventDefault();
    if (query.trim()) ask({ query: query.trim(), by, at: utc(at), past, top: TOP });
  };
  return (
    <section aria-label="Search">
      <form class="ask-memory" role="search" onSubmit={submit}>
        <div class="composer">
          <input
            aria-label="Question to the memory"
            placeholder="Ask what is remembered"
            value={query}
            autocomplete="off"
            onInput={(event) => setQuery(event.currentTarget.value)}
          />
          <button type="submit" class="round" aria-label="Search" disabled={busy || query.trim() === ""}>
            <Icon name="find" />
          </button>
        </div>
        <div class="search-options">
          <fieldset class="segments">
            <legend class="unseen">Found by</legend>
            {BY.map(([value, title]) => (
              <label key={value}>
                <input
                  type="radio"
                  name="by"
                  checked={by === value}
                  disabled={value !== "words" && encoder === null}
                  onChange={() => setBy(value)}
                />
                <span>{title}</span>
              </label>
            ))}
          </fieldset>
          <label class="inline">
            <span>As of</span>
            <input
              type="datetime-local"
              aria-label="As of a time, in UTC"
              value={at}
              onChange={(event) => setAt(event.currentTarget.value)}
            />
          </label>
          <label class="inline">
            <input type="checkbox" checked={past} onChange={(event) => setPast(event.currentTarget.checked)} />
            <span>Also what is past</span>
          </label>
        </div>
        {encoder === null && <p class="hint">By meaning only where the server has an encoder (--encoder).</p>}
      </form>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      <div aria-busy={busy}>{now ? <Results answer={now} /> : <Empty />}</div>
      <SelectionBar />
    </section>
  );
}

function Empty() {
  return (
    <div class="empty-memory">
      <h2>Ask what is remembered</h2>
      <p>
        What is found is shown with what it is worth: whether it supports an answer, and what is newer or says
        otherwise.
      </p>
    </div>
  );
}

function Results({ answer: { question, found, places } }: { answer: Answer }) {
  const facts = [
    counted(places.length, "item"),
    `by ${found.by === "fused" ? "words and meaning" : found.by}`,
    question.at ? `as of ${moment(found.at)}` : "",
    found.days ? `the question names ${span(found.days)}` : "",
  ].filter(Boolean);
  return (
    <>
      <div class="found-head" role="status">
        {!found.supported && (
          <div class="note-box abstain">
            <h2>Nothing that is remembered supports an answer</h2>
            <p>
              {places.length > 0
                ? "What follows only resembles the question. An answer from it would be made up."
                : "Nothing was found at all."}
            </p>
          </div>
        )}
        <p class="facts">
          {facts.map((fact) => (
            <span key={fact}>{fact}</span>
          ))}
        </p>
      </div>
      {places.length > 0 && (
        <ol class="items ranked" aria-label="Found">
          {places.map((place, index) => (
            <ItemRow
              key={place.id}
              id={place.id}
              choice
              above={<p class="rank">{index + 1}</p>}
              below={<StandingLine place={place} />}
            />
          ))}
        </ol>
      )}
      {places.length > 0 && (
        <p class="more">
          <button type="button" class="quiet small" onClick={() => places.forEach((place) => select(place.id, true))}>
            Select all of these
          </button>
        </p>
      )}
    </>
  );
}

function StandingLine({ place }: { place: Place }) {
  return (
    <p class="standing">
      {place.supports ? (
        <span class="mark-supports">
          <Icon name="check" /> supports an answer
        </span>
      ) : (
        <span class="hint">supports no answer</span>
      )}
      {place.of_the_days && <span class="hint">of those days</span>}
      {place.standing === "not-then" && <strong>not true then</strong>}
      {place.standing === "outdone" && (
        <span>
          <strong>outdone by</strong> <ItemLink id={place.by} />
        </span>
      )}
      {place.standing === "tied" && (
        <span>
          <strong>contradicts</strong> <ItemLink id={place.with} />
        </span>
      )}
      <span class="hint number">score {place.score.toFixed(2)}</span>
    </p>
  );
}
