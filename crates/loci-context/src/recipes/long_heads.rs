//! LongHeads: every head reads its own handful of chunks, laid side by side at distances the model knows.
//!
//! Lu et al., "LongHeads: Multi-Head Attention is Secretly a Long Context Processor", 2024.
//!
//! 1. The input is cut into chunks of `chunk_size` tokens. A complete chunk is described, for each query head, by a key
//!    that its own attention makes (see [`ChunkSummary`]).
//! 2. The first `begin` tokens read everything. Each later query, in each layer and head apart, reads `attention /
//!    chunk_size` chunks: the first, the one before its own, its own, and those whose keys have the largest product with
//!    the unrotated query.
//! 3. The chosen chunks stand side by side in their order, so no distance reaches `attention`.
//!
//! The published code leaves a query's own key out while reading a prompt, though not while writing; here it is always
//! in. Keys for each query head are an extension to grouped-query models.
//!
//! Parts: segment fixed, index chunk summary, select per head and query, re-indexed, keep everything.

use std::sync::Arc;

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::blocks::{Blocks, Cut, Surroundings};
use super::{Entry, ModelFacts, Recipe};
use crate::index::ChunkSummary;
use crate::keep::Everything;
use crate::place::TrueDistance;
use crate::segment::Fixed;
use crate::select::HeadChunks;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "long-heads",
    title: "every head reads its own few chunks, at distances the model knows",
    paper: "Lu et al., LongHeads: Multi-Head Attention is Secretly a Long Context Processor, 2024",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "fixed",
        index: "key made by the chunk's own attention",
        select: "per head and query: first, previous and own chunk + top-k",
        place: "re-indexed without gaps",
        keep: "everything",
    },
    needs: &[Need::Queries],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "chunk_size",
            meaning: "tokens in a chunk (window_size in the paper)",
            unit: "tokens",
            default: Value::Integer(128),
            domain: Domain::Integers(1, 4096),
        },
        Parameter {
            name: "attention",
            meaning: "tokens that a query reads (atten_length)",
            unit: "tokens",
            default: Value::Integer(2048),
            domain: Domain::Integers(3, 1 << 20),
        },
        Parameter {
            name: "begin",
            meaning: "tokens in front that read everything; 0: as many as attention (begin_selective_length)",
            unit: "tokens",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1 << 20),
        },
    ],
    cost: "for every token attention keys and n/chunk_size products a head, gathered anew each time; all rows in RAM",
    composes_with: &["rope", "rows"],
    invariants: &[
        "no distance grows with the text",
        "the first, the previous and the own chunk are always read, and never more chunks than allowed",
        "a later token changes nothing before it",
        "reading at once equals reading token by token",
        "a moved key equals one rotated where it then stands",
    ],
    description: "Together the heads and layers of a model cover a long text although each query reads only a few chunks \
                  of it. Every query of every head chooses for itself, so reading is slow. Stay well inside the trained \
                  window with `attention`: half of it or less. A fact cut by the border of two chunks needs both.",
};

fn build(values: &Values, facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    let size = values.size("chunk_size");
    let fixed = Fixed { sinks: 0, window: 0, block_size: size };
    recipe(values, Cut { segment: Box::new(fixed), sizes: (size, size), by_group: false }, facts)
}

/// The method over blocks that `segment` of `blocks` says how to cut: at most `chunk_size` tokens each, after every
/// `chunk_size` tokens that the model has seen.
///
/// # Errors
/// As for the method itself, and for blocks that are too large or need what this method does not hold.
pub(super) fn over(
    values: &Values,
    (blocks, segment): (&Blocks, &Values),
    facts: &ModelFacts,
) -> Result<Recipe, ParameterError> {
    if !matches!(segment.word("refine"), "" | "none") {
        return Err(ParameterError::Combination(
            "long-heads+segment=em-llm: refine compares unrotated keys, and long-heads holds rotated ones; use refine=none"
                .to_owned(),
        ));
    }
    let size = values.size("chunk_size");
    let around = Surroundings { sinks: 0, window: 0, queries: size, cap: 0.0, largest: ("chunk_size", size) };
    recipe(values, (blocks.segment)(segment, &around, facts)?, facts)
}

fn recipe(values: &Values, cut: Cut, facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    let [chunk_size, attention, begin] = ["chunk_size", "attention", "begin"].map(|name| values.size(name));
    let refuse = |what: String| Err(ParameterError::Combination(format!("long-heads: {what}")));
    // Where blocks are cut late, the own chunk may be two of them long.
    let (late, least) = if cut.by_group { (1, "four") } else { (0, "three") };
    if !attention.is_multiple_of(chunk_size) || attention < (3 + late) * chunk_size {
        let fits = attention.next_multiple_of(chunk_size).max((3 + late) * chunk_size);
        return refuse(format!(
            "attention {attention} must hold {least} or more whole chunks of {chunk_size}; use attention={fits}"
        ));
    }
    let begin = if begin == 0 { attention } else { begin };
    if begin < attention || !begin.is_multiple_of(chunk_size) {
        let fits = begin.max(attention).next_multiple_of(chunk_size);
        return refuse(format!(
            "begin {begin} must be a multiple of chunk_size {chunk_size} and at least attention {attention}; use begin={fits}"
        ));
    }
    Ok(Recipe {
        segment: cut.segment,
        index: Box::new(ChunkSummary::new(facts)),
        select: Box::new(HeadChunks {
            queries: chunk_size,
            sizes: cut.sizes,
            chunks: attention / chunk_size - late,
            attention,
            begin,
        }),
        place: Arc::new(TrueDistance { reach: None }),
        keep: Box::new(Everything),
        queries: chunk_size,
        chunk_multiple: if cut.by_group { chunk_size } else { 1 },
        chunk_limit: if cut.by_group { chunk_size } else { usize::MAX },
        block_rows: cut.sizes.1,
    })
}
