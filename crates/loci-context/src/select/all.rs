//! Every row.

use loci_models::memory::MemoryError;

use super::{Choice, Role, Select, SelectView, Selection};

/// Every row read so far, for all heads.
#[derive(Clone, Debug)]
pub struct All;

impl Select for All {
    fn reads_packed(&self) -> bool {
        true
    }

    fn reads_prompts_whole(&self) -> bool {
        true
    }

    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        let mut selection = Selection::default();
        selection.push(0..view.end(), Role::Recent);
        Ok(Choice::AllHeads(selection))
    }

    fn far_pages(&self, read: usize, page: usize) -> usize {
        read.div_ceil(page)
    }

    fn clone_box(&self) -> Box<dyn Select> {
        Box::new(self.clone())
    }
}
