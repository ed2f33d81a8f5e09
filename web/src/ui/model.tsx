// Which model reads or answers; nothing to choose where there is one.

import { useId } from "preact/hooks";
import type { Model } from "../api/types.ts";
import { count } from "../words.ts";

export function ModelField({ models, value, onChange }: { models: readonly Model[]; value: string; onChange: (id: string) => void }) {
  const id = useId();
  if (models.length < 2) return null;
  const chosen = value || (models[0]?.id ?? "");
  const window = models.find((model) => model.id === chosen)?.loci.trained_window;
  return (
    <div class="field">
      <label for={id}>Model</label>
      <select id={id} value={chosen} aria-describedby={`${id}-help`} onChange={(event) => onChange(event.currentTarget.value)}>
        {models.map((model) => (
          <option key={model.id} value={model.id}>
            {model.id}
          </option>
        ))}
      </select>
      <small id={`${id}-help`}>{window ? `Trained for ${count(window)} tokens at once; methods read further.` : ""}</small>
    </div>
  );
}
