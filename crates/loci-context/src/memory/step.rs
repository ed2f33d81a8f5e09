//! One group of queries in one layer.

use loci_models::memory::MemoryError;

use super::RecipeMemory;
use crate::attention::{Call, MassReaders, Positions};
use crate::keep::KvHead;
use crate::select::SelectView;

impl RecipeMemory {
    /// Write, select, attend, learn.
    pub(super) fn step(
        &mut self,
        layer: usize,
        first: usize,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        out: &mut [f32],
    ) -> Result<(), MemoryError> {
        let blocks = self.recipe.segment.count(first);
        let count = q.len() / (self.shape.heads * self.shape.head_dim);
        let end = first + count;
        self.store.append(layer, k, v, &self.rotations, &self.pool);
        let choice = self.recipe.select.select(&SelectView {
            layer,
            shape: self.shape,
            queries: q,
            first,
            count,
            alone: self.chunk == 1,
            blocks,
            segment: &*self.recipe.segment,
            index: &*self.recipe.index,
            rows: &self.store.layer(layer),
            schedule: &self.schedule,
            pool: &self.pool,
        })?;
        let mut weights = match self.recipe.select.wants_weights(layer) {
            true => vec![vec![0.0; end]; self.shape.heads],
            false => Vec::new(),
        };
        for (kv_head, _, selection) in choice.groups(self.shape) {
            let packed = self.store.layer(layer).packed(kv_head).0.map_or(0, |packed| packed.moved);
            for moved in selection.spans.iter().flat_map(|span| [span.moved, span.moved + packed]) {
                self.rotations.prepare(&self.schedule, moved);
            }
            self.store.fetch(layer, kv_head, selection.spans.iter().map(|span| span.rows.clone()))?;
        }
        self.remember_queries(layer, end, q);
        let call = Call {
            store: &self.store,
            layer,
            shape: self.shape,
            queries: q,
            first,
            choice: &choice,
            place: &*self.recipe.place,
            schedule: &self.schedule,
            rotations: &self.rotations,
            pool: &self.pool,
            isa: self.isa,
        };
        let window = self.window(end);
        let mut track = self.mass.get_mut(layer);
        let mut evidence = self.evidence.as_mut().filter(|_| self.recording);
        let mut looks = self.watching.of_layer(layer, self.shape.heads);
        if let Some(track) = track.as_deref_mut() {
            track.grow(end);
        }
        if let Some(evidence) = evidence.as_deref_mut() {
            evidence.grow(end);
            evidence.count(layer, count);
        }
        let watched = evidence.is_some() || looks.is_some() || !weights.is_empty();
        let mut all = |head: usize, rows: &Positions<'_>, sums: &[f32]| {
            if let Some(evidence) = evidence.as_deref_mut() {
                evidence.add(layer, head, rows, sums, end.saturating_sub(window));
            }
            if let Some(looks) = &mut looks {
                looks.add(head, rows, sums);
            }
            if let Some(weights) = weights.get_mut(head) {
                rows.add_to(sums, 1.0, 0, weights);
            }
        };
        let readers = MassReaders { near: track, all: if watched { Some(&mut all) } else { None } };
        call.run(&mut self.buffers, out, readers)?;
        if !weights.is_empty() {
            self.recipe.select.weigh(layer, end, &weights);
        }
        self.learn(layer, end)?;
        for head in 0..self.shape.kv_heads {
            let head = KvHead { layer, head };
            self.store.release(head, &self.recipe.keep.unreachable(head, end));
        }
        Ok(())
    }
}
