//! Ranges of rows that stay, known from the number of tokens alone.

use std::ops::Range;
use std::sync::Arc;

use super::{Keep, KvHead};

/// Everything stays.
#[derive(Clone, Debug)]
pub struct Everything;

impl Keep for Everything {
    fn clone_box(&self) -> Box<dyn Keep> {
        Box::new(self.clone())
    }
}

/// The first `sinks` tokens and the last `window` tokens stay.
#[derive(Clone, Debug)]
pub struct SinksAndWindow {
    /// Tokens in front.
    pub sinks: usize,
    /// Tokens that a query sees, itself included.
    pub window: usize,
}

impl Keep for SinksAndWindow {
    fn unreachable(&self, _head: KvHead, read: usize) -> Range<usize> {
        // The next query stands at position `read` and sees `read - window + 1` and later.
        let end = (read + 1).saturating_sub(self.window);
        self.sinks.min(end)..end
    }

    fn clone_box(&self) -> Box<dyn Keep> {
        Box::new(self.clone())
    }
}

/// Some kv heads keep everything, the others the first `sinks` tokens and what a query sees of the last.
#[derive(Clone, Debug)]
pub struct FullOrStreaming {
    /// `[layers][kv_heads]`: whether the head keeps everything.
    pub full: Arc<Vec<Vec<bool>>>,
    /// What the others keep.
    pub others: SinksAndWindow,
}

impl Keep for FullOrStreaming {
    fn unreachable(&self, head: KvHead, read: usize) -> Range<usize> {
        match self.full.get(head.layer).and_then(|layer| layer.get(head.head)) {
            Some(false) => self.others.unreachable(head, read),
            _ => 0..0,
        }
    }

    fn is_uniform(&self) -> bool {
        false
    }

    fn clone_box(&self) -> Box<dyn Keep> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_keeps_what_the_next_query_sees() {
        let keep = SinksAndWindow { sinks: 2, window: 4 };
        assert!(keep.unreachable(KvHead::FIRST, 3).is_empty());
        assert!(keep.unreachable(KvHead::FIRST, 5).is_empty());
        // Query 6 sees 3, 4, 5 and itself.
        assert_eq!(keep.unreachable(KvHead::FIRST, 6), 2..3);
    }
}
