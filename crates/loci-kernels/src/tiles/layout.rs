//! Where the numbers of one row stand inside a tile.

use super::four_bits::FourBits;
use super::{RowType, TILE};
use half::f16;
use half::slice::HalfFloatSliceExt;

/// Which of the two layouts a tile has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Keys,
    Values,
}

/// The place of one row in the bytes of its tile.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row {
    Whole(Units),
    Halves(FourBits),
}

impl Row {
    /// Row `row` (0 to 15) of a tile.
    pub(super) const fn new(side: Side, row_type: RowType, head_dim: usize, row: usize) -> Self {
        let dims = head_dim.next_multiple_of(TILE);
        match Units::new(side, row_type, dims, row) {
            Some(units) => Self::Whole(units),
            None => Self::Halves(FourBits { side, dims, row }),
        }
    }

    /// Writes `numbers` into a row of zeros.
    pub(super) fn write(&self, tile: &mut [u8], numbers: &[f32]) {
        match self {
            Self::Whole(units) => units.write(tile, numbers),
            Self::Halves(codes) => codes.write(tile, numbers),
        }
    }

    /// Reads the row as f32.
    pub(super) fn read(&self, tile: &[u8], out: &mut [f32]) {
        match self {
            Self::Whole(units) => units.read(tile, out),
            Self::Halves(codes) => codes.read(tile, out),
        }
    }

    /// Copies row `from` of `from_tile` here, scale included. Both are of one format.
    pub(super) fn copy(&self, tile: &mut [u8], from: &Self, from_tile: &[u8]) {
        match (self, from) {
            (Self::Whole(to), Self::Whole(from)) => to.copy(tile, from, from_tile),
            (Self::Halves(to), Self::Halves(from)) => to.copy(tile, from, from_tile),
            _ => {}
        }
    }

    /// Makes the row zero.
    pub(super) fn clear(&self, tile: &mut [u8]) {
        match self {
            Self::Whole(units) => units.clear(tile),
            Self::Halves(codes) => codes.clear(tile),
        }
    }
}

/// A row of whole bytes: `count` units of `unit` bytes, `stride` bytes apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Units {
    row_type: RowType,
    side: Side,
    start: usize,
    stride: usize,
    unit: usize,
    count: usize,
    /// Where the row's f32 scale stands (`I8`).
    scale: Option<usize>,
}

/// Added to a key code so that it is an unsigned byte.
const KEY_OFFSET: u8 = 128;
/// 1.5 * 2^23: adding it to a small f32 leaves the nearest integer in the low bits, in one instruction
/// on every processor.
const ROUND: f32 = 12_582_912.0;

impl Units {
    /// Row `row` (0 to 15) of a tile; none where numbers take less than a byte.
    const fn new(side: Side, row_type: RowType, dims: usize, row: usize) -> Option<Self> {
        let (start, stride, unit, count) = match (side, row_type) {
            (Side::Keys, RowType::I8) => (4 * row, 4 * TILE, 4, dims / 4),
            (Side::Keys, RowType::F16) => (2 * row, 2 * TILE, 2, dims),
            (Side::Keys, RowType::F32) => (4 * row, 4 * TILE, 4, dims),
            (Side::Values, RowType::I8) => (row / 4 * 4 * dims + row % 4, 4, 1, dims),
            (Side::Values, RowType::F16) => (2 * row * dims, 2, 2, dims),
            (Side::Values, RowType::F32) => (4 * row * dims, 4, 4, dims),
            (_, RowType::I4) => return None,
        };
        let scale = match row_type {
            RowType::I8 => Some(TILE * dims + 4 * row),
            RowType::F16 | RowType::F32 | RowType::I4 => None,
        };
        Some(Self { row_type, side, start, stride, unit, count, scale })
    }

    /// Offsets of the row's units.
    fn units(&self) -> impl Iterator<Item = usize> + use<> {
        let Self { start, stride, count, .. } = *self;
        (0..count).map(move |index| start + index * stride)
    }

    /// Writes `numbers` into a row of zeros.
    fn write(&self, tile: &mut [u8], numbers: &[f32]) {
        match self.row_type {
            RowType::F32 => {
                for (at, number) in self.units().zip(numbers) {
                    tile[at..at + 4].copy_from_slice(&number.to_ne_bytes());
                }
            }
            RowType::F16 => {
                // In pieces, so that the conversion of a piece is one instruction.
                let mut halves = [f16::ZERO; TILE];
                let mut units = self.units();
                for piece in numbers.chunks(TILE) {
                    halves[..piece.len()].convert_from_f32_slice(piece);
                    for half in &halves[..piece.len()] {
                        if let Some(at) = units.next() {
                            tile[at..at + 2].copy_from_slice(&half.to_ne_bytes());
                        }
                    }
                }
            }
            RowType::I8 | RowType::I4 => self.write_codes(tile, numbers),
        }
    }

    fn write_codes(&self, tile: &mut [u8], numbers: &[f32]) {
        let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        let scale = largest / 127.0;
        // Below this the reciprocal would overflow; such a row is as good as zero.
        let inverse = if scale > f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
        if let Some(at) = self.scale {
            let scale = if inverse > 0.0 { scale } else { 0.0 };
            tile[at..at + 4].copy_from_slice(&scale.to_ne_bytes());
        }
        let code = |number: f32| (number * inverse + ROUND).to_bits() as u8;
        match self.side {
            Side::Keys => {
                for (at, four) in self.units().zip(numbers.chunks(4)) {
                    for (byte, number) in tile[at..at + 4].iter_mut().zip(four) {
                        *byte = code(*number).wrapping_add(KEY_OFFSET);
                    }
                }
            }
            Side::Values => {
                for (at, number) in self.units().zip(numbers) {
                    tile[at] = code(*number);
                }
            }
        }
    }

    /// Reads the row as f32.
    fn read(&self, tile: &[u8], out: &mut [f32]) {
        let four = |at: usize| [tile[at], tile[at + 1], tile[at + 2], tile[at + 3]];
        match self.row_type {
            RowType::F32 => {
                for (at, number) in self.units().zip(out) {
                    *number = f32::from_ne_bytes(four(at));
                }
            }
            RowType::F16 => {
                for (at, number) in self.units().zip(out) {
                    *number = f16::from_ne_bytes([tile[at], tile[at + 1]]).to_f32();
                }
            }
            RowType::I8 | RowType::I4 => {
                let scale = self.scale.map_or(0.0, |at| f32::from_ne_bytes(four(at)));
                let offset = if self.side == Side::Keys { KEY_OFFSET } else { 0 };
                let number = |code: &u8| f32::from(code.wrapping_sub(offset) as i8) * scale;
                match self.side {
                    // Four at a time, written out: searches read keys by the thousand.
                    Side::Keys => {
                        let (fours, rest) = out.as_chunks_mut::<4>();
                        let mut units = self.units();
                        for (four, at) in fours.iter_mut().zip(units.by_ref()) {
                            if let Some(codes) = tile[at..].first_chunk::<4>() {
                                *four = codes.each_ref().map(number);
                            }
                        }
                        let codes = units.next().map_or(&[][..], |at| &tile[at..at + 4]);
                        rest.iter_mut().zip(codes).for_each(|(own, code)| *own = number(code));
                    }
                    Side::Values => {
                        self.units().zip(out).for_each(|(at, own)| *own = number(&tile[at]));
                    }
                }
            }
        }
    }

    /// Copies row `from` of `from_tile` here, scale included.
    fn copy(&self, tile: &mut [u8], from: &Self, from_tile: &[u8]) {
        for (to, from) in self.units().zip(from.units()) {
            tile[to..to + self.unit].copy_from_slice(&from_tile[from..from + self.unit]);
        }
        if let (Some(to), Some(from)) = (self.scale, from.scale) {
            tile[to..to + 4].copy_from_slice(&from_tile[from..from + 4]);
        }
    }

    /// Makes the row zero.
    fn clear(&self, tile: &mut [u8]) {
        for at in self.units() {
            tile[at..at + self.unit].fill(0);
        }
        if let Some(at) = self.scale {
            tile[at..at + 4].fill(0);
        }
    }
}
