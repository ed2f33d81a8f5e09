// Files that are on their way to the server, or could not be sent.

import { forget, retry, type Sending } from "../../state/uploads.ts";
import { bytes, percent } from "../../words.ts";

export function SendingRow({ sending }: { sending: Sending }) {
  const { files, name } = sending.what;
  const title = name || (files[0]?.name ?? "");
  const size = files.reduce((sum, file) => sum + file.size, 0);
  return (
    <li class="reading">
      <div class="what">
        <h2>{title}</h2>
        {sending.error === null ? (
          <div class="progress">
            <progress aria-label={`Sending ${title}`} max={1} value={sending.sent} />
            <span>
              Sending {bytes(size)} · {percent(sending.sent)}
            </span>
          </div>
        ) : (
          <p class="error" role="alert">
            {sending.error}
          </p>
        )}
      </div>
      <div class="actions">
        {sending.error === null ? (
          <button type="button" class="quiet" onClick={sending.stop}>
            Stop
          </button>
        ) : (
          <>
            <button type="button" onClick={() => retry(sending)}>
              Send again
            </button>
            <button type="button" class="quiet" onClick={() => forget(sending.number)}>
              Dismiss
            </button>
          </>
        )}
      </div>
    </li>
  );
}
