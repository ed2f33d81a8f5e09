// Adding texts: files by button or by dropping them, and how they are to be read.

import { useEffect, useRef, useState } from "preact/hooks";
import { budgetProblem } from "../../methods/budget.ts";
import { parse, problems } from "../../methods/spec.ts";
import { facts } from "../../state/facts.ts";
import { useStore } from "../../state/store.ts";
import { send } from "../../state/uploads.ts";
import { BudgetField } from "../../ui/budget.tsx";
import { Icon } from "../../ui/icons.tsx";
import { MethodField } from "../../ui/method.tsx";
import { ModelField, automatic, chosenModel, ownBudget } from "../../ui/model.tsx";
import { bytes } from "../../words.ts";

export function AddPanel({ first, onSent }: { first: boolean; onSent: () => void }) {
  const { models, methods } = useStore(facts);
  const [files, setFiles] = useState<File[]>([]);
  const [name, setName] = useState("");
  const [model, setModel] = useState("");
  const [method, setMethod] = useState("");
  const [budget, setBudget] = useState("");
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);

  const add = (more: Iterable<File>) => setFiles((all) => [...all, ...more]);
  useDrop(add, setOver);

  const wrong = [...(method ? problems(parse(method), methods) : []), budgetProblem(budget)].filter(
    (one) => one !== null,
  );
  const ready = files.length > 0 && wrong.length === 0;
  // What the empty field promises is what is sent.
  const usual = files[0]?.name.replace(/\.[^.]+$/, "") ?? "";
  const submit = (event: Event) => {
    event.preventDefault();
    if (!ready) return;
    send({ files, name: name.trim() || usual, model, method, budget: budget.trim() });
    onSent();
  };

  return (
    <form class="add" aria-label="Add texts" onSubmit={submit}>
      {first && (
        <p class="welcome">
          Nothing has been read yet. Give a text, and the model reads it once, however long it is; then ask what you
          like and see the passages each answer rests on.
        </p>
      )}
      <div class={over ? "drop over" : "drop"}>
        <p>{over ? "Let go to add" : "Drop files here, or"}</p>
        <button type="button" class="quiet" onClick={() => input.current?.click()}>
          Choose files
        </button>
        <input
          ref={input}
          type="file"
          multiple
          class="unseen"
          tabIndex={-1}
          aria-label="Files to read"
          accept=".txt,.md,.markdown,.html,.htm,.pdf,.epub,text/*,application/pdf,application/epub+zip"
          onChange={(event) => {
            add(event.currentTarget.files ?? []);
            event.currentTarget.value = "";
          }}
        />
        <small>Text, Markdown, HTML, PDF, EPUB or source code. Several files become one reading.</small>
      </div>
      {files.length > 0 && (
        <ul class="files" aria-label="Chosen files">
          {files.map((file, index) => (
            <li key={`${index}.${file.name}`}>
              <span class="name">{file.name}</span>
              <span class="size">{bytes(file.size)}</span>
              <button
                type="button"
                class="icon"
                aria-label={`Leave out ${file.name}`}
                onClick={() => setFiles((all) => all.filter((other) => other !== file))}
              >
                <Icon name="close" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <div class="grid">
        <label class="field">
          <span>Name</span>
          <input
            value={name}
            placeholder={usual || "from the file"}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <small>How it stands in the library.</small>
        </label>
        <ModelField models={models} value={model} onChange={setModel} />
        <BudgetField value={budget} onChange={setBudget} own={ownBudget(chosenModel(models, model))} />
        <MethodField
          label="Method"
          value={method}
          onChange={setMethod}
          automatic={automatic(chosenModel(models, model))}
        />
      </div>
      <div class="buttons">
        <button type="submit" disabled={!ready}>
          {files.length > 1 ? `Read ${files.length} files` : "Read it"}
        </button>
      </div>
    </form>
  );
}

/** Files dropped anywhere on the page. */
function useDrop(add: (files: Iterable<File>) => void, setOver: (over: boolean) => void): void {
  useEffect(() => {
    const dragged = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setOver(true);
    };
    const left = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const dropped = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setOver(false);
      add(event.dataTransfer.files);
    };
    window.addEventListener("dragover", dragged);
    window.addEventListener("dragleave", left);
    window.addEventListener("drop", dropped);
    return () => {
      window.removeEventListener("dragover", dragged);
      window.removeEventListener("dragleave", left);
      window.removeEventListener("drop", dropped);
    };
  }, []);
}
