//! Where does one block of history end?

mod events;
mod fixed;
mod graph;

pub use events::{EventRule, Events, Refinement, Split};
pub use fixed::Fixed;
pub use graph::{Graph, Metric, Weights};

use std::ops::Range;

use loci_models::memory::{MemoryError, Signals};

use crate::saved::{Reader, Writer};
use crate::store::KvStore;

/// Cuts the tokens that have left the window into blocks.
///
/// Blocks are numbered from 0, follow each other without gaps and never change once they exist. How many exist
/// is a function of the number of tokens read: layers work through a chunk one after the other, so each asks for
/// its own point in time. A segmentation that decides by what the model thought of the tokens cuts only in
/// [`observe`](Self::observe), when all layers have seen the chunk.
pub trait Segment: Send + Sync {
    /// Blocks that exist once `read` tokens have been written.
    fn count(&self, read: usize) -> usize;

    /// Positions of block `index`.
    fn block(&self, index: usize) -> Range<usize>;

    /// The blocks of `read` tokens, and those into which the tokens still in the window would be cut once they had left it.
    fn outlook(&self, read: usize) -> Vec<Range<usize>> {
        (0..self.count(read)).map(|index| self.block(index)).collect()
    }

    /// The most blocks that `read` tokens can be cut into.
    fn most(&self, read: usize) -> usize {
        self.count(read)
    }

    /// Told at the end of each chunk what the model thought of its tokens.
    ///
    /// # Errors
    /// When a cold block cannot be read.
    fn observe(&mut self, _chunk: &ChunkView<'_>) -> Result<(), MemoryError> {
        Ok(())
    }

    /// Whether [`observe`](Self::observe) needs signals.
    fn wants_signals(&self) -> bool {
        false
    }

    /// Whether blocks depend on more than the number of tokens read; then the state is saved and restored.
    fn is_stateful(&self) -> bool {
        false
    }

    /// Bytes in RAM.
    fn bytes(&self) -> usize {
        0
    }

    /// The most bytes in RAM once `read` tokens have been written.
    fn most_bytes(&self, _read: usize) -> usize {
        0
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
    fn clone_box(&self) -> Box<dyn Segment>;
}

/// A chunk that all layers have seen.
pub struct ChunkView<'a> {
    /// Position of its first token.
    pub first: usize,
    /// Position behind its last token.
    pub end: usize,
    /// What the model thought of its tokens; empty where signals were not asked for.
    pub signals: Signals<'a>,
    /// All rows.
    pub store: &'a KvStore,
}

/// No blocks: the method works on rows.
#[derive(Clone, Debug)]
pub struct NoBlocks;

impl Segment for NoBlocks {
    fn count(&self, _read: usize) -> usize {
        0
    }

    fn block(&self, _index: usize) -> Range<usize> {
        0..0
    }

    fn clone_box(&self) -> Box<dyn Segment> {
        Box::new(self.clone())
    }
}
