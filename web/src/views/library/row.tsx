// One reading in the library.

import { useEffect, useRef, useState } from "preact/hooks";
import { said } from "../../api/client.ts";
import type { Reading } from "../../api/types.ts";
import { parse } from "../../methods/spec.ts";
import { change, remove } from "../../state/readings.ts";
import { href } from "../../state/route.ts";
import { Confirm } from "../../ui/dialog.tsx";
import { Icon } from "../../ui/icons.tsx";
import { ProgressBar } from "../../ui/progress.tsx";
import { bytes, counted, day } from "../../words.ts";

export function ReadingRow({ reading }: { reading: Reading }) {
  const [deleting, setDeleting] = useState(false);
  const [renaming, setRenaming] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const act = (work: Promise<unknown>) => {
    setError(null);
    work.catch((problem: unknown) => setError(said(problem)));
  };
  const busy = reading.status === "queued" || reading.status === "reading";
  return (
    <li class={`reading ${reading.status}`}>
      <div class="what">
        {renaming ? (
          <Rename
            name={reading.name}
            onDone={(name) => {
              setRenaming(false);
              if (name && name !== reading.name) act(change(reading.id, { name }));
            }}
          />
        ) : (
          <h2>
            {reading.status === "ready" ? <a href={href.reading(reading.id)}>{reading.name}</a> : reading.name}
            {reading.pinned && <span class="chip">Pinned</span>}
          </h2>
        )}
        <Facts reading={reading} />
        {reading.status === "queued" && <p class="hint">Waiting to be read</p>}
        {reading.status === "reading" && <ProgressBar progress={reading.progress} label={`Reading ${reading.name}`} />}
        {reading.status === "failed" && (
          <p class="error">{reading.error ?? "It could not be read; the server gave no reason."}</p>
        )}
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
      </div>
      <div class="actions">
        {reading.status === "ready" && (
          <a class="button quiet" href={href.reading(reading.id)} aria-label={`Ask ${reading.name}`}>
            Ask
          </a>
        )}
        {reading.status === "ready" && (
          <a class="button quiet" href={href.compareOf(reading.id)} aria-label={`Compare methods on ${reading.name}`}>
            Compare
          </a>
        )}
        {!busy && (
          <>
            <button
              type="button"
              class="icon"
              aria-pressed={reading.pinned}
              aria-label={`Pin ${reading.name}`}
              title={reading.pinned ? "Pinned: never removed to make room" : "Pin: never remove to make room"}
              onClick={() => act(change(reading.id, { pinned: !reading.pinned }))}
            >
              <Icon name="pin" />
            </button>
            <button
              type="button"
              class="icon"
              aria-label={`Rename ${reading.name}`}
              title="Rename"
              onClick={() => setRenaming(true)}
            >
              <Icon name="pen" />
            </button>
          </>
        )}
        <button
          type="button"
          class="icon"
          aria-label={busy ? `Stop reading ${reading.name}` : `Delete ${reading.name}`}
          title={busy ? "Stop and delete" : "Delete"}
          onClick={() => setDeleting(true)}
        >
          <Icon name="bin" />
        </button>
      </div>
      {deleting && (
        <Confirm
          title={busy ? `Stop reading “${reading.name}”?` : `Delete “${reading.name}”?`}
          text={
            busy
              ? "What was read of it so far is lost."
              : "The saved reading is deleted from the server. To ask it again, the text would have to be read again."
          }
          yes={busy ? "Stop and delete" : "Delete"}
          onNo={() => setDeleting(false)}
          onYes={() => {
            setDeleting(false);
            act(remove(reading.id));
          }}
        />
      )}
    </li>
  );
}

function Facts({ reading }: { reading: Reading }) {
  const [first] = reading.documents;
  const documents =
    reading.documents.length === 1 && first ? first.name : counted(reading.documents.length, "document");
  const facts = [
    documents,
    reading.tokens !== null ? counted(reading.tokens, "token") : null,
    reading.method !== null ? parse(reading.method).id : null,
    reading.bytes !== null ? `${bytes(reading.bytes)} saved` : null,
    reading.status === "ready" ? day(reading.created) : null,
  ].filter((fact) => fact !== null);
  return (
    <p class="facts">
      {facts.map((fact) => (
        <span key={fact}>{fact}</span>
      ))}
    </p>
  );
}

function Rename({ name, onDone }: { name: string; onDone: (name: string | null) => void }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.select(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    onDone(input.current?.value.trim() ?? null);
  };
  return (
    <form class="rename" onSubmit={submit} onKeyDown={(event) => event.key === "Escape" && onDone(null)}>
      <input ref={input} defaultValue={name} aria-label="New name" required />
      <button type="submit">Save</button>
      <button type="button" class="quiet" onClick={() => onDone(null)}>
        Cancel
      </button>
    </form>
  );
}
