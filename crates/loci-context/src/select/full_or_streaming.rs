//! Some kv heads read everything, the others the first and the newest tokens.

use std::sync::Arc;

use loci_models::memory::MemoryError;

use super::{Choice, Role, Select, SelectView, Selection};

/// For each kv head: all rows (role [`Role::Recalled`]), or `sinks` rows in front and the newest.
///
/// The newest are those of the group and `recent` before it; a [`Place`](crate::place::Place) may narrow that to a window
/// for each query.
#[derive(Clone, Debug)]
pub struct FullOrStreaming {
    /// `[layers][kv_heads]`: whether the head reads everything.
    pub full: Arc<Vec<Vec<bool>>>,
    /// Tokens in front.
    pub sinks: usize,
    /// Recent tokens besides the query itself.
    pub recent: usize,
    /// Whether the group with which a sequence begins is read in full by all heads.
    pub full_first: bool,
}

impl Select for FullOrStreaming {
    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        // Later groups would ask for rows that are dropped, however short the first was.
        let first_group = self.full_first && view.first == 0;
        let choose = |full: &bool| {
            let mut selection = Selection::default();
            if *full || first_group {
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

    fn far_pages(&self, read: usize, page: usize) -> usize {
        read.div_ceil(page)
    }

    fn clone_box(&self) -> Box<dyn Select> {
        Box::new(self.clone())
    }
}
