//! Which rows does this group of queries read?

mod all;
mod top_blocks;
mod top_rows;
mod window;

pub use all::All;
pub use top_blocks::TopBlocks;
pub use top_rows::TopRows;
pub use window::SinksAndRecent;

use std::ops::Range;

use loci_models::memory::{AttentionShape, MemoryError};

use crate::index::Index;
use crate::segment::Segment;
use crate::store::LayerRows;

/// Why a span was chosen; [`crate::place::Place`] decides by it where its keys stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The first tokens of the input, which models lean on whatever they say.
    Sink,
    /// Brought back from beyond the window.
    Recalled,
    /// The newest tokens.
    Recent,
}

/// A run of rows and the role it was chosen in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedSpan {
    /// Positions.
    pub rows: Range<usize>,
    /// Why.
    pub role: Role,
}

/// The rows that a group of heads reads: sorted, disjoint, none empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The spans in ascending order.
    pub spans: Vec<SelectedSpan>,
}

impl Selection {
    /// Adds a span behind the others; an empty one is left out, one that continues the last in the same role is
    /// joined to it.
    pub fn push(&mut self, rows: Range<usize>, role: Role) {
        if rows.is_empty() {
            return;
        }
        match self.spans.last_mut() {
            Some(last) if last.role == role && last.rows.end == rows.start => last.rows.end = rows.end,
            _ => self.spans.push(SelectedSpan { rows, role }),
        }
    }

    /// Rows in all spans.
    pub fn len(&self) -> usize {
        self.spans.iter().map(|span| span.rows.len()).sum()
    }

    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether spans ascend and do not overlap.
    pub fn is_sorted(&self) -> bool {
        self.spans.iter().all(|span| !span.rows.is_empty())
            && self.spans.windows(2).all(|pair| pair[0].rows.end <= pair[1].rows.start)
    }
}

/// A selection for each group of heads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// One for all heads of the layer.
    AllHeads(Selection),
    /// One for each kv head.
    PerKvHead(Vec<Selection>),
    /// One for each query head.
    PerHead(Vec<Selection>),
}

impl Choice {
    /// For every group of heads that reads together: its kv head, its query heads, its rows.
    pub fn groups(&self, shape: AttentionShape) -> Vec<(usize, Range<usize>, &Selection)> {
        let group = shape.group();
        let heads_of = |kv_head: usize| kv_head * group..(kv_head + 1) * group;
        match self {
            Self::AllHeads(selection) => {
                (0..shape.kv_heads).map(|kv_head| (kv_head, heads_of(kv_head), selection)).collect()
            }
            Self::PerKvHead(selections) => selections
                .iter()
                .enumerate()
                .map(|(kv_head, selection)| (kv_head, heads_of(kv_head), selection))
                .collect(),
            Self::PerHead(selections) => selections
                .iter()
                .enumerate()
                .map(|(head, selection)| (head / group, head..head + 1, selection))
                .collect(),
        }
    }
}

/// What a selection is made from: one group of queries in one layer. Their own rows are already written.
pub struct SelectView<'a> {
    /// Layer.
    pub layer: usize,
    /// Shape of the model.
    pub shape: AttentionShape,
    /// Unrotated queries `[m, heads, head_dim]`.
    pub queries: &'a [f32],
    /// Position of the first query.
    pub first: usize,
    /// Number of queries.
    pub count: usize,
    /// Blocks that exist for these queries.
    pub blocks: usize,
    /// Where blocks lie.
    pub segment: &'a dyn Segment,
    /// How they are found.
    pub index: &'a dyn Index,
    /// The rows of the layer.
    pub rows: &'a LayerRows<'a>,
    /// Rotations, for probes that ask at a fixed distance.
    pub schedule: &'a loci_models::rope::RopeSchedule,
}

impl SelectView<'_> {
    /// Position behind the last query.
    pub fn end(&self) -> usize {
        self.first + self.count
    }
}

/// Chooses rows; may keep state over layers and steps.
pub trait Select: Send {
    /// The rows that the queries of `view` read. Rows newer than a query are hidden from it afterwards.
    ///
    /// # Errors
    /// When a cold block cannot be read.
    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError>;

    /// Pages of `page` rows beyond the window that one choice may touch in a kv head once `read` tokens have been
    /// written: these must fit into RAM together.
    fn far_pages(&self, read: usize, page: usize) -> usize;

    /// The same state again.
    fn clone_box(&self) -> Box<dyn Select>;
}
