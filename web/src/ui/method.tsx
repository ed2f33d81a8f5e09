// Choosing a method: its explanation, and a form made from its declaration.

import { useId } from "preact/hooks";
import type { Method, Parameter } from "../api/types.ts";
import { domainOf, problemWith } from "../methods/domain.ts";
import { format, parse } from "../methods/spec.ts";
import { facts } from "../state/facts.ts";
import { useStore } from "../state/store.ts";

interface Props {
  label: string;
  /** As typed; "" leaves the choice to the server. */
  value: string;
  onChange: (spec: string) => void;
  /** What the server does where no method is chosen, in words; null where one has to be. */
  automatic: string | null;
}

export function MethodField({ label, value, onChange, automatic }: Props) {
  const { methods } = useStore(facts);
  const id = useId();
  const choice = parse(value);
  const method = methods.find((candidate) => candidate.id === choice.id);
  const set = (name: string, typed: string) =>
    onChange(format({ id: choice.id, values: { ...choice.values, [name]: typed } }, methods));
  return (
    <div class="method">
      <label class="field" for={id}>
        <span>{label}</span>
      </label>
      <select
        id={id}
        aria-describedby={`${id}-about`}
        value={choice.id}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {automatic !== null && <option value="">Automatic</option>}
        {automatic === null && value === "" && <option value="">Choose a method</option>}
        {choice.id !== "" && !method && <option value={choice.id}>{choice.id}</option>}
        {methods.map((one) => (
          <option key={one.id} value={one.id}>
            {one.id}
          </option>
        ))}
      </select>
      <div id={`${id}-about`} class="about">
        {method ? <About method={method} /> : automatic !== null && <p>{automatic}</p>}
      </div>
      {method && method.parameters.length > 0 && (
        <details class="parameters">
          <summary>
            {method.parameters.length === 1 ? "1 parameter" : `${method.parameters.length} parameters`}
            {Object.keys(choice.values).length > 0 && <span class="typed"> {value}</span>}
          </summary>
          <div class="grid">
            {method.parameters.map((parameter) => (
              <ParameterField
                key={`${method.id}.${parameter.name}`}
                parameter={parameter}
                value={choice.values[parameter.name] ?? String(parameter.default)}
                onChange={(typed) => set(parameter.name, typed)}
              />
            ))}
          </div>
        </details>
      )}
    </div>
  );
}

function About({ method }: { method: Method }) {
  return (
    <>
      <p>{sentence(method.title)}</p>
      <details>
        <summary>What it does and costs</summary>
        <p>{method.description}</p>
        <dl>
          <dt>Cost</dt>
          <dd>{method.cost}</dd>
          <dt>Exactness</dt>
          <dd>{method.exactness}</dd>
          {method.paper && <dt>Paper</dt>}
          {method.paper && <dd>{method.paper}</dd>}
        </dl>
      </details>
    </>
  );
}

function ParameterField({
  parameter,
  value,
  onChange,
}: {
  parameter: Parameter;
  value: string;
  onChange: (typed: string) => void;
}) {
  const id = useId();
  const domain = domainOf(parameter);
  const problem = problemWith(parameter, value);
  const shared = { id, "aria-describedby": `${id}-help`, "aria-invalid": problem !== null };
  const typed = (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value);
  return (
    <div class="field">
      <label for={id}>
        {parameter.name} {parameter.unit && <span class="unit">{parameter.unit}</span>}
      </label>
      {domain.kind === "flag" || domain.kind === "words" ? (
        <select {...shared} value={value} onChange={typed}>
          {(domain.kind === "flag" ? ["true", "false"] : domain.words).map((word) => (
            <option key={word}>{word}</option>
          ))}
        </select>
      ) : (
        <input
          {...shared}
          value={value}
          inputMode={domain.kind === "integer" ? "numeric" : domain.kind === "number" ? "decimal" : "text"}
          onInput={typed}
        />
      )}
      <small id={`${id}-help`} class={problem ? "error" : ""}>
        {problem ?? `${sentence(parameter.meaning)} Default ${String(parameter.default)}.`}
      </small>
    </div>
  );
}

function sentence(words: string): string {
  const trimmed = words.trim();
  return `${trimmed.charAt(0).toUpperCase()}${trimmed.slice(1)}${/[.!?]$/.test(trimmed) ? "" : "."}`;
}
