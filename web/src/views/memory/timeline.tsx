// What was told, by the day it was true.

import { useRef, useState } from "preact/hooks";
import { KINDS, STATES, type Filter, type Item } from "../../api/memory.ts";
import { STATE_WORDS } from "../../memory/said.ts";
import { byDay, edge } from "../../memory/times.ts";
import { api, forgetting, items, note, selection, useLoaded } from "../../state/memory.ts";
import { useStore } from "../../state/store.ts";
import { counted } from "../../words.ts";
import { ItemRow } from "./item.tsx";

const PAGE = 100;
const NOTHING: Filter = { kind: "", state: "", session: "", from: "", until: "" };

export function TimelineTab() {
  const [filter, setFilter] = useState(NOTHING);
  const [last, setLast] = useState(PAGE);
  const known = useStore(items);
  const asked = { ...filter, from: edge(filter.from, "first"), until: edge(filter.until, "last") };
  const { data: loaded, error } = useLoaded(JSON.stringify(["timeline", asked, last]), async (since) => {
    const found = await api().timeline(asked, last);
    note(found, since);
    return { ids: found.map((item) => item.id), more: found.length >= last };
  });
  // While other filters are asked for, what was there stays, or the page would jump.
  const before = useRef(loaded);
  if (loaded) before.current = loaded;
  const data = before.current;
  const shown = (data?.ids ?? [])
    .map((id) => known.get(id))
    .filter((item): item is Item => item !== undefined && typeof item !== "string")
    // Nothing is left to read of a forgotten one, so it is shown only where it is asked for.
    .filter((item) => filter.state === "forgotten" || item.state !== "forgotten");
  const set = (changes: Partial<Filter>) => {
    setFilter({ ...filter, ...changes });
    setLast(PAGE);
  };
  const filtered = Object.values(filter).some((value) => value !== "");
  return (
    <section aria-label="Timeline">
      <Filters filter={filter} onChange={set} onClear={filtered ? () => set(NOTHING) : null} />
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {data === null && !error && <p class="hint">Fetching the timeline …</p>}
      {data !== null && shown.length === 0 && (
        <div class="empty-memory">
          <h2>{filtered ? "Nothing fits these filters" : "Nothing is remembered yet"}</h2>
          <p>
            {filtered
              ? "Other kinds, states or days may have something."
              : "Add a note above, or let a program tell the memory what was said; each appears here on its day."}
          </p>
        </div>
      )}
      <div class="days" aria-busy={loaded === null}>
        {byDay(shown).map(({ day, weekday, title, items: ofDay }) => (
          <section key={day} class="day" aria-labelledby={`day-${day}`}>
            <h2 id={`day-${day}`}>
              <time dateTime={day}>{title}</time> <span>{weekday}</span>
            </h2>
            <ul class="items">
              {ofDay.map((item) => (
                <ItemRow key={item.id} id={item.id} day={day} choice={item.state !== "forgotten"} />
              ))}
            </ul>
          </section>
        ))}
      </div>
      {data?.more && (
        <p class="more">
          <button type="button" class="quiet" onClick={() => setLast(last + PAGE)}>
            Show earlier ones
          </button>
        </p>
      )}
      <SelectionBar />
    </section>
  );
}

interface FilterProps {
  filter: Filter;
  onChange: (changes: Partial<Filter>) => void;
  onClear: (() => void) | null;
}

function Filters({ filter, onChange, onClear }: FilterProps) {
  const day = (name: "from" | "until", label: string) => (
    <label class="field">
      <span>{label}</span>
      <input type="date" value={filter[name]} onChange={(event) => onChange({ [name]: event.currentTarget.value })} />
    </label>
  );
  return (
    <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      <label class="field">
        <span>Kind</span>
        <select value={filter.kind} onChange={(event) => onChange({ kind: event.currentTarget.value })}>
          <option value="">All</option>
          {KINDS.map((kind) => (
            <option key={kind}>{kind}</option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>State</span>
        <select value={filter.state} onChange={(event) => onChange({ state: event.currentTarget.value })}>
          <option value="">Not forgotten</option>
          {STATES.map((state) => (
            <option key={state} value={state}>
              {STATE_WORDS[state]}
            </option>
          ))}
        </select>
      </label>
      {day("from", "From")}
      {day("until", "Until")}
      <label class="field">
        <span>Session</span>
        <input
          value={filter.session}
          placeholder="Any"
          autocomplete="off"
          onChange={(event) => onChange({ session: event.currentTarget.value.trim() })}
        />
      </label>
      <button type="button" class="quiet" onClick={() => forgetting.set("words")}>
        Forget by words …
      </button>
      {onClear && (
        <button type="button" class="link clear" onClick={onClear}>
          Clear filters
        </button>
      )}
    </form>
  );
}

export function SelectionBar() {
  const chosen = useStore(selection);
  return (
    <div class="selection-place" role="status">
      {chosen.size > 0 && (
        <div class="selection">
          <span>{counted(chosen.size, "item")} selected</span>
          <button type="button" class="quiet small" onClick={() => selection.set(new Set())}>
            Clear
          </button>
          <button type="button" class="danger small" onClick={() => forgetting.set({ ids: [...chosen] })}>
            Forget …
          </button>
        </div>
      )}
    </div>
  );
}
