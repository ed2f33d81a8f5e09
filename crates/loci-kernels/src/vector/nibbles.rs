//! Products with 4-bit codes.

use crate::Isa;

/// For each row of codes the sum over groups of `scales[group]` times the products of codes and numbers; all groups are of
/// one length, of whole bytes.
pub(super) fn dot(isa: Isa, nibbles: &[u8], scales: &[f32], numbers: &[i16], out: &mut [f32]) {
    let half = nibbles.len() / scales.len().max(1);
    match isa {
        // SAFETY: the caller names an instruction set that this processor has.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if half.is_multiple_of(LINE) => unsafe {
            dot_avx512(half, nibbles, scales, numbers, out)
        },
        // SAFETY: the caller names an instruction set that this processor has.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx2 => unsafe { dot_avx2(half, nibbles, scales, numbers, out) },
        _ => dot_body(half, nibbles, scales, numbers, out),
    }
}

/// Bytes that are multiplied at once.
const LINE: usize = 32;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dot_avx2(half: usize, nibbles: &[u8], scales: &[f32], numbers: &[i16], out: &mut [f32]) {
    dot_body(half, nibbles, scales, numbers, out);
}

#[inline(always)]
fn dot_body(half: usize, nibbles: &[u8], scales: &[f32], numbers: &[i16], out: &mut [f32]) {
    let code = |nibble: u8| i32::from(nibble & 15) - 8;
    let groups = numbers.len() / (2 * half);
    let rows = nibbles.chunks(groups * half).zip(scales.chunks(groups));
    for ((nibbles, scales), out) in rows.zip(out) {
        *out = 0.0;
        for ((bytes, numbers), scale) in nibbles.chunks(half).zip(numbers.chunks(2 * half)).zip(scales) {
            let (first, second) = numbers.split_at(half);
            let products = bytes.iter().zip(first.iter().zip(second)).map(|(byte, (first, second))| {
                code(*byte) * i32::from(*first) + code(byte >> 4) * i32::from(*second)
            });
            *out += scale * products.sum::<i32>() as f32;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn dot_avx512(half: usize, nibbles: &[u8], scales: &[f32], numbers: &[i16], out: &mut [f32]) {
    use std::arch::x86_64::*;
    let (low, offset) = (_mm256_set1_epi8(15), _mm256_set1_epi8(8));
    let groups = numbers.len() / (2 * half);
    let rows = nibbles.chunks_exact(groups * half).zip(scales.chunks_exact(groups));
    for ((nibbles, scales), out) in rows.zip(out) {
        // Lane by lane until the end: adding up the lanes of every group would take longer than the products.
        let mut total = _mm512_setzero_ps();
        let groups = nibbles.chunks_exact(half).zip(numbers.chunks_exact(2 * half)).zip(scales);
        for ((bytes, numbers), scale) in groups {
            let (first, second) = numbers.split_at(half);
            let lines = bytes.as_chunks::<LINE>().0;
            let numbers = first.as_chunks::<LINE>().0.iter().zip(second.as_chunks::<LINE>().0);
            let mut sums = [_mm512_setzero_si512(); 2];
            for (bytes, (first, second)) in lines.iter().zip(numbers) {
                // SAFETY: the arrays have 32 bytes and 32 numbers of two bytes.
                let (bytes, numbers) = unsafe {
                    let numbers = [first, second].map(|numbers| _mm512_loadu_si512(numbers.as_ptr().cast()));
                    (_mm256_loadu_si256(bytes.as_ptr().cast()), numbers)
                };
                let codes =
                    [_mm256_and_si256(bytes, low), _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low)];
                for half in 0..2 {
                    let codes = _mm512_cvtepi8_epi16(_mm256_sub_epi8(codes[half], offset));
                    sums[half] = _mm512_dpwssd_epi32(sums[half], codes, numbers[half]);
                }
            }
            let sums = _mm512_cvtepi32_ps(_mm512_add_epi32(sums[0], sums[1]));
            total = _mm512_fmadd_ps(sums, _mm512_set1_ps(*scale), total);
        }
        *out = _mm512_reduce_add_ps(total);
    }
}
