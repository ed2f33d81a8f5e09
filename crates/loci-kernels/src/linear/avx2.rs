//! Products for AVX2 with FMA and F16C.
//!
//! A panel is worked through in two halves of 8 outputs. `maddubs` multiplies unsigned by signed bytes and adds
//! pairs in 16 bits, which saturate at 32767. Codes up to 15 leave room for eight such sums and codes up to 31
//! for four; full bytes are made signed again, and their sign is moved to the activations
//! (`|w| * (sign(w) a)`), which leaves room for one. So no sum is ever cut off, and the integers are those of
//! the other instruction sets.

use super::layout::{BLOCK, Blocks, PANEL, place};
use super::{Source, Task};
use std::arch::x86_64::*;

/// Outputs in one register.
const LANES: usize = 8;
/// Registers of a panel's outputs.
const HALVES: usize = PANEL / LANES;

/// Calls `$tile` for all panels, tiles and, one behind the other, `$halves` parts of a panel.
macro_rules! for_tiles {
    ($task:expr, $halves:expr, $tile:ident::<$kind:ident>) => {
        for panel in $task.panels.clone() {
            let mut row = $task.rows.start;
            while row < $task.rows.end {
                let rows = super::activations::tile_rows(crate::Isa::Avx2, $task.rows.end - row);
                for half in 0..$halves {
                    // SAFETY: as for this function.
                    unsafe {
                        match rows {
                            4 => $tile::<$kind, 4>($task, panel, half, row),
                            2 => $tile::<$kind, 2>($task, panel, half, row),
                            _ => $tile::<$kind, 1>($task, panel, half, row),
                        }
                    }
                }
                row += rows;
            }
        }
    };
}

/// Computes a task with quantised weights.
///
/// # Safety
/// The processor has AVX2, FMA and F16C; the weights are packed as `B`; see [`Task`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn quantised<B: Blocks>(task: &Task<'_>) {
    for_tiles!(task, HALVES, quantised_tile::<B>);
}

/// Computes a task with dense weights.
///
/// # Safety
/// The processor has AVX2, FMA and F16C; the weights are packed as `S`; see [`Task`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn dense<S: Source>(task: &Task<'_>) {
    for_tiles!(task, 1, dense_tile::<S>);
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn halves(at: *const u8) -> __m256 {
    // SAFETY: 8 f16 numbers lie there, as the layout says.
    _mm256_cvtph_ps(unsafe { _mm_loadu_si128(at.cast()) })
}

#[inline]
#[target_feature(enable = "avx2")]
unsafe fn small(at: *const u8) -> __m256 {
    // SAFETY: 8 8-bit factors lie there, as the layout says.
    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(unsafe { _mm_loadl_epi64(at.cast()) }))
}

#[inline]
#[target_feature(enable = "avx2")]
unsafe fn write(task: &Task<'_>, panel: usize, half: usize, row: usize, sums: __m256) {
    let stride = task.weights.out_features();
    let column = panel * PANEL + half * LANES;
    if column >= stride {
        return;
    }
    // SAFETY: the task owns these columns of this row, and at most the existing ones are written.
    unsafe {
        let at = task.output.add(row * stride + column);
        if stride - column >= LANES {
            _mm256_storeu_ps(at, sums);
        } else {
            let mut numbers = [0.0_f32; LANES];
            _mm256_storeu_ps(numbers.as_mut_ptr(), sums);
            std::ptr::copy_nonoverlapping(numbers.as_ptr(), at, stride - column);
        }
    }
}

/// Adds the products of four columns to `pairs` (16-bit sums of two) for each row.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn products<const SIGNED: bool, const R: usize>(
    pairs: &mut [__m256i; R],
    weights: __m256i,
    codes: *const i8,
) {
    let magnitude = _mm256_abs_epi8(weights);
    for r in 0..R {
        // SAFETY: the tile has `R` rows of 32 codes a block.
        let four = _mm256_set1_epi32(unsafe { codes.add(r * BLOCK).cast::<i32>().read_unaligned() });
        let product = if SIGNED {
            _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(four, weights))
        } else {
            _mm256_maddubs_epi16(weights, four)
        };
        pairs[r] = _mm256_add_epi16(pairs[r], product);
    }
}

/// Moves the 16-bit sums over to the 32-bit ones.
#[inline]
#[target_feature(enable = "avx2")]
fn widen<const R: usize>(sums: &mut [__m256i; R], pairs: &mut [__m256i; R]) {
    let ones = _mm256_set1_epi16(1);
    for r in 0..R {
        sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(pairs[r], ones));
        pairs[r] = _mm256_setzero_si256();
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn accumulate<const R: usize>(
    totals: &mut [__m256; R],
    sums: &[__m256i; R],
    scale: __m256,
    scales: *const f32,
) {
    for r in 0..R {
        // SAFETY: the tile has `R` scales a block.
        let scale = _mm256_mul_ps(scale, _mm256_set1_ps(unsafe { *scales.add(r) }));
        totals[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[r]), scale, totals[r]);
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn quantised_tile<B: Blocks, const R: usize>(task: &Task<'_>, panel: usize, half: usize, row: usize) {
    let inputs = task.inputs;
    let blocks = inputs.in_features / BLOCK;
    let nibble = _mm256_set1_epi8(0xF);
    let sign = _mm256_set1_epi8(i8::MIN);
    let mut totals = [_mm256_setzero_ps(); R];
    // SAFETY: offsets and sizes are those of the packed layout and of the prepared activations.
    unsafe {
        let weights = task.weights.panels().as_ptr().add(panel * task.weights.panel_bytes);
        let inputs_codes = inputs.codes.cast_const().add(row * inputs.in_features);
        for block in 0..blocks {
            let place = place::<B>(block);
            let codes = weights.add(place.codes + half * LANES * 4);
            let inputs_codes = inputs_codes.add(block * R * BLOCK);
            let at = row * blocks + block * R;
            let scales = inputs.scales.cast_const().add(at);
            let factors = weights.add(place.factors);
            let mut scale;
            let mut second = _mm256_setzero_ps(); // min, or scale of the second half
            if B::SUPERS {
                let factors = factors.add(half * LANES);
                let upper = weights.add(place.supers + half * LANES * 2);
                scale = halves(upper);
                let min = if B::MINS { halves(upper.add(32)) } else { scale };
                second = _mm256_mul_ps(min, small(factors.add(PANEL)));
                scale = _mm256_mul_ps(scale, small(factors));
            } else {
                let factors = factors.add(half * LANES * 2);
                scale = halves(factors);
                if B::MINS {
                    second = halves(factors.add(32));
                }
            }
            let mut sums = [_mm256_setzero_si256(); R];
            let mut pairs = [_mm256_setzero_si256(); R];
            for group in 0..B::CODE_BYTES / 64 {
                let bytes = _mm256_loadu_si256(codes.add(group * 64).cast());
                let at = inputs_codes.add(group * 4);
                if B::NIBBLES {
                    products::<false, R>(&mut pairs, _mm256_and_si256(bytes, nibble), at);
                    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
                    products::<false, R>(&mut pairs, high, at.add(16));
                } else if B::MINS {
                    products::<false, R>(&mut pairs, bytes, at);
                } else {
                    products::<true, R>(&mut pairs, _mm256_xor_si256(bytes, sign), at);
                }
                let full = match (B::NIBBLES, B::MINS || B::HALVES) {
                    (true, _) => group == 3,         // 8 sums of 2 * 15 * 127
                    (false, true) => group % 4 == 3, // 4 sums of 2 * 31 * 127, or of 2 * 32 * 127
                    (false, false) => true,
                };
                if full {
                    widen(&mut sums, &mut pairs);
                }
                if B::HALVES && group == 3 {
                    accumulate(&mut totals, &sums, scale, scales);
                    scale = second;
                    sums = [_mm256_setzero_si256(); R];
                }
            }
            if B::NIBBLES && !B::MINS {
                for r in 0..R {
                    let start = _mm256_set1_epi32(*inputs.starts_nibbles.add(at + r));
                    sums[r] = _mm256_add_epi32(sums[r], start);
                }
            }
            accumulate(&mut totals, &sums, scale, scales);
            if B::MINS {
                for r in 0..R {
                    let min = _mm256_set1_ps(*inputs.mins.add(at + r));
                    totals[r] = _mm256_fmadd_ps(second, min, totals[r]);
                }
            }
        }
        for r in 0..R {
            write(task, panel, half, row + r, totals[r]);
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn dense_tile<S: Source, const R: usize>(task: &Task<'_>, panel: usize, _all: usize, row: usize) {
    let columns = task.inputs.in_features;
    // Both halves of the panel at once: four sums a step would wait for each other, eight keep both units busy.
    let mut totals = [[_mm256_setzero_ps(); HALVES]; R];
    // SAFETY: offsets and sizes are those of the packed layout and of the prepared activations.
    unsafe {
        let weights = task.weights.panels().as_ptr().add(panel * task.weights.panel_bytes);
        let inputs = task.inputs.dense.cast_const().add(row * columns);
        for column in 0..columns {
            let mut both = [_mm256_setzero_ps(); HALVES];
            for half in 0..HALVES {
                let at = weights.add((column * PANEL + half * LANES) * S::BYTES);
                both[half] = if S::BYTES == 4 {
                    _mm256_loadu_ps(at.cast())
                } else if S::HALF {
                    halves(at)
                } else {
                    let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(at.cast()));
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
                };
            }
            for r in 0..R {
                let number = _mm256_set1_ps(*inputs.add(column * R + r));
                for half in 0..HALVES {
                    totals[r][half] = _mm256_fmadd_ps(both[half], number, totals[r][half]);
                }
            }
        }
        for r in 0..R {
            for half in 0..HALVES {
                write(task, panel, half, row + r, totals[r][half]);
            }
        }
    }
}
