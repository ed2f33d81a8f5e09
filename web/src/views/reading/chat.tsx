// A conversation without a reading.

import { conversation } from "../../state/conversation.ts";
import { facts } from "../../state/facts.ts";
import { href } from "../../state/route.ts";
import { settings } from "../../state/settings.ts";
import { useStore } from "../../state/store.ts";
import { plainTerms } from "./settings.tsx";
import { Talk } from "./talk.tsx";

export function ChatView() {
  const known = useStore(facts);
  const now = useStore(settings);
  const { terms, problem } = plainTerms(now, known);
  // Before the models are known there is nothing to complain about.
  const waiting = known.models.length === 0 && known.error === null;
  return (
    <div class="chat">
      <h1 class="unseen">Chat</h1>
      <Talk
        conversation={conversation("chat")}
        terms={terms}
        blocked={waiting ? null : (known.error ?? problem)}
        reading={false}
        label="Message"
        placeholder={terms.model ? `Write to ${terms.model}` : "Write a message"}
        empty={
          <>
            <h2>Talk to the model</h2>
            <p>
              Nothing is read beforehand here. To ask about a text, <a href={href.library}>add it to the library</a>{" "}
              first: then every answer shows the passages it rests on.
            </p>
          </>
        }
        shown={null}
        onShow={null}
        sizes={[]}
      />
    </div>
  );
}
