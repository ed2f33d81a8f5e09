//! Rows of four bits a number, made so that they unpack to rows of eight bits with hardly any work.
//!
//! A row has one f32 scale, as an 8-bit row has. Each group of its numbers has a start in units of that scale and a step
//! in eighths of it, and each number a code from 0 to 15: `number = scale * (start + step * code)`, the product rounded to a
//! whole number. The sum fits a byte, so a tile of such rows becomes a tile of 8-bit rows exactly, with one 16-bit
//! product for a number, and the attention kernels need no further form. Whole steps would not do: most groups of a key
//! span a small part of the range that its largest channels dictate, and need steps of one and a half.
//!
//! A group is 8 numbers of a key or 32 of a value. Rotary keys have a few channels far larger than the others, which
//! dictate the step of their group, and errors of keys cost far more than those of values. (A group of 4 numbers and the 4
//! that they are rotated with costs more: large channels stand side by side, not in pairs.) Measured on 4,000 tokens at
//! eight places of a book with a model of 135 million parameters, perplexity is 0.9 to 1.7 % above that with f32 rows.
//!
//! | side | codes, two a byte | then |
//! |---|---|---|
//! | keys | `[dims / 8][16 rows][4]`: dims `8 j + i` (low half) and `8 j + 4 + i` | 16 scales, `[groups][16]` steps, `[groups][16]` starts + 128 |
//! | values | `[2][dims][4]`: rows `8 p + r` (low half) and `8 p + 4 + r` | the same |

use super::layout::Side;
use super::{LINE, Line, TILE};
use crate::isa::Isa;

/// Numbers of a row that share a step and a start.
const fn group_size(side: Side) -> usize {
    match side {
        Side::Keys => 8,
        Side::Values => 32,
    }
}

/// Largest code.
const TOP: u16 = 15;
/// Parts of a unit that steps are counted in, as a shift.
const FRACTION: u32 = 3;
/// Largest step: codes then span what a byte holds.
const WIDEST: u16 = 17 << FRACTION;
/// Smallest and largest number of a byte, as what codes may become.
const RANGE: (f32, f32) = (-128.0, 127.0);
/// Added to a start so that it is an unsigned byte.
const OFFSET: u8 = 128;

/// Bytes of a row of `dims` numbers (a multiple of 16).
pub(super) const fn row_bytes(side: Side, dims: usize) -> usize {
    // Whole cache lines a tile: 16 rows of a multiple of four bytes.
    dims / 2 + 4 + (2 * dims.div_ceil(group_size(side))).next_multiple_of(4)
}

/// Where scales, steps and starts of a tile begin.
const fn sections(side: Side, dims: usize) -> [usize; 3] {
    let scales = dims * TILE / 2;
    let steps = scales + 4 * TILE;
    [scales, steps, steps + dims.div_ceil(group_size(side)) * TILE]
}

/// The place of one row in the bytes of its tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct FourBits {
    pub(super) side: Side,
    pub(super) dims: usize,
    pub(super) row: usize,
}

impl FourBits {
    /// The byte of a number's code, and by how many bits it is shifted there.
    const fn place(&self, dim: usize) -> (usize, u32) {
        let Self { side, dims, row } = *self;
        match side {
            Side::Keys => (dim / 8 * (4 * TILE) + 4 * row + dim % 4, if dim % 8 < 4 { 0 } else { 4 }),
            Side::Values => (4 * (row / 8 * dims + dim) + row % 4, if row % 8 < 4 { 0 } else { 4 }),
        }
    }

    fn set(&self, tile: &mut [u8], dim: usize, code: u8) {
        let (at, shift) = self.place(dim);
        tile[at] = tile[at] & !(0x0f << shift) | code << shift;
    }

    fn get(&self, tile: &[u8], dim: usize) -> u8 {
        let (at, shift) = self.place(dim);
        tile[at] >> shift & 0x0f
    }

    /// The numbers beside the codes: those of the scale, and the step and the start of each group.
    fn beside(&self) -> impl Iterator<Item = usize> + use<> {
        let ([scales, steps, _], row) = (sections(self.side, self.dims), self.row);
        let scale = scales + 4 * row..scales + 4 * row + 4;
        let groups = self.dims.div_ceil(group_size(self.side));
        scale.chain((0..2 * groups).map(move |group| steps + group * TILE + row))
    }

    /// Writes `numbers` into the row.
    pub(super) fn write(&self, tile: &mut [u8], numbers: &[f32]) {
        let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        let scale = largest / 127.0;
        // Below this the reciprocal would overflow; such a row is as good as zero.
        let (scale, inverse) = if scale > f32::MIN_POSITIVE { (scale, 1.0 / scale) } else { (0.0, 0.0) };
        let scaled: Vec<f32> = numbers.iter().map(|number| number * inverse).collect();
        let [scales, steps, starts] = sections(self.side, self.dims);
        tile[scales + 4 * self.row..][..4].copy_from_slice(&scale.to_ne_bytes());
        let size = group_size(self.side);
        for group in 0..self.dims.div_ceil(size) {
            // What fills up a group is never read, so its error does not count.
            let dims = size * group..self.dims.min(size * (group + 1));
            let grid = Grid::of(&scaled[dims.start.min(scaled.len())..dims.end.min(scaled.len())]);
            // Both are whole numbers of at most eight bits.
            tile[steps + group * TILE + self.row] = grid.step as u8;
            tile[starts + group * TILE + self.row] = (grid.start as i8 as u8).wrapping_add(OFFSET);
            for dim in dims {
                self.set(tile, dim, grid.code(scaled.get(dim).copied().unwrap_or(0.0)) as u8);
            }
        }
    }

    /// Reads the row as f32.
    pub(super) fn read(&self, tile: &[u8], out: &mut [f32]) {
        let [scales, steps, starts] = sections(self.side, self.dims);
        let at = scales + 4 * self.row;
        let scale = f32::from_ne_bytes([tile[at], tile[at + 1], tile[at + 2], tile[at + 3]]);
        let number = |dim: usize| {
            let of_group = dim / group_size(self.side) * TILE + self.row;
            let (step, start) = (tile[steps + of_group], tile[starts + of_group]);
            let byte = above(self.get(tile, dim).into(), step.into()) + u16::from(start);
            f32::from((byte as u8).wrapping_sub(OFFSET) as i8) * scale
        };
        out.iter_mut().enumerate().for_each(|(dim, out)| *out = number(dim));
    }

    /// Copies row `from` of `from_tile` here, bit by bit.
    pub(super) fn copy(&self, tile: &mut [u8], from: &Self, from_tile: &[u8]) {
        (0..self.dims).for_each(|dim| self.set(tile, dim, from.get(from_tile, dim)));
        self.beside().zip(from.beside()).for_each(|(to, from)| tile[to] = from_tile[from]);
    }

    /// Makes the row zero.
    pub(super) fn clear(&self, tile: &mut [u8]) {
        (0..self.dims).for_each(|dim| self.set(tile, dim, 0));
        self.beside().for_each(|at| tile[at] = 0);
    }
}

/// How far above its start a number with this code lies.
#[inline(always)]
const fn above(code: u16, step: u16) -> u16 {
    // At most 15 * 255 + 4: far from running over.
    (code * step + (1 << FRACTION >> 1)) >> FRACTION
}

/// What codes of a group mean.
#[derive(Clone, Copy)]
struct Grid {
    /// In eighths.
    step: u16,
    /// A whole number.
    start: f32,
}

impl Grid {
    /// One for numbers from -127 to 127, none of which it cuts off. (Cutting off the largest gives smaller mean square
    /// errors, but was measured to cost more perplexity.) Some wider steps and other starts are tried for a smaller one:
    /// this takes a third off what 4-bit rows cost a model's predictions.
    fn of(numbers: &[f32]) -> Self {
        if numbers.is_empty() {
            return Self { step: 1, start: 0.0 };
        }
        let low = numbers.iter().copied().fold(f32::INFINITY, f32::min);
        let high = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let eighths = ((high - low) * f32::from(1_u8 << FRACTION) / f32::from(TOP)).ceil();
        let narrowest = if eighths > 1.0 { (eighths as u16).min(WIDEST) } else { 1 };
        let tried = narrowest..=(narrowest + narrowest / 8).min(WIDEST);
        let mut best = (f32::INFINITY, Self { step: narrowest, start: 0.0 });
        for step in tried.step_by(usize::from(narrowest / 16).max(1)) {
            let span = f32::from(above(TOP, step));
            // As far down as all are covered, in the middle, and as far up.
            let (down, up) = (high - span, low);
            for start in [down.midpoint(up), down, up] {
                let grid = Self { step, start: start.round().clamp(RANGE.0, RANGE.1 - span) };
                let error = grid.error(numbers);
                if error < best.0 {
                    best = (error, grid);
                }
            }
        }
        best.1
    }

    /// Sum of the square errors of numbers.
    fn error(self, numbers: &[f32]) -> f32 {
        let parts = f32::from(1_u8 << FRACTION);
        let (step, inverse) = (f32::from(self.step) / parts, parts / f32::from(self.step));
        // What `start + above(code(x))` is, in additions and products alone, so that four are done at once. Half of a
        // part makes halves go up, as `above` does.
        let error = |number: f32| {
            let code = nearest(((number - self.start) * inverse).clamp(0.0, f32::from(TOP)));
            (self.start + nearest(code * step + 0.5 / parts) - number).powi(2)
        };
        let (fours, rest) = numbers.as_chunks::<4>();
        let sums = fours
            .iter()
            .fold([0.0_f32; 4], |sums, four| std::array::from_fn(|lane| sums[lane] + error(four[lane])));
        sums.iter().sum::<f32>() + rest.iter().map(|number| error(*number)).sum::<f32>()
    }

    /// The code of the nearest number, or that of one hardly farther.
    #[inline(always)]
    fn code(self, number: f32) -> u16 {
        let steps = (number - self.start) * (f32::from(1_u8 << FRACTION) / f32::from(self.step));
        // Rounded to the nearest: truncation is one instruction where `round` would be a call.
        (steps + 0.5).clamp(0.0, f32::from(TOP)) as u16
    }
}

/// The whole number nearest to one from 0 to 255: beyond 2^23 an f32 has no more places behind the point.
#[inline(always)]
const fn nearest(number: f32) -> f32 {
    const SHIFT: f32 = 8_388_608.0;
    (number + SHIFT) - SHIFT
}

/// Numbers of two bytes in a line.
const LANES: usize = LINE / 2;

/// Unpacks a tile of `dims` to one of 8-bit rows, `dims / 4 + 1` lines.
pub(crate) fn unpack(isa: Isa, side: Side, tile: &[Line], dims: usize, out: &mut [Line]) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `attend` lowers the instruction set to what the processor has.
        Isa::Avx512 => unsafe { unpack_avx512(side, tile, dims, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { unpack_avx2(side, tile, dims, out) },
        _ => unpack_body(side, tile, dims, out),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn unpack_avx512(side: Side, tile: &[Line], dims: usize, out: &mut [Line]) {
    unpack_body(side, tile, dims, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn unpack_avx2(side: Side, tile: &[Line], dims: usize, out: &mut [Line]) {
    unpack_body(side, tile, dims, out);
}

#[inline(always)]
fn unpack_body(side: Side, tile: &[Line], dims: usize, out: &mut [Line]) {
    let [scales, steps, starts] = sections(side, dims);
    let bytes: &[u8] = bytemuck::cast_slice(tile);
    let (codes, _) = bytemuck::cast_slice::<Line, u16>(tile)[..scales / 2].as_chunks::<LANES>();
    out[dims / 4] = tile[scales / LINE];
    let (out, _) = bytemuck::cast_slice_mut::<Line, u16>(out)[..scales].as_chunks_mut::<LANES>();
    let (steps, _) = bytes[steps..starts].as_chunks::<TILE>();
    let (starts, _) = bytes[starts..].as_chunks::<TILE>();
    let groups = steps.iter().zip(starts);
    match side {
        Side::Keys => {
            // A line of codes is a group, and becomes two.
            for ((step, start), (codes, out)) in groups.zip(codes.iter().zip(out.chunks_exact_mut(2))) {
                let (step, start) = (each_twice(step, 1), each_twice(start, 0x0101));
                for lane in 0..LANES {
                    // Bytes do not run over: a start and what is above it are at most 255.
                    let numbers = |code: u16| {
                        let (first, second) =
                            (above(code & 15, step[lane]), above(code >> 8 & 15, step[lane]));
                        start[lane].wrapping_add(first).wrapping_add(second << 8)
                    };
                    out[0][lane] = numbers(codes[lane]);
                    out[1][lane] = numbers(codes[lane] >> 4);
                }
            }
        }
        Side::Values => {
            let (lines, of_group) = (dims / TILE, group_size(side) / TILE);
            for (group, (step, start)) in groups.enumerate() {
                for quarter in 0..4 {
                    let rows = 4 * quarter..4 * quarter + 4;
                    let (even, odd, start) = alternating(&step[rows.clone()], &start[rows]);
                    let shift = 4 * (quarter % 2);
                    for line in of_group * group..lines.min(of_group * (group + 1)) {
                        let codes = &codes[quarter / 2 * lines + line];
                        let out = &mut out[quarter * lines + line];
                        for lane in 0..LANES {
                            let code = u16::from_le(codes[lane]) >> shift;
                            let (first, second) =
                                (above(code & 15, even[lane]), above(code >> 8 & 15, odd[lane]));
                            let number = start[lane].wrapping_add(first).wrapping_add(second << 8);
                            // Values are signed bytes.
                            out[lane] = (number ^ 0x8080).to_le();
                        }
                    }
                }
            }
        }
    }
}

/// Each of 16 bytes for two lanes.
#[inline(always)]
fn each_twice(bytes: &[u8; TILE], factor: u16) -> [u16; LANES] {
    std::array::from_fn(|lane| u16::from(bytes[lane / 2]) * factor)
}

/// Steps of the lower and of the upper bytes of lanes in which four rows take turns, and their starts.
#[inline(always)]
fn alternating(step: &[u8], start: &[u8]) -> ([u16; LANES], [u16; LANES], [u16; LANES]) {
    let of = |numbers: &[u8], lane: usize, byte: usize| u16::from(numbers[lane % 2 * 2 + byte]);
    (
        std::array::from_fn(|lane| of(step, lane, 0)),
        std::array::from_fn(|lane| of(step, lane, 1)),
        std::array::from_fn(|lane| of(start, lane, 0) | of(start, lane, 1) << 8),
    )
}
