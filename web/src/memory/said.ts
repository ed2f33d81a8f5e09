// The memory's terms in words that people read.

import type { Certificate, Item, State, Verdict } from "../api/memory.ts";
import { counted } from "../words.ts";

export const STATE_WORDS: Record<State, string> = {
  proposed: "held",
  admitted: "admitted",
  canary: "on trial",
  released: "released",
  "rolled-back": "rolled back",
  superseded: "superseded",
  forgotten: "forgotten",
};

export const STATE_MEANINGS: Record<State, string> = {
  proposed: "waits for a person to look at it; no answer uses it",
  admitted: "taken in, but no answer uses it yet",
  canary: "used only where a search asks for what is on trial",
  released: "remembered and used in answers",
  "rolled-back": "taken back; no answer uses it",
  superseded: "something newer stands in its place",
  forgotten: "gone for good; only its id and digest are left",
};

export function stateWord(state: string): string {
  return STATE_WORDS[state as State] ?? state;
}

export interface Said {
  title: string;
  text: string;
  good: boolean;
}

/** What became of a note. */
export function verdictWords({ verdict }: Verdict): Said {
  switch (verdict) {
    case "released":
      return { title: "Remembered", text: "Answers use it from now on.", good: true };
    case "canary":
      return { title: "Remembered on trial", text: STATE_MEANINGS.canary, good: true };
    case "held":
      return { title: "Held for review", text: "It is kept apart until a person looks at it.", good: false };
    case "duplicate":
      return { title: "Already remembered", text: "Nothing was added.", good: false };
    case "echo":
      return {
        title: "Not added: an echo",
        text: "It nearly repeats what is remembered already, and it was not the user who said it.",
        good: false,
      };
  }
}

/** What was done, by the log's words for it; others are shown as they are. */
const ACTIONS: Record<string, string> = {
  add: "Told",
  decide: "Decided",
  supersede: "Superseded",
  forget: "Forgotten",
  rollback: "Gone back",
  key: "Keys made",
  policy: "Rules set",
};

export function actionWord(action: string): string {
  return ACTIONS[action] ?? action;
}

/** The states that a person can give an item in this one. Going back brings others. */
export function choices(state: State): State[] {
  switch (state) {
    case "proposed":
    case "admitted":
    case "canary":
      return ["released", "rolled-back"];
    case "released":
      return ["rolled-back"];
    default:
      return [];
  }
}

/** What went beside the texts, in all places that were looked at. */
export function alongside({ keys, vectors, elsewhere }: Pick<Certificate, "keys" | "vectors" | "elsewhere">): string[] {
  return [
    counted(keys, "key"),
    counted(vectors, "vector"),
    ...elsewhere.map(({ place, removed }) => `${place}: ${removed}`),
  ];
}

/** Facts of an item in a line, without its state. */
export function facts(item: Item): string[] {
  return [
    item.kind ?? "",
    item.speaker ? `said by ${item.speaker}` : "",
    item.trust !== undefined ? `trust ${item.trust}` : "",
    item.session ? `session ${item.session}` : "",
    item.topic ? `topic ${item.topic}` : "",
  ].filter(Boolean);
}

/** The end of the log as it is noted down to be compared later: "6:436e…". */
export function headOf({ entries, head }: { entries: number; head: string }): string {
  return head.includes(":") ? head : `${entries}:${head}`;
}

/** Items that went but had not been shown: something was made from those meanwhile. */
export function unseen(before: Pick<Certificate, "items">, after: Pick<Certificate, "items">): number {
  const shown = new Set(before.items.map((item) => item.id));
  return after.items.filter((item) => !shown.has(item.id)).length;
}
