//! Which rows does this group of queries read?

mod all;
mod events;
mod full_or_streaming;
mod head_chunks;
mod layer_budget;
mod probe;
mod range_search;
mod recycled;
mod squeezed;
mod top_blocks;
mod top_rows;
mod window;

pub use all::All;
pub use events::SimilarEvents;
pub use full_or_streaming::FullOrStreaming;
pub use head_chunks::HeadChunks;
pub use layer_budget::{EntropyShare, LayerBudget, spread};
pub use probe::{Activation, Probe};
pub use range_search::{RangeSearch, Ranges, Sample};
pub use recycled::{Recycled, Refresh};
pub use squeezed::{Settings as SqueezedSettings, Squeezed};
pub use top_blocks::{Likeness, TopBlocks};
pub use top_rows::TopRows;
pub use window::SinksAndRecent;

use std::cell::RefCell;
use std::ops::Range;

use loci_kernels::Pool;
use loci_models::memory::{AttentionShape, MemoryError};
use loci_models::rope::RopeSchedule;

use crate::index::Index;
use crate::parallel;
use crate::saved::{Reader, Writer};
use crate::segment::Segment;
use crate::store::{KvStore, LayerRows};

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
    /// Positions by which its keys stand nearer to the query than they did in the text.
    pub moved: usize,
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
        self.push_moved(rows, role, 0);
    }

    /// As [`push`](Self::push), with keys that stand `moved` positions nearer than they did in the text.
    pub fn push_moved(&mut self, rows: Range<usize>, role: Role, moved: usize) {
        if rows.is_empty() {
            return;
        }
        match self.spans.last_mut() {
            Some(last) if last.role == role && last.moved == moved && last.rows.end == rows.start => {
                last.rows.end = rows.end;
            }
            _ => self.spans.push(SelectedSpan { rows, role, moved }),
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
    /// One for each query, which then reads alone.
    PerQuery(Vec<Self>),
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
            Self::PerQuery(choices) => choices.iter().flat_map(|choice| choice.groups(shape)).collect(),
        }
    }
}

/// Indices of the `count` largest scores, ascending; of equal scores the earlier ones.
pub(crate) fn largest(scores: &[f32], count: usize) -> Vec<usize> {
    if count >= scores.len() {
        return (0..scores.len()).collect();
    }
    let Some(last) = count.checked_sub(1) else { return Vec::new() };
    // One whole number a score, so that comparing costs nothing: the best score first, of equal ones the first.
    let key = |(index, score): (usize, &f32)| {
        let bits = score.to_bits();
        // Negative numbers grow downwards; below them is where keys of large scores belong.
        let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
        u64::from(!ascending) << 32 | index as u64
    };
    ORDER.with_borrow_mut(|order| {
        order.clear();
        order.extend(scores.iter().enumerate().map(key));
        order.select_nth_unstable(last);
        #[allow(clippy::cast_possible_truncation)] // the lower half
        let mut chosen: Vec<usize> = order[..count].iter().map(|key| *key as u32 as usize).collect();
        chosen.sort_unstable();
        chosen
    })
}

thread_local! {
    /// Room for [`largest`], which a search calls in each layer for every token that is written.
    static ORDER: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
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
    /// Whether the chunk has one token only, as the last one of a prompt and each written one do.
    pub alone: bool,
    /// Blocks that exist for these queries.
    pub blocks: usize,
    /// Where blocks lie.
    pub segment: &'a dyn Segment,
    /// How they are found.
    pub index: &'a dyn Index,
    /// The rows of the layer.
    pub rows: &'a LayerRows<'a>,
    /// Rotations, for probes that ask at a fixed distance.
    pub schedule: &'a RopeSchedule,
    /// Threads.
    pub pool: &'a Pool,
}

impl SelectView<'_> {
    /// Position behind the last query.
    pub fn end(&self) -> usize {
        self.first + self.count
    }

    /// Mean over the queries, rotated to `distance`: `[heads * head_dim]`.
    pub fn mean_query(&self, distance: f64) -> Vec<f32> {
        let head_dim = self.shape.head_dim;
        let width = self.shape.heads * head_dim;
        let mut mean = vec![0.0_f32; width];
        for query in self.queries.chunks_exact(width) {
            loci_kernels::vector::add(self.rows.isa(), &mut mean, query);
        }
        #[allow(clippy::cast_precision_loss)] // a group has a few hundred queries
        let share = 1.0 / self.count as f32;
        mean.iter_mut().for_each(|value| *value *= share);
        // Rotation is linear, so the mean of the rotated queries is the rotated mean.
        let (mut cos, mut sin) = (vec![0.0; head_dim / 2], vec![0.0; head_dim / 2]);
        self.schedule.rotation(distance, &mut cos, &mut sin);
        for head in mean.chunks_exact_mut(head_dim) {
            loci_kernels::vector::rotate(self.rows.isa(), head, &cos, &sin);
        }
        mean
    }

    /// The first `sinks` rows, `blocks` (ascending) and all rows behind the last block that exists.
    pub fn with_blocks(&self, sinks: usize, blocks: &[usize]) -> Selection {
        let mut selection = Selection::default();
        selection.push(0..sinks.min(self.end()), Role::Sink);
        for block in blocks {
            selection.push(self.segment.block(*block), Role::Recalled);
        }
        let behind = match self.blocks {
            0 => sinks,
            blocks => self.segment.block(blocks - 1).end,
        };
        selection.push(behind..self.end(), Role::Recent);
        selection
    }

    /// `work` for every query head, on all threads.
    ///
    /// # Errors
    /// The first error of any head.
    pub fn for_heads<T: Send + Default>(
        &self,
        work: impl Fn(usize) -> Result<T, MemoryError> + Sync,
    ) -> Result<Vec<T>, MemoryError> {
        parallel::for_each(self.pool, self.shape.heads, work)
    }
}

/// A context that has ended, with all its rows.
pub struct ContextEnd<'a> {
    /// Shape of the model.
    pub shape: AttentionShape,
    /// Tokens of the context.
    pub read: usize,
    /// Their rows.
    pub store: &'a KvStore,
    /// Per layer, unrotated queries `[m, heads, head_dim]` of the last `m` tokens: as many as were asked for, or all.
    pub queries: &'a [&'a [f32]],
    /// Rotations.
    pub schedule: &'a RopeSchedule,
    /// Threads.
    pub pool: &'a Pool,
}

/// Chooses rows; may keep state over layers and steps.
pub trait Select: Send + Sync {
    /// Whether it reads rows that were packed together as it reads others.
    fn reads_packed(&self) -> bool {
        false
    }

    /// The rows that the queries of `view` read. Rows newer than a query are hidden from it afterwards.
    ///
    /// # Errors
    /// When a cold block cannot be read.
    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError>;

    /// Whether every query of a prompt reads everything before it, until a context or a prompt ends.
    fn reads_prompts_whole(&self) -> bool {
        false
    }

    /// Newest tokens that every query reads at their true distance, itself included, once `read` tokens have been written;
    /// where the placement sees less far, that counts.
    fn window(&self, _read: usize) -> usize {
        usize::MAX
    }

    /// Whether the state, just loaded, belongs to a memory of this shape with `read` tokens.
    fn fits(&self, _shape: AttentionShape, _read: usize) -> bool {
        true
    }

    /// Queries that choose together from position `first` on, where that changes along the sequence; groups end at
    /// multiples of it. `None`: as many as the recipe says.
    fn group(&self, _first: usize) -> Option<usize> {
        None
    }

    /// Whether the choice just made in `layer` should be followed by [`weigh`](Self::weigh).
    fn wants_weights(&self, _layer: usize) -> bool {
        false
    }

    /// Told the softmax weights of the choice just made, `weights[head][position]` for all positions below `end`, summed
    /// over the queries; zero for rows that were not read.
    fn weigh(&mut self, _layer: usize, _end: usize, _weights: &[Vec<f32>]) {}

    /// Pages of `page` rows beyond the window that one choice may touch in a kv head once `read` tokens have been
    /// written: these must fit into RAM together.
    fn far_pages(&self, read: usize, page: usize) -> usize;

    /// Rows of a query head that may lie scattered and be read by many queries once `read` tokens have been written, the
    /// queries' own excluded: these are copied together.
    fn scattered_rows(&self, _read: usize) -> usize {
        0
    }

    /// Where the chosen rows are moved together, the number of positions that they and the query then take; `None` where
    /// rows stand where they stood.
    fn closes_up_to(&self) -> Option<usize> {
        None
    }

    /// Of how many of the newest tokens [`end_context`](Self::end_context) must know the queries, once `read` tokens have
    /// been written; 0 where it does nothing, or nothing any more.
    fn recent_queries(&self, _read: usize) -> usize {
        0
    }

    /// What was read so far is a fixed context; called only where [`recent_queries`](Self::recent_queries) is above 0.
    ///
    /// # Errors
    /// When rows cannot be read.
    fn end_context(&mut self, _context: &ContextEnd<'_>) -> Result<(), MemoryError> {
        Ok(())
    }

    /// The last position up to `to` where a group of queries that choose together may have ended: inside a group, rows
    /// depend on queries behind them. Not called where [`is_stateful`](Self::is_stateful).
    fn group_end(&self, to: usize) -> usize {
        to
    }

    /// Forgets what came of the tokens from position `to` on; not called where [`is_stateful`](Self::is_stateful).
    fn truncate(&mut self, _to: usize) {}

    /// Bytes in RAM.
    fn bytes(&self) -> usize {
        0
    }

    /// The most bytes in RAM once `read` tokens have been written.
    fn most_bytes(&self, _shape: AttentionShape, _read: usize) -> usize {
        0
    }

    /// Whether choices depend on earlier ones; then the state is saved and restored.
    fn is_stateful(&self) -> bool {
        false
    }

    /// Writes the state.
    ///
    /// # Errors
    /// When writing fails.
    fn save(&self, _out: &mut Writer<'_>) -> Result<(), MemoryError> {
        Ok(())
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When it is damaged.
    fn load(&mut self, _from: &mut Reader) -> Result<(), MemoryError> {
        Ok(())
    }

    /// The same state again.
    fn clone_box(&self) -> Box<dyn Select>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_takes_the_earlier_of_equal_numbers() {
        assert_eq!(largest(&[1.0, 3.0, 3.0, 2.0, 3.0], 2), [1, 2]);
        assert_eq!(largest(&[1.0, 2.0], 5), [0, 1]);
        assert!(largest(&[], 2).is_empty() && largest(&[1.0], 0).is_empty());
    }
}
