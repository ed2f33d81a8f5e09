//! The blocks that answer a group of queries best.

use loci_models::memory::MemoryError;

use super::{Choice, Role, Select, SelectView, Selection};

/// Sinks, the `top_k` blocks that the index scores highest for the mean query of the group, and all rows behind the
/// last block. One choice for all heads of a layer.
///
/// The mean query is rotated to distance `probe_at`, where the chosen keys will stand. Equal scores: the earlier
/// block.
#[derive(Clone, Debug)]
pub struct TopBlocks {
    /// Tokens in front.
    pub sinks: usize,
    /// Tokens in a block.
    pub block_size: usize,
    /// Blocks chosen.
    pub top_k: usize,
    /// Distance of the probe.
    pub probe_at: f64,
    /// Queries that are served together.
    pub queries: usize,
}

impl TopBlocks {
    /// Chooses `top_k` blocks of `block_size` tokens for every `queries` queries.
    pub fn new(sinks: usize, block_size: usize, top_k: usize, probe_at: f64, queries: usize) -> Self {
        Self { sinks, block_size, top_k, probe_at, queries }
    }

    /// Mean over the queries, rotated: `[heads * head_dim]`.
    fn probe(&self, view: &SelectView<'_>) -> Vec<f32> {
        let head_dim = view.shape.head_dim;
        let width = view.shape.heads * head_dim;
        let mut mean = vec![0.0_f32; width];
        for query in view.queries.chunks_exact(width) {
            loci_kernels::vector::add(view.rows.isa(), &mut mean, query);
        }
        #[allow(clippy::cast_precision_loss)] // a group has a few hundred queries
        let share = 1.0 / view.count as f32;
        mean.iter_mut().for_each(|value| *value *= share);
        // Rotation is linear, so the mean of the rotated queries is the rotated mean.
        let (mut cos, mut sin) = (vec![0.0; head_dim / 2], vec![0.0; head_dim / 2]);
        view.schedule.rotation(self.probe_at, &mut cos, &mut sin);
        for head in mean.chunks_exact_mut(head_dim) {
            loci_kernels::vector::rotate(view.rows.isa(), head, &cos, &sin);
        }
        mean
    }

    /// Numbers of the chosen blocks, ascending.
    fn choose(&self, view: &SelectView<'_>) -> Vec<usize> {
        if view.blocks <= self.top_k {
            return (0..view.blocks).collect();
        }
        let probe = self.probe(view);
        view.index.top(view.layer, &probe, view.blocks, self.top_k, view.pool)
    }
}

impl Select for TopBlocks {
    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        let mut selection = Selection::default();
        selection.push(0..self.sinks.min(view.end()), Role::Sink);
        for block in self.choose(view) {
            selection.push(view.segment.block(block), Role::Recalled);
        }
        let behind = match view.blocks {
            0 => self.sinks,
            blocks => view.segment.block(blocks - 1).end,
        };
        selection.push(behind..view.end(), Role::Recent);
        Ok(Choice::AllHeads(selection))
    }

    fn far_pages(&self, read: usize, page: usize) -> usize {
        // A block need not begin at a page; rows leave the window before they fill a block.
        let leaving = (self.block_size + self.queries).div_ceil(page) + 1;
        let most = self.sinks.div_ceil(page) + self.top_k * (self.block_size.div_ceil(page) + 1) + leaving;
        most.min(read.div_ceil(page))
    }

    fn clone_box(&self) -> Box<dyn Select> {
        Box::new(self.clone())
    }
}
