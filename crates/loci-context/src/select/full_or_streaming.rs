//! Some kv heads read everything, the others the first and the newest tokens.

use std::sync::Arc;

use loci_models::memory::MemoryError;

use super::{Choice, Role, Select, SelectView, Selection};

/// For each kv head: all rows (role [`Role::Recalled`]), or `sinks` rows in front and the newest.
///
/// The newest are those of the group and `recent` before it, so a group with which a sequence begins reads all. A
/// [`Place`](crate::place::Place) may narrow that to a window for each query.
#[derive(Clone, Debug)]
pub struct FullOrStreaming {
    /// `[layers][kv_heads]`: whether the head reads everything.
    pub full: Arc<Vec<Vec<bool>>>,
    /// Tokens in front.
    pub sinks: usize,
    /// Recent tokens besides the query itself.
    pub recent: usize,
}

impl Select for FullOrStreaming {
    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        let choose = |full: &bool| {
            let mut selection = Selection::default();
            if *full {
                selection.push(0..view.end(), Role::Recalled);
            } else {
                let sinks = self.sinks.min(view.end());
                selection.push(0..sinks, Role::Sink);
                selection.push(view.first.saturating_sub(self.recent).max(sinks)..view.end(), Role::Recent);
            }
            selection
        };
        let full = self.full.get(view.layer).map_or(&[][..], Vec::as_slice);
        Ok(Choice::PerKvHead(full.iter().map(choose).collect()))
    }

    fn window(&self, _read: usize) -> usize {
        self.recent + 1
    }

    fn far_pages(&self, read: usize, page: usize) -> usize {
        read.div_ceil(page)
    }

    fn clone_box(&self) -> Box<dyn Select> {
        Box::new(self.clone())
    }
}
