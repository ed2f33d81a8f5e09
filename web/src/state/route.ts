// Which view is shown, from the part of the address behind "#".

import { Store } from "./store.ts";

export type Route =
  | { view: "library" }
  | { view: "reading"; id: string }
  | { view: "chat" }
  | { view: "compare"; id: string | null }
  | { view: "memory"; user: string | null; tab: MemoryTab }
  | { view: "health" }
  | { view: "unknown"; path: string };

export const MEMORY_TABS = ["timeline", "search", "review", "record"] as const;
export type MemoryTab = (typeof MEMORY_TABS)[number];

export const route = new Store<Route>(routeOf(location.hash));

export function routeOf(hash: string): Route {
  const path = hash.replace(/^#\/?/, "");
  const [view = "", id, part = "timeline"] = path.split("/");
  if (view === "") return { view: "library" };
  if (view === "reading" && id) return { view, id: decoded(id) };
  if (view === "compare") return { view, id: id ? decoded(id) : null };
  const tab = MEMORY_TABS.find((one) => one === part);
  if (view === "memory" && tab) return { view, user: id ? decoded(id) : null, tab };
  if (view === "chat" || view === "health") return { view };
  return { view: "unknown", path };
}

export const href = {
  library: "#/",
  chat: "#/chat",
  compare: "#/compare",
  health: "#/health",
  memory: "#/memory",
  reading: (id: string) => `#/reading/${encodeURIComponent(id)}`,
  memoryOf: (user: string, tab: MemoryTab) => `#/memory/${encodeURIComponent(user)}/${tab}`,
  compareOf: (id: string) => `#/compare/${encodeURIComponent(id)}`,
};

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

window.addEventListener("hashchange", () => route.set(routeOf(location.hash)));
