//! What is learned from a group of queries: descriptions of blocks, the newest queries.

use loci_models::memory::MemoryError;

use super::RecipeMemory;
use crate::index::BlockView;

/// Queries held beyond those that are wanted, so that going back a little need not read again.
pub(crate) const QUERY_SLACK: usize = 64;

impl RecipeMemory {
    /// Numbers in the queries of one token.
    pub(super) const fn query_width(&self) -> usize {
        self.shape.heads * self.shape.head_dim
    }

    /// Keeps the queries of a group that ends at `end`, as far as they are wanted.
    pub(super) fn remember_queries(&mut self, layer: usize, end: usize, queries: &[f32]) {
        let width = self.query_width();
        let wanted = self.recipe.recent_queries(self.read);
        let in_blocks = self.recipe.index.wants_queries();
        let Some(track) = self.queries.get_mut(layer) else { return };
        if in_blocks {
            return track.push(queries);
        }
        if wanted == 0 {
            return;
        }
        // Look-ahead comes on top: it goes again, and what was wanted before it must then still be there.
        let first = end.saturating_sub(wanted + self.recipe.keep.look_ahead() + QUERY_SLACK);
        track.forget(first, width);
        // Of a long group only the end is wanted; its beginning never takes room.
        let left_out = (queries.len() / width).saturating_sub(end - first);
        track.push(&queries[left_out * width..]);
    }

    /// Describes the blocks that exist now that `read` tokens are written to `layer`.
    pub(super) fn learn(&mut self, layer: usize, read: usize) -> Result<(), MemoryError> {
        let blocks = self.recipe.segment.count(read);
        for block in self.indexed[layer]..blocks {
            let rows = self.recipe.segment.block(block);
            let mass: Vec<&[f32]> = match self.mass.get(layer) {
                Some(track) => track.rows(&rows),
                None => Vec::new(),
            };
            let width = self.query_width();
            let queries = self.queries.get(layer).map_or(&[][..], |track| track.rows(&rows, width));
            self.recipe.index.add(&BlockView {
                layer,
                rows: rows.clone(),
                store: &self.store.layer(layer),
                mass: &mass,
                queries,
                schedule: &self.schedule,
                pool: &self.pool,
            })?;
            if let Some(track) = self.mass.get_mut(layer) {
                track.forget(rows.end);
            }
            if let Some(track) = self.queries.get_mut(layer) {
                let recent = self.recipe.recent_queries(self.read);
                track.forget(rows.end.min(read.saturating_sub(recent)), width);
            }
        }
        self.indexed[layer] = blocks.max(self.indexed[layer]);
        Ok(())
    }
}
