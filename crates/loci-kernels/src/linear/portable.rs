//! Products in plain Rust, written so that a compiler can vectorise over the 16 outputs of a panel.
//!
//! Codes are made signed and spread to 16 bits, `[column][output]`. Two products of full bytes fit into 16 bits
//! together (2 * 128 * 127), eight of smaller codes (8 * 32 * 127); then they go on to 32 bits.

use super::layout::{BLOCK, Blocks, PANEL, place};
use super::{Source, Task};
use crate::Isa;
use crate::quant::dequantize;

/// Rows in the largest tile.
const ROWS: usize = 12;
type Lanes<T> = [T; PANEL];

/// Codes of one block less the zero point, whatever their packing.
#[inline(always)]
fn unpack<B: Blocks>(packed: &[u8], codes: &mut [Lanes<i16>; BLOCK]) {
    for (group, bytes) in packed.as_chunks::<64>().0.iter().enumerate() {
        for column in 0..4 {
            for lane in 0..PANEL {
                let byte = bytes[lane * 4 + column];
                if B::NIBBLES {
                    codes[group * 4 + column][lane] = i16::from(byte & 0xF) - i16::from(B::ZERO);
                    codes[16 + group * 4 + column][lane] = i16::from(byte >> 4) - i16::from(B::ZERO);
                } else {
                    codes[group * 4 + column][lane] = i16::from(byte) - i16::from(B::ZERO);
                }
            }
        }
    }
}

/// 16 f16 factors as f32, without a branch that would keep the loop from being vectorised.
#[inline(always)]
fn halves(raw: &[u8]) -> Lanes<f32> {
    // The exponent of an f16 in the place of an f32's is too small by 112.
    const UP: f32 = f32::from_bits((127 + 112) << 23);
    let mut numbers = [0.0; PANEL];
    for (number, raw) in numbers.iter_mut().zip(raw.as_chunks::<2>().0) {
        let bits = u32::from(u16::from_le_bytes(*raw));
        let magnitude = (f32::from_bits((bits & 0x7FFF) << 13) * UP).to_bits();
        let undefined = if bits & 0x7C00 == 0x7C00 { 0x7F80_0000 } else { 0 };
        *number = f32::from_bits(magnitude | undefined | (bits & 0x8000) << 16);
    }
    numbers
}

/// The scales of both halves of a block, and its mins.
#[inline(always)]
fn factors<B: Blocks>(panel: &[u8], block: usize) -> ([Lanes<f32>; 2], Lanes<f32>) {
    let place = place::<B>(block);
    let at = &panel[place.factors..];
    if !B::SUPERS {
        let scales = halves(&at[..32]);
        return ([scales; 2], if B::MINS { halves(&at[32..64]) } else { [0.0; PANEL] });
    }
    let supers = &panel[place.supers..];
    let scale = halves(&supers[..32]);
    let second = if B::MINS { halves(&supers[32..64]) } else { scale };
    let (mut first_product, mut second_product) = (scale, second);
    for lane in 0..PANEL {
        first_product[lane] *= f32::from(at[lane] as i8);
        second_product[lane] *= f32::from(at[PANEL + lane] as i8);
    }
    if B::HALVES {
        ([first_product, second_product], [0.0; PANEL])
    } else {
        ([first_product; 2], second_product)
    }
}

/// Sums of codes times numbers over some columns.
#[inline(always)]
fn sum<B: Blocks>(codes: &[Lanes<i16>], numbers: &[i8]) -> Lanes<i32> {
    let mut sums = [0_i32; PANEL];
    for (codes, numbers) in codes.as_chunks::<8>().0.iter().zip(numbers.as_chunks::<8>().0) {
        let numbers = numbers.map(i16::from);
        let product = |column: usize, lane: usize| codes[column][lane].wrapping_mul(numbers[column]);
        // Wrapping: rows with undefined numbers have unbounded codes, and their scale overrides them.
        let pair = |column: usize, lane: usize| product(column, lane).wrapping_add(product(column + 1, lane));
        if B::NIBBLES || B::MINS || B::HALVES {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let (low, high) =
                    (pair(0, lane).wrapping_add(pair(2, lane)), pair(4, lane).wrapping_add(pair(6, lane)));
                *sum += i32::from(low.wrapping_add(high));
            }
        } else {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let low = i32::from(pair(0, lane)) + i32::from(pair(2, lane));
                *sum += low + i32::from(pair(4, lane)) + i32::from(pair(6, lane));
            }
        }
    }
    sums
}

/// Computes a task with quantised weights.
///
/// # Safety
/// The weights are packed as `B`; see [`Task`].
pub(super) unsafe fn quantised<B: Blocks>(task: &Task<'_>) {
    let (weights, inputs) = (task.weights, task.inputs);
    let blocks = inputs.in_features / BLOCK;
    let mut codes = [[0; PANEL]; BLOCK];
    for panel in task.panels.clone() {
        let bytes = &weights.panels()[panel * weights.panel_bytes..][..weights.panel_bytes];
        let mut row = task.rows.start;
        while row < task.rows.end {
            let tile = super::activations::tile_rows(Isa::Portable, task.rows.end - row);
            let mut totals = [[0.0_f32; PANEL]; ROWS];
            for block in 0..blocks {
                unpack::<B>(&bytes[place::<B>(block).codes..][..B::CODE_BYTES], &mut codes);
                let (scales, mins) = factors::<B>(bytes, block);
                let at = row * blocks + block * tile;
                for (r, totals) in totals[..tile].iter_mut().enumerate() {
                    // SAFETY: the tile has `tile` rows of codes and factors for each block.
                    let (numbers, scale, min) = unsafe {
                        let numbers = inputs.codes.add((at + r) * BLOCK).cast::<[i8; BLOCK]>();
                        (&*numbers, *inputs.scales.add(at + r), *inputs.mins.add(at + r))
                    };
                    let group = if B::HALVES { BLOCK / 2 } else { BLOCK };
                    let groups = codes.chunks_exact(group).zip(numbers.chunks_exact(group)).zip(&scales);
                    for ((codes, numbers), scales) in groups {
                        let sums = sum::<B>(codes, numbers);
                        for lane in 0..PANEL {
                            totals[lane] += sums[lane] as f32 * (scales[lane] * scale);
                        }
                    }
                    if B::MINS {
                        for lane in 0..PANEL {
                            totals[lane] += mins[lane] * min;
                        }
                    }
                }
            }
            for (r, totals) in totals[..tile].iter().enumerate() {
                // SAFETY: the task owns these columns of these rows.
                unsafe { write(task, panel, row + r, totals) };
            }
            row += tile;
        }
    }
}

/// Computes a task with dense weights.
///
/// # Safety
/// The weights are packed as `S`; see [`Task`].
pub(super) unsafe fn dense<S: Source>(task: &Task<'_>) {
    let (weights, columns) = (task.weights, task.inputs.in_features);
    for panel in task.panels.clone() {
        let bytes = &weights.panels()[panel * weights.panel_bytes..][..columns * PANEL * S::BYTES];
        let mut row = task.rows.start;
        while row < task.rows.end {
            let tile = super::activations::tile_rows(Isa::Portable, task.rows.end - row);
            let mut totals = [[0.0_f32; PANEL]; ROWS];
            for (column, raw) in bytes.chunks_exact(PANEL * S::BYTES).enumerate() {
                let numbers = if S::HALF {
                    halves(raw)
                } else {
                    let mut numbers = [0.0; PANEL];
                    dequantize(weights.ty, raw, &mut numbers);
                    numbers
                };
                for (r, totals) in totals[..tile].iter_mut().enumerate() {
                    // SAFETY: the tile has `tile` numbers for each column.
                    let input = unsafe { *task.inputs.dense.add(row * columns + column * tile + r) };
                    for (total, number) in totals.iter_mut().zip(&numbers) {
                        *total += number * input;
                    }
                }
            }
            for (r, totals) in totals[..tile].iter().enumerate() {
                // SAFETY: the task owns these columns of these rows.
                unsafe { write(task, panel, row + r, totals) };
            }
            row += tile;
        }
    }
}

/// # Safety
/// The task owns the columns of `panel` in `row`.
unsafe fn write(task: &Task<'_>, panel: usize, row: usize, totals: &Lanes<f32>) {
    let stride = task.weights.out_features();
    let columns = (stride - panel * PANEL).min(PANEL);
    // SAFETY: only existing columns are written, and the caller owns them.
    unsafe {
        let at = task.output.add(row * stride + panel * PANEL);
        std::ptr::copy_nonoverlapping(totals.as_ptr(), at, columns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_is_converted_exactly() {
        for bits in 0..=u16::MAX {
            let mut raw = [0; 32];
            raw[6..8].copy_from_slice(&bits.to_le_bytes());
            let (found, expected) = (halves(&raw)[3], half::f16::from_bits(bits).to_f32());
            assert!(
                found == expected || found.is_nan() && expected.is_nan(),
                "{bits:#x}: {found} {expected}"
            );
        }
    }
}
