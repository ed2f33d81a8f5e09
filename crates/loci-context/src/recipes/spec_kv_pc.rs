//! SpecKV-PC: a draft looks through a long prompt, the model reads only what matters, and each head keeps only some of that.
//!
//! Galim et al., "Draft-based Approximate Inference for LLMs", 2025.
//!
//! 1. As in [`spec_pc`]: a draft reads the prompt and writes `lookahead` tokens. What its queries looked at, in the prompt's
//!    last `prompt_window` tokens and while it wrote, says which `prompt` tokens of it the model reads, positions counted
//!    anew.
//! 2. As in [`spec_kv`](super::spec_kv): the model reads these, and behind them the tokens that the same draft wrote. The
//!    last `window + 1` of them and all of the draft observe; each kv head keeps the `budget - window` rows looked at most
//!    and the `window` before the last token. The draft is forgotten.
//!
//! The memory of this recipe is the model's; the draft's is that of [`spec_pc`].
//!
//! Parts: select all that is left, true distance, keep observed rows.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::spec_kv::DRAFT_LAYERS;
use super::{Entry, ModelFacts, Recipe, snap_kv, spec_pc};
use crate::place::TrueDistance;
use crate::select::All;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "spec-kv-pc",
    title: "a draft shortens the prompt, then each head keeps the rows that the question and the draft looked at",
    paper: "Galim et al., Draft-based Approximate Inference for LLMs, 2025",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "",
        select: "all that is left",
        place: "renumbered: the tokens read follow each other",
        keep: "of the prompt, the tokens a draft found important; of these, per kv head: rows observed by their end and the draft + window",
    },
    needs: &[Need::Queries, Need::Draft, Need::LookAhead],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter { default: Value::Integer(256), ..snap_kv::BUDGET },
        snap_kv::WINDOW,
        Parameter {
            name: "lookahead",
            meaning: "most tokens that the draft writes; their queries observe in both steps",
            unit: "tokens",
            default: Value::Integer(64),
            domain: Domain::Integers(1, 4096),
        },
        snap_kv::KERNEL,
        Parameter {
            name: "prompt",
            meaning: "tokens of the prompt that the model reads",
            unit: "tokens",
            default: Value::Integer(2048),
            domain: Domain::Integers(1, 1 << 20),
        },
        Parameter {
            name: "prompt_window",
            meaning: "last tokens of the prompt: they are read, and the draft's queries there observe",
            unit: "tokens",
            default: Value::Integer(64),
            domain: Domain::Integers(1, 4096),
        },
        spec_pc::POOL,
        spec_pc::NEIGHBOURS,
        spec_pc::FROM_LAYER,
        DRAFT_LAYERS,
    ],
    cost: "the draft's reading of n tokens and its writing of lookahead; then time prompt^2 to read, (window + lookahead)*prompt more at its end, and budget for each token written; the draft's rows of n tokens while it reads, prompt rows while the model reads, budget rows a head then",
    composes_with: &["rope", "rows"],
    invariants: &[
        "a budget of what is read or more is spec-pc",
        "where the prompt needs no shortening it is spec-kv",
        "the tokens that the draft wrote while it looked through the prompt are those that the model reads behind it",
        "what is read is a subsequence of the prompt, and each kv head keeps budget rows of it",
    ],
    description: "`spec-pc` and `spec-kv` in one, with one draft (`--draft MODEL`, or the first layers of the same model): it \
                  looks through the prompt and writes a rough answer; the model reads only the tokens that mattered for \
                  that, and of these each head keeps only the rows that question and rough answer look at. Quick to the \
                  first word and small while writing. It forgets what both of them forget: what the draft passed over is \
                  never read, counts as skipped and stands at no position, and what neither question nor draft looked at is \
                  gone after the prompt. A prompt of at most `prompt` tokens is not shortened. Template, headings and \
                  question are always read. Early layers as the draft and a look-ahead of 64 tokens are ours; the paper \
                  uses another model and as many tokens as may be written.",
};

/// The parameters of `spec-pc` by which the draft looks through the prompt.
///
/// # Errors
/// [`ParameterError`] when a value is not one of `spec-pc`.
pub(crate) fn look_through(values: &Values) -> Result<Values, ParameterError> {
    let mut own = Values::defaults(&spec_pc::INFO);
    let same = ["lookahead", "pool", "neighbours", "from_layer", "draft_layers"].map(|name| (name, name));
    for (name, from) in [("budget", "prompt"), ("window", "prompt_window")].into_iter().chain(same) {
        own.set(name, &values.size(from).to_string())?;
    }
    Ok(own)
}

fn build(values: &Values, _facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    let [prompt, window] = ["prompt", "prompt_window"].map(|name| values.size(name));
    if prompt < window {
        return Err(ParameterError::Combination(format!(
            "spec-kv-pc: prompt {prompt} does not hold prompt_window {window}; use prompt={window} or more"
        )));
    }
    Ok(Recipe::over_rows(All, TrueDistance { reach: None }, snap_kv::observed("spec-kv-pc", values)?))
}
