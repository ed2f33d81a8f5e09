// A question that has to be answered before anything else; the browser keeps the focus inside.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  title: string;
  onClose: () => void;
  /** For what is read rather than answered. */
  wide?: boolean;
  /** Begins with the focus at its top, so that a long one is read from there. */
  reads?: boolean;
  children: ComponentChildren;
}

export function Dialog(props: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const cancelled = (event: Event) => {
    event.preventDefault();
    props.onClose();
  };
  return (
    <dialog ref={dialog} class={props.wide ? "wide" : ""} aria-labelledby="dialog-title" onCancel={cancelled}>
      <h2 id="dialog-title" {...(props.reads ? { tabIndex: -1, autofocus: true } : {})}>
        {props.title}
      </h2>
      {props.children}
    </dialog>
  );
}

export function Confirm(props: { title: string; text: string; yes: string; onYes: () => void; onNo: () => void }) {
  return (
    <Dialog title={props.title} onClose={props.onNo}>
      <p>{props.text}</p>
      <div class="buttons">
        <button type="button" class="quiet" onClick={props.onNo}>
          Cancel
        </button>
        <button type="button" class="danger" onClick={props.onYes}>
          {props.yes}
        </button>
      </div>
    </Dialog>
  );
}
