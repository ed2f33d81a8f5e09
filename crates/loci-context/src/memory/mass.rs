//! Attention mass and queries of the rows that are in no block yet.

use std::ops::Range;

use loci_kernels::pool::Parts;
use loci_models::memory::MemoryError;

use crate::saved::{Reader, Writer};

/// Bytes in RAM of the tracks of all layers.
pub(super) fn bytes(mass: &[MassTrack], queries: &[QueryTrack]) -> usize {
    mass.iter().map(MassTrack::bytes).sum::<usize>() + queries.iter().map(QueryTrack::bytes).sum::<usize>()
}

/// Per query head, the softmax weight that each row received from queries that saw it inside the window.
#[derive(Clone, Debug)]
pub(crate) struct MassTrack {
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

    /// Position of the first row held, and the mass of each head.
    pub(crate) fn parts(&mut self) -> (usize, Parts<'_, Vec<f32>>) {
        (self.first, Parts::new(&mut self.heads, 1))
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

    fn bytes(&self) -> usize {
        self.heads.iter().map(|head| head.capacity() * size_of::<f32>()).sum()
    }

    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        out.number(self.first)?;
        self.heads.iter().try_for_each(|head| out.floats(head))
    }

    pub(super) fn read(from: &mut Reader, heads: usize) -> Result<Self, MemoryError> {
        let first = from.number()?;
        let heads = (0..heads).map(|_| from.floats()).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { first, heads })
    }
}

/// Unrotated queries `[rows, heads, head_dim]` of one layer, from some position on.
#[derive(Clone, Debug, Default)]
pub(super) struct QueryTrack {
    first: usize,
    queries: Vec<f32>,
}

impl QueryTrack {
    pub(super) fn push(&mut self, queries: &[f32]) {
        self.queries.reserve_exact(queries.len());
        self.queries.extend_from_slice(queries);
    }

    /// The queries of `rows`, `width` numbers each.
    pub(super) fn rows(&self, rows: &Range<usize>, width: usize) -> &[f32] {
        &self.queries[(rows.start - self.first) * width..(rows.end - self.first) * width]
    }

    /// Position of the first query held.
    pub(super) const fn first(&self) -> usize {
        self.first
    }

    /// Nothing, to be followed by the query at `position`.
    pub(super) fn starting_at(position: usize) -> Self {
        Self { first: position, queries: Vec::new() }
    }

    /// Whether the queries of `rows`, `width` numbers each, are held.
    pub(super) fn holds(&self, rows: &Range<usize>, width: usize) -> bool {
        self.first <= rows.start && rows.end <= self.first + self.queries.len() / width
    }

    /// Forgets the queries before `position`.
    pub(super) fn forget(&mut self, position: usize, width: usize) {
        let Some(rows) = position.checked_sub(self.first) else { return };
        self.queries.drain(..(rows * width).min(self.queries.len()));
        self.first = position;
    }

    /// Forgets the queries from `position` on.
    pub(super) fn truncate(&mut self, position: usize, width: usize) {
        match position.checked_sub(self.first) {
            Some(rows) => self.queries.truncate(rows * width),
            None => *self = Self::starting_at(position),
        }
    }

    fn bytes(&self) -> usize {
        self.queries.capacity() * size_of::<f32>()
    }

    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        out.number(self.first)?;
        out.floats(&self.queries)
    }

    pub(super) fn read(from: &mut Reader) -> Result<Self, MemoryError> {
        Ok(Self { first: from.number()?, queries: from.floats()? })
    }
}
