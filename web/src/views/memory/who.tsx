// Whose memory is shown. The users the server knows can be chosen; another can be typed.

import { useEffect, useRef, useState } from "preact/hooks";
import { href, type MemoryTab } from "../../state/route.ts";

const OTHER = "\u0000other";

export function Who({ user, users, tab }: { user: string; users: readonly string[]; tab: MemoryTab }) {
  const [typing, setTyping] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (typing) input.current?.focus();
  }, [typing]);
  const go = (to: string) => {
    setTyping(false);
    if (to !== "" && to !== user) location.hash = href.memoryOf(to, tab);
  };
  if (typing) {
    const submit = (event: Event) => {
      event.preventDefault();
      go(input.current?.value.trim() ?? "");
    };
    return (
      <form class="who" onSubmit={submit} onKeyDown={(event) => event.key === "Escape" && setTyping(false)}>
        <input ref={input} aria-label="Name of the user" placeholder="Name" autocomplete="off" required />
        <button type="submit" class="small">
          Show
        </button>
        <button type="button" class="quiet small" onClick={() => setTyping(false)}>
          Cancel
        </button>
      </form>
    );
  }
  const all = users.includes(user) ? users : [user, ...users];
  return (
    <label class="who">
      <span>Of</span>
      <select
        aria-label="Whose memory"
        value={user}
        onChange={(event) => {
          const chosen = event.currentTarget.value;
          event.currentTarget.value = user;
          if (chosen === OTHER) setTyping(true);
          else go(chosen);
        }}
      >
        {all.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
        <option value={OTHER}>Another …</option>
      </select>
    </label>
  );
}
