// A few methods as the server declares them, enough for each kind of parameter.

const p = (name, value, unit, domain, meaning) => ({ name, unit, default: value, domain, meaning });
const whole = (low, high) => `a whole number from ${low} to ${high}`;

export const METHODS = [
  {
    id: "full",
    title: "full attention, the measure of all others",
    paper: "Vaswani et al., Attention Is All You Need, 2017",
    exactness: "exact",
    description:
      "Every token is kept and every query reads every earlier key. Beyond the trained window of a model its answers become worthless.",
    cost: "time n^2 to read and n for each token written; all rows in RAM",
    composes_with: ["rope", "i8"],
    parameters: [],
  },
  {
    id: "inf-llm",
    title: "answers from input of any length by reading a few blocks of it again",
    paper:
      "Xiao et al., InfLLM: Training-Free Long-Context Extrapolation for LLMs with an Efficient Context Memory, 2024",
    exactness: "heuristic",
    description:
      "The text is cut into blocks. Each group of queries sees the first tokens, a window of the newest ones and the blocks whose most important keys fit best. Nothing is dropped: rows beyond the window wait in a colder tier.",
    cost: "time n*(window + sinks + top_k*block_size) to read; all rows, those beyond the window cold if need be",
    composes_with: ["rope", "segment", "select"],
    parameters: [
      p("sinks", 32, "tokens", whole(0, 4096), "first tokens that stay visible"),
      p("window", 2048, "tokens", whole(1, 1048576), "newest tokens that every query sees"),
      p("block_size", 64, "tokens", whole(1, 4096), "tokens in a block"),
      p("top_k", 16, "blocks", whole(0, 1048576), "blocks read again"),
    ],
  },
  {
    id: "em-llm",
    title: "answers from input of any length by reading events of it again, cut where the text surprises",
    paper: "Fountas et al., Human-like Episodic Memory for Infinite Context LLMs, 2024",
    exactness: "heuristic",
    description:
      "As inf-llm, but blocks end where a token surprised the model, so that what belongs together is found together.",
    cost: "time n*(window + sinks + recall) to read; all rows; logits of all tokens",
    composes_with: ["rope"],
    parameters: [
      p("window", 2048, "tokens", whole(1, 1048576), "newest tokens that every query sees"),
      p("split", "surprise", "", "surprise or uniform or random", "where blocks end"),
      p("gamma", 1.0, "deviations", "a number from -inf to inf", "surprise above the mean that begins an event"),
      p("refine_with_buffer", true, "", "true or false", "whether the newest tokens take part in refining"),
    ],
  },
  {
    id: "snap-kv",
    title: "each head keeps the rows of a prompt that the question looked at",
    paper: "Li et al., SnapKV: LLM Knows What You are Looking for Before Generation, 2024",
    exactness: "heuristic",
    description:
      "At the end of a prompt each head keeps the rows that the last tokens looked at, and drops the others.",
    cost: "time n^2 to read; budget for each token written; budget rows a head after the prompt",
    composes_with: ["think", "rope"],
    parameters: [
      p("budget", 512, "rows", whole(1, 1048576), "rows that each head keeps"),
      p("kernel", 7, "tokens", whole(1, 255), "width of the pooling that keeps neighbours together"),
    ],
  },
  {
    id: "window",
    title: "the last tokens only; a control",
    paper: "",
    exactness: "heuristic",
    description: "Everything but the newest tokens is forgotten.",
    cost: "time n*W to read, W for each token written; W rows",
    composes_with: ["rope"],
    parameters: [p("window", 2048, "tokens", whole(1, 16777216), "newest tokens that stay")],
  },
];

/** Why the server would refuse a method, or null. */
export function methodProblem(spec) {
  const id = spec.split(/[:+]/)[0];
  const method = METHODS.find((one) => one.id === id);
  if (!method) return `there is no method "${id}"; there are: ${METHODS.map((one) => one.id).join(", ")}`;
  for (const pair of spec.includes(":") ? spec.slice(spec.indexOf(":") + 1).split(",") : []) {
    const [name, value] = pair.split("=");
    const parameter = method.parameters.find((one) => one.name === name);
    if (!parameter) return `${id} has no parameter "${name}"`;
    const range = /from (-?\d+) to (-?\d+)/.exec(parameter.domain);
    if (range && !(Number(value) >= Number(range[1]) && Number(value) <= Number(range[2]))) {
      return `${name}=${value} is not ${parameter.domain}`;
    }
  }
  return null;
}

/** The method with every parameter spelled out, as a planned reading has it. */
export function planned(spec) {
  const [id, given = ""] = spec.split(":");
  const values = Object.fromEntries(
    given
      .split(",")
      .filter(Boolean)
      .map((pair) => pair.split("=")),
  );
  const method = METHODS.find((one) => one.id === id);
  const pairs = (method?.parameters ?? []).map((one) => `${one.name}=${values[one.name] ?? one.default}`);
  return pairs.length > 0 ? `${id}:${pairs.join(",")}` : id;
}
