// Items side by side of which one can be kept.

import { forgetting, opened, useItem } from "../../state/memory.ts";
import { FactLine, StateChip, Told, nameOf } from "./item.tsx";

interface Props {
  ids: readonly string[];
  onKeep: (id: string) => void;
  /** Where leaving them as they are makes sense. */
  onLeave?: () => void;
}

export function Group({ ids, onKeep, onLeave }: Props) {
  return (
    <li class="group">
      <ul class="beside">
        {ids.map((id) => (
          <Card key={id} id={id} onKeep={() => onKeep(id)} />
        ))}
      </ul>
      {onLeave && (
        <button type="button" class="quiet small" onClick={onLeave}>
          Leave as they are
        </button>
      )}
    </li>
  );
}

function Card({ id, onKeep }: { id: string; onKeep: () => void }) {
  const item = useItem(id);
  if (item === null) return <li class="card hint">Fetching …</li>;
  if (typeof item === "string") return <li class="card error">{item}</li>;
  const name = nameOf(item);
  return (
    <li class="card">
      {item.text !== undefined && <Told key={item.digest} text={item.text} />}
      <div class="under">
        {item.state !== "released" && <StateChip state={item.state} />}
        <FactLine item={item} />
      </div>
      <div class="card-buttons">
        <button type="button" class="small" aria-label={`Keep “${name}”`} onClick={onKeep}>
          Keep this one …
        </button>
        <button
          type="button"
          class="quiet small"
          aria-label={`Forget “${name}”`}
          onClick={() => forgetting.set({ ids: [id] })}
        >
          Forget …
        </button>
        <button type="button" class="quiet small" aria-label={`Details of “${name}”`} onClick={() => opened.set(id)}>
          Details
        </button>
      </div>
    </li>
  );
}
