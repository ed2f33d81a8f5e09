//! ThinK: a smaller memory of a prompt, by keeping only the channels of its keys that the question uses.
//!
//! Xu et al., "ThinK: Thinner Key Cache by Query-Driven Pruning", 2024.
//!
//! 1. The prompt is read with full attention. With a `budget`, rows are chosen first, as `snap-kv` does.
//! 2. In each kv head every channel of the rotated keys gets a score: the mean square of the last 32 queries' numbers
//!    times that of the keys'. This ranks channels as the norm of their contribution to all scores would.
//! 3. The share `ratio` with the lowest scores is dropped from all keys but the last `recent`. Later queries leave the
//!    same numbers out; values and later keys stay whole.
//!
//! One choice for all heads of a group, so that a grouped-query cache really gets smaller, is our variant: the published
//! code stores keys once for every query head.
//!
//! Parts: select all that is left, true distance, keep fewer channels of old keys.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::{Entry, ModelFacts, Recipe};
use crate::keep::{Keep, ObservedRows, ThinKeys};
use crate::place::TrueDistance;
use crate::select::All;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "think",
    title: "old keys keep only the channels that the question uses",
    paper: "Xu et al., ThinK: Thinner Key Cache by Query-Driven Pruning, 2024",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "",
        select: "all that is left",
        place: "true distance",
        keep: "fewer channels of old keys, exact recent rows",
    },
    needs: &[Need::Queries],
    phases: &[Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "ratio",
            meaning: "share of the channels of old keys that is dropped (lambda in the paper)",
            unit: "",
            default: Value::Number(0.4),
            domain: Domain::Numbers(0.0, 0.95),
        },
        Parameter {
            name: "recent",
            meaning: "newest rows whose keys stay whole",
            unit: "tokens",
            default: Value::Integer(32),
            domain: Domain::Integers(1, 4096),
        },
        Parameter {
            name: "budget",
            meaning: "rows of the prompt that each kv head keeps; 0: all",
            unit: "tokens",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1 << 20),
        },
        Parameter {
            name: "window",
            meaning: "with a budget: newest rows that stay; their queries observe",
            unit: "tokens",
            default: Value::Integer(32),
            domain: Domain::Integers(1, 4096),
        },
        Parameter {
            name: "kernel",
            meaning: "with a budget: positions over which scores are pooled; odd",
            unit: "tokens",
            default: Value::Integer(7),
            domain: Domain::Integers(1, 255),
        },
    ],
    cost: "time n^2 to read; for each token written (1 - ratio/2) of what full attention reads; rows smaller by ratio/2 after the prompt",
    composes_with: &["rope", "rows"],
    invariants: &[
        "what is read equals plain attention without the channels of least contribution",
        "a prompt within `recent` is left whole",
        "what was dropped does not come back",
        "bytes are saved in steps of sixteen channels",
    ],
    description: "A few channels carry most of the product of a query and a key. Old keys keep those that the end of the \
                  prompt uses; the loss is small up to a ratio of about 0.5 and grows fast beyond. Channels stay dropped: \
                  a later question that needs others is answered worse. Rows are packed in steps of 16 channels, so \
                  memory shrinks in such steps. Distances are true ones: beyond the trained window combine it with a \
                  RoPE schedule.",
};

fn build(values: &Values, facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    Ok(Recipe::over_rows(All, TrueDistance { reach: None }, thin_keys(values, facts, None)?))
}

/// The part `keep`, for other methods; `before` chooses rows first.
pub(super) fn keep(
    values: &Values,
    facts: &ModelFacts,
    before: Option<ObservedRows>,
) -> Result<Box<dyn Keep>, ParameterError> {
    Ok(Box::new(thin_keys(values, facts, before)?))
}

fn thin_keys(
    values: &Values,
    facts: &ModelFacts,
    before: Option<ObservedRows>,
) -> Result<ThinKeys, ParameterError> {
    let ratio = values.number("ratio");
    if ThinKeys::kept(ratio, facts.shape.head_dim) == 0 {
        return Err(ParameterError::Combination(format!(
            "think: ratio {ratio} leaves none of {} channels; use a smaller one",
            facts.shape.head_dim
        )));
    }
    let evict = match values.size("budget") {
        0 => before,
        _ => {
            super::compose::chosen_once("think with a budget", before.as_ref())?;
            Some(super::snap_kv::observed("think", values)?)
        }
    };
    Ok(ThinKeys::new(ratio, values.size("recent"), evict))
}
