// Which model reads or answers; nothing to choose where there is one.

import { useId } from "preact/hooks";
import type { Model } from "../api/types.ts";
import { bytes, count } from "../words.ts";

/** The model of this id, or the first where it is not there. */
export function chosenModel(models: readonly Model[], id: string): Model | undefined {
  return models.find((model) => model.id === id) ?? models[0];
}

/** What happens where no method is chosen, in words. */
export function automatic(model: Model | undefined): string {
  const own = model?.loci.method;
  return own
    ? `As the server was told: ${own}.`
    : "Full attention while the text fits the model’s window, inf-llm beyond it.";
}

/** What holds where no budget is typed, in words. */
export function ownBudget(model: Model | undefined): string {
  const own = model?.loci.budget;
  return own ? `the server’s own, ${bytes(own)}` : "the server’s own";
}

export function ModelField({
  models,
  value,
  onChange,
}: {
  models: readonly Model[];
  value: string;
  onChange: (id: string) => void;
}) {
  const id = useId();
  if (models.length < 2) return null;
  const chosen = chosenModel(models, value);
  const window = chosen?.loci.trained_window;
  return (
    <div class="field">
      <label for={id}>Model</label>
      <select
        id={id}
        value={chosen?.id ?? ""}
        aria-describedby={`${id}-help`}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {models.map((model) => (
          <option key={model.id} value={model.id}>
            {model.id}
          </option>
        ))}
      </select>
      <small id={`${id}-help`}>
        {window ? `Trained for ${count(window)} tokens at once; methods read further.` : ""}
      </small>
    </div>
  );
}
