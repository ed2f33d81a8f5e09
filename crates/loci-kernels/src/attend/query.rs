//! Query rows as the kernels want them.

use crate::tiles::{Line, RowType, TILE};
use bytemuck::Zeroable;
use std::f32::consts::LOG2_E;

/// The prepared queries of one part.
#[derive(Debug, Default)]
pub(super) struct Queries {
    /// `[rows, dims]`: signed bytes (`I8` keys) or f32.
    rows: Vec<Line>,
    /// Per row, -128 times the sum of its codes.
    pub(super) start: Vec<i32>,
    /// Per row, what turns a score into a power of two: never zero, so that masked scores stay -inf.
    pub(super) factor: Vec<f32>,
    /// One row, padded.
    padded: Vec<f32>,
}

/// As in the tiles: rounds to the nearest integer in the low bits.
const ROUND: f32 = 12_582_912.0;

impl Queries {
    pub(super) fn bytes(&self) -> usize {
        64 * self.rows.capacity()
            + 4 * (self.start.capacity() + self.factor.capacity() + self.padded.capacity())
    }

    /// Numbers of a prepared row, padding included.
    pub(super) fn dims(&self) -> usize {
        self.padded.len()
    }

    /// The bytes of all rows.
    pub(super) fn rows(&self) -> &[u8] {
        bytemuck::cast_slice(&self.rows)
    }

    /// Prepares `queries` `[rows, head_dim]` for keys of type `keys`; arrays are padded to `slots` rows.
    pub(super) fn prepare(
        &mut self,
        queries: &[f32],
        head_dim: usize,
        slots: usize,
        scale: f32,
        keys: RowType,
    ) {
        let dims = head_dim.next_multiple_of(TILE);
        let size = if keys.is_integer() { 1 } else { 4 };
        self.rows.clear();
        self.rows.resize((slots * dims * size).div_ceil(64), Line::zeroed());
        self.start.clear();
        self.start.resize(slots, 0);
        self.factor.clear();
        self.factor.resize(slots, 1.0);
        self.padded.clear();
        self.padded.resize(dims, 0.0);
        let scale = scale * LOG2_E;
        let rows = queries.chunks_exact(head_dim.max(1));
        if keys.is_integer() {
            let codes: &mut [i8] = bytemuck::cast_slice_mut(&mut self.rows);
            for (row, query) in rows.enumerate() {
                for (padded, number) in self.padded.iter_mut().zip(query) {
                    *padded = number * scale;
                }
                let codes = &mut codes[row * dims..][..dims];
                (self.start[row], self.factor[row]) = quantise(&self.padded, codes);
            }
        } else {
            let floats: &mut [f32] = bytemuck::cast_slice_mut(&mut self.rows);
            for (row, query) in rows.enumerate() {
                for (float, number) in floats[row * dims..][..dims].iter_mut().zip(query) {
                    *float = number * scale;
                }
            }
        }
    }
}

/// Rounds `numbers` (a multiple of 16) to codes of -127 to 127; returns -128 * their sum, and their unit.
fn quantise(numbers: &[f32], codes: &mut [i8]) -> (i32, f32) {
    let mut largest = [0.0_f32; TILE];
    for lanes in numbers.chunks_exact(TILE) {
        for (largest, number) in largest.iter_mut().zip(lanes) {
            *largest = largest.max(number.abs());
        }
    }
    let unit = largest.iter().fold(0.0_f32, |largest, lane| largest.max(*lane)) / 127.0;
    // A row this small scores zero with any key; its unit is then arbitrary.
    let (inverse, unit) = if unit > f32::MIN_POSITIVE { (1.0 / unit, unit) } else { (0.0, 1.0) };
    for (code, number) in codes.iter_mut().zip(numbers) {
        *code = (number * inverse + ROUND).to_bits() as i8;
    }
    let sum: i32 = codes.iter().map(|code| i32::from(*code)).sum();
    (-128 * sum, unit)
}
