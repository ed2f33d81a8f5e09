// A conversation: questions, answers as they are written, and what became of each.

import { ask } from "../api/ask.ts";
import { said } from "../api/client.ts";
import type { Account, AskRequest, Message, Progress } from "../api/types.ts";
import { forTab, keep, recall } from "./kept.ts";
import { Store } from "./store.ts";

export interface Turn {
  question: string;
  answer: string;
  state: "waiting" | "reading" | "writing" | "done" | "stopped" | "failed";
  /** Requests before this one, while it waits. */
  ahead: number | null;
  progress: Progress | null;
  account: Account | null;
  /** Why writing ended: "stop", "length", … */
  reason: string | null;
  /** Tokens that were not read again. */
  cached: number | null;
  error: string | null;
}

export const running = (turn: Turn | undefined): boolean =>
  turn?.state === "waiting" || turn?.state === "reading" || turn?.state === "writing";

/** Everything of a request but the messages. */
export type Terms = Omit<AskRequest, "messages">;

export class Conversation {
  readonly turns: Store<Turn[]>;
  private abort: AbortController | null = null;
  /** Which question was asked last: what comes late for an earlier one is dropped. */
  private asked = 0;

  /** With a `name`, finished turns outlast a reload of the page in this tab. */
  constructor(private readonly name: string | null = null) {
    this.turns = new Store(name ? restore(name) : []);
  }

  async ask(question: string, terms: Terms): Promise<void> {
    if (running(this.turns.get().at(-1))) return;
    const messages = [...this.messages(), { role: "user", content: question } as const];
    this.turns.update((turns) => [...turns, { ...BLANK, question }]);
    const abort = new AbortController();
    this.abort = abort;
    const mine = ++this.asked;
    const change = (changes: Partial<Turn>) => {
      if (mine === this.asked) this.change(changes);
    };
    try {
      for await (const event of ask({ ...terms, messages }, abort.signal)) {
        switch (event.kind) {
          case "queued":
            change({ ahead: event.ahead });
            break;
          case "progress":
            change({ state: "reading", ahead: null, progress: event.progress });
            break;
          case "text":
            change({ state: "writing", ahead: null, answer: (this.turns.get().at(-1)?.answer ?? "") + event.text });
            break;
          case "end":
            change({ account: event.account, reason: event.reason });
            break;
          case "usage":
            change({ cached: event.cached });
        }
      }
      change({ state: "done", progress: null });
    } catch (error) {
      if (abort.signal.aborted) change({ state: "stopped", progress: null });
      else change({ state: "failed", progress: null, error: said(error) });
    }
    if (mine === this.asked) this.save();
  }

  /** Asks the last question again, in place of its failed or stopped answer. */
  async again(terms: Terms): Promise<void> {
    const last = this.turns.get().at(-1);
    if (!last || running(last)) return;
    this.turns.update((turns) => turns.slice(0, -1));
    await this.ask(last.question, terms);
  }

  stop(): void {
    this.abort?.abort();
  }

  clear(): void {
    this.stop();
    this.asked++;
    this.turns.set([]);
    this.save();
  }

  private change(changes: Partial<Turn>): void {
    this.turns.update((turns) =>
      turns.map((turn, index) => (index === turns.length - 1 ? { ...turn, ...changes } : turn)),
    );
  }

  /** A failed turn is not sent on: the model never finished it. */
  private messages(): Message[] {
    return this.turns.get().flatMap((turn): Message[] =>
      turn.state === "done" || (turn.state === "stopped" && turn.answer !== "")
        ? [
            { role: "user", content: turn.question },
            { role: "assistant", content: turn.answer },
          ]
        : [],
    );
  }

  private save(): void {
    if (!this.name) return;
    const turns = this.turns.get();
    keep(forTab, this.name, turns.length > 0 ? JSON.stringify(turns.slice(-20)) : null);
  }
}

const BLANK: Turn = {
  question: "",
  answer: "",
  state: "waiting",
  ahead: null,
  progress: null,
  account: null,
  reason: null,
  cached: null,
  error: null,
};

function restore(name: string): Turn[] {
  try {
    const turns = JSON.parse(recall(forTab, name) ?? "[]") as unknown;
    return Array.isArray(turns) ? turns.map((turn) => ({ ...BLANK, ...(turn as Partial<Turn>) })) : [];
  } catch {
    return [];
  }
}

const conversations = new Map<string, Conversation>();

/** The conversation of this name; it goes on while another view is shown. */
export function conversation(name: string): Conversation {
  let found = conversations.get(name);
  if (!found) conversations.set(name, (found = new Conversation(`loci.turns.${name}`)));
  return found;
}
