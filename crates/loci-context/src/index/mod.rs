//! By what is a block found again?

mod chunk_summary;
mod clusters;
mod halves;
mod representative;
mod vectors;

pub use chunk_summary::ChunkSummary;
pub use clusters::{Clustering, Clusters, Level, quantile};
pub use representative::Representative;

use std::ops::Range;

use loci_kernels::Pool;
use loci_models::memory::MemoryError;
use loci_models::rope::RopeSchedule;

use crate::saved::{Reader, Writer};
use crate::store::LayerRows;

/// What an index learns about a new block.
pub struct BlockView<'a> {
    /// Layer.
    pub layer: usize,
    /// Positions of the block.
    pub rows: Range<usize>,
    /// The layer's rows, for its keys.
    pub store: &'a LayerRows<'a>,
    /// `mass[head][row]`: softmax weight that each row of the block received from the queries which saw it inside
    /// the window; empty unless [`Index::wants_mass`].
    pub mass: &'a [&'a [f32]],
    /// Unrotated queries of the block's tokens, `[rows, heads, head_dim]`; empty unless [`Index::wants_queries`].
    pub queries: &'a [f32],
    /// Rotations.
    pub schedule: &'a RopeSchedule,
    /// Threads.
    pub pool: &'a Pool,
}

/// Finds blocks by a probe.
pub trait Index: Send + Sync {
    /// Whether blocks are described by the attention their rows received.
    fn wants_mass(&self) -> bool {
        false
    }

    /// Whether blocks are described by the queries of their own tokens.
    fn wants_queries(&self) -> bool {
        false
    }

    /// Whether unrotated keys are read.
    fn reads_raw_keys(&self) -> bool {
        false
    }

    /// Adds the next block of a layer.
    ///
    /// # Errors
    /// When a cold block cannot be read.
    fn add(&mut self, block: &BlockView<'_>) -> Result<(), MemoryError>;

    /// Scores of the first `blocks` blocks of `layer` for a probe `[heads * head_dim]`; higher is better. Who wants only
    /// the `best` so many may be given coarser scores of the others.
    fn score(
        &self,
        layer: usize,
        probe: &[f32],
        blocks: usize,
        best: usize,
        pool: &Pool,
        scores: &mut Vec<f32>,
    );

    /// As [`score`](Self::score), by the cosine of the angle between block and probe; 0 where one of them is 0.
    fn score_cosine(&self, layer: usize, probe: &[f32], blocks: usize, pool: &Pool, scores: &mut Vec<f32>);

    /// Scores of the first `blocks` blocks of `layer` for a probe `[head_dim]` of one query head.
    fn score_head(&self, layer: usize, head: usize, probe: &[f32], blocks: usize, scores: &mut Vec<f32>);

    /// Forgets all blocks of a layer but the first `blocks`.
    fn truncate(&mut self, layer: usize, blocks: usize);

    /// Bytes in RAM.
    fn bytes(&self) -> usize;

    /// Bytes in RAM for one block of one layer.
    fn bytes_per_block(&self) -> usize;

    /// Writes all blocks.
    fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError>;

    /// Reads what [`save`](Self::save) wrote.
    fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError>;

    /// The same state again.
    fn clone_box(&self) -> Box<dyn Index>;
}

/// No index: nothing is looked up by block.
#[derive(Clone, Debug)]
pub struct NoIndex;

impl Index for NoIndex {
    fn add(&mut self, _block: &BlockView<'_>) -> Result<(), MemoryError> {
        Ok(())
    }

    fn score(
        &self,
        _layer: usize,
        _probe: &[f32],
        blocks: usize,
        _best: usize,
        _pool: &Pool,
        scores: &mut Vec<f32>,
    ) {
        scores.clear();
        scores.resize(blocks, 0.0);
    }

    fn score_cosine(&self, layer: usize, probe: &[f32], blocks: usize, pool: &Pool, scores: &mut Vec<f32>) {
        self.score(layer, probe, blocks, blocks, pool, scores);
    }

    fn score_head(&self, _layer: usize, _head: usize, _probe: &[f32], blocks: usize, scores: &mut Vec<f32>) {
        scores.clear();
        scores.resize(blocks, 0.0);
    }

    fn truncate(&mut self, _layer: usize, _blocks: usize) {}

    fn bytes(&self) -> usize {
        0
    }

    fn bytes_per_block(&self) -> usize {
        0
    }

    fn save(&self, _out: &mut Writer<'_>) -> Result<(), MemoryError> {
        Ok(())
    }

    fn load(&mut self, _from: &mut Reader) -> Result<(), MemoryError> {
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Index> {
        Box::new(self.clone())
    }
}
