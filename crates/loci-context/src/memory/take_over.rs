//! Rows that another method has made already.

use std::any::Any;
use std::sync::Arc;

use loci_models::memory::MemoryError;
use loci_models::watch::Watch;

use super::mass::QueryTrack;
use super::{QUERY_SLACK, RecipeMemory};

impl RecipeMemory {
    /// See [`whole_rows`](loci_models::memory::ContextMemory::whole_rows).
    pub(super) fn has_whole_rows(&self) -> bool {
        // What was read once a context had ended may be read otherwise. Rows of a budget may lie in a file.
        self.limit.is_none()
            && self.chunk == 0
            && self.packings == 0
            && self.watching.watch == Watch::default()
            && self.recipe.reads_prompts_whole(self.shape, self.read)
    }

    /// See [`take_over`](loci_models::memory::ContextMemory::take_over).
    pub(super) fn take_rows(&mut self, rows: &dyn Any, tokens: usize) -> Result<usize, MemoryError> {
        let Some(other) = rows.downcast_ref::<Self>().filter(|other| other.has_whole_rows()) else {
            return Ok(0);
        };
        // The newest queries are seen by those who decide by them.
        let own = match self.recipe.recent_queries(0) {
            0 => 0,
            recent => recent + QUERY_SLACK,
        };
        let to = tokens.min(other.read).saturating_sub(own);
        let alike = self.read == 0
            && self.has_whole_rows()
            && self.recipe.reads_prompts_whole(self.shape, to)
            && self.schedule == other.schedule
            && self.isa == other.isa;
        if !alike || to == 0 {
            return Ok(0);
        }
        // A draft that is early layers of the model makes the rows that these layers make in the whole of it.
        let mut store = other.store.fork_layers(self.shape.layers);
        if self.store.layout() != store.layout() {
            return Ok(0);
        }
        store.truncate(to)?;
        self.store = store;
        self.read = to;
        self.queries.fill(QueryTrack::starting_at(to));
        self.mark = self.recipe.is_stateful().then(|| Arc::new(self.here()));
        Ok(to)
    }
}
