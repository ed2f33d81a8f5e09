//! A sliding window without sinks: the control that shows what forgetting costs.
//!
//! Parts: select the last `window` rows, true distances, keep the window.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::{Entry, ModelFacts, Recipe};
use crate::keep::SinksAndWindow;
use crate::place::TrueDistance;
use crate::select::SinksAndRecent;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "window",
    title: "the last tokens only; a control",
    paper: "",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "",
        select: "last W rows",
        place: "true distance",
        keep: "last W rows",
    },
    needs: &[],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[Parameter {
        name: "window",
        meaning: "tokens that a query sees, itself included",
        unit: "tokens",
        default: Value::Integer(2048),
        domain: Domain::Integers(1, 1 << 24),
    }],
    cost: "time n*W to read, W for each token written; W rows",
    composes_with: &["rope"],
    invariants: &[
        "rows outside the window are freed while reading, page by page: at most `window` rows, a chunk and three pages are held",
    ],
    description: "Each token sees the last `window` tokens and nothing else; no first tokens are kept. Models lean \
                  on their first tokens, so their text breaks once those have left the window: that is what this \
                  control is for.",
};

fn build(values: &Values, _facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    let window = values.size("window");
    Ok(Recipe::over_rows(
        SinksAndRecent { sinks: 0, window },
        TrueDistance { reach: Some(window) },
        SinksAndWindow { sinks: 0, window },
    ))
}
