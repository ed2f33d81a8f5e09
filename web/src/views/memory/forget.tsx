// Forgetting: first what would go is shown, then a reason is asked for, then it is done and the receipt is shown.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { said } from "../../api/client.ts";
import type { Certificate, Forgetting } from "../../api/memory.ts";
import { unseen } from "../../memory/said.ts";
import { api, forget, forgetting, receipt, useItem } from "../../state/memory.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { counted } from "../../words.ts";
import { FactLine, Told } from "./item.tsx";

/** So many texts are shown at first. */
const FEW = 20;

export function ForgetDialog({ what }: { what: Forgetting | "words" }) {
  const [wanted, setWanted] = useState<Forgetting | null>(what === "words" ? null : what);
  const [dry, setDry] = useState<Certificate | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const close = () => forgetting.set(null);

  useEffect(() => {
    if (!wanted) return undefined;
    let over = false;
    setError(null);
    api()
      .forget(wanted, true, "")
      .then(
        (certificate) => !over && setDry(certificate),
        (problem: unknown) => !over && setError(said(problem)),
      );
    return () => void (over = true);
  }, [wanted]);

  const go = (reason: string) => {
    if (!dry || busy) return;
    setBusy(true);
    setError(null);
    // Those that were shown and no others, whatever the same words would find by now; what is made from them goes along.
    const ids = dry.items.filter((item) => !item.derived).map((item) => item.id);
    forget({ ids: ids.length > 0 ? ids : dry.items.map((item) => item.id) }, reason).then(
      (certificate) => {
        receipt.set({ certificate, more: unseen(dry, certificate) });
        close();
      },
      (problem: unknown) => {
        setError(said(problem));
        setBusy(false);
      },
    );
  };

  const back = what === "words" && wanted !== null ? () => (setWanted(null), setDry(null)) : null;
  return (
    <Dialog title={titleOf(wanted)} wide onClose={close}>
      {!wanted && <WordsForm onWords={(query) => setWanted({ query })} onClose={close} />}
      {wanted && !dry && !error && <p class="hint">Looking for what would go …</p>}
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {dry && dry.items.length > 0 && <Going dry={dry} busy={busy} onGo={go} onBack={back} onClose={close} />}
      {wanted && (dry?.items.length === 0 || (error && !dry)) && (
        <>
          {dry && <p>Nothing would go: no item fits.</p>}
          <div class="buttons">
            {back && (
              <button type="button" class="quiet" onClick={back}>
                Other words
              </button>
            )}
            <button type="button" onClick={close}>
              Close
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}

function titleOf(wanted: Forgetting | null): string {
  if (!wanted) return "Forget by words";
  if ("query" in wanted) return `Forget what “${wanted.query}” finds?`;
  if ("expired" in wanted) return "Forget what has expired?";
  return wanted.ids.length === 1 ? "Forget this item?" : `Forget ${counted(wanted.ids.length, "item")}?`;
}

function WordsForm({ onWords, onClose }: { onWords: (query: string) => void; onClose: () => void }) {
  const id = useId();
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const query = new FormData(event.currentTarget as HTMLFormElement).get("query");
    if (typeof query === "string" && query.trim()) onWords(query.trim());
  };
  return (
    <form onSubmit={submit}>
      <div class="field">
        <label for={id}>Words that stand in what is to go</label>
        <input id={id} name="query" autocomplete="off" required autofocus />
        <small>Items that have all of them, in their text or a key. Nothing goes yet: they are shown first.</small>
      </div>
      <div class="buttons">
        <button type="button" class="quiet" onClick={onClose}>
          Cancel
        </button>
        <button type="submit">Show what would go</button>
      </div>
    </form>
  );
}

interface GoingProps {
  dry: Certificate;
  busy: boolean;
  onGo: (reason: string) => void;
  onBack: (() => void) | null;
  onClose: () => void;
}

function Going({ dry, busy, onGo, onBack, onClose }: GoingProps) {
  const id = useId();
  const [most, setMost] = useState(FEW);
  const reason = useRef<HTMLInputElement>(null);
  // The dialog was open before there was anything to type into.
  useEffect(() => reason.current?.focus(), []);
  const derived = dry.items.filter((item) => item.derived).length;
  const elsewhere = dry.elsewhere.map(({ place, removed }) => `${place}: ${removed}`).join(", ");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const typed = reason.current?.value.trim();
    if (typed) onGo(typed);
  };
  return (
    <form onSubmit={submit}>
      <p>
        {counted(dry.items.length, "item")} would go for good
        {derived > 0 && `, ${derived} of them because ${derived === 1 ? "it was" : "they were"} made from the others`},
        with all keys and vectors{elsewhere && ` and what is elsewhere (${elsewhere})`}. This cannot be undone.
      </p>
      <ul class="going" aria-label="What would go" tabIndex={0}>
        {dry.items.slice(0, most).map((item) => (
          <Text key={item.id} id={item.id} derived={item.derived} />
        ))}
      </ul>
      {dry.items.length > most && (
        <p>
          <button type="button" class="quiet small" onClick={() => setMost(dry.items.length)}>
            Show the other {dry.items.length - most}
          </button>
        </p>
      )}
      <div class="field">
        <label for={id}>Reason</label>
        <input ref={reason} id={id} autocomplete="off" required />
        <small>It stands in the log and on the receipt for good, so do not repeat in it what is to be forgotten.</small>
      </div>
      <div class="buttons">
        {onBack && (
          <button type="button" class="quiet first" onClick={onBack}>
            Other words
          </button>
        )}
        <button type="button" class="quiet" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class="danger" disabled={busy}>
          {busy ? "Forgetting …" : "Forget for good"}
        </button>
      </div>
    </form>
  );
}

function Text({ id, derived }: { id: string; derived: boolean }) {
  const item = useItem(id);
  return (
    <li>
      {item === null && <p class="hint">Fetching …</p>}
      {typeof item === "string" && <p class="error">{item}</p>}
      {item !== null && typeof item !== "string" && (
        <>
          {item.text === undefined ? <code>{id}</code> : <Told key={item.digest} text={item.text} />}
          <div class="under">
            {derived && <span class="chip state">made from another</span>}
            <FactLine item={item} />
          </div>
        </>
      )}
    </li>
  );
}
