// Going back: the states of an earlier time are taken up again, after what that changes was shown.

import { useEffect, useId, useState } from "preact/hooks";
import { said } from "../../api/client.ts";
import type { RolledBack } from "../../api/memory.ts";
import { stateWord } from "../../memory/said.ts";
import { api, goBack } from "../../state/memory.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { counted } from "../../words.ts";
import { ItemWords } from "./item.tsx";

export function BackDialog({ to, onClose }: { to: number; onClose: () => void }) {
  const id = useId();
  const [dry, setDry] = useState<RolledBack | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    let over = false;
    api()
      .rollback(to, true, "")
      .then(
        (result) => !over && setDry(result),
        (problem: unknown) => !over && setError(said(problem)),
      );
    return () => void (over = true);
  }, [to]);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const reason = new FormData(event.currentTarget as HTMLFormElement).get("reason");
    setBusy(true);
    setError(null);
    goBack(to, typeof reason === "string" ? reason.trim() : "").then(onClose, (problem: unknown) => {
      setBusy(false);
      setError(said(problem));
    });
  };
  const changes = dry?.changes ?? [];
  return (
    <Dialog title={`Go back to entry ${to}?`} wide onClose={onClose}>
      {!dry && !error && <p class="hint">Looking for what would change …</p>}
      {dry && (
        <p>
          {changes.length === 0
            ? "Nothing would change."
            : `The states behind entry ${to} would hold again. This is an entry of the log itself, so going forward again is possible.`}
          {dry.gone.length > 0 && ` ${counted(dry.gone.length, "item")} forgotten since would stay so.`}
        </p>
      )}
      <form onSubmit={submit}>
        {changes.length > 0 && (
          <>
            <ul class="going" aria-label="What would change" tabIndex={0}>
              {changes.map((change) => (
                <li key={change.id}>
                  <ItemWords id={change.id} />
                  <p class="facts">
                    {change.from ? `${stateWord(change.from)} → ` : ""}
                    {stateWord(change.to)}
                  </p>
                </li>
              ))}
            </ul>
            <div class="field">
              <label for={id}>
                Reason <span class="unit">optional</span>
              </label>
              <input id={id} name="reason" autocomplete="off" />
              <small>It stands in the log for good.</small>
            </div>
          </>
        )}
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        <div class="buttons">
          <button type="button" class="quiet" onClick={onClose}>
            {changes.length > 0 ? "Cancel" : "Close"}
          </button>
          {changes.length > 0 && (
            <button type="submit" disabled={busy}>
              Go back
            </button>
          )}
        </div>
      </form>
    </Dialog>
  );
}
