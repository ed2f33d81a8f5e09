// Telling the memory something, and what the gate said to it.

import { useRef, useState } from "preact/hooks";
import { said } from "../../api/client.ts";
import type { Verdict } from "../../api/memory.ts";
import { verdictWords } from "../../memory/said.ts";
import { edge } from "../../memory/times.ts";
import { add, governed } from "../../state/memory.ts";
import { href } from "../../state/route.ts";
import { useStore } from "../../state/store.ts";
import { Visible } from "../../ui/visible.tsx";
import { ItemLink } from "./item.tsx";

export function AddNote() {
  const { user } = useStore(governed);
  const form = useRef<HTMLFormElement>(null);
  const [busy, setBusy] = useState(false);
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [error, setError] = useState<string | null>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    const typed = new FormData(form.current ?? undefined);
    const value = (name: string) => String(typed.get(name) ?? "").trim();
    if (value("text") === "" || busy) return;
    setBusy(true);
    setError(null);
    setVerdict(null);
    add({
      text: value("text"),
      topic: value("topic"),
      session: value("session"),
      valid_from: edge(value("from"), "first"),
      valid_until: edge(value("until"), "first"),
    })
      .then(
        (what) => {
          setVerdict(what);
          form.current?.reset();
        },
        (problem: unknown) => setError(said(problem)),
      )
      .finally(() => setBusy(false));
  };
  return (
    <form ref={form} class="add" aria-label="Add a note" autocomplete="off" onSubmit={submit}>
      <label class="field">
        <span>What is to be remembered</span>
        <textarea name="text" rows={3} required placeholder="Anna lives in Braga now." />
      </label>
      <div class="note-fields">
        <label class="field">
          <span>
            Topic <span class="unit">optional</span>
          </span>
          <input name="topic" placeholder="anna-home" />
          <small>Of several on one topic one counts: the better believed, then the newer.</small>
        </label>
        <label class="field">
          <span>
            Session <span class="unit">optional</span>
          </span>
          <input name="session" />
        </label>
        <label class="field">
          <span>
            True from <span class="unit">optional</span>
          </span>
          <input name="from" type="date" />
        </label>
        <label class="field">
          <span>
            True until <span class="unit">optional</span>
          </span>
          <input name="until" type="date" />
        </label>
      </div>
      <div class="buttons">
        <button type="submit" disabled={busy}>
          {busy ? "Asking the gate …" : "Remember it"}
        </button>
      </div>
      <div role="status">{verdict && <VerdictBox verdict={verdict} user={user} />}</div>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
    </form>
  );
}

function VerdictBox({ verdict, user }: { verdict: Verdict; user: string }) {
  const { title, text, good } = verdictWords(verdict);
  return (
    <div class={good ? "note-box good" : "note-box"}>
      <h2>{title}</h2>
      <p>{text}</p>
      {verdict.reasons && verdict.reasons.length > 0 && (
        <ul class="reasons">
          {verdict.reasons.map((reason) => (
            <li key={reason}>
              <Visible text={reason} />
            </li>
          ))}
        </ul>
      )}
      {verdict.of && (
        <p>
          It is in <ItemLink id={verdict.of} />
        </p>
      )}
      {verdict.verdict === "held" && (
        <p>
          <a href={href.memoryOf(user, "review")}>Review what is held</a>
        </p>
      )}
    </div>
  );
}
