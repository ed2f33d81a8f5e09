// Says that the server is out of reach, and when it is tried again.

import { useEffect, useState } from "preact/hooks";
import { connection, tryNow } from "../state/connection.ts";
import { useStore } from "../state/store.ts";

export function ConnectionBanner() {
  const now = useStore(connection);
  const [, tick] = useState(0);
  useEffect(() => {
    if (!now.lost) return undefined;
    const timer = window.setInterval(() => tick((times) => times + 1), 500);
    return () => window.clearInterval(timer);
  }, [now]);
  const left = now.lost ? Math.max(0, Math.ceil((now.nextTry - Date.now()) / 1000)) : 0;
  return (
    <div class="banner-place" role="status">
      {now.lost && (
        <div class="banner">
          <span>The server cannot be reached.</span>
          {/* The countdown is for eyes only: read aloud each second it would be noise. */}
          <span aria-hidden="true">{left > 0 ? `Trying again in ${left} s.` : "Trying again …"}</span>
          <button type="button" class="quiet" onClick={() => void tryNow()}>
            Try now
          </button>
        </div>
      )}
    </div>
  );
}
