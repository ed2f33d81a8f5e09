//! Going back, saving and restoring.

use std::sync::Arc;

use loci_models::memory::{AttentionShape, MemoryError};

use super::mass::{self, MassTrack, QueryTrack};
use super::{Mark, RecipeMemory};
use crate::keep::KvHead;
use crate::saved::{Reader, Writer};
use crate::select::ContextEnd;

/// First bytes of a saved memory.
const MAGIC: &[u8] = b"loci memory 2";

impl Mark {
    /// Bytes in RAM.
    pub(super) fn bytes(&self) -> usize {
        mass::bytes(&self.mass, &self.queries) + self.segment.bytes() + self.select.bytes()
    }
}

impl RecipeMemory {
    /// Where the memory stands now.
    pub(super) fn here(&self) -> Mark {
        Mark {
            read: self.read,
            mass: self.mass.clone(),
            queries: self.queries.clone(),
            indexed: self.indexed.clone(),
            segment: self.recipe.segment.clone_box(),
            select: self.recipe.select.clone_box(),
            keep: self.recipe.keep.clone_box(),
            packings: self.packings,
        }
    }

    /// See [`truncate`](loci_models::memory::ContextMemory::truncate).
    pub(super) fn go_back(&mut self, to: usize) -> Result<usize, MemoryError> {
        if to >= self.read && self.store.len(0) == self.read {
            return Ok(self.read);
        }
        // A step that failed half way left rows of some layers behind; they go with the rest.
        self.clear_evidence();
        if !self.recipe.is_stateful() {
            let to = self.with_recent_queries(self.recipe.select.group_end(to.min(self.read)));
            if self.can_continue_at(to) {
                self.store.truncate(to)?;
                let width = self.query_width();
                self.queries.iter_mut().for_each(|track| track.truncate(to, width));
                self.recipe.select.truncate(to);
                self.read = to;
                return Ok(to);
            }
        } else if let Some(mark) = self.mark.clone()
            && mark.read <= to
            && mark.packings == self.packings
            && self.can_continue_at(mark.read)
        {
            self.restore(&mark)?;
            return Ok(self.read);
        }
        self.reset()
    }

    /// The last position up to `to` from which reading on to `to` brings back the recent queries that are wanted there.
    fn with_recent_queries(&self, to: usize) -> usize {
        let recent = to.saturating_sub(self.recipe.recent_queries(to))..to;
        let held = self.queries.iter().all(|track| track.holds(&recent, self.query_width()));
        if held || recent.is_empty() { to } else { recent.start }
    }

    /// See [`end_context`](loci_models::memory::ContextMemory::end_context).
    pub(super) fn index_context(&mut self) -> Result<(), MemoryError> {
        let wanted = self.recipe.select.recent_queries(self.read);
        if wanted == 0 {
            return Ok(());
        }
        let (read, width) = (self.read, self.query_width());
        let recent = read.saturating_sub(wanted)..read;
        let complete = (0..self.shape.layers).all(|layer| self.store.len(layer) == read)
            && self.queries.iter().all(|track| track.holds(&recent, width));
        if self.chunk > 0 || !complete {
            return Err(MemoryError::Misuse(format!("a context cannot end within a chunk (token {read})")));
        }
        let queries: Vec<&[f32]> = self.queries.iter().map(|track| track.rows(&recent, width)).collect();
        self.recipe.select.end_context(&ContextEnd {
            shape: self.shape,
            read,
            store: &self.store,
            queries: &queries,
            schedule: &self.schedule,
            pool: &self.pool,
        })?;
        if self.recipe.select.recent_queries(read) == 0 {
            self.queries.fill(QueryTrack::starting_at(read));
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<usize, MemoryError> {
        self.restore(&Mark {
            read: 0,
            mass: self.mass.iter().map(|_| MassTrack::new(self.shape.heads)).collect(),
            queries: vec![QueryTrack::default(); self.queries.len()],
            indexed: vec![0; self.shape.layers],
            segment: self.fresh.segment.clone_box(),
            select: self.fresh.select.clone_box(),
            keep: self.fresh.keep.clone_box(),
            packings: 0,
        })?;
        self.mark = None;
        Ok(0)
    }

    fn restore(&mut self, mark: &Mark) -> Result<(), MemoryError> {
        self.store.truncate(mark.read)?;
        self.mass.clone_from(&mark.mass);
        self.queries.clone_from(&mark.queries);
        self.indexed.clone_from(&mark.indexed);
        self.recipe.segment = mark.segment.clone_box();
        self.recipe.select = mark.select.clone_box();
        self.recipe.keep = mark.keep.clone_box();
        self.packings = mark.packings;
        for layer in 0..self.shape.layers {
            self.recipe.index.truncate(layer, self.indexed[layer]);
        }
        self.read = mark.read;
        Ok(())
    }

    /// Whether all rows that a query at `position` may read are still there in the forms it reads.
    fn can_continue_at(&self, position: usize) -> bool {
        let reach = self.recipe.place.rotated_reach();
        let near_from = (position + 1).saturating_sub(reach);
        if self.store.layout().raw && self.store.rotated_from() > near_from {
            return false;
        }
        KvHead::all(self.shape).all(|head| {
            let (_, packed_end, _) = self.store.packed(head);
            if packed_end > 0 {
                return position >= packed_end;
            }
            let gone = self.recipe.keep.unreachable(head, position);
            self.recipe.keep.unreachable(head, self.read).is_empty()
                || self.store.first_present(head, gone.end) == gone.end
        })
    }

    pub(super) fn write_state(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        out.bytes(MAGIC)?;
        out.bytes(self.identity().as_bytes())?;
        out.number(self.read)?;
        self.indexed.iter().try_for_each(|blocks| out.number(*blocks))?;
        self.mass.iter().try_for_each(|track| track.save(out))?;
        self.queries.iter().try_for_each(|track| track.save(out))?;
        self.recipe.segment.save(out)?;
        self.recipe.index.save(out)?;
        self.recipe.select.save(out)?;
        self.recipe.keep.save(out)?;
        out.number(self.packings)?;
        self.store.save(out)
    }

    pub(super) fn read_state(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
        if from.bytes()? != MAGIC {
            return Err(MemoryError::Saved("it does not begin like a saved memory of this version".into()));
        }
        let identity = String::from_utf8_lossy(&from.bytes()?).into_owned();
        if identity != self.identity() {
            return Err(MemoryError::Saved(format!(
                "it was made by {identity} but would be read by {}",
                self.identity()
            )));
        }
        let read = from.number()?;
        for blocks in &mut self.indexed {
            *blocks = from.number()?;
        }
        for track in &mut self.mass {
            *track = MassTrack::read(from, self.shape.heads)?;
        }
        for track in &mut self.queries {
            *track = QueryTrack::read(from)?;
        }
        self.recipe.segment.load(from)?;
        self.recipe.index.load(from)?;
        self.recipe.select.load(from)?;
        self.recipe.keep.load(from)?;
        self.packings = from.number()?;
        self.store.load(from)?;
        if (0..self.shape.layers).any(|layer| self.store.len(layer) != read) {
            return Err(MemoryError::Saved("its layers hold different numbers of rows".into()));
        }
        let blocks = self.recipe.segment.count(read);
        let known = self.indexed.iter().all(|known| *known == blocks);
        if self.recipe.is_stateful()
            && (!known || (blocks > 0 && self.recipe.segment.block(blocks - 1).end > read))
        {
            return Err(MemoryError::Saved(format!("its {blocks} blocks do not fit its {read} rows")));
        }
        if !self.recipe.select.fits(self.shape, read) {
            return Err(MemoryError::Saved("its choices name rows or heads that are not there".into()));
        }
        // A context that ended behind the last row was never part of a memory.
        self.recipe.select.truncate(read);
        (self.read, self.chunk, self.evidence) = (read, 0, None);
        self.mark = self.recipe.is_stateful().then(|| Arc::new(self.here()));
        self.plan(read)?;
        self.store.settle()
    }

    /// What must agree between the memory that was saved and the one that reads it.
    fn identity(&self) -> String {
        let AttentionShape { layers, heads, kv_heads, head_dim } = self.shape;
        format!(
            "{} over {layers} layers, {heads} heads, {kv_heads} kv heads of {head_dim}, rows {}, positions {:?} x {}",
            self.spec,
            self.store.layout().row_type.name(),
            self.schedule.frequencies.first().zip(self.schedule.frequencies.last()),
            self.schedule.attention_scale
        )
    }
}
