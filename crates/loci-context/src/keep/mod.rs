//! What may be dropped, and when?

use std::ops::Range;
use std::sync::Arc;

use loci_models::memory::AttentionShape;

/// Decides which rows no later query can reach.
pub trait Keep: Send + Sync {
    /// Rows of a kv head that are unreachable once `read` tokens have been written, as one range of positions. It only
    /// grows at its end as `read` grows.
    fn unreachable(&self, head: KvHead, read: usize) -> Range<usize>;

    /// Whether all heads keep the same rows.
    fn is_uniform(&self) -> bool {
        true
    }
}

/// A kv head of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvHead {
    /// Layer.
    pub layer: usize,
    /// Kv head within the layer.
    pub head: usize,
}

impl KvHead {
    /// The first of all; it speaks for the others where [`Keep::is_uniform`].
    pub const FIRST: Self = Self { layer: 0, head: 0 };

    /// All of a model.
    pub fn all(shape: AttentionShape) -> impl Iterator<Item = Self> {
        (0..shape.layers).flat_map(move |layer| (0..shape.kv_heads).map(move |head| Self { layer, head }))
    }
}

/// Everything stays.
#[derive(Clone, Debug)]
pub struct Everything;

impl Keep for Everything {
    fn unreachable(&self, _head: KvHead, _read: usize) -> Range<usize> {
        0..0
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
