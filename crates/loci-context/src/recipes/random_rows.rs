//! Random rows: the control for methods that drop rows of a prompt by a score.
//!
//! At the end of a prompt each kv head keeps its first `sinks` rows, the `window` newest, and of those between as many
//! drawn at random as `budget` leaves room for. What beats it has chosen better than chance.
//!
//! Parts: select all that is left, true distance, keep random rows.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::{Entry, ModelFacts, Recipe, snap_kv};
use crate::keep::{Keep, ObservedRows, RandomRows};
use crate::place::TrueDistance;
use crate::select::All;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "random-rows",
    title: "each head keeps random rows of a prompt; a control",
    paper: "",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "",
        select: "all that is left",
        place: "true distance",
        keep: "per kv head: sinks + random rows + window",
    },
    needs: &[],
    phases: &[Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        snap_kv::BUDGET,
        Parameter { meaning: "newest rows that stay", ..snap_kv::WINDOW },
        Parameter {
            name: "sinks",
            meaning: "first rows that stay",
            unit: "tokens",
            default: Value::Integer(4),
            domain: Domain::Integers(0, 4096),
        },
        Parameter {
            name: "seed",
            meaning: "seed of the drawing",
            unit: "",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1 << 32),
        },
    ],
    cost: "time n^2 to read; budget for each token written; all rows in RAM while reading, budget rows a head then",
    composes_with: &["rope", "rows"],
    invariants: &[
        "each kv head keeps exactly `budget` rows of the prompt, sinks and window among them",
        "the same seed keeps the same rows, and heads draw for themselves",
    ],
    description: "Reads a prompt with full attention and then drops rows by chance, as many as snap-kv drops by looking. \
                  Not meant for use: a method that drops rows must beat it at the same `budget` to be worth its name.",
};

fn build(values: &Values, _facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    Ok(Recipe::over_rows(All, TrueDistance { reach: None }, drawn(values)?))
}

/// The part `keep`, for other methods.
pub(super) fn keep(
    values: &Values,
    _facts: &ModelFacts,
    before: Option<ObservedRows>,
) -> Result<Box<dyn Keep>, ParameterError> {
    super::compose::chosen_once("random-rows", before.as_ref())?;
    Ok(Box::new(drawn(values)?))
}

fn drawn(values: &Values) -> Result<RandomRows, ParameterError> {
    let [budget, window, sinks] = ["budget", "window", "sinks"].map(|name| values.size(name));
    if budget < window + sinks {
        return Err(ParameterError::Combination(format!(
            "random-rows: budget {budget} does not hold sinks {sinks} and window {window}; use budget={} or more",
            window + sinks
        )));
    }
    let seed = values.size("seed") as u64;
    Ok(RandomRows { budget, window, sinks, seed })
}
