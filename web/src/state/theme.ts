// Light, dark, or as the system has it.

import { forGood, keep, recall } from "./kept.ts";
import { Store } from "./store.ts";

export type Theme = "system" | "light" | "dark";

const NAME = "loci.theme";
const kept = recall(forGood, NAME);

export const theme = new Store<Theme>(kept === "light" || kept === "dark" ? kept : "system");

export function setTheme(value: Theme): void {
  theme.set(value);
  keep(forGood, NAME, value === "system" ? null : value);
  apply();
}

export function apply(): void {
  const value = theme.get();
  if (value === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", value);
}
