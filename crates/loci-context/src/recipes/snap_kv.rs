//! SnapKV: an answer from a prompt of which each head keeps only the rows that the question looked at.
//!
//! Li et al., "SnapKV: LLM Knows What You are Looking for Before Generation", 2024, in the form that Galim et al.,
//! "Draft-based Approximate Inference for LLMs", 2025, build on (largest weights instead of sums).
//!
//! 1. The prompt is read with full attention.
//! 2. The last `window + 1` tokens of the prompt observe: a row's score is the largest softmax weight that any of them
//!    gives it, over the heads of a kv head's group, then over `kernel` neighbouring positions.
//! 3. Each kv head keeps the `budget - window` rows with the highest scores and the `window` before the last token, and
//!    drops the others. The last token is read again, so that the answer begins from what is kept.
//!
//! Parts: select all that is left, true distance, keep observed rows.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::{Entry, ModelFacts, Recipe};
use crate::keep::{Keep, ObservedRows};
use crate::place::TrueDistance;
use crate::select::All;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

// Parameters that methods which keep some rows of a prompt share.
pub(super) const BUDGET: Parameter = Parameter {
    name: "budget",
    meaning: "rows of the prompt that each kv head keeps",
    unit: "tokens",
    default: Value::Integer(512),
    domain: Domain::Integers(1, 1 << 20),
};

pub(super) const WINDOW: Parameter = Parameter {
    name: "window",
    meaning: "newest rows that stay; their queries observe",
    unit: "tokens",
    default: Value::Integer(32),
    domain: Domain::Integers(1, 4096),
};

pub(super) const KERNEL: Parameter = Parameter {
    name: "kernel",
    meaning: "positions over which scores are pooled; odd",
    unit: "tokens",
    default: Value::Integer(7),
    domain: Domain::Integers(1, 255),
};

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "snap-kv",
    title: "each head keeps the rows of a prompt that the question looked at",
    paper: "Li et al., SnapKV: LLM Knows What You are Looking for Before Generation, 2024",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "",
        select: "all that is left",
        place: "true distance",
        keep: "per kv head: rows observed by the prompt's end + window",
    },
    needs: &[Need::Queries],
    phases: &[Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[BUDGET, WINDOW, KERNEL],
    cost: "time n^2 to read, window*n more at its end; budget for each token written; all rows in RAM while reading, budget rows a head then",
    composes_with: &["rope", "rows"],
    invariants: &[
        "what is read equals plain attention over the rows chosen by the definition",
        "each kv head holds exactly `budget` rows of the prompt, the window among them",
        "a budget over the prompt keeps everything",
        "what was dropped does not come back",
    ],
    description: "The end of a prompt, where the question stands, shows what the answer will look at. The rest is dropped \
                  before the answer begins, so writing is fast and small; reading is not. What the question did not look \
                  at is gone: a second question about another part of the text finds nothing. Distances are true ones: \
                  beyond the trained window combine it with a RoPE schedule.",
};

/// The part that chooses rows, from the parameters `budget`, `window` and `kernel`, and `lookahead` where there is one.
pub(super) fn observed(id: &str, values: &Values) -> Result<ObservedRows, ParameterError> {
    let [budget, window, kernel] = ["budget", "window", "kernel"].map(|name| values.size(name));
    if kernel.is_multiple_of(2) {
        let fits = kernel + 1;
        return Err(ParameterError::Combination(format!(
            "{id}: kernel {kernel} is even, so it has no middle; use kernel={fits}"
        )));
    }
    if budget < window {
        return Err(ParameterError::Combination(format!(
            "{id}: budget {budget} does not hold window {window}; use budget={window} or more"
        )));
    }
    let look_ahead = values.size("lookahead");
    Ok(ObservedRows { budget, window, kernel, look_ahead })
}

/// The part `keep`, for other methods.
pub(super) fn keep(
    values: &Values,
    _facts: &ModelFacts,
    before: Option<ObservedRows>,
) -> Result<Box<dyn Keep>, ParameterError> {
    super::compose::chosen_once("snap-kv", before.as_ref())?;
    Ok(Box::new(observed("snap-kv", values)?))
}

fn build(values: &Values, _facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    Ok(Recipe::over_rows(All, TrueDistance { reach: None }, observed("snap-kv", values)?))
}
