//! InfLLM: answers from input of any length by reading a few blocks of it again.
//!
//! Xiao et al., "InfLLM: Training-Free Long-Context Extrapolation for LLMs with an Efficient Context Memory", 2024.
//!
//! 1. Tokens that have left the window are cut into blocks of `block_size`. A block is described, for each query head,
//!    by the mean unrotated key of the `repr_top_k` rows that received most attention while they were in the window.
//! 2. Each `queries` queries choose `top_k` blocks together: the largest products of the blocks' descriptions with the
//!    mean query, rotated to distance `window - 1`.
//! 3. They attend to the window at true distances, and to the first `sinks` tokens, the chosen blocks and the rows that
//!    have left the window but are in no block yet, all at distance `window - 1`: in one softmax. A row is seen either
//!    as near or as far, never as both (the published code counts some twice; this is the exact partition).
//!
//! Parts: segment fixed, index representative keys, select top blocks, capped distance, keep everything.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::blocks::{self, Blocks, Chosen, Cut, Surroundings};
use super::{Entry, ModelFacts, Recipe};
use crate::segment::Fixed;
use crate::select::TopBlocks;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

// Parameters that methods built on this one share, with defaults of their own where they differ.
pub(super) const SINKS: Parameter = Parameter {
    name: "sinks",
    meaning: "first tokens that stay visible (n_init in the paper)",
    unit: "tokens",
    default: Value::Integer(32),
    domain: Domain::Integers(0, 4096),
};

pub(super) const WINDOW: Parameter = Parameter {
    name: "window",
    meaning: "tokens that a query sees at their true distance, itself included (n_local)",
    unit: "tokens",
    default: Value::Integer(2048),
    domain: Domain::Integers(1, 1 << 20),
};

pub(super) const BLOCK_SIZE: Parameter = Parameter {
    name: "block_size",
    meaning: "tokens in a block",
    unit: "tokens",
    default: Value::Integer(64),
    domain: Domain::Integers(1, 4096),
};

pub(super) const REPR_TOP_K: Parameter = Parameter {
    name: "repr_top_k",
    meaning: "rows that describe a block",
    unit: "rows",
    default: Value::Integer(4),
    domain: Domain::Integers(1, 4096),
};

pub(super) const QUERIES: Parameter = Parameter {
    name: "queries",
    meaning: "queries that choose blocks together while reading (exc_block_size)",
    unit: "tokens",
    default: Value::Integer(256),
    domain: Domain::Integers(1, 4096),
};

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "inf-llm",
    title: "answers from input of any length by reading a few blocks of it again",
    paper: "Xiao et al., InfLLM: Training-Free Long-Context Extrapolation for LLMs with an Efficient Context Memory, 2024",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "fixed",
        index: "mean of top-scored keys",
        select: "sinks + top-k blocks + window",
        place: "capped distance",
        keep: "everything, cold blocks in a file",
    },
    needs: &[Need::Queries, Need::AttentionMass],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        SINKS,
        WINDOW,
        BLOCK_SIZE,
        Parameter {
            name: "top_k",
            meaning: "blocks read again",
            unit: "blocks",
            default: Value::Integer(16),
            domain: Domain::Integers(0, 1 << 20),
        },
        REPR_TOP_K,
        QUERIES,
    ],
    cost: "time n*(window + sinks + top_k*block_size) to read, window + sinks + top_k*block_size + n/block_size*heads*head_dim for each token written; all rows, those beyond the window cold if need be",
    composes_with: &["rope"],
    invariants: &[
        "outputs equal an independent naive form to 1e-4",
        "a block exists once all its tokens have left the window",
        "cold blocks change no bit of the output",
    ],
    description: "Keeps all keys and values, and lets each group of queries read the few blocks that fit it best. \
                  All distances stay inside the window, so a model answers from input many times longer than it was \
                  trained for. One mean query speaks for `queries` tokens while reading, so put the question at the \
                  end: it then looks up by itself. Facts that only an exact, rare string names may be missed.",
};

/// Its parts that other methods may take.
pub(super) const BLOCKS: Blocks = Blocks {
    info: &INFO,
    segment_parameters: &["block_size"],
    segment,
    select_parameters: &["top_k"],
    select,
};

fn build(values: &Values, facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    BLOCKS.build(values, facts)
}

pub(super) fn segment(
    values: &Values,
    around: &Surroundings,
    _facts: &ModelFacts,
) -> Result<Cut, ParameterError> {
    let &Surroundings { sinks, window, largest, .. } = around;
    let block_size = values.size("block_size");
    blocks::at_most(values, "block_size", block_size, largest)?;
    let segment = Box::new(Fixed { sinks, window, block_size });
    Ok(Cut { segment, sizes: (block_size, block_size), by_group: false })
}

fn select(
    values: &Values,
    around: &Surroundings,
    cut: &Cut,
    _facts: &ModelFacts,
) -> Result<Chosen, ParameterError> {
    let select = TopBlocks::new(around.sinks, cut.sizes.1, values.size("top_k"), around.cap, around.queries);
    Ok(Chosen { select: Box::new(select), by_group: false })
}
