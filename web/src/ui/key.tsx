// Asks for the API key when the server wants one.

import { useLayoutEffect, useState } from "preact/hooks";
import { keysFrom } from "../api/client.ts";
import { Dialog } from "./dialog.tsx";

interface Wanted {
  refused: boolean;
  give: (key: string) => void;
}

export function KeyPrompt() {
  const [wanted, setWanted] = useState<Wanted | null>(null);
  // Before anything is painted: the first refusal may come sooner than an ordinary effect.
  useLayoutEffect(() => keysFrom((refused) => new Promise((give) => setWanted({ refused, give }))), []);
  if (!wanted) return null;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const key = new FormData(event.currentTarget as HTMLFormElement).get("key");
    if (typeof key !== "string" || key.trim() === "") return;
    setWanted(null);
    wanted.give(key.trim());
  };
  return (
    <Dialog title="This server needs its API key" onClose={() => undefined}>
      <form onSubmit={submit}>
        {wanted.refused && (
          <p class="error" role="alert">
            The server did not accept that key.
          </p>
        )}
        <p>It is what was given to the server as --api-key. This tab remembers it until it is closed.</p>
        <label class="field">
          <span>API key</span>
          <input name="key" type="password" autocomplete="off" required autofocus />
        </label>
        <div class="buttons">
          <button type="submit">Continue</button>
        </div>
      </form>
    </Dialog>
  );
}
