// The library: what was read, what is being read, and the way to add more.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Reading } from "../../api/types.ts";
import { facts } from "../../state/facts.ts";
import { library, refresh } from "../../state/readings.ts";
import { useStore } from "../../state/store.ts";
import { sendings } from "../../state/uploads.ts";
import { Icon } from "../../ui/icons.tsx";
import { AddPanel } from "./add.tsx";
import { ReadingRow } from "./row.tsx";
import { SendingRow } from "./sending.tsx";

export function LibraryView() {
  const { readings, error } = useStore(library);
  const sending = useStore(sendings);
  const { error: factsError } = useStore(facts);
  const [adding, setAdding] = useState(false);
  useEffect(() => void refresh(), []);
  const empty = readings?.length === 0 && sending.length === 0;
  const open = adding || empty;
  return (
    <div class="page library">
      <div class="title">
        <div>
          <h1>Library</h1>
          <p class="lead">Texts that are read once and can be asked ever after.</p>
        </div>
        {!empty && (
          <button type="button" aria-expanded={open} onClick={() => setAdding(!adding)}>
            <Icon name={adding ? "close" : "plus"} />
            {adding ? "Close" : "Add texts"}
          </button>
        )}
      </div>
      {(error ?? factsError) && (
        <p class="error" role="alert">
          {error ?? factsError}
        </p>
      )}
      {open && <AddPanel first={empty} onSent={() => setAdding(false)} />}
      {readings === null && !error && <p class="hint">Looking into the library …</p>}
      {(readings?.length ?? 0) + sending.length > 0 && (
        <ul class="readings" aria-label="Readings">
          {sending.map((one) => (
            <SendingRow key={one.number} sending={one} />
          ))}
          {inOrder(readings ?? []).map((reading) => (
            <ReadingRow key={reading.id} reading={reading} />
          ))}
        </ul>
      )}
      <p class="unseen" role="status">
        {useNews(readings)}
      </p>
    </div>
  );
}

/** What happened to a reading since the last look, for those who listen: that it is ready, or that it failed. */
function useNews(readings: readonly Reading[] | null): string {
  const before = useRef(new Map<string, Reading["status"]>());
  const [news, setNews] = useState("");
  useEffect(() => {
    for (const { id, name, status } of readings ?? []) {
      const last = before.current.get(id);
      if (last !== undefined && last !== status && (status === "ready" || status === "failed")) {
        setNews(status === "ready" ? `${name} has been read and can be asked.` : `${name} could not be read.`);
      }
      before.current.set(id, status);
    }
  }, [readings]);
  return news;
}

/** Pinned ones first; within each the newest, as the server has them. */
function inOrder(readings: readonly Reading[]): Reading[] {
  return [...readings.filter((reading) => reading.pinned), ...readings.filter((reading) => !reading.pinned)];
}
