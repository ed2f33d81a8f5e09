//! Products for AVX-512 with VNNI.
//!
//! One register holds four columns of all 16 outputs of a panel. For each row of activations the same four
//! columns are broadcast from memory as part of the byte-product instruction itself, so that the inner loop is
//! one instruction for 64 products. Integer and f32 sums of a tile of 12 rows stay in registers. There are no
//! prefetch instructions: for a single row they made the stream of weights slower than the processor's own.

use super::layout::{BLOCK, Blocks, PANEL, SUPER};
use super::{Source, Task};
use std::arch::x86_64::*;

/// Where a tile writes its results: `rows` rows of `stride` numbers, of which lanes in `lanes` exist.
#[derive(Clone, Copy)]
struct Output {
    start: *mut f32,
    stride: usize,
    lanes: __mmask16,
}

impl Output {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn write(&self, row: usize, sums: __m512) {
        // SAFETY: the caller's task owns these columns of these rows.
        unsafe {
            let at = self.start.add(row * self.stride);
            if self.lanes == __mmask16::MAX {
                _mm512_storeu_ps(at, sums);
            } else {
                _mm512_mask_storeu_ps(at, self.lanes, sums);
            }
        }
    }
}

/// Calls `$tile` for all panels and tiles of a task; panels outside, so that a panel's weights stay in cache.
macro_rules! for_tiles {
    ($task:expr, $tile:ident::<$kind:ident>) => {
        for panel in $task.panels.clone() {
            // SAFETY: the panel exists, and rows and columns of the output belong to this task.
            unsafe {
                let weights = $task.weights.panels().as_ptr().add(panel * $task.weights.panel_bytes);
                let columns = $task.weights.out_features() - panel * PANEL;
                let lanes = if columns >= PANEL { __mmask16::MAX } else { (1 << columns) - 1 };
                let stride = $task.weights.out_features();
                let mut row = $task.rows.start;
                while row < $task.rows.end {
                    let rows = super::activations::tile_rows(crate::Isa::Avx512, $task.rows.end - row);
                    let output =
                        Output { start: $task.output.add(row * stride + panel * PANEL), stride, lanes };
                    match rows {
                        12 => $tile::<$kind, 12>($task, weights, row, output),
                        8 => $tile::<$kind, 8>($task, weights, row, output),
                        4 => $tile::<$kind, 4>($task, weights, row, output),
                        2 => $tile::<$kind, 2>($task, weights, row, output),
                        _ => $tile::<$kind, 1>($task, weights, row, output),
                    }
                    row += rows;
                }
            }
        }
    };
}

/// Computes a task with quantised weights.
///
/// # Safety
/// The processor has AVX-512 F, BW, VL, DQ and VNNI; the weights are packed as `B`; see [`Task`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn quantised<B: Blocks>(task: &Task<'_>) {
    for_tiles!(task, quantised_tile::<B>);
}

/// Computes a task with dense weights.
///
/// # Safety
/// The processor has AVX-512 F, BW, VL, DQ; the weights are packed as `S`; see [`Task`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
pub(super) unsafe fn dense<S: Source>(task: &Task<'_>) {
    for_tiles!(task, dense_tile::<S>);
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn halves(at: *const u8) -> __m512 {
    // SAFETY: 16 f16 factors lie there, as the layout says.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(at.cast()) })
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn small(at: *const u8) -> __m512 {
    // SAFETY: 16 8-bit factors lie there, as the layout says.
    _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(unsafe { _mm_loadu_si128(at.cast()) }))
}

#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn products<const R: usize>(sums: &mut [__m512i; R], weights: __m512i, codes: *const i8) {
    for r in 0..R {
        // SAFETY: the tile has `R` rows of 32 codes a block.
        let four = _mm512_set1_epi32(unsafe { codes.add(r * BLOCK).cast::<i32>().read_unaligned() });
        sums[r] = _mm512_dpbusd_epi32(sums[r], weights, four);
    }
}

/// Adds `scale of the weights x scale of the activations x integer sum`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn accumulate<const R: usize>(
    totals: &mut [__m512; R],
    sums: &[__m512i; R],
    scale: __m512,
    scales: *const f32,
) {
    for r in 0..R {
        // SAFETY: the tile has `R` scales a block.
        let scale = _mm512_mul_ps(scale, _mm512_set1_ps(unsafe { *scales.add(r) }));
        totals[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[r]), scale, totals[r]);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn quantised_tile<B: Blocks, const R: usize>(
    task: &Task<'_>,
    weights: *const u8,
    row: usize,
    output: Output,
) {
    let inputs = task.inputs;
    let blocks = inputs.in_features / BLOCK;
    let nibble = _mm512_set1_epi8(0xF);
    let mut totals = [_mm512_setzero_ps(); R];
    // SAFETY: offsets and sizes are those of the packed layout and of the prepared activations.
    unsafe {
        let mut codes = weights;
        let mut supers = weights;
        let mut inputs_codes = inputs.codes.cast_const().add(row * inputs.in_features);
        let mut scales = inputs.scales.cast_const().add(row * blocks);
        let mut mins = inputs.mins.cast_const().add(row * blocks);
        let mut starts = if B::HALVES {
            inputs.starts_halves.cast_const().add(row * blocks * 2)
        } else if B::NIBBLES {
            inputs.starts_nibbles.cast_const().add(row * blocks)
        } else {
            inputs.starts_bytes.cast_const().add(row * blocks)
        };
        for block in 0..blocks {
            if B::SUPERS && block % SUPER == 0 {
                supers = codes;
                codes = codes.add(B::SUPER_BYTES);
            }
            let factors = codes.add(B::CODE_BYTES);
            let mut sums = [_mm512_setzero_si512(); R];
            if !B::MINS {
                for r in 0..R {
                    sums[r] = _mm512_set1_epi32(*starts.add(r));
                }
            }
            for group in 0..4 {
                let bytes = _mm512_loadu_si512(codes.add(group * 64).cast());
                let at = inputs_codes.add(group * 4);
                if B::NIBBLES {
                    products(&mut sums, _mm512_and_si512(bytes, nibble), at);
                    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), nibble);
                    products(&mut sums, high, at.add(16));
                } else {
                    products(&mut sums, bytes, at);
                }
            }
            let mut scale;
            let mut second = _mm512_setzero_ps(); // min, or scale of the second half
            if B::SUPERS {
                scale = halves(supers);
                let min = if B::MINS { halves(supers.add(32)) } else { scale };
                second = _mm512_mul_ps(min, small(factors.add(PANEL)));
                scale = _mm512_mul_ps(scale, small(factors));
            } else {
                scale = halves(factors);
                if B::MINS {
                    second = halves(factors.add(32));
                }
            }
            if B::HALVES {
                accumulate(&mut totals, &sums, scale, scales);
                scale = second;
                for r in 0..R {
                    sums[r] = _mm512_set1_epi32(*starts.add(R + r));
                }
            }
            if !B::NIBBLES {
                for group in 4..8 {
                    let bytes = _mm512_loadu_si512(codes.add(group * 64).cast());
                    products(&mut sums, bytes, inputs_codes.add(group * 4));
                }
            }
            accumulate(&mut totals, &sums, scale, scales);
            if B::MINS {
                for r in 0..R {
                    totals[r] = _mm512_fmadd_ps(second, _mm512_set1_ps(*mins.add(r)), totals[r]);
                }
            }
            codes = codes.add(B::BYTES);
            inputs_codes = inputs_codes.add(R * BLOCK);
            scales = scales.add(R);
            mins = mins.add(R);
            starts = starts.add(if B::HALVES { 2 * R } else { R });
        }
        for r in 0..R {
            output.write(r, totals[r]);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn dense_tile<S: Source, const R: usize>(
    task: &Task<'_>,
    weights: *const u8,
    row: usize,
    output: Output,
) {
    let columns = task.inputs.in_features;
    let mut totals = [_mm512_setzero_ps(); R];
    // SAFETY: offsets and sizes are those of the packed layout and of the prepared activations.
    unsafe {
        let inputs = task.inputs.dense.cast_const().add(row * columns);
        for column in 0..columns {
            let at = weights.add(column * PANEL * S::BYTES);
            let weights = if S::BYTES == 4 {
                _mm512_loadu_ps(at.cast())
            } else if S::HALF {
                halves(at)
            } else {
                let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(at.cast()));
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
            };
            for r in 0..R {
                let number = _mm512_set1_ps(*inputs.add(column * R + r));
                totals[r] = _mm512_fmadd_ps(weights, number, totals[r]);
            }
        }
        for r in 0..R {
            output.write(r, totals[r]);
        }
    }
}
