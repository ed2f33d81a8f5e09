//! Attention mass of the rows that are in no block yet.

use std::ops::Range;

use loci_models::memory::MemoryError;

use crate::saved::{Reader, Writer};

/// Per query head, the softmax weight that each row received from queries that saw it inside the window.
#[derive(Clone, Debug)]
pub(super) struct MassTrack {
    /// Position of the first row held.
    first: usize,
    heads: Vec<Vec<f32>>,
}

impl MassTrack {
    pub(super) fn new(heads: usize) -> Self {
        Self { first: 0, heads: vec![Vec::new(); heads] }
    }

    /// Makes room for positions below `read`.
    pub(super) fn grow(&mut self, read: usize) {
        for head in &mut self.heads {
            head.resize(read - self.first, 0.0);
        }
    }

    /// Adds the sums of the rows from `base` on; rows that are held no more or not yet are passed over.
    pub(super) fn add(&mut self, head: usize, base: usize, sums: &[f32]) {
        let skipped = self.first.saturating_sub(base).min(sums.len());
        let start = (base + skipped).saturating_sub(self.first);
        let held = self.heads[head].iter_mut().skip(start);
        held.zip(&sums[skipped..]).for_each(|(mass, sum)| *mass += sum);
    }

    /// The mass of `rows`, for each head.
    pub(super) fn rows(&self, rows: &Range<usize>) -> Vec<&[f32]> {
        let own = rows.start - self.first..rows.end - self.first;
        self.heads.iter().map(|head| &head[own.clone()]).collect()
    }

    /// Forgets the rows before `position`.
    pub(super) fn forget(&mut self, position: usize) {
        for head in &mut self.heads {
            head.drain(..(position - self.first).min(head.len()));
        }
        self.first = position;
    }

    pub(super) fn bytes(&self) -> usize {
        self.heads.iter().map(|head| head.capacity() * size_of::<f32>()).sum()
    }

    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        out.number(self.first)?;
        self.heads.iter().try_for_each(|head| out.floats(head))
    }

    pub(super) fn read(from: &mut Reader<'_>, heads: usize) -> Result<Self, MemoryError> {
        let first = from.number()?;
        let heads = (0..heads).map(|_| from.floats()).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { first, heads })
    }
}
