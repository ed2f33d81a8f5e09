// Everything that is known of an item: facts, source, lineage, keys, and its way through the log.

import { Fragment, type ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Detail, Item, State } from "../../api/memory.ts";
import { STATE_MEANINGS, actionWord, choices, stateWord } from "../../memory/said.ts";
import { moment, validity } from "../../memory/times.ts";
import { api, forgetting, items, note, opened, useLoaded } from "../../state/memory.ts";
import { useStore } from "../../state/store.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { Visible } from "../../ui/visible.tsx";
import { count } from "../../words.ts";
import { DecideDialog } from "./decide.tsx";
import { ItemLink, StateChip, Told } from "./item.tsx";

export function DetailDialog({ id }: { id: string }) {
  const known = useStore(items).get(id);
  const { data, error } = useLoaded(`item ${id}`, async (since) => {
    const detail = await api().item(id);
    note([detail.item], since);
    return detail;
  });
  const [deciding, setDeciding] = useState<State | null>(null);
  const close = () => opened.set(null);
  // The way to another item leads to its beginning.
  useEffect(() => document.getElementById("dialog-title")?.focus(), [id]);
  const item = known !== undefined && typeof known !== "string" ? known : (data?.item ?? null);
  if (deciding && item)
    return (
      <DecideDialog ids={[item.id]} to={deciding} onDone={() => setDeciding(null)} onNo={() => setDeciding(null)} />
    );
  return (
    <Dialog title={item?.state === "forgotten" ? "A forgotten item" : "Item"} wide reads onClose={close}>
      <div class="detail">
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        {item === null && !error && <p class="hint">Fetching …</p>}
        {item && (
          <>
            {item.text === undefined ? (
              <p class="hint">
                The text is gone for good. Only its id and digest are left, and its way through the log.
              </p>
            ) : (
              <Told key={item.digest} text={item.text} />
            )}
            <Facts item={item} />
          </>
        )}
        {data && <Keys keys={data.keys} />}
        {data && <Way way={data.way} />}
      </div>
      <div class="buttons">
        {item && (
          <Actions state={item.state} onDecide={setDeciding} onForget={() => forgetting.set({ ids: [item.id] })} />
        )}
        <button type="button" class={item ? "quiet" : ""} onClick={close}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

function Actions(props: { state: State; onDecide: (to: State) => void; onForget: () => void }) {
  const { state } = props;
  if (state === "forgotten") return null;
  const possible = choices(state);
  return (
    <>
      <button type="button" class="danger first" onClick={props.onForget}>
        Forget …
      </button>
      {possible.includes("rolled-back") && (
        <button type="button" class="quiet" onClick={() => props.onDecide("rolled-back")}>
          Roll back …
        </button>
      )}
      {possible.includes("released") && (
        <button type="button" class="quiet" onClick={() => props.onDecide("released")}>
          Release …
        </button>
      )}
    </>
  );
}

function Facts({ item }: { item: Item }) {
  const { source } = item;
  const rows: [string, ComponentChildren][] = [
    [
      "State",
      <>
        <StateChip state={item.state} /> {STATE_MEANINGS[item.state]}
      </>,
    ],
    ["Held for", told(item.held_for?.join("; "))],
    ["Superseded by", item.superseded_by ? <ItemLink id={item.superseded_by} /> : null],
    ["Kind", item.kind],
    ["Said by", told(item.speaker)],
    ["Trust", item.trust === undefined ? null : `${item.trust} of 100`],
    ["Session", told(item.session)],
    ["Topic", told(item.topic)],
    ["True", validity(item)?.replace(/^true /, "")],
    ["Learned", `${moment(item.learned)} UTC`],
    ["Source", told(source?.uri)],
    ["Bytes", source?.bytes ? `${count(source.bytes[0])} to ${count(source.bytes[1])}` : null],
    ["Source’s hash", source?.hash ? <code>{source.hash}</code> : null],
    [
      "Made from",
      item.parents?.length ? (
        <ul class="links">
          {item.parents.map((parent) => (
            <li key={parent}>
              <ItemLink id={parent} />
            </li>
          ))}
        </ul>
      ) : null,
    ],
    ["Id", <code>{item.id}</code>],
    ["Digest", <code>{item.digest}</code>],
  ];
  return (
    <dl>
      {rows.map(([label, value]) =>
        value === null || value === undefined || value === "" ? null : (
          <Fragment key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </Fragment>
        ),
      )}
    </dl>
  );
}

/** What came with an item from wherever it came. */
function told(text: string | undefined): ComponentChildren {
  return text ? <Visible text={text} /> : null;
}

function Keys({ keys }: { keys: Detail["keys"] }) {
  if (keys.length === 0) return null;
  return (
    <section>
      <h3>Keys it is found by</h3>
      <ul class="keys">
        {keys.map((key, index) => (
          <li key={index}>
            <Told text={key.text} />
            <p class="facts">
              <span>{key.kind}</span>
              <span>made from {key.maker === "text" ? "the text" : key.maker}</span>
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Way({ way }: { way: Detail["way"] }) {
  return (
    <section>
      <h3>Way through the log</h3>
      <ol class="way">
        {way.map((step) => (
          <li key={step.seq}>
            <span class="number seq">{step.seq}</span>
            <div>
              <p>
                {actionWord(step.action)} → <strong>{stateWord(step.to)}</strong>
              </p>
              <p class="facts">
                <span>{moment(step.at)} UTC</span>
                <span>{step.actor}</span>
                {step.reason && <span dir="auto">{told(step.reason)}</span>}
              </p>
              {step.by && (
                <p class="facts">
                  <span>
                    by <ItemLink id={step.by} />
                  </span>
                </p>
              )}
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}
