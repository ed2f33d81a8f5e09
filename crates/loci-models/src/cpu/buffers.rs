//! Buffers of activations that are used again.
//!
//! A chunk of 512 tokens needs matrices of megabytes. The system's allocator would map and clear fresh pages for
//! each of them, which costs more than a norm; a freed buffer is kept for the next matrix instead.

use std::sync::{Arc, Mutex, PoisonError};

/// Buffers kept at most; a forward step has about ten alive at once.
const KEPT: usize = 24;

/// Free buffers, smallest first.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    free: Mutex<Vec<Vec<f32>>>,
}

impl Buffers {
    fn take(&self, length: usize) -> Vec<f32> {
        {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let index = free.partition_point(|buffer| buffer.len() < length);
            // A much larger one is left for those who need it.
            if free.get(index).is_some_and(|buffer| buffer.len() <= length.saturating_mul(4).max(1 << 12)) {
                return free.remove(index);
            }
        }
        vec![0.0; length]
    }

    fn give(&self, buffer: Vec<f32>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let index = free.partition_point(|other| other.len() < buffer.len());
        free.insert(index, buffer);
        if free.len() > KEPT {
            // The most crowded size loses one, so that a change of chunk length drives the old sizes out.
            let crowd =
                |index: usize| free.get(index).zip(free.get(index + 1)).map(|(a, b)| b.len() - a.len());
            if let Some(index) = (0..free.len() - 1).min_by_key(|index| crowd(*index)) {
                free.remove(index);
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.iter().map(|buffer| buffer.len() * size_of::<f32>()).sum()
    }
}

/// A matrix `[rows, columns]` of activations; its memory goes back to the executor when it is dropped.
#[derive(Debug)]
pub struct Matrix {
    /// At least `rows * columns` numbers.
    buffer: Vec<f32>,
    rows: usize,
    columns: usize,
    home: Arc<Buffers>,
}

impl Matrix {
    /// A matrix whose numbers are not yet meaningful.
    pub(super) fn take(home: &Arc<Buffers>, rows: usize, columns: usize) -> Self {
        Self { buffer: home.take(rows * columns), rows, columns, home: Arc::clone(home) }
    }

    /// Rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// All numbers, row after row.
    pub fn values(&self) -> &[f32] {
        self.some_rows(0, self.rows)
    }

    /// All numbers, row after row.
    pub fn values_mut(&mut self) -> &mut [f32] {
        self.some_rows_mut(0, self.rows)
    }

    /// `count` rows from row `first` on; empty when there are not so many.
    pub fn some_rows(&self, first: usize, count: usize) -> &[f32] {
        self.buffer.get(first * self.columns..(first + count) * self.columns).unwrap_or(&[])
    }

    /// `count` rows from row `first` on; empty when there are not so many.
    pub fn some_rows_mut(&mut self, first: usize, count: usize) -> &mut [f32] {
        self.buffer.get_mut(first * self.columns..(first + count) * self.columns).unwrap_or(&mut [])
    }
}

impl Drop for Matrix {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        if !buffer.is_empty() {
            self.home.give(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_matrix_is_used_again() {
        let home = Arc::new(Buffers::default());
        let mut first = Matrix::take(&home, 512, 576);
        first.values_mut().fill(1.0);
        let place = first.values().as_ptr();
        drop(first);
        assert_eq!(home.bytes(), 512 * 576 * 4);
        let second = Matrix::take(&home, 500, 576);
        assert_eq!(second.values().as_ptr(), place);
        assert_eq!(second.values().len(), 500 * 576);
        assert_eq!(home.bytes(), 0);
    }

    #[test]
    fn a_small_matrix_does_not_occupy_a_large_buffer() {
        let home = Arc::new(Buffers::default());
        drop(Matrix::take(&home, 1000, 1000));
        let small = Matrix::take(&home, 1, 2000);
        assert_eq!(home.bytes(), 4_000_000);
        drop(small);
    }

    #[test]
    fn buffers_of_many_sizes_do_not_pile_up() {
        let home = Arc::new(Buffers::default());
        for rows in 1..200 {
            let held: Vec<Matrix> = (0..8).map(|_| Matrix::take(&home, rows, 64)).collect();
            drop(held);
        }
        let free = home.free.lock().unwrap();
        assert!(free.len() <= KEPT);
        assert!(free.is_sorted_by_key(Vec::len));
    }

    #[test]
    fn empty_matrices_are_fine() {
        let home = Arc::new(Buffers::default());
        let mut empty = Matrix::take(&home, 0, 64);
        assert!(empty.values_mut().is_empty());
        assert!(empty.some_rows(3, 2).is_empty());
    }
}
