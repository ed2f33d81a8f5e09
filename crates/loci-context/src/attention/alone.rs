//! Queries of which each has its own choice of rows, and which yet read many of them together.

use std::collections::BTreeMap;
use std::ops::Range;

use loci_kernels::attend;
use loci_kernels::pool::Parts;
use loci_models::memory::MemoryError;

use super::unit::{Standing, Unit};
use super::{Buffers, Call, MassReaders, refill};
use crate::parallel;
use crate::place::Stand;
use crate::select::{Choice, Role, Selection};

/// Queries of a task: the more there are, the more of them read the same rows.
const STRIP: usize = 64;

/// Rows that some queries read at the same distance from where they stood, and these queries. Kept by first row, distance
/// and the row behind the last one, which is `usize::MAX` where each query reads up to itself.
type Pieces = BTreeMap<(usize, usize, usize), Vec<usize>>;

impl Call<'_> {
    /// Attends each query by its own of `choices`, up to rounding as a call for each would.
    pub(super) fn run_alone(
        &self,
        choices: &[Choice],
        buffers: &mut Buffers,
        out: &mut [f32],
        mut readers: MassReaders<'_>,
    ) -> Result<(), MemoryError> {
        let width = self.shape.heads * self.shape.head_dim;
        let by_distance = [Role::Sink, Role::Recalled, Role::Recent]
            .iter()
            .any(|role| self.place.stand(*role) != Stand::TRUE);
        if readers.is_empty() && !by_distance {
            return self.run_together(choices, buffers, out);
        }
        // Sums go to one place, one query after the other.
        for (query, (choice, out)) in choices.iter().zip(out.chunks_exact_mut(width)).enumerate() {
            let readers = MassReaders {
                near: readers.near.as_deref_mut(),
                all: readers.all.as_mut().map(|visit| &mut **visit as _),
            };
            let queries = &self.queries[query * width..(query + 1) * width];
            Call { queries, first: self.first + query, choice, ..*self }.run(buffers, out, readers)?;
        }
        Ok(())
    }

    /// Rows that several queries chose are read by all of these at once, and what each query has seen is merged.
    fn run_together(
        &self,
        choices: &[Choice],
        buffers: &mut Buffers,
        out: &mut [f32],
    ) -> Result<(), MemoryError> {
        let head_dim = self.shape.head_dim;
        let chosen: Vec<Vec<(usize, Range<usize>, &Selection)>> =
            choices.iter().map(|choice| choice.groups(self.shape)).collect();
        let Some(groups) = chosen.first() else { return Ok(()) };
        let strips = chosen.len().div_ceil(STRIP);
        let most_heads = groups.iter().map(|(_, heads, _)| heads.len()).max().unwrap_or(0);
        let slot = STRIP.min(chosen.len()) * most_heads * head_dim;
        let tasks = groups.len() * strips;
        let outs = Parts::new(refill(&mut buffers.outs, tasks * slot, 0.0), slot);
        parallel::for_each(self.pool, tasks, |task| {
            let (group, strip) = (task % groups.len(), task / groups.len());
            let queries = strip * STRIP..((strip + 1) * STRIP).min(chosen.len());
            let (kv_head, heads, _) = &groups[group];
            let selections = queries.clone().map(|query| (query, chosen[query][group].2));
            let pieces = self.pieces(selections);
            match outs.take(task) {
                Some(out) => self.attend_pieces(*kv_head, heads, queries, &pieces, out),
                None => Ok(()),
            }
        })?;
        drop(outs);
        for (task, own) in buffers.outs.chunks_exact(slot.max(1)).enumerate() {
            let heads = &groups[task % groups.len()].1;
            let span = heads.len() * head_dim;
            let rows = out.chunks_exact_mut(self.shape.heads * head_dim).skip(task / groups.len() * STRIP);
            for (row, own) in rows.zip(own.chunks_exact(span)).take(STRIP) {
                row[heads.start * head_dim..heads.end * head_dim].copy_from_slice(own);
            }
        }
        Ok(())
    }

    /// What queries chose, as far as possible together.
    fn pieces<'a>(&self, selections: impl Iterator<Item = (usize, &'a Selection)>) -> Pieces {
        let mut pieces = Pieces::new();
        for (query, selection) in selections {
            for span in &selection.spans {
                let up_to_itself = span.rows.end == self.first + query + 1;
                let end = if up_to_itself { usize::MAX } else { span.rows.end };
                pieces.entry((span.rows.start, span.moved, end)).or_default().push(query);
            }
        }
        pieces
    }

    /// The queries of a task over all pieces; `out` is `[queries, heads, head_dim]`, zeros.
    fn attend_pieces(
        &self,
        kv_head: usize,
        heads: &Range<usize>,
        queries: Range<usize>,
        pieces: &Pieces,
        out: &mut [f32],
    ) -> Result<(), MemoryError> {
        let span = heads.len() * self.shape.head_dim;
        let mut lses = vec![f32::NEG_INFINITY; queries.len() * heads.len()];
        let (mut own, mut own_lses) = (vec![0.0; queries.len() * span], lses.clone());
        for ((start, moved, end), readers) in pieces {
            let last = readers.last().map_or(0, |query| self.first + query + 1);
            let mut unit = Unit::new(kv_head, heads.clone());
            self.add(&mut unit, Standing::Near { moved: *moved }, usize::MAX, *start..last.min(*end))?;
            let own = &mut own[..readers.len() * span];
            let own_lses = &mut own_lses[..readers.len() * heads.len()];
            self.attend(&unit, &unit.whole(), readers.iter().copied(), own, own_lses, None);
            let own = own.chunks_exact(span).zip(own_lses.chunks_exact(heads.len()));
            for (query, (own, own_lse)) in readers.iter().zip(own) {
                let row = query - queries.start;
                let out = &mut out[row * span..(row + 1) * span];
                let lse = &mut lses[row * heads.len()..(row + 1) * heads.len()];
                attend::merge(out, lse, own, own_lse, self.shape.head_dim);
            }
        }
        Ok(())
    }
}
