//! The blocks that answer a group of queries best.

use loci_models::memory::MemoryError;

use super::{Choice, Select, SelectView};

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

    /// Numbers of the chosen blocks, ascending.
    fn choose(&self, view: &SelectView<'_>) -> Vec<usize> {
        if view.blocks <= self.top_k {
            return (0..view.blocks).collect();
        }
        let probe = view.mean_query(self.probe_at);
        view.index.top(view.layer, &probe, view.blocks, self.top_k, view.pool)
    }
}

impl Select for TopBlocks {
    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        let chosen = self.choose(view);
        Ok(Choice::AllHeads(view.with_blocks(self.sinks, &chosen)))
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
