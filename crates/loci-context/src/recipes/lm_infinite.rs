//! LM-Infinite: fluent on input of any length, by keeping the first tokens and a window.
//!
//! Han et al., "LM-Infinite: Zero-Shot Extreme Length Generalization for Large Language Models", 2023/2024.
//!
//! 1. A query sees the first `sinks` tokens and the last `window` tokens.
//! 2. Keys inside the window stand at their true distance, the first tokens beyond it all at distance `limit`: no
//!    distance is larger than those the model was trained for.
//! 3. Optionally (`top_k`) a token that is processed alone also reads, for each head, the rows of the middle that
//!    score highest, all at distance `insert_at`. The published code does so for the last token of each forward
//!    step; here it is each token that comes alone (the last one of a prompt and those written), so that the way the
//!    input is cut does not matter.
//!
//! Parts: select sinks + window (+ top rows), capped distance, keep sinks + window (all rows with `top_k`).

use std::sync::Arc;

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::{Entry, ModelFacts, Recipe};
use crate::index::NoIndex;
use crate::keep::{Everything, Keep, SinksAndWindow};
use crate::place::Capped;
use crate::segment::NoBlocks;
use crate::select::{Select, SinksAndRecent, TopRows};

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "lm-infinite",
    title: "fluent at any length, remembers the first tokens and a window",
    paper: "Han et al., LM-Infinite: Zero-Shot Extreme Length Generalization for Large Language Models, 2023",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "keys themselves (with top_k)",
        select: "sinks + window, top-k rows for a token that comes alone",
        place: "capped distance",
        keep: "sinks + window; everything with top_k",
    },
    needs: &[Need::Queries],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "sinks",
            meaning: "first tokens that stay visible",
            unit: "tokens",
            default: Value::Integer(100),
            domain: Domain::Integers(0, 4096),
        },
        Parameter {
            name: "window",
            meaning: "tokens that a query sees at their true distance, itself included; 0: the trained window",
            unit: "tokens",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1 << 24),
        },
        Parameter {
            name: "limit",
            meaning: "distance at which the first tokens stand beyond the window; 0: as window",
            unit: "tokens",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1 << 24),
        },
        Parameter {
            name: "top_k",
            meaning: "rows of the middle recalled for each head by a token that comes alone",
            unit: "rows",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 4096),
        },
        Parameter {
            name: "insert_at",
            meaning: "distance at which recalled rows stand; 0: half the trained window",
            unit: "tokens",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1 << 24),
        },
        Parameter {
            name: "from_layer",
            meaning: "first layer that recalls",
            unit: "layers",
            default: Value::Integer(4),
            domain: Domain::Integers(0, 1000),
        },
    ],
    cost: "time n*(window + sinks) to read, window + sinks for each token written (n with top_k); rows: window + sinks (n with top_k)",
    composes_with: &["rope"],
    invariants: &["outputs equal an independent naive form (distances cut off at `limit`) to 1e-4"],
    description: "Keeps the first `sinks` tokens, on which models lean whatever they say, and a sliding window. \
                  Perplexity stays flat far beyond the trained window. Without `top_k` the middle of the input is \
                  not read again: questions about it fail.",
};

fn build(values: &Values, facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    let or = |name, default| match values.size(name) {
        0 => default,
        value => value,
    };
    let sinks = values.size("sinks");
    let window = or("window", facts.trained_window);
    let limit = or("limit", window);
    let insert_at = or("insert_at", facts.trained_window / 2);
    let top_k = values.size("top_k");
    if limit < window {
        return Err(ParameterError::Combination(format!(
            "lm-infinite: limit {limit} is below window {window}; use limit={window} or more"
        )));
    }
    let base = SinksAndRecent { sinks, window };
    let select: Box<dyn Select> = match top_k {
        0 => Box::new(base),
        #[allow(clippy::cast_precision_loss)] // distances are small
        _ => Box::new(TopRows {
            base,
            top_k,
            insert_at: insert_at as f64,
            from_layer: values.size("from_layer"),
        }),
    };
    let keep: Box<dyn Keep> = match top_k {
        0 => Box::new(SinksAndWindow { sinks, window }),
        _ => Box::new(Everything),
    };
    #[allow(clippy::cast_precision_loss)] // distances are small
    let place = Capped { window, sinks_at: limit as f64, recalled_at: insert_at as f64, leaving_at: None };
    Ok(Recipe {
        segment: Box::new(NoBlocks),
        index: Box::new(NoIndex),
        select,
        place: Arc::new(place),
        keep,
        queries: super::GROUP,
        chunk_multiple: 1,
        chunk_limit: usize::MAX,
        block_rows: 0,
    })
}
