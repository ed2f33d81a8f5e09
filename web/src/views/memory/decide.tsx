// A change of state, with the reason that will stand in the log.

import { useId, useState } from "preact/hooks";
import { said } from "../../api/client.ts";
import type { State } from "../../api/memory.ts";
import { change, useItem } from "../../state/memory.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { counted } from "../../words.ts";
import { Told } from "./item.tsx";

interface Props {
  /** These change … */
  ids: readonly string[];
  /** … to this; */
  to: State;
  /** … and this one stays, where one of several was chosen. */
  kept?: string;
  onDone: () => void;
  onNo: () => void;
}

export function DecideDialog({ ids, to, kept, onDone, onNo }: Props) {
  const id = useId();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const release = to === "released";
  const many = ids.length > 1;
  const title = kept
    ? `Keep this one and roll back ${counted(ids.length, "other")}?`
    : release
      ? "Release this item?"
      : `Roll back ${many ? counted(ids.length, "item") : "this item"}?`;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const reason = new FormData(event.currentTarget as HTMLFormElement).get("reason");
    setBusy(true);
    setError(null);
    change(ids, to, typeof reason === "string" ? reason.trim() : "").then(onDone, (problem: unknown) => {
      setBusy(false);
      setError(said(problem));
    });
  };
  return (
    <Dialog title={title} wide={kept !== undefined} onClose={onNo}>
      <form onSubmit={submit}>
        {kept !== undefined && <Shown id={kept} label="Stays" />}
        {ids.map((one) => (
          <Shown key={one} id={one} label={kept !== undefined ? "Is rolled back" : null} />
        ))}
        <p>
          {release
            ? "Answers use it from then on."
            : "No answer uses it any more. It stays in the record; only going back to an earlier entry of the log brings it back."}
        </p>
        <div class="field">
          <label for={id}>
            Reason <span class="unit">optional</span>
          </label>
          <input id={id} name="reason" autocomplete="off" autofocus />
          <small>It stands in the log for good.</small>
        </div>
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        <div class="buttons">
          <button type="button" class="quiet" onClick={onNo}>
            Cancel
          </button>
          <button type="submit" disabled={busy}>
            {release ? "Release" : "Roll back"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Shown({ id, label }: { id: string; label: string | null }) {
  const item = useItem(id);
  return (
    <div class="quoted">
      {label && <h3>{label}</h3>}
      {item !== null && typeof item !== "string" && item.text !== undefined ? (
        <Told key={item.digest} text={item.text} />
      ) : (
        <code>{id}</code>
      )}
    </div>
  );
}
