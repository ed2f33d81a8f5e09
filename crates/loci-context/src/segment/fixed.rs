//! Blocks of a fixed number of tokens.

use std::ops::Range;

use super::Segment;

/// Blocks of `block_size` tokens, cut once all their tokens have left the window; the first `sinks` tokens
/// belong to no block.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// Tokens in front that are always visible.
    pub sinks: usize,
    /// Tokens of the window: they are in no block yet.
    pub window: usize,
    /// Tokens in a block.
    pub block_size: usize,
}

impl Segment for Fixed {
    fn count(&self, read: usize) -> usize {
        read.saturating_sub(self.sinks + self.window) / self.block_size
    }

    fn block(&self, index: usize) -> Range<usize> {
        let start = self.sinks + index * self.block_size;
        start..start + self.block_size
    }

    fn clone_box(&self) -> Box<dyn Segment> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_exists_once_all_its_tokens_have_left_the_window() {
        let fixed = Fixed { sinks: 4, window: 10, block_size: 3 };
        assert_eq!(fixed.count(0), 0);
        assert_eq!(fixed.count(16), 0);
        assert_eq!(fixed.count(17), 1);
        assert_eq!(fixed.count(20), 2);
        assert_eq!(fixed.block(1), 7..10);
    }
}
