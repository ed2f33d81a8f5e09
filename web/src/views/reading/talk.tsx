// A conversation as it is seen: its turns, and below them the place to ask.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { running, type Conversation, type Terms } from "../../state/conversation.ts";
import { useStore } from "../../state/store.ts";
import { Composer } from "./composer.tsx";
import { SettingsPanel } from "./settings.tsx";
import { TurnView } from "./turn.tsx";

/** Which passage of which turn is shown in the text. */
export interface Shown {
  turn: number;
  passage: number | null;
}

interface Props {
  conversation: Conversation;
  terms: Terms;
  blocked: string | null;
  reading: boolean;
  label: string;
  placeholder: string;
  /** What stands there before the first question. */
  empty: ComponentChildren;
  shown: Shown | null;
  onShow: ((shown: Shown) => void) | null;
  sizes: readonly number[];
}

/** So near that the person is following along, in pixels. */
const FOLLOWS = 80;

/** Where to scroll to for the newest answer: its end, but never past its question. */
function newest(box: HTMLElement): number {
  const end = box.scrollHeight - box.clientHeight;
  const last = box.querySelector<HTMLElement>(".turn:last-child .question");
  return Math.max(0, last ? Math.min(end, last.offsetTop - 24) : end);
}

export function Talk(props: Props) {
  const { conversation, terms, shown, onShow } = props;
  const turns = useStore(conversation.turns);
  const last = turns.at(-1);
  const list = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  useEffect(() => {
    const box = list.current;
    if (box && follow.current) box.scrollTop = newest(box);
  }, [turns]);
  const scrolled = () => {
    const box = list.current;
    if (box) follow.current = box.scrollTop > newest(box) - FOLLOWS;
  };
  return (
    <>
      <div class="turns" ref={list} onScroll={scrolled}>
        {turns.length === 0 && <div class="empty">{props.empty}</div>}
        {turns.map((turn, index) => (
          <TurnView
            key={index}
            turn={turn}
            sizes={props.sizes}
            onAgain={index === turns.length - 1 ? () => void conversation.again(terms) : null}
            shown={shown?.turn === index ? shown.passage : null}
            onPassage={onShow ? (passage) => onShow({ turn: index, passage }) : null}
          />
        ))}
      </div>
      <div class="below">
        {props.blocked !== null && <p class="error">{props.blocked}</p>}
        <Composer
          label={props.label}
          placeholder={props.placeholder}
          blocked={props.blocked}
          running={running(last)}
          onAsk={(question) => {
            follow.current = true;
            void conversation.ask(question, terms);
          }}
          onStop={() => conversation.stop()}
        />
        <div class="tools">
          <SettingsPanel reading={props.reading} />
          {turns.length > 0 && (
            <button type="button" class="quiet small" onClick={() => conversation.clear()}>
              New conversation
            </button>
          )}
        </div>
      </div>
    </>
  );
}
