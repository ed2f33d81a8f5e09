//! Where does one block of history end?

mod fixed;

pub use fixed::Fixed;

use std::ops::Range;

use loci_models::memory::Signals;

/// Cuts the tokens that have left the window into blocks.
///
/// Blocks are numbered from 0, follow each other without gaps and never change once they exist. How many exist
/// is a function of the number of tokens read: layers work through a chunk one after the other, so each asks for
/// its own point in time.
pub trait Segment: Send {
    /// Blocks that exist once `read` tokens have been written.
    fn count(&self, read: usize) -> usize;

    /// Positions of block `index`.
    fn block(&self, index: usize) -> Range<usize>;

    /// Told at the end of each chunk what the model thought of its tokens, `read` being their end.
    fn observe(&mut self, _read: usize, _signals: Signals<'_>) {}

    /// Whether [`observe`](Self::observe) needs signals.
    fn wants_signals(&self) -> bool {
        false
    }

    /// The same state again.
    fn clone_box(&self) -> Box<dyn Segment>;
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
