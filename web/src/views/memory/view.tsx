// What is remembered of a user: over time, by question, what waits for a decision, and the record of it all.

import { useEffect, useState } from "preact/hooks";
import { restorations } from "../../state/connection.ts";
import { forgetting, governed, lastUser, look, opened, receipt, show, verification } from "../../state/memory.ts";
import { MEMORY_TABS, href, type MemoryTab } from "../../state/route.ts";
import { useStore } from "../../state/store.ts";
import { Icon } from "../../ui/icons.tsx";
import { counted } from "../../words.ts";
import { AddNote } from "./add.tsx";
import { DetailDialog } from "./detail.tsx";
import { ForgetDialog } from "./forget.tsx";
import { Receipt } from "./receipt.tsx";
import { RecordTab } from "./record.tsx";
import { ReviewTab } from "./review.tsx";
import { SearchTab } from "./search.tsx";
import { TimelineTab } from "./timeline.tsx";
import { Who } from "./who.tsx";

const TITLES: Record<MemoryTab, string> = {
  timeline: "Timeline",
  search: "Search",
  review: "Review",
  record: "Record",
};

export function MemoryView({ user, tab }: { user: string | null; tab: MemoryTab }) {
  const wanted = user ?? lastUser();
  // Before anything is drawn: what is shown must never be another user's.
  if (governed.get().user !== wanted) show(wanted);
  const { overview, users, off, error } = useStore(governed);
  const times = useStore(restorations);
  const [adding, setAdding] = useState(false);
  useEffect(() => void look(), [wanted, tab, times]);
  useEffect(() => setAdding(false), [wanted]);
  const there = overview !== null;
  return (
    <div class="page memory">
      <div class="title">
        <div>
          <h1>Memory</h1>
          <p class="lead">What was told and when, what may be used of it, and how it is forgotten.</p>
        </div>
        {there && (
          <button type="button" aria-expanded={adding} onClick={() => setAdding(!adding)}>
            <Icon name={adding ? "close" : "plus"} />
            {adding ? "Close" : "Add a note"}
          </button>
        )}
      </div>
      {off !== null && <Off said={off} />}
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {off === null && (
        <>
          <Faults user={wanted} tab={tab} />
          {adding && <AddNote />}
          <div class="memory-bar">
            <Tabs user={wanted} tab={tab} held={overview?.states.proposed ?? 0} />
            <Who user={wanted} users={users} tab={tab} />
          </div>
          {there && <Tab key={wanted} tab={tab} />}
          {!there && !error && <p class="hint">Looking into the memory …</p>}
          <Dialogs />
        </>
      )}
    </div>
  );
}

function Tab({ tab }: { tab: MemoryTab }) {
  switch (tab) {
    case "timeline":
      return <TimelineTab />;
    case "search":
      return <SearchTab />;
    case "review":
      return <ReviewTab />;
    case "record":
      return <RecordTab />;
  }
}

function Tabs({ user, tab, held }: { user: string; tab: MemoryTab; held: number }) {
  return (
    <nav class="memory-tabs" aria-label="Parts of the memory">
      {MEMORY_TABS.map((one) => (
        <a key={one} href={href.memoryOf(user, one)} aria-current={one === tab ? "page" : undefined}>
          {TITLES[one]}
          {one === "review" && held > 0 && (
            <span class="badge">
              {held}
              <span class="unseen"> held</span>
            </span>
          )}
        </a>
      ))}
    </nav>
  );
}

/** Only one question at a time: a dialog that is opened takes the place of the one before. */
function Dialogs() {
  const what = useStore(forgetting);
  const item = useStore(opened);
  const done = useStore(receipt);
  if (done !== null) return <Receipt {...done} onClose={() => receipt.set(null)} />;
  if (what !== null) return <ForgetDialog what={what} />;
  return item !== null ? <DetailDialog id={item} /> : null;
}

function Off({ said }: { said: string }) {
  return (
    <section class="note-box" aria-label="No memory">
      <h2>This server has no memory</h2>
      <p>
        Start it with <code>loci serve --memory</code>, and what users tell is remembered under rules that can be
        audited: each item with its source, contradictions shown, forgetting with a receipt.
      </p>
      <p class="hint">The server says: {said}</p>
      <button type="button" class="quiet" onClick={() => void look()}>
        Look again
      </button>
    </section>
  );
}

function Faults({ user, tab }: { user: string; tab: MemoryTab }) {
  const found = useStore(verification);
  if (!found || found.faults.length === 0) return null;
  return (
    <div class="faults" role="alert">
      <h2>This memory does not verify: {counted(found.faults.length, "fault")}</h2>
      <ul>
        {found.faults.map((fault) => (
          <li key={fault}>{fault}</li>
        ))}
      </ul>
      <p>
        Its files were changed by something other than Loci, or are damaged. Do not rely on it before that is
        understood. {tab !== "record" && <a href={href.memoryOf(user, "record")}>To the record</a>}
      </p>
    </div>
  );
}
