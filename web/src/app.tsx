// The frame of every view: navigation, theme, the loss of the connection, the question for the key.

import { useEffect, useRef } from "preact/hooks";
import { href, route, type Route } from "./state/route.ts";
import { useStore } from "./state/store.ts";
import { setTheme, theme, type Theme } from "./state/theme.ts";
import { ConnectionBanner } from "./ui/connection.tsx";
import { Icon } from "./ui/icons.tsx";
import { KeyPrompt } from "./ui/key.tsx";
import { CompareView } from "./views/compare/view.tsx";
import { HealthView } from "./views/health/view.tsx";
import { LibraryView } from "./views/library/view.tsx";
import { MemoryView } from "./views/memory/view.tsx";
import { ChatView } from "./views/reading/chat.tsx";
import { ReadingView } from "./views/reading/view.tsx";

const LINKS: { view: Route["view"]; title: string; to: string }[] = [
  { view: "library", title: "Library", to: href.library },
  { view: "chat", title: "Chat", to: href.chat },
  { view: "memory", title: "Memory", to: href.memory },
  { view: "compare", title: "Compare", to: href.compare },
  { view: "health", title: "Health", to: href.health },
];

export function App() {
  const now = useStore(route);
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  // Another user's memory is chosen from the same view, so the focus stays on the choice.
  const place = JSON.stringify(now.view === "memory" ? { ...now, user: null } : now);
  useEffect(() => {
    const title = LINKS.find((link) => link.view === now.view)?.title;
    // A reading names itself.
    if (title) document.title = `${title} · Loci`;
    // A new view is announced by moving to it; the first one is where the person already is.
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [place]);
  const skip = (event: Event) => {
    event.preventDefault();
    main.current?.focus();
  };
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to content
      </a>
      <header class="top">
        <a class="brand" href={href.library} aria-label="Loci, to the library">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path d="M7 5v22h18" />
            <rect x="13" y="12" width="11" height="6" rx="1.5" />
          </svg>
          <span>Loci</span>
        </a>
        <nav aria-label="Views">
          {LINKS.map((link) => (
            <a key={link.view} href={link.to} aria-current={active(link.view, now) ? "page" : undefined}>
              {link.title}
            </a>
          ))}
        </nav>
        <ThemeSwitch />
      </header>
      <ConnectionBanner />
      <main id="main" ref={main} tabIndex={-1} class={`view view-${now.view}`}>
        <View route={now} />
      </main>
      <KeyPrompt />
    </>
  );
}

function View({ route: now }: { route: Route }) {
  switch (now.view) {
    case "library":
      return <LibraryView />;
    case "reading":
      return <ReadingView key={now.id} id={now.id} />;
    case "chat":
      return <ChatView />;
    case "compare":
      return <CompareView key={now.id} id={now.id} />;
    case "memory":
      return <MemoryView user={now.user} tab={now.tab} />;
    case "health":
      return <HealthView />;
    case "unknown":
      return (
        <div class="page">
          <h1>Nothing is here</h1>
          <p>
            This page has no “{now.path}”. <a href={href.library}>Go to the library.</a>
          </p>
        </div>
      );
  }
}

function active(view: Route["view"], now: Route): boolean {
  return view === now.view || (view === "library" && now.view === "reading");
}

const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const NAMES: Record<Theme, string> = { system: "as the system", light: "light", dark: "dark" };

function ThemeSwitch() {
  const now = useStore(theme);
  const label = `Colours: ${NAMES[now]}. Change to ${NAMES[NEXT[now]]}.`;
  return (
    <button type="button" class="icon theme" aria-label={label} title={label} onClick={() => setTheme(NEXT[now])}>
      <Icon name={now === "system" ? "contrast" : now === "light" ? "sun" : "moon"} />
    </button>
  );
}
