//! What may be dropped, and when?

use std::ops::Range;

/// Decides which rows no later query can reach.
pub trait Keep: Send + Sync {
    /// Rows that are unreachable once `read` tokens have been written, as one range of positions. It only grows
    /// at its end as `read` grows.
    fn unreachable(&self, read: usize) -> Range<usize>;
}

/// Everything stays.
#[derive(Clone, Debug)]
pub struct Everything;

impl Keep for Everything {
    fn unreachable(&self, _read: usize) -> Range<usize> {
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
    fn unreachable(&self, read: usize) -> Range<usize> {
        // The next query stands at position `read` and sees `read - window + 1` and later.
        let end = (read + 1).saturating_sub(self.window);
        self.sinks.min(end)..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_keeps_what_the_next_query_sees() {
        let keep = SinksAndWindow { sinks: 2, window: 4 };
        assert!(keep.unreachable(3).is_empty());
        assert!(keep.unreachable(5).is_empty());
        // Query 6 sees 3, 4, 5 and itself.
        assert_eq!(keep.unreachable(6), 2..3);
    }
}
