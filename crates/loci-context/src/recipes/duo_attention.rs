//! DuoAttention: less memory and faster answers, by keeping everything only for the heads that look far back.
//!
//! Xiao et al., "DuoAttention: Efficient Long-Context LLM Inference with Retrieval and Streaming Heads", 2024.
//!
//! 1. Each kv head has a score, learned or measured. A share `sparsity` of all heads, those with the lowest scores, are
//!    streaming heads; the others are full.
//! 2. A full head keeps and reads all rows. A streaming head keeps the first `sinks` tokens and `recent` more before
//!    the query; the rest is dropped while reading.
//! 3. Positions stay true: nothing is moved.
//!
//! The published code lets the first chunk of a prompt be read in full by all heads, and later chunks see all cached
//! recent rows from each of their tokens (`profile=released`); here each query has its own window.
//!
//! Parts: select by kv head, true distance, keep by kv head.

use std::sync::Arc;

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::{Entry, ModelFacts, Recipe};
use crate::keep::{self, SinksAndWindow};
use crate::place::TrueDistanceByRole;
use crate::select;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "duo-attention",
    title: "less memory and faster answers: only heads that look far back keep everything",
    paper: "Xiao et al., DuoAttention: Efficient Long-Context LLM Inference with Retrieval and Streaming Heads, 2024",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "",
        select: "per kv head: all, or sinks + recent",
        place: "true distance",
        keep: "per kv head: all, or sinks + recent",
    },
    needs: &[Need::HeadScores],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "sparsity",
            meaning: "share of kv heads that stream",
            unit: "",
            default: Value::Number(0.5),
            domain: Domain::Numbers(0.0, 1.0),
        },
        Parameter {
            name: "sinks",
            meaning: "first tokens that a streaming head keeps",
            unit: "tokens",
            default: Value::Integer(64),
            domain: Domain::Integers(0, 4096),
        },
        Parameter {
            name: "recent",
            meaning: "newest tokens that a streaming head keeps, besides the one being read",
            unit: "tokens",
            default: Value::Integer(256),
            domain: Domain::Integers(1, 1 << 20),
        },
        Parameter {
            name: "queries",
            meaning: "tokens of a prefill chunk, of interest with profile=released only",
            unit: "tokens",
            default: Value::Integer(256),
            domain: Domain::Integers(1, 32768),
        },
        Parameter {
            name: "profile",
            meaning: "exact: each query of a streaming head has its own window; released: as the published code reads a prompt",
            unit: "",
            default: Value::Word("exact"),
            domain: Domain::Words(&["exact", "released"]),
        },
    ],
    cost: "per kv head n or sinks + recent rows, for reading, writing and memory alike",
    composes_with: &["rope", "rows"],
    invariants: &[
        "without streaming heads it equals full attention",
        "a streaming head sees sinks and recent rows only, however the text was cut, and holds at most three pages more",
        "the share of streaming heads is the one asked for",
        "a later token changes nothing before it",
    ],
    description: "Most heads of a model look only at the first tokens and the last few hundred. They keep just those; \
                  the heads that look far back keep everything, so that facts are still found. Which heads these are \
                  must be known for the model: learned gates in the published file format (`--heads FILE`), else the \
                  retrieval scores that `loci inspect heads` measured, which are built in for the default model. Nothing \
                  helps beyond the window the model was trained for: combine it with a RoPE schedule there.",
};

fn build(values: &Values, facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    let [sinks, recent, queries] = ["sinks", "recent", "queries"].map(|name| values.size(name));
    let Some(heads) = &facts.heads else {
        return Err(ParameterError::Combination(
            "duo-attention needs to know which heads look far back; measure them with loci inspect heads, or name a \
             file with their scores with --heads"
                .to_owned(),
        ));
    };
    let released = values.word("profile") == "released";
    let full = Arc::new(heads.full_heads(values.number("sparsity")));
    Ok(Recipe {
        queries,
        chunk_multiple: if released { queries } else { 1 },
        ..Recipe::over_rows(
            select::FullOrStreaming { full: Arc::clone(&full), sinks, recent },
            // Without windows of their own, queries read all that was selected for their group: in the first, everything.
            TrueDistanceByRole { recent: if released { usize::MAX } else { recent + 1 } },
            // The next query, at position `read`, sees `recent` rows before it and itself.
            keep::FullOrStreaming { full, others: SinksAndWindow { sinks, window: recent + 1 } },
        )
    })
}
