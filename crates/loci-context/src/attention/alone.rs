//! Queries of which each has its own choice of rows, on all threads.

use loci_kernels::attend;
use loci_kernels::pool::Parts;
use loci_models::memory::MemoryError;

use super::{Buffers, Call, FEW_STRIPS, MassReaders, Task};
use crate::parallel;
use crate::select::Choice;

impl Call<'_> {
    /// Attends each query by its own of `choices`; the same bits as a call for each.
    pub(super) fn run_alone(
        &self,
        choices: &[Choice],
        buffers: &mut Buffers,
        out: &mut [f32],
        mut readers: MassReaders<'_>,
    ) -> Result<(), MemoryError> {
        let width = self.shape.heads * self.shape.head_dim;
        let of = |query: usize| Call {
            queries: &self.queries[query * width..(query + 1) * width],
            first: self.first + query,
            choice: &choices[query],
            ..*self
        };
        if !readers.is_empty() {
            // Sums go to one place, one query after the other.
            for (query, out) in out.chunks_exact_mut(width).enumerate() {
                let readers = MassReaders {
                    near: readers.near.as_deref_mut(),
                    all: readers.all.as_mut().map(|visit| &mut **visit as _),
                };
                of(query).run(buffers, out, readers)?;
            }
            return Ok(());
        }
        let rows = Parts::new(out, width);
        parallel::for_each(self.pool, choices.len(), |query| match rows.take(query) {
            Some(row) => of(query).attend_alone(row),
            None => Ok(()),
        })?;
        Ok(())
    }

    /// One query, on this thread; `out` is `[heads, head_dim]`.
    fn attend_alone(&self, out: &mut [f32]) -> Result<(), MemoryError> {
        let head_dim = self.shape.head_dim;
        let mut units = self.units()?;
        units.iter_mut().for_each(|unit| unit.gather(1));
        // Cut as a call with all threads would cut, for the same bits.
        let cut = units.len() < FEW_STRIPS;
        out.fill(0.0);
        for unit in &units {
            let out = &mut out[unit.heads.start * head_dim..unit.heads.end * head_dim];
            let mut lse = vec![f32::NEG_INFINITY; unit.heads.len()];
            let pieces = if cut { unit.pieces() } else { vec![unit.whole()] };
            for (number, piece) in pieces.into_iter().enumerate() {
                let task = Task { unit: 0, queries: 0..1, piece, last: true };
                if number == 0 {
                    self.attend(unit, &task, out, &mut lse, None);
                    continue;
                }
                let mut own = (vec![0.0; out.len()], vec![f32::NEG_INFINITY; lse.len()]);
                self.attend(unit, &task, &mut own.0, &mut own.1, None);
                attend::merge(out, &mut lse, &own.0, &own.1, head_dim);
            }
        }
        Ok(())
    }
}
