// How answers are written, and for conversations without a reading by what.

import { useId } from "preact/hooks";
import { budgetProblem } from "../../methods/budget.ts";
import { parse, problems } from "../../methods/spec.ts";
import type { Terms } from "../../state/conversation.ts";
import { facts, type Facts } from "../../state/facts.ts";
import { set, settings, type Settings } from "../../state/settings.ts";
import { useStore } from "../../state/store.ts";
import { BudgetField } from "../../ui/budget.tsx";
import { MethodField } from "../../ui/method.tsx";
import { ModelField, automatic, chosenModel, ownBudget } from "../../ui/model.tsx";

/** Cells of the map that are asked for. */
const MAP_CELLS = 120;

/** `reading`: its model and method are what it was read by, so they are not to choose here. */
export function SettingsPanel({ reading }: { reading: boolean }) {
  const now = useStore(settings);
  const { models } = useStore(facts);
  const model = chosenModel(models, now.model);
  return (
    <details class="settings">
      <summary>Settings</summary>
      <div class="grid">
        {!reading && <ModelField models={models} value={now.model} onChange={(model) => set({ model })} />}
        <NumberField
          label="Temperature"
          help="0 always takes the likeliest word; higher is more varied."
          value={now.temperature}
          low={0}
          high={2}
          step={0.1}
          onChange={(temperature) => set({ temperature })}
        />
        <NumberField
          label="Longest answer"
          unit="tokens"
          help="Writing stops here even in mid-sentence."
          value={now.maxTokens}
          low={1}
          high={32768}
          step={1}
          onChange={(maxTokens) => set({ maxTokens: Math.round(maxTokens) })}
        />
        {reading && (
          <NumberField
            label="Passages"
            help="How many an answer shows."
            value={now.evidence}
            low={0}
            high={50}
            step={1}
            onChange={(evidence) => set({ evidence: Math.round(evidence) })}
          />
        )}
        {!reading && (
          <MethodField
            label="Method"
            value={now.method}
            onChange={(method) => set({ method })}
            automatic={automatic(model)}
          />
        )}
        {!reading && <BudgetField value={now.budget} onChange={(budget) => set({ budget })} own={ownBudget(model)} />}
      </div>
    </details>
  );
}

function NumberField(props: {
  label: string;
  unit?: string;
  help: string;
  value: number;
  low: number;
  high: number;
  step: number;
  onChange: (value: number) => void;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>
        {props.label} {props.unit && <span class="unit">{props.unit}</span>}
      </label>
      <input
        id={id}
        type="number"
        aria-describedby={`${id}-help`}
        min={props.low}
        max={props.high}
        step={props.step}
        value={props.value}
        onChange={(event) => {
          const value = event.currentTarget.valueAsNumber;
          if (Number.isFinite(value)) props.onChange(Math.min(props.high, Math.max(props.low, value)));
          else event.currentTarget.value = String(props.value);
        }}
      />
      <small id={`${id}-help`}>{props.help}</small>
    </div>
  );
}

/** What a question about a reading is asked with. */
export function termsFor(reading: { id: string; model: string }, now: Settings): Terms {
  return {
    model: reading.model,
    temperature: now.temperature,
    max_tokens: now.maxTokens,
    loci: { reading: reading.id, evidence: now.evidence, map: MAP_CELLS },
  };
}

/** The same without a reading, or why it cannot be asked. */
export function plainTerms(now: Settings, known: Facts): { terms: Terms; problem: string | null } {
  const model = chosenModel(known.models, now.model);
  const wrong =
    [...(now.method ? problems(parse(now.method), known.methods) : []), budgetProblem(now.budget)].find(Boolean) ??
    null;
  return {
    terms: {
      model: model?.id ?? "",
      temperature: now.temperature,
      max_tokens: now.maxTokens,
      loci: { ...(now.method ? { method: now.method } : {}), ...(now.budget ? { budget: now.budget } : {}) },
    },
    problem: model ? wrong : "The server has no model.",
  };
}
