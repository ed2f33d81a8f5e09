// How much memory may be used.

import { useId } from "preact/hooks";
import { budgetProblem } from "../methods/budget.ts";

const SUGGESTED = ["128MiB", "256MiB", "512MiB", "1GiB", "2GiB", "4GiB"];

interface Props {
  value: string;
  onChange: (typed: string) => void;
  /** What holds where nothing is typed, in words. */
  own: string;
}

export function BudgetField({ value, onChange, own }: Props) {
  const id = useId();
  const problem = budgetProblem(value);
  return (
    <div class="field">
      <label for={id}>Memory budget</label>
      <input
        id={id}
        value={value}
        list={`${id}-list`}
        placeholder={own}
        aria-describedby={`${id}-help`}
        aria-invalid={problem !== null}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      <datalist id={`${id}-list`}>
        {SUGGESTED.map((size) => (
          <option key={size} value={size} />
        ))}
      </datalist>
      <small id={`${id}-help`} class={problem ? "error" : ""}>
        {problem ??
          "The most that the text’s keys and values may take at any moment. What does not fit is refused, never cut."}
      </small>
    </div>
  );
}
