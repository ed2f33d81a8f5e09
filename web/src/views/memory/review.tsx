// What waits for a person: held items, contradictions, and what the audit found beside them.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Audit, State } from "../../api/memory.ts";
import { api, forgetting, governed, useLoaded } from "../../state/memory.ts";
import { useStore } from "../../state/store.ts";
import { Visible } from "../../ui/visible.tsx";
import { DecideDialog } from "./decide.tsx";
import { Group } from "./group.tsx";
import { ItemRow } from "./item.tsx";

interface Decision {
  ids: readonly string[];
  to: State;
  kept?: string;
}

/** So many of a list are shown at first: each has to be fetched. */
const FEW = 20;

/** Contradictions that were looked at and left as they are, while the page lives; the memory itself knows no such mark. */
const left = new Set<string>();

export function ReviewTab() {
  const { user } = useStore(governed);
  const { data, error } = useLoaded("audit", () => api().audit());
  const [decision, setDecision] = useState<Decision | null>(null);
  const [, redraw] = useState(0);
  const decide = (ids: readonly string[], to: State, kept?: string) =>
    setDecision({ ids, to, ...(kept === undefined ? {} : { kept }) });
  const leave = (ids: readonly string[]) => {
    left.add(keyOf(user, ids));
    redraw((times) => times + 1);
  };
  if (error)
    return (
      <p class="error" role="alert">
        {error}
      </p>
    );
  if (!data) return <p class="hint">Looking through the memory …</p>;
  const contradictions = data.contradictions.filter((ids) => !left.has(keyOf(user, ids)));
  const count =
    contradictions.length + data.duplicates.length + LISTS.reduce((sum, list) => sum + list.ids(data).length, 0);
  return (
    <section aria-label="Review">
      {count === 0 && data.held.length === 0 && (
        <div class="empty-memory">
          <h2>Nothing waits for you</h2>
          <p>No item is held, none contradicts another, and none has run out.</p>
        </div>
      )}
      <Few
        title="Held"
        about="The gate took these for suspicious. No answer uses them until they are released."
        all={data.held}
        row={([id, reasons]) => (
          <ItemRow
            key={id}
            id={id}
            above={
              <ul class="reasons" aria-label="Held because">
                {reasons.map((reason) => (
                  <li key={reason}>
                    <Visible text={reason} />
                  </li>
                ))}
              </ul>
            }
          >
            <button type="button" class="small" onClick={() => decide([id], "released")}>
              Release …
            </button>
            <button type="button" class="quiet small" onClick={() => decide([id], "rolled-back")}>
              Roll back …
            </button>
          </ItemRow>
        )}
      />
      <Few
        title="Contradictions"
        about="These say different things about one topic, and nothing decides between them. Choose one, or leave them."
        all={contradictions}
        row={(ids) => (
          <Group
            key={ids.join()}
            ids={ids}
            onKeep={(kept) => decide(without(ids, kept), "rolled-back", kept)}
            onLeave={() => leave(ids)}
          />
        )}
      />
      <Few
        title="Duplicates"
        about="These say nearly the same."
        all={data.duplicates}
        row={(ids) => (
          <Group key={ids.join()} ids={ids} onKeep={(kept) => decide(without(ids, kept), "rolled-back", kept)} />
        )}
      />
      {LISTS.map(({ title, about, ids }) => (
        <Few
          key={title}
          title={title}
          about={about}
          all={ids(data)}
          action={
            title === "Expired" ? (
              <button type="button" class="quiet small" onClick={() => forgetting.set({ expired: true })}>
                Forget all expired …
              </button>
            ) : null
          }
          row={(id) => (
            <ItemRow key={id} id={id}>
              <button type="button" class="quiet small" onClick={() => decide([id], "rolled-back")}>
                Roll back …
              </button>
              <button type="button" class="quiet small" onClick={() => forgetting.set({ ids: [id] })}>
                Forget …
              </button>
            </ItemRow>
          )}
        />
      ))}
      {decision && <DecideDialog {...decision} onDone={() => setDecision(null)} onNo={() => setDecision(null)} />}
    </section>
  );
}

const LISTS: { title: string; about: string; ids: (audit: Audit) => string[] }[] = [
  {
    title: "Unsupported",
    about: "They are used, but what they were made from is not, or is gone.",
    ids: (audit) => audit.unsupported,
  },
  {
    title: "Outdated",
    about: "They are used, but the time for which they were true is over.",
    ids: (audit) => audit.outdated,
  },
  { title: "Expired", about: "They are older than the policy keeps them.", ids: (audit) => audit.expired },
];

interface FewProps<T> {
  title: string;
  about: string;
  all: readonly T[];
  row: (one: T) => ComponentChildren;
  action?: ComponentChildren;
}

function Few<T>({ title, about, all, row, action }: FewProps<T>) {
  const [most, setMost] = useState(FEW);
  if (all.length === 0) return null;
  return (
    <section class="review-part" aria-label={title}>
      <div class="part-head">
        <h2>
          {title} <span class="badge">{all.length}</span>
        </h2>
        {action}
      </div>
      <p class="hint">{about}</p>
      <ul class="items">{all.slice(0, most).map(row)}</ul>
      {all.length > most && (
        <p class="more">
          <button type="button" class="quiet small" onClick={() => setMost(most + FEW)}>
            Show {Math.min(FEW, all.length - most)} more
          </button>
        </p>
      )}
    </section>
  );
}

function without(ids: readonly string[], kept: string): string[] {
  return ids.filter((id) => id !== kept);
}

function keyOf(user: string, ids: readonly string[]): string {
  return JSON.stringify([user, ...[...ids].sort()]);
}
