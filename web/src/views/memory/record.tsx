// Whether the memory is what its log says, the log itself, and a copy of everything.

import { useState } from "preact/hooks";
import { request, said } from "../../api/client.ts";
import type { Entry, State, Verification } from "../../api/memory.ts";
import { STATES } from "../../api/memory.ts";
import { actionWord, headOf, stateWord } from "../../memory/said.ts";
import { moment } from "../../memory/times.ts";
import { api, governed, receipt, receipts, useLoaded, verification } from "../../state/memory.ts";
import { useStore } from "../../state/store.ts";
import { Icon } from "../../ui/icons.tsx";
import { excerpt } from "../../text/hidden.ts";
import { count, counted } from "../../words.ts";
import { ItemLink } from "./item.tsx";
import { save } from "./receipt.tsx";
import { BackDialog } from "./back.tsx";

const PAGE = 50;

export function RecordTab() {
  const { overview } = useStore(governed);
  return (
    <section class="record" aria-label="Record">
      <Verify />
      {overview && (
        <section>
          <h2>What there is</h2>
          <dl class="counts">
            {STATES.filter((state) => (overview.states[state] ?? 0) > 0).map((state: State) => (
              <div key={state}>
                <dt>{stateWord(state)}</dt>
                <dd class="number">{count(overview.states[state] ?? 0)}</dd>
              </div>
            ))}
            <div>
              <dt>entries in the log</dt>
              <dd class="number">{count(overview.entries)}</dd>
            </div>
          </dl>
          {overview.extraction && (
            <p class="hint">
              {overview.extraction.model} makes facts and keys of what is told;{" "}
              {counted(overview.extraction.pending, "item")} wait.
            </p>
          )}
          <Export />
        </section>
      )}
      <Receipts />
      <Log entries={overview?.entries ?? 0} />
    </section>
  );
}

function Verify() {
  const found = useStore(verification);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const head = new FormData(event.currentTarget as HTMLFormElement).get("head");
    setBusy(true);
    setError(null);
    api()
      .verify(typeof head === "string" ? head.trim() : "")
      .then(
        (result) => verification.set(result),
        (problem: unknown) => {
          verification.set(null);
          setError(said(problem));
        },
      )
      .finally(() => setBusy(false));
  };
  return (
    <section>
      <h2>Is it what its log says?</h2>
      <p class="hint">
        Each change is an entry that carries the hash of the one before. Verifying computes all of it again and compares
        every item and key.
      </p>
      <form class="verify" onSubmit={submit}>
        <label class="field">
          <span>
            A head noted earlier <span class="unit">optional</span>
          </span>
          <input name="head" placeholder="6:436e…" autocomplete="off" spellcheck={false} />
        </label>
        <button type="submit" disabled={busy}>
          {busy ? "Verifying …" : "Verify"}
        </button>
      </form>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      <div role="status">{found && found.faults.length === 0 && <Verified found={found} />}</div>
    </section>
  );
}

function Verified({ found }: { found: Verification }) {
  return (
    <div class="note-box good">
      <h2>
        <Icon name="check" /> No fault
      </h2>
      <p>
        {found.entries === 1 ? "1 entry" : `${count(found.entries)} entries`}, {counted(found.items, "item")} and{" "}
        {counted(found.keys, "key")} agree.
      </p>
      <p>Note this head: whoever has it can tell later that nothing before it was changed.</p>
      <p>
        <code>{headOf(found)}</code>
      </p>
    </div>
  );
}

function Export() {
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const { user } = useStore(governed);
  const fetchAll = () => {
    setBusy(true);
    setError(null);
    request(api().exportPath(), { cache: "no-store" })
      .then((response) => response.blob())
      .then(
        (content) => save(content, `loci-memory-${user.replace(/[^\w.-]+/g, "_")}.jsonl`),
        (problem: unknown) => setError(said(problem)),
      )
      .finally(() => setBusy(false));
  };
  return (
    <>
      <button type="button" class="quiet small" disabled={busy} onClick={fetchAll}>
        Download everything (JSON lines)
      </button>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
    </>
  );
}

function Receipts() {
  const all = useStore(receipts);
  if (all.length === 0) return null;
  return (
    <section>
      <h2>Receipts</h2>
      <p class="hint">Of what was forgotten since this page was opened. The log keeps them all.</p>
      <ul class="links">
        {all.map((one) => (
          <li key={one.seq}>
            <button type="button" class="link" onClick={() => receipt.set({ certificate: one, more: 0 })}>
              Entry {one.seq}: {counted(one.items.length, "item")}, {moment(one.at)} UTC
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Log({ entries }: { entries: number }) {
  const [most, setMost] = useState(PAGE);
  const { data: log, error } = useLoaded(`log ${entries} ${most}`, () => api().log(entries, most));
  const [to, setTo] = useState<number | null>(null);
  const data = log?.data ?? null;
  const newest = data?.at(-1)?.seq;
  return (
    <section>
      <h2>Log</h2>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {data === null && !error && <p class="hint">Fetching the log …</p>}
      <ol class="way log" aria-label="Log, the newest first">
        {[...(data ?? [])].reverse().map((entry) => (
          <LogEntry key={entry.seq} entry={entry} onBack={entry.seq === newest ? null : () => setTo(entry.seq)} />
        ))}
      </ol>
      {log && log.from > 1 && (
        <p class="more">
          <button type="button" class="quiet small" onClick={() => setMost(most * 2)}>
            Show earlier entries
          </button>
        </p>
      )}
      {to !== null && <BackDialog to={to} onClose={() => setTo(null)} />}
    </section>
  );
}

function LogEntry({ entry, onBack }: { entry: Entry; onBack: (() => void) | null }) {
  const changes = entry.body.changes ?? [];
  const details = Object.entries(entry.body.details ?? {}).filter(([, value]) => typeof value !== "object");
  return (
    <li>
      <span class="number seq">{entry.seq}</span>
      <div>
        <p>
          <strong>{actionWord(entry.action)}</strong>
        </p>
        {changes.slice(0, 5).map((change) => (
          <p key={change.id} class="change">
            <ItemLink id={change.id} />{" "}
            <span class="hint">
              {change.from ? `${stateWord(change.from)} → ` : ""}
              {stateWord(change.to)}
            </span>
          </p>
        ))}
        {changes.length > 5 && <p class="hint">and {counted(changes.length - 5, "other")}</p>}
        <p class="facts">
          <span>{moment(entry.at)} UTC</span>
          <span>{entry.actor}</span>
          {entry.body.reason && <span dir="auto">{excerpt(entry.body.reason, 200)}</span>}
          {details.map(([name, value]) => (
            <span key={name}>
              {name}: {excerpt(String(value))}
            </span>
          ))}
          <span title={entry.hash}>
            <code>{entry.hash.slice(0, 12)}…</code>
          </span>
        </p>
      </div>
      {onBack && (
        <button type="button" class="link" aria-label={`Go back to entry ${entry.seq}`} onClick={onBack}>
          Go back to here …
        </button>
      )}
    </li>
  );
}
