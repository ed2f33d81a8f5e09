// A reading: the conversation about it beside its text.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { json, said } from "../../api/client.ts";
import type { Reading } from "../../api/types.ts";
import { parse } from "../../methods/spec.ts";
import { sentence } from "../../report.ts";
import { conversation } from "../../state/conversation.ts";
import { library, put } from "../../state/readings.ts";
import { href } from "../../state/route.ts";
import { settings } from "../../state/settings.ts";
import { useStore } from "../../state/store.ts";
import { Icon } from "../../ui/icons.tsx";
import { ProgressBar } from "../../ui/progress.tsx";
import { ReportTable } from "../../ui/report.tsx";
import { bytes, count } from "../../words.ts";
import { termsFor } from "./settings.tsx";
import { Talk, type Shown } from "./talk.tsx";
import { TextPane } from "./text.tsx";

export function ReadingView({ id }: { id: string }) {
  const { readings } = useStore(library);
  const reading = readings?.find((one) => one.id === id) ?? null;
  const [error, setError] = useState<string | null>(null);
  const unknown = readings !== null && reading === null;
  useEffect(() => {
    // A reading that is not in the list, for instance one just made elsewhere.
    if (unknown)
      json<Reading>(`v1/loci/readings/${encodeURIComponent(id)}`).then(put, (problem: unknown) =>
        setError(said(problem)),
      );
  }, [id, unknown]);
  const name = reading?.name ?? "Reading";
  useEffect(() => {
    document.title = `${name} · Loci`;
  }, [name]);
  if (reading?.status === "ready") return <Work reading={reading} />;
  return (
    <div class="page">
      <h1>{name}</h1>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {reading === null && error === null && <p class="hint">Opening …</p>}
      {reading?.status === "failed" && <p class="error">{reading.error ?? "It could not be read."}</p>}
      {(reading?.status === "queued" || reading?.status === "reading") && (
        <>
          <p>This text is being read. It can be asked as soon as that is done.</p>
          <ProgressBar progress={reading.progress} label={`Reading ${reading.name}`} />
        </>
      )}
      <p>
        <a href={href.library}>Back to the library</a>
      </p>
    </div>
  );
}

function Work({ reading }: { reading: Reading }) {
  const talk = conversation(reading.id);
  const turns = useStore(talk.turns);
  const now = useStore(settings);
  const [chosen, setChosen] = useState<Shown | null>(null);
  const [tab, setTab] = useState<"talk" | "text">("talk");
  const [jumps, setJumps] = useState(0);

  // The newest answer is shown until another one's passage was chosen; a new question goes back to that.
  useEffect(() => setChosen(null), [turns.length]);
  const newest = turns.findLastIndex((turn) => turn.account !== null);
  const shown: Shown | null = chosen ?? (newest >= 0 ? { turn: newest, passage: null } : null);
  const account = shown ? (turns[shown.turn]?.account ?? null) : null;
  const show = useCallback((next: Shown) => {
    setChosen(next);
    setJumps((times) => times + 1);
    setTab("text");
  }, []);

  return (
    <div class={`work show-${tab}`}>
      <Head reading={reading} />
      <Tabs
        tab={tab}
        onTab={(next) => {
          setTab(next);
          // A pane that was hidden could not scroll.
          if (next === "text") setJumps((times) => times + 1);
        }}
      />
      <section id="pane-talk" class="pane talk" aria-label="Conversation">
        <Talk
          conversation={talk}
          terms={termsFor(reading, now)}
          blocked={null}
          reading
          label={`Question about ${reading.name}`}
          placeholder="Ask the text"
          empty={
            <>
              <h2>Ask the text</h2>
              <p>
                {count(reading.tokens ?? 0)} tokens have been read already, so answers come at once. Each shows the
                passages it rests on, highlighted in the text.
              </p>
            </>
          }
          shown={shown}
          onShow={show}
          sizes={reading.documents.map((document) => document.bytes)}
        />
      </section>
      <TextPane
        reading={reading}
        account={account}
        passage={shown?.passage ?? null}
        jumps={jumps}
        onPassage={(passage) => shown && show({ turn: shown.turn, passage })}
      />
    </div>
  );
}

function Head({ reading }: { reading: Reading }) {
  const how = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    // It lies over the text, so it goes away as people expect: by Escape, or by pressing anywhere else.
    const away = (event: Event) => {
      const box = how.current;
      if (!box?.open) return;
      if (event instanceof KeyboardEvent ? event.key === "Escape" : !box.contains(event.target as Node))
        box.open = false;
    };
    document.addEventListener("pointerdown", away);
    document.addEventListener("keydown", away);
    return () => {
      document.removeEventListener("pointerdown", away);
      document.removeEventListener("keydown", away);
    };
  }, []);
  return (
    <div class="work-head">
      <a class="icon" href={href.library} aria-label="Back to the library" title="Library">
        <Icon name="back" />
      </a>
      <h1>{reading.name}</h1>
      <details class="how" ref={how}>
        <summary>
          <span class="by">Read by </span>
          <code>{parse(reading.method ?? "").id}</code>
        </summary>
        <div class="float">
          {reading.context && <p>{sentence(reading.context)}</p>}
          {reading.context && <ReportTable report={reading.context} />}
          <dl>
            <dt>Method</dt>
            <dd>
              <code>{reading.method}</code>
            </dd>
            <dt>Model</dt>
            <dd>{reading.model}</dd>
            <dt>Budget</dt>
            <dd>{reading.budget === null ? "the server’s own" : bytes(reading.budget)}</dd>
          </dl>
        </div>
      </details>
      <a class="button quiet small" href={href.compareOf(reading.id)}>
        Compare
      </a>
    </div>
  );
}

/** On narrow screens one pane is shown at a time. */
function Tabs({ tab, onTab }: { tab: "talk" | "text"; onTab: (tab: "talk" | "text") => void }) {
  const one = (name: "talk" | "text", title: string) => (
    <button type="button" aria-pressed={tab === name} aria-controls={`pane-${name}`} onClick={() => onTab(name)}>
      {title}
    </button>
  );
  return (
    <div class="tabs" role="group" aria-label="Show">
      {one("talk", "Conversation")}
      {one("text", "Text")}
    </div>
  );
}
