//! What is dropped before a chunk and at the end of a prompt, and what that leaves.

use std::ops::Range;

use loci_models::memory::MemoryError;

use super::RecipeMemory;
use crate::keep::{KvHead, PromptView};
use crate::store::HeadPacking;

impl RecipeMemory {
    /// Makes room for `coming` tokens, where the method holds a fixed number.
    pub(super) fn make_room(&mut self, coming: usize) -> Result<(), MemoryError> {
        let Some(packing) = self.recipe.keep.before_chunk(self.read, coming) else { return Ok(()) };
        for head in KvHead::all(self.shape) {
            self.pack(head, self.read, &packing)?;
        }
        self.packings += 1;
        Ok(())
    }

    /// See [`end_prompt`](loci_models::memory::ContextMemory::end_prompt).
    pub(super) fn decide_about_prompt(&mut self, end: usize) -> Result<(), MemoryError> {
        if end > self.read || self.chunk > 0 {
            return Err(MemoryError::Misuse(format!(
                "a prompt cannot end at token {end} of {} within a chunk",
                self.read
            )));
        }
        let mut packed = false;
        for layer in 0..self.shape.layers {
            let Some(track) = self.queries.get(layer) else { continue };
            // Of the prompt the last ones, the last token's own included, and behind it all of the look-ahead.
            let wanted = (end + 1).min(self.read).saturating_sub(self.recipe.keep.prompt_queries());
            let first = track.first().max(wanted);
            let packings = self.recipe.keep.at_prompt_end(&PromptView {
                layer,
                shape: self.shape,
                end,
                rows: &self.store.layer(layer),
                queries: track.rows(&(first..self.read), self.query_width()),
                first,
                schedule: &self.schedule,
                pool: &self.pool,
                isa: self.isa,
            })?;
            for (head, packing) in packings.iter().enumerate() {
                self.pack(KvHead { layer, head }, packing.end.unwrap_or(end), packing)?;
                packed = true;
            }
        }
        self.packings += usize::from(packed);
        Ok(())
    }

    fn pack(&mut self, head: KvHead, end: usize, packing: &HeadPacking) -> Result<(), MemoryError> {
        self.store.pack(head, end, packing, &self.schedule)
    }

    /// Tokens that no head can reach any more, and tokens that some heads cannot reach or hold in part.
    pub(super) fn losses(&self) -> (usize, usize) {
        if self.packings == 0 && self.recipe.keep.is_uniform() {
            return (self.recipe.keep.unreachable(KvHead::FIRST, self.read).len(), 0);
        }
        let mut state = vec![(true, false); self.read];
        for head in KvHead::all(self.shape) {
            let gone = self.recipe.keep.unreachable(head, self.read);
            let (kept, end, cut) = self.store.packed(head);
            let mut kept = kept.iter().copied().peekable();
            for (position, (by_all, by_some)) in state.iter_mut().enumerate() {
                let packed_away = position < end && kept.next_if_eq(&position).is_none();
                let lost = packed_away || gone.contains(&position);
                *by_all &= lost;
                *by_some |= lost || (cut && position < end);
            }
        }
        let count = |which: fn(&(bool, bool)) -> bool| state.iter().filter(|state| which(state)).count();
        (count(|state| state.0), count(|state| state.1 && !state.0))
    }

    /// See [`held`](loci_models::memory::ContextMemory::held).
    pub(super) fn share_held(&self, tokens: &Range<usize>) -> f32 {
        let tokens = tokens.start..tokens.end.min(self.read);
        let rows = tokens.len() * self.shape.layers * self.shape.kv_heads;
        let held = |head: KvHead| {
            let gone = self.recipe.keep.unreachable(head, self.read);
            let (kept, end, _) = self.store.packed(head);
            let reachable = |range: Range<usize>| {
                let lost = range.end.min(gone.end).saturating_sub(range.start.max(gone.start));
                range.len().saturating_sub(lost)
            };
            let packed = kept.iter().filter(|at| tokens.contains(at) && !gone.contains(at)).count();
            packed + reachable(tokens.start.max(end).min(tokens.end)..tokens.end)
        };
        match rows {
            0 => 0.0,
            _ => KvHead::all(self.shape).map(held).sum::<usize>() as f32 / rows as f32,
        }
    }
}
