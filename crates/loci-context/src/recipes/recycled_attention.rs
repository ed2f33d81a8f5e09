//! Recycled Attention: faster answers, by reading a short list of rows that is renewed from everything now and then.
//!
//! Xu, Goyal and Choi, "Recycled Attention: Efficient inference for long-context language models", 2024; second version
//! "RefreshKV: Updating Small KV Cache During Long-form Generation", 2025. No code was published; this follows the text.
//!
//! 1. A prompt is read with full attention, its last token alone.
//! 2. From that token's attention each kv head takes the rows that received most of it: the largest over the heads of
//!    the group, then over `kernel` neighbouring positions; `share` of all rows so far.
//! 3. A token that is written reads this list and the tokens since; each new one pushes out the row with the least
//!    attention. At every `stride`-th token everything is read, and the list is made anew; with `threshold` below 1, a
//!    layer skips this while its query, averaged over heads, stays that alike (cosine) to the one of its last full step.
//!
//! Nothing is dropped, so it saves time only. Queries are compared as rotated; the paper does not say.
//!
//! Parts: select a recycled list, true distance, keep everything.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::{Entry, ModelFacts, Recipe};
use crate::keep::Everything;
use crate::place::TrueDistance;
use crate::select::{Recycled, Refresh};

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "recycled-attention",
    title: "writes from a short list of rows that is renewed from everything now and then",
    paper: "Xu, Goyal and Choi, Recycled Attention: Efficient inference for long-context language models, 2024",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "attention of the last full step",
        select: "per kv head: list of the last full step + tokens since",
        place: "true distance",
        keep: "everything",
    },
    needs: &[Need::AttentionMass],
    phases: &[Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "share",
            meaning: "rows of the list, as a share of all",
            unit: "",
            default: Value::Number(0.125),
            domain: Domain::Numbers(0.0, 1.0),
        },
        Parameter {
            name: "rows",
            meaning: "rows of the list, at least",
            unit: "tokens",
            default: Value::Integer(64),
            domain: Domain::Integers(1, 1 << 20),
        },
        Parameter {
            name: "stride",
            meaning: "tokens from one full step to the next",
            unit: "tokens",
            default: Value::Integer(10),
            domain: Domain::Integers(1, 1 << 20),
        },
        Parameter {
            name: "threshold",
            meaning: "a layer whose query is more alike than this to that of its last full step skips the full step; 1: never",
            unit: "cosine",
            default: Value::Number(1.0),
            domain: Domain::Numbers(-1.0, 1.0),
        },
        Parameter {
            name: "kernel",
            meaning: "positions over which attention is pooled; odd",
            unit: "tokens",
            default: Value::Integer(7),
            domain: Domain::Integers(1, 255),
        },
    ],
    cost: "time n^2 to read; for each token written rows, and n at every stride-th; all rows in RAM",
    composes_with: &["rope", "rows"],
    invariants: &[
        "a full step at every token, or a list of everything, equals full attention",
        "a list keeps its size and holds the newest tokens",
        "at a full step the list holds the most attention that so many rows can",
        "a later token changes nothing before it",
        "lists and outputs equal an independent reference",
    ],
    description: "Tokens that follow each other attend to much the same places. So most of them read only what the last \
                  full step found worth reading, and nothing is lost for good. It saves time while writing, no memory. \
                  Distances are true ones: beyond the trained window combine it with a RoPE schedule.",
};

fn build(values: &Values, facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    let [rows, stride, kernel] = ["rows", "stride", "kernel"].map(|name| values.size(name));
    if kernel.is_multiple_of(2) {
        return Err(ParameterError::Combination(format!(
            "recycled-attention: kernel {kernel} is even, so it has no middle; use kernel={}",
            kernel + 1
        )));
    }
    let threshold = values.number("threshold");
    let refresh = if threshold < 1.0 { Refresh::Unless(threshold) } else { Refresh::Fixed };
    let select = Recycled::new(facts.shape, rows, values.number("share"), stride, refresh, kernel);
    Ok(Recipe::over_rows(select, TrueDistance { reach: None }, Everything))
}
