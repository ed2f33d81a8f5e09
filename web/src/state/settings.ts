// How answers are written. Kept in this browser.

import { forGood, keep, recall } from "./kept.ts";
import { Store } from "./store.ts";

export interface Settings {
  temperature: number;
  maxTokens: number;
  /** Passages shown below an answer. */
  evidence: number;
  /** For conversations without a reading. */
  model: string;
  method: string;
  budget: string;
}

const DEFAULTS: Settings = { temperature: 0, maxTokens: 256, evidence: 5, model: "", method: "", budget: "" };
const NAME = "loci.settings";

export const settings = new Store<Settings>(restore());

export function set(changes: Partial<Settings>): void {
  settings.update((now) => ({ ...now, ...changes }));
  keep(forGood, NAME, JSON.stringify(settings.get()));
}

function restore(): Settings {
  try {
    const kept = JSON.parse(recall(forGood, NAME) ?? "{}") as Partial<Record<keyof Settings, unknown>>;
    const number = (name: "temperature" | "maxTokens" | "evidence") =>
      typeof kept[name] === "number" && Number.isFinite(kept[name]) ? kept[name] : DEFAULTS[name];
    const text = (name: "model" | "method" | "budget") => (typeof kept[name] === "string" ? kept[name] : "");
    return {
      temperature: number("temperature"),
      maxTokens: number("maxTokens"),
      evidence: number("evidence"),
      model: text("model"),
      method: text("method"),
      budget: text("budget"),
    };
  } catch {
    return DEFAULTS;
  }
}
