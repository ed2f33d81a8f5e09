//! The three steps in plain Rust: their definition, and what runs on processors without AVX2.

use super::kernels::{
    EXP2, GROUP, KEYS, MASS_CODES, NEGLIGIBLE, Scores, Softmax, Sums, TILES, Table, Work, by_rows,
};
use crate::tiles::{Line, TILE};
use half::f16;
use half::slice::HalfFloatSliceExt;

pub(super) static TABLE: Table = Table {
    scores_i8: by_rows!(scores_i8),
    scores_f16: by_rows!(scores_float, true),
    scores_f32: by_rows!(scores_float, false),
    softmax_codes: by_rows!(softmax, true),
    softmax_floats: by_rows!(softmax, false),
    sums_i8: by_rows!(sums_i8),
    sums_f16: by_rows!(sums_float, true),
    sums_f32: by_rows!(sums_float, false),
};

/// 1.5 * 2^23: adding it to a small number leaves the nearest integer in the low bits, without the library
/// call that rounding is on old processors.
const ROUND: f32 = 12_582_912.0;

/// 2^x; zero below 2^-126. `x` is at most about 0 here, -inf for what is masked.
#[inline]
pub(super) fn exp2(x: f32) -> f32 {
    let seen = x >= -126.0;
    let x = if seen { x } else { -126.0 };
    let nearest = (x + ROUND) - ROUND;
    let floor = if nearest > x { nearest - 1.0 } else { nearest };
    let f = x - floor;
    let [a, b, c, d, e] = EXP2;
    let power = 1.0 + f * (a + f * (b + f * (c + f * (d + f * e))));
    let scale = f32::from_bits((floor + ROUND).to_bits().wrapping_add(127) << 23);
    if seen { power * scale } else { 0.0 }
}

/// Sixteen numbers of a float tile, at index `16 * at`.
fn load<const HALF: bool>(tile: &[Line], at: usize) -> [f32; TILE] {
    if HALF {
        let mut numbers = [0.0; TILE];
        bytemuck::cast_slice::<Line, f16>(tile)[TILE * at..][..TILE].convert_to_f32_slice(&mut numbers);
        numbers
    } else {
        let floats: &[f32] = bytemuck::cast_slice(tile);
        std::array::from_fn(|lane| floats[TILE * at + lane])
    }
}

/// The scales at the end of an `I8` tile.
fn scales(tile: &[Line], dims: usize) -> &[f32] {
    &bytemuck::cast_slice::<Line, f32>(tile)[TILE * dims / 4..]
}

/// The bytes of 16 outputs, four each, as four rows of 16: what stands side by side is summed up.
fn rows_of_bytes(bytes: &[u8], widen: impl Fn(u8) -> i16) -> [[i16; TILE]; 4] {
    std::array::from_fn(|byte| std::array::from_fn(|lane| widen(bytes[4 * lane + byte])))
}

/// Adds four bytes of one row times the four rows of 16.
fn add_products(sums: &mut [i32; TILE], four: [i16; 4], rows: &[[i16; TILE]; 4]) {
    for (factor, row) in four.into_iter().zip(rows) {
        for (sum, byte) in sums.iter_mut().zip(row) {
            *sum += i32::from(factor) * i32::from(*byte);
        }
    }
}

fn scores_i8<const R: usize>(args: &Scores<'_>, work: &mut Work) {
    let dims = args.dims;
    let queries: &[i8] = bytemuck::cast_slice(args.queries);
    for (index, tile) in args.tiles.iter().enumerate() {
        let bytes: &[u8] = bytemuck::cast_slice(tile);
        let mut sums = [[0; TILE]; R];
        for (row, sums) in sums.iter_mut().enumerate() {
            *sums = [args.start[row]; TILE];
        }
        for (group, keys) in bytes[..dims * TILE].chunks_exact(4 * TILE).enumerate() {
            let keys = rows_of_bytes(keys, i16::from);
            for (row, sums) in sums.iter_mut().enumerate() {
                let four = &queries[row * dims + 4 * group..][..4];
                add_products(sums, std::array::from_fn(|byte| i16::from(four[byte])), &keys);
            }
        }
        let scales = scales(tile, dims);
        for (row, sums) in sums.iter().enumerate() {
            let scores = &mut work.scores[row][TILE * index..][..TILE];
            for ((score, sum), scale) in scores.iter_mut().zip(sums).zip(scales) {
                *score = *sum as f32 * scale;
            }
        }
    }
}

fn scores_float<const R: usize, const HALF: bool>(args: &Scores<'_>, work: &mut Work) {
    let queries: &[f32] = bytemuck::cast_slice(args.queries);
    for (index, tile) in args.tiles.iter().enumerate() {
        let mut sums = [[0.0_f32; TILE]; R];
        for dim in 0..args.dims {
            let keys = load::<HALF>(tile, dim);
            for (row, sums) in sums.iter_mut().enumerate() {
                let query = queries[row * args.dims + dim];
                sums.iter_mut().zip(keys).for_each(|(sum, key)| *sum += query * key);
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            work.scores[row][TILE * index..][..TILE].copy_from_slice(sums);
        }
    }
}

/// The largest of 64 numbers, lane by lane first.
fn largest(numbers: &[f32; KEYS]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; TILE];
    for numbers in numbers.chunks_exact(TILE) {
        for (lane, number) in lanes.iter_mut().zip(numbers) {
            *lane = if *number > *lane { *number } else { *lane };
        }
    }
    lanes.iter().fold(f32::NEG_INFINITY, |top, lane| top.max(*lane))
}

fn softmax<const R: usize, const CODES: bool>(args: &mut Softmax<'_>, work: &mut Work) {
    for row in 0..R {
        let weights = &mut work.scores[row];
        if let Some(masks) = args.masks {
            for (key, score) in weights.iter_mut().enumerate() {
                if masks[row] >> key & 1 == 0 {
                    *score = f32::NEG_INFINITY;
                }
            }
        }
        let factor = args.factor[row];
        let level = largest(weights) * factor;
        let top = args.top[row].max(level);
        // While nothing has been seen every weight is 2^-inf = 0; the maximum must not be -inf then.
        let base = if top == f32::NEG_INFINITY { 0.0 } else { top };
        let correction = exp2(args.top[row] - base);
        args.top[row] = top;
        work.correction[row] = correction;
        weights.iter_mut().for_each(|score| *score = exp2(*score * factor - base));
        for (lane, sum) in args.sum[row].iter_mut().enumerate() {
            let more: f32 = (0..TILES).map(|tile| weights[TILE * tile + lane]).sum();
            *sum = *sum * correction + more;
        }
        if let Some((codes, levels)) = &mut args.mass {
            let largest = exp2(level - base);
            let seen = largest > NEGLIGIBLE;
            levels[row] = if seen { level } else { f32::NEG_INFINITY };
            let inverse = if seen { MASS_CODES / largest } else { 0.0 };
            for (code, weight) in codes[row].iter_mut().zip(weights.iter()) {
                *code = (weight * inverse + ROUND).to_bits() as u16;
            }
        }
        if CODES {
            for (weights, tile) in weights.chunks_exact_mut(TILE).zip(args.tiles) {
                let scales = scales(tile, args.dims);
                weights.iter_mut().zip(scales).for_each(|(weight, scale)| *weight *= scale);
            }
            let largest = largest(weights);
            let (unit, inverse) =
                if largest > NEGLIGIBLE { (largest / 255.0, 255.0 / largest) } else { (0.0, 0.0) };
            work.unit[row] = unit;
            for (key, weight) in weights.iter().enumerate() {
                let (tile, group, lane) = (key / TILE, key % TILE / 4, key % 4);
                work.codes[row][TILE * group + 4 * tile + lane] = (weight * inverse + ROUND).to_bits() as u8;
            }
        }
    }
}

fn sums_i8<const R: usize>(args: &mut Sums<'_>, work: &Work) {
    let dims = args.dims;
    for first in (0..dims).step_by(TILE) {
        let mut sums = [[0; TILE]; R];
        for (index, tile) in args.tiles.iter().enumerate() {
            let bytes: &[u8] = bytemuck::cast_slice(tile);
            for group in 0..TILE / 4 {
                let values = &bytes[4 * (group * dims + first)..][..4 * TILE];
                let values = rows_of_bytes(values, |byte| i16::from(byte as i8));
                for (row, sums) in sums.iter_mut().enumerate() {
                    let four = &work.codes[row][TILE * group + 4 * index..][..4];
                    add_products(sums, std::array::from_fn(|byte| i16::from(four[byte])), &values);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            let out = &mut args.out[row * dims + first..][..TILE];
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = *out * work.correction[row] + *sum as f32 * work.unit[row];
            }
        }
    }
}

fn sums_float<const R: usize, const HALF: bool>(args: &mut Sums<'_>, work: &Work) {
    let dims = args.dims;
    for first in 0..dims / TILE {
        let mut sums: [[f32; TILE]; R] = [[0.0; TILE]; R];
        for (row, sums) in sums.iter_mut().enumerate() {
            let out = &args.out[row * dims + TILE * first..][..TILE];
            sums.iter_mut().zip(out).for_each(|(sum, out)| *sum = out * work.correction[row]);
        }
        for key in 0..KEYS {
            let values = load::<HALF>(args.tiles[key / TILE], key % TILE * dims / TILE + first);
            for (row, sums) in sums.iter_mut().enumerate() {
                let weight = work.scores[row][key];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            args.out[row * dims + TILE * first..][..TILE].copy_from_slice(sums);
        }
    }
}

const _: () = assert!(GROUP == 4 && KEYS == 64);
