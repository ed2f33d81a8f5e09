// An item: its text, folded where it is long, the facts about it, and a link to it by its first words.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Item } from "../../api/memory.ts";
import { STATE_MEANINGS, facts, stateWord } from "../../memory/said.ts";
import { momentOn, validity } from "../../memory/times.ts";
import { opened, select, selection, useItem } from "../../state/memory.ts";
import { useStore } from "../../state/store.ts";
import { excerpt } from "../../text/hidden.ts";
import { Visible } from "../../ui/visible.tsx";
import { count } from "../../words.ts";

/** Beyond so many letters or lines a text is folded. */
const LETTERS = 420;
const LINES = 7;

/** A text as it was told: never more than text, with hidden characters by name. */
export function Told({ text, whole = false }: { text: string; whole?: boolean }) {
  const [open, setOpen] = useState(whole);
  const short = beginning(text);
  const folded = short.length < text.length;
  return (
    <>
      <p class={open && folded ? "told long" : "told"} dir="auto" tabIndex={open && folded ? 0 : undefined}>
        <Visible text={open ? text : short} />
        {!open && folded && " …"}
      </p>
      {folded && !whole && (
        <button type="button" class="link" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Show less" : `Show all ${count(text.length)} characters`}
        </button>
      )}
    </>
  );
}

function beginning(text: string): string {
  const lines = text.split("\n", LINES + 1);
  const cut = lines.length > LINES ? lines.slice(0, LINES).join("\n") : text;
  if (cut.length <= LETTERS) return cut;
  const space = cut.lastIndexOf(" ", LETTERS);
  const end = space > LETTERS / 2 ? space : LETTERS;
  // Not between the halves of a character.
  const code = cut.charCodeAt(end);
  return cut.slice(0, code >= 0xdc00 && code < 0xe000 ? end - 1 : end);
}

export function StateChip({ state }: { state: string }) {
  return (
    <span class={`chip state ${state}`} title={STATE_MEANINGS[state as Item["state"]]}>
      {stateWord(state)}
    </span>
  );
}

/** All facts in a line; below a heading with a day that day is not said again. */
export function FactLine({ item, day }: { item: Item; day?: string | undefined }) {
  const all = [...facts(item), validity(item, day) ?? "", `learned ${momentOn(day, item.learned)}`].filter(Boolean);
  return (
    <p class="facts">
      {all.map((fact) => (
        <span key={fact} dir="auto">
          {excerpt(fact, 120)}
        </span>
      ))}
    </p>
  );
}

/** An item in a list; `children` are what can be done with it, `above` what is said of it there. */
export function ItemRow(props: {
  id: string;
  choice?: boolean;
  day?: string;
  above?: ComponentChildren;
  below?: ComponentChildren;
  children?: ComponentChildren;
}) {
  const item = useItem(props.id);
  if (item === null) return <li class="item hint">Fetching …</li>;
  if (typeof item === "string")
    return (
      <li class="item">
        <p class="error">
          <code>{props.id}</code>: {item}
        </p>
      </li>
    );
  const name = nameOf(item);
  return (
    <li class={`item ${item.state}`}>
      {props.choice && <Choice id={item.id} name={name} />}
      <div class="what">
        {props.above}
        {item.text === undefined ? (
          <p class="hint">The text is gone for good; id and digest are left.</p>
        ) : (
          <Told key={item.digest} text={item.text} />
        )}
        <div class="under">
          {item.state !== "released" && <StateChip state={item.state} />}
          <FactLine item={item} day={props.day} />
        </div>
        {props.below}
      </div>
      <div class="actions">
        {props.children}
        <button
          type="button"
          class="quiet small"
          aria-label={`Details of “${name}”`}
          onClick={() => opened.set(item.id)}
        >
          Details
        </button>
      </div>
    </li>
  );
}

function Choice({ id, name }: { id: string; name: string }) {
  const chosen = useStore(selection);
  return (
    <input
      type="checkbox"
      class="choice"
      aria-label={`Select “${name}”`}
      checked={chosen.has(id)}
      onChange={(event) => select(id, event.currentTarget.checked)}
    />
  );
}

/** An item by its first words, where a link would lead away. */
export function ItemWords({ id }: { id: string }) {
  const item = useItem(id);
  return (
    <span class="to-item" dir="auto">
      {item !== null && typeof item !== "string" ? nameOf(item) : id}
    </span>
  );
}

/** The way to another item, by its first words where they are known. */
export function ItemLink({ id }: { id: string }) {
  const item = useItem(id);
  const words = item !== null && typeof item !== "string" ? nameOf(item) : id;
  return (
    <button type="button" class="link to-item" dir="auto" onClick={() => opened.set(id)}>
      {words}
    </button>
  );
}

export function nameOf(item: Item): string {
  return item.text === undefined ? item.id : excerpt(item.text, 60);
}
