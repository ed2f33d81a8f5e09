//! One file for each published method: what it gives, its declaration, its five parts.

pub mod act_qkv;
mod blocks;
pub(crate) mod compose;
pub mod duo_attention;
pub mod em_llm;
pub(crate) mod exchange;
pub mod full;
pub mod hip_attention;
pub mod inf_llm;
pub mod lm_infinite;
pub mod long_heads;
pub mod random_rows;
pub mod recycled_attention;
pub mod sir_llm;
pub mod snap_kv;
pub mod spec_kv;
pub mod spec_kv_pc;
pub mod spec_pc;
pub mod squeezed_attention;
pub mod think;
pub mod window;

use std::sync::Arc;

use loci_kernels::Isa;
use loci_kernels::tiles::RowType;
use loci_models::memory::AttentionShape;
use loci_models::method::{MethodInfo, ParameterError, Values};

use crate::heads::HeadScores;
use crate::index::{Index, NoIndex};
use crate::keep::{Keep, KvHead};
use crate::place::{Place, Stand};
use crate::segment::{NoBlocks, Segment};
use crate::select::{Role, Select};

/// The five parts of a method, put together for one model.
pub struct Recipe {
    /// Where one block of history ends.
    pub segment: Box<dyn Segment>,
    /// By what a block is found again.
    pub index: Box<dyn Index>,
    /// Which rows a group of queries reads.
    pub select: Box<dyn Select>,
    /// At which distance the chosen keys stand.
    pub place: Arc<dyn Place>,
    /// What may be dropped.
    pub keep: Box<dyn Keep>,
    /// Queries that make one choice together, counted from the start of the sequence; at least 1.
    pub queries: usize,
    /// Chunks should end at multiples of this; see
    /// [`chunk_multiple`](loci_models::memory::ContextMemory::chunk_multiple).
    pub chunk_multiple: usize,
    /// Chunks may have at most this many tokens; see
    /// [`chunk_limit`](loci_models::memory::ContextMemory::chunk_limit).
    pub chunk_limit: usize,
    /// Rows that may wait beyond the window before a block of them is cut: those of the largest block, and the sinks,
    /// which wait until the first block is cut. 0 without blocks.
    pub block_rows: usize,
}

impl Recipe {
    /// A method that works on rows, without blocks: queries choose in groups of [`GROUP`], and chunks may end anywhere.
    pub(crate) fn over_rows(
        select: impl Select + 'static,
        place: impl Place + 'static,
        keep: impl Keep + 'static,
    ) -> Self {
        Self {
            segment: Box::new(NoBlocks),
            index: Box::new(NoIndex),
            select: Box::new(select),
            place: Arc::new(place),
            keep: Box::new(keep),
            queries: GROUP,
            chunk_multiple: 1,
            chunk_limit: usize::MAX,
            block_rows: 0,
        }
    }

    /// The same state again.
    pub(crate) fn fork(&self) -> Self {
        Self {
            segment: self.segment.clone_box(),
            index: self.index.clone_box(),
            select: self.select.clone_box(),
            place: Arc::clone(&self.place),
            keep: self.keep.clone_box(),
            queries: self.queries,
            chunk_multiple: self.chunk_multiple,
            chunk_limit: self.chunk_limit,
            block_rows: self.block_rows,
        }
    }

    /// Of how many of the newest tokens the queries must be known once `read` tokens have been written.
    pub(crate) fn recent_queries(&self, read: usize) -> usize {
        self.select.recent_queries(read).max(self.keep.prompt_queries())
    }

    /// The farthest distance at which a key stands to a query once `tokens` tokens have been written.
    pub(crate) fn farthest(&self, tokens: usize) -> usize {
        let closed_up = if self.keep.reads_raw_keys() { self.keep.most_rows() } else { None };
        [self.select.closes_up_to(), closed_up]
            .into_iter()
            .flatten()
            .chain([tokens, self.place.farthest().saturating_add(1)])
            .min()
            .unwrap_or(tokens)
            .saturating_sub(1)
    }

    /// Whether anything of `tokens` tokens is dropped or thinned.
    pub(crate) fn forgets(&self, shape: AttentionShape, tokens: usize) -> bool {
        self.keep.most_rows().is_some_and(|rows| rows < tokens)
            || self.keep.prompt_queries() > 0
            || KvHead::all(shape).any(|head| !self.keep.unreachable(head, tokens).is_empty())
    }

    /// Whether a prompt of at most `tokens` tokens is read as full attention reads it, so that rows are the same, and its
    /// end is seen before anything is done with them.
    pub(crate) fn reads_prompts_whole(&self, shape: AttentionShape, tokens: usize) -> bool {
        self.select.reads_prompts_whole()
            && self.place.stand(Role::Recent) == Stand::TRUE
            && self.segment.most(tokens) == 0
            && !self.keep.is_stateful()
            && !self.keep.wants_signals()
            && self.keep.most_rows().is_none()
            && KvHead::all(shape).all(|head| self.keep.unreachable(head, tokens).is_empty())
    }

    /// Whether the state after some tokens depends on more than their rows.
    pub(crate) fn is_stateful(&self) -> bool {
        self.index.wants_mass()
            || self.index.wants_queries()
            || self.segment.is_stateful()
            || self.keep.is_stateful()
            || self.select.is_stateful()
    }
}

/// Queries that are served together by methods whose choice does not depend on the group.
pub(crate) const GROUP: usize = 256;

/// What a recipe may ask about the model.
#[derive(Clone, Debug)]
pub struct ModelFacts {
    /// Shape.
    pub shape: AttentionShape,
    /// Tokens of the window it was trained for.
    pub trained_window: usize,
    /// Instruction set for the parts' own products.
    pub isa: Isa,
    /// Number format of stored rows.
    pub row_type: RowType,
    /// How much each kv head reads from afar, where it was measured.
    pub heads: Option<Arc<HeadScores>>,
}

/// A method of the registry.
pub struct Entry {
    /// Its declaration.
    pub info: &'static MethodInfo,
    /// Puts its parts together.
    ///
    /// # Errors
    /// When parameters do not fit each other or the model.
    pub build: fn(&Values, &ModelFacts) -> Result<Recipe, ParameterError>,
}
