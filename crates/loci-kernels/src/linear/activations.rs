//! Activations as the kernels read them.
//!
//! The rows of a batch are cut into tiles of 12 rows, the rest into tiles of 8, 4, 2 and 1 ([`tile_rows`]).
//! Within a tile the numbers of one block of all rows lie together, so that a kernel walks through memory once
//! with a single address. Where a tile begins depends only on its first row.

use super::layout::BLOCK;
use crate::Isa;
use std::ops::Range;

/// Activations below this size count as 0: their reciprocal would overflow.
const TINY: f32 = 1e-30;

/// The number of rows in the tile that begins where `remaining` rows are left.
///
/// Twelve rows of integer sums and of f32 sums fill the 32 registers of AVX-512; four those of AVX2. In plain
/// Rust many rows share the cost of unpacking.
pub(super) fn tile_rows(isa: Isa, remaining: usize) -> usize {
    match remaining {
        12.. if isa != Isa::Avx2 => 12,
        8.. if isa != Isa::Avx2 => 8,
        4.. => 4,
        2.. => 2,
        _ => 1,
    }
}

/// What the weights of one product need from the activations.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    /// f32 numbers, for dense weights.
    pub(super) dense: bool,
    /// 8-bit codes, for quantised ones.
    pub(super) codes: bool,
}

/// Buffers for the activations of one call; kept for the next one.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    codes: Vec<i8>,
    scales: Vec<f32>,
    mins: Vec<f32>,
    starts_nibbles: Vec<i32>,
    starts_bytes: Vec<i32>,
    starts_halves: Vec<i32>,
    dense: Vec<f32>,
}

/// The activations of one call. A tile that begins with row `r` and has `t` rows finds its part at
/// `r * (numbers in a row)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activations {
    pub(super) in_features: usize,
    /// Signed codes, `[tile][block][t][32]`.
    pub(super) codes: *mut i8,
    /// Scale of each block, `[tile][block][t]`.
    pub(super) scales: *mut f32,
    /// Scale times the sum of codes of each block: what a weight's min is multiplied with; shape of `scales`.
    pub(super) mins: *mut f32,
    /// -8 times the sum of codes: where the integer sum with 4-bit codes of zero point 8 starts.
    pub(super) starts_nibbles: *mut i32,
    /// -128 times the sum of codes: the same for 8-bit codes.
    pub(super) starts_bytes: *mut i32,
    /// The same for each half of a block, `[tile][block][2][t]`.
    pub(super) starts_halves: *mut i32,
    /// The numbers themselves, `[tile][column][t]`.
    pub(super) dense: *mut f32,
}

// SAFETY: the pointers lead to buffers that outlive the call; tasks that write own disjoint rows, and reading
// tasks run after all writing ones.
unsafe impl Sync for Activations {}

fn grow<T: Copy + Default>(buffer: &mut Vec<T>, length: usize) -> *mut T {
    if buffer.len() < length {
        buffer.resize(length, T::default());
    }
    buffer.as_mut_ptr()
}

impl Buffers {
    /// Makes room for `rows` rows. The result is valid until the buffers are used again.
    pub(super) fn prepare(&mut self, needs: Needs, rows: usize, in_features: usize) -> Activations {
        let codes = if needs.codes { rows * in_features } else { 0 };
        let blocks = codes / BLOCK;
        Activations {
            in_features,
            codes: grow(&mut self.codes, codes),
            scales: grow(&mut self.scales, blocks),
            mins: grow(&mut self.mins, blocks),
            starts_nibbles: grow(&mut self.starts_nibbles, blocks),
            starts_bytes: grow(&mut self.starts_bytes, blocks),
            starts_halves: grow(&mut self.starts_halves, blocks * 2),
            dense: grow(&mut self.dense, if needs.dense { rows * in_features } else { 0 }),
        }
    }
}

impl Activations {
    /// Fills in the rows `rows` of `input` `[.., in_features]`. The range begins at the begin of a tile.
    ///
    /// # Safety
    /// The buffers were prepared for these needs and rows, no other thread uses these rows, the processor has
    /// `isa`, and `input` has the rows.
    pub(super) unsafe fn fill(&self, isa: Isa, needs: Needs, input: &[f32], rows: Range<usize>) {
        let mut first = rows.start;
        while first < rows.end {
            let tile = tile_rows(isa, rows.end - first);
            for row in 0..tile {
                let numbers = &input[(first + row) * self.in_features..][..self.in_features];
                // SAFETY: as for this function.
                unsafe {
                    if needs.codes {
                        match isa {
                            #[cfg(target_arch = "x86_64")]
                            Isa::Avx512 => self.quantise_avx512(numbers, first, tile, row),
                            #[cfg(target_arch = "x86_64")]
                            Isa::Avx2 => self.quantise_avx2(numbers, first, tile, row),
                            _ => self.quantise_portable(numbers, first, tile, row),
                        }
                    }
                    if needs.dense {
                        let start = self.dense.add(first * self.in_features + row);
                        for (column, number) in numbers.iter().enumerate() {
                            start.add(column * tile).write(*number);
                        }
                    }
                }
            }
            first += tile;
        }
    }

    /// Stores what follows from the scale of a block and the sums of codes of its halves.
    ///
    /// # Safety
    /// As for [`Self::fill`].
    #[inline(always)]
    unsafe fn put(&self, first: usize, tile: usize, row: usize, block: usize, scale: f32, sums: [i32; 2]) {
        let blocks = self.in_features / BLOCK;
        let at = first * blocks + block * tile + row;
        let halves = first * blocks * 2 + block * 2 * tile + row;
        // Wrapping: the codes of an undefined number are not bounded, and its scale overrides them.
        let sum = sums[0].wrapping_add(sums[1]);
        // SAFETY: `at` and `halves` belong to a row and block of the prepared buffers.
        unsafe {
            self.scales.add(at).write(scale);
            self.mins.add(at).write(scale * sum as f32);
            self.starts_nibbles.add(at).write(sum.wrapping_mul(-8));
            self.starts_bytes.add(at).write(sum.wrapping_mul(-128));
            self.starts_halves.add(halves).write(sums[0].wrapping_mul(-128));
            self.starts_halves.add(halves + tile).write(sums[1].wrapping_mul(-128));
        }
    }
}

/// The scale of a block whose largest magnitude is `largest`, and the factor that turns numbers into codes.
///
/// Infinite and undefined numbers make the scale so too: they reach the output instead of vanishing.
#[inline(always)]
fn scale_and_factor(largest: f32) -> (f32, f32) {
    if largest < TINY { (0.0, 0.0) } else { (largest / 127.0, 127.0 / largest) }
}

/// One row of a tile, for each instruction set: per block of 32 numbers the largest magnitude (compared as
/// integers, which lets NaN win), codes rounded to the nearest even, sums of the codes of both halves.
macro_rules! quantise {
    ($(#[$attribute:meta])* $name:ident, $block:path) => {
        impl Activations {
            /// # Safety
            /// As for [`Self::fill`].
            $(#[$attribute])*
            unsafe fn $name(&self, numbers: &[f32], first: usize, tile: usize, row: usize) {
                for (block, numbers) in numbers.as_chunks::<BLOCK>().0.iter().enumerate() {
                    // SAFETY: the codes of this row and block lie within the prepared buffer.
                    unsafe {
                        let codes = self.codes.add(first * self.in_features + (block * tile + row) * BLOCK);
                        let (scale, sums) = $block(numbers, &mut *codes.cast::<[i8; BLOCK]>());
                        self.put(first, tile, row, block, scale, sums);
                    }
                }
            }
        }
    };
}

quantise!(quantise_portable, portable_block);
#[cfg(target_arch = "x86_64")]
quantise!(
    #[target_feature(enable = "avx2,fma")]
    quantise_avx2,
    x86::block_avx2
);
#[cfg(target_arch = "x86_64")]
quantise!(
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    quantise_avx512,
    x86::block_avx512
);

#[inline(always)]
fn portable_block(numbers: &[f32; BLOCK], codes: &mut [i8; BLOCK]) -> (f32, [i32; 2]) {
    let largest = numbers.iter().fold(0, |largest, number| largest.max(number.to_bits() & 0x7FFF_FFFF));
    let (scale, factor) = scale_and_factor(f32::from_bits(largest));
    // 1.5 * 2^23: adding it leaves the rounded integer in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    let mut sums = [0; 2];
    for (index, (number, code)) in numbers.iter().zip(codes).enumerate() {
        let rounded = (number * factor + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits()) as i8;
        *code = rounded;
        sums[index / 16] += i32::from(rounded);
    }
    (scale, sums)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK, scale_and_factor};
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(super) fn block_avx512(numbers: &[f32; BLOCK], codes: &mut [i8; BLOCK]) -> (f32, [i32; 2]) {
        // SAFETY: both halves of 16 numbers lie in the array.
        let (low, high) =
            unsafe { (_mm512_loadu_ps(numbers.as_ptr()), _mm512_loadu_ps(numbers.as_ptr().add(16))) };
        let sign = _mm512_set1_epi32(0x7FFF_FFFF);
        let bits = _mm512_max_epu32(
            _mm512_and_si512(_mm512_castps_si512(low), sign),
            _mm512_and_si512(_mm512_castps_si512(high), sign),
        );
        let (scale, factor) = scale_and_factor(f32::from_bits(_mm512_reduce_max_epu32(bits)));
        let factor = _mm512_set1_ps(factor);
        let low = _mm512_cvtps_epi32(_mm512_mul_ps(low, factor));
        let high = _mm512_cvtps_epi32(_mm512_mul_ps(high, factor));
        // SAFETY: both halves of 16 codes lie in the array.
        unsafe {
            _mm_storeu_si128(codes.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(low));
            _mm_storeu_si128(codes.as_mut_ptr().add(16).cast(), _mm512_cvtepi32_epi8(high));
        }
        (scale, [_mm512_reduce_add_epi32(low), _mm512_reduce_add_epi32(high)])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn block_avx2(numbers: &[f32; BLOCK], codes: &mut [i8; BLOCK]) -> (f32, [i32; 2]) {
        let sign = _mm256_set1_epi32(0x7FFF_FFFF);
        let mut values = [_mm256_setzero_ps(); 4];
        let mut bits = _mm256_setzero_si256();
        for (index, value) in values.iter_mut().enumerate() {
            // SAFETY: the four groups of 8 numbers lie in the array.
            *value = unsafe { _mm256_loadu_ps(numbers.as_ptr().add(index * 8)) };
            bits = _mm256_max_epu32(bits, _mm256_and_si256(_mm256_castps_si256(*value), sign));
        }
        let bits = _mm_max_epu32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256::<1>(bits));
        let bits = _mm_max_epu32(bits, _mm_shuffle_epi32::<0b01_00_11_10>(bits));
        let bits = _mm_max_epu32(bits, _mm_shuffle_epi32::<0b10_11_00_01>(bits));
        let (scale, factor) = scale_and_factor(f32::from_bits(_mm_cvtsi128_si32(bits) as u32));
        let factor = _mm256_set1_ps(factor);
        let round = |index: usize| _mm256_cvtps_epi32(_mm256_mul_ps(values[index], factor));
        let [a, b, c, d] = [round(0), round(1), round(2), round(3)];
        // Packing interleaves the 128-bit halves; the permutation puts groups of four back in order.
        let packed = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
        let packed = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        // SAFETY: the array has 32 codes.
        unsafe { _mm256_storeu_si256(codes.as_mut_ptr().cast(), packed) };
        (scale, [sum(_mm256_add_epi32(a, b)), sum(_mm256_add_epi32(c, d))])
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn sum(x: __m256i) -> i32 {
        let x = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
        let x = _mm_add_epi32(x, _mm_shuffle_epi32::<0b01_00_11_10>(x));
        _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32::<0b10_11_00_01>(x)))
    }
}
