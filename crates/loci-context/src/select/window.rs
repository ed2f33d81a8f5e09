//! The first tokens and the newest.

use loci_models::memory::MemoryError;

use super::{Choice, Role, Select, SelectView, Selection};

/// The first `sinks` rows and the rows of the last `window` positions of each query.
#[derive(Clone, Debug)]
pub struct SinksAndRecent {
    /// Tokens in front.
    pub sinks: usize,
    /// Tokens that a query sees, itself included.
    pub window: usize,
}

impl SinksAndRecent {
    /// The selection for queries `first..end`.
    pub(super) fn spans(&self, first: usize, end: usize) -> Selection {
        let sinks = self.sinks.min(end);
        let recent = (first + 1).saturating_sub(self.window).max(sinks);
        let mut selection = Selection::default();
        selection.push(0..sinks, Role::Sink);
        selection.push(recent..end, Role::Recent);
        selection
    }
}

impl Select for SinksAndRecent {
    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        Ok(Choice::AllHeads(self.spans(view.first, view.end())))
    }

    fn window(&self, _read: usize) -> usize {
        self.window
    }

    fn far_pages(&self, read: usize, page: usize) -> usize {
        self.sinks.min(read).div_ceil(page)
    }

    fn clone_box(&self) -> Box<dyn Select> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinks_and_the_window_of_the_first_query_are_chosen() {
        let select = SinksAndRecent { sinks: 2, window: 4 };
        let selection = select.spans(10, 12);
        let rows: Vec<_> = selection.spans.iter().map(|span| span.rows.clone()).collect();
        assert_eq!(rows, [0..2, 7..12]);
        assert_eq!(select.spans(0, 3).len(), 3);
        assert!(select.spans(0, 1).is_sorted());
    }
}
