// Where questions are typed.

import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../../ui/icons.tsx";
import { StopButton } from "./turn.tsx";

interface Props {
  label: string;
  placeholder: string;
  /** Why nothing can be asked now, or null. */
  blocked: string | null;
  running: boolean;
  onAsk: (question: string) => void;
  onStop: () => void;
}

export function Composer({ label, placeholder, blocked, running, onAsk, onStop }: Props) {
  const input = useRef<HTMLTextAreaElement>(null);
  const grow = () => {
    const area = input.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 180)}px`;
  };
  useEffect(grow, []);
  const submit = (event: Event) => {
    event.preventDefault();
    const area = input.current;
    const question = area?.value.trim() ?? "";
    if (!area || question === "" || running || blocked !== null) return;
    area.value = "";
    grow();
    onAsk(question);
  };
  const key = (event: KeyboardEvent) => {
    // While an input method composes a character, Enter belongs to it.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  return (
    <form class="composer" onSubmit={submit}>
      <textarea ref={input} rows={1} aria-label={label} placeholder={placeholder} onInput={grow} onKeyDown={key} />
      {running ? (
        <StopButton onStop={onStop} />
      ) : (
        <button
          type="submit"
          class="round"
          aria-label="Ask"
          title={blocked ?? "Ask (Enter); a new line with Shift and Enter"}
          disabled={blocked !== null}
        >
          <Icon name="send" />
        </button>
      )}
    </form>
  );
}
