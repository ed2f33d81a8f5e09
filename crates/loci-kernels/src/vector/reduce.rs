//! Sums of products.

use crate::Isa;

/// Sum of products; the lengths are equal.
pub(super) fn dot(isa: Isa, a: &[f32], b: &[f32]) -> f32 {
    match isa {
        // SAFETY: the caller names an instruction set that this processor has.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { x86::dot_avx512(a, b) },
        // SAFETY: the caller names an instruction set that this processor has.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { x86::dot_avx2(a, b) },
        _ => {
            // Sixteen sums: short chains of rounding errors, and room for the compiler's vectors.
            let mut sums = [0.0_f32; 16];
            let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
            for (a, b) in a.iter().zip(b) {
                for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                    *sum += a * b;
                }
            }
            let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
            sums.iter().sum::<f32>() + rest
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(super) unsafe fn dot_avx512(a: &[f32], b: &[f32]) -> f32 {
        let mut sums = [_mm512_setzero_ps(); 4];
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<64>(), b.as_chunks::<64>());
        for (a, b) in a.iter().zip(b) {
            for (index, sum) in sums.iter_mut().enumerate() {
                // SAFETY: four groups of 16 numbers lie in each chunk.
                unsafe {
                    let a = _mm512_loadu_ps(a.as_ptr().add(index * 16));
                    *sum = _mm512_fmadd_ps(a, _mm512_loadu_ps(b.as_ptr().add(index * 16)), *sum);
                }
            }
        }
        for (a, b) in a_rest.chunks(16).zip(b_rest.chunks(16)) {
            let mask = u16::MAX >> (16 - a.len());
            // SAFETY: the mask covers the numbers that exist.
            unsafe {
                let a = _mm512_maskz_loadu_ps(mask, a.as_ptr());
                sums[0] = _mm512_fmadd_ps(a, _mm512_maskz_loadu_ps(mask, b.as_ptr()), sums[0]);
            }
        }
        let [a, b, c, d] = sums;
        _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)))
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn dot_avx2(a: &[f32], b: &[f32]) -> f32 {
        let mut sums = [_mm256_setzero_ps(); 4];
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
        for (a, b) in a.iter().zip(b) {
            for (index, sum) in sums.iter_mut().enumerate() {
                // SAFETY: four groups of 8 numbers lie in each chunk.
                unsafe {
                    let a = _mm256_loadu_ps(a.as_ptr().add(index * 8));
                    *sum = _mm256_fmadd_ps(a, _mm256_loadu_ps(b.as_ptr().add(index * 8)), *sum);
                }
            }
        }
        let [a, b, c, d] = sums;
        let mut lanes = [0.0_f32; 8];
        // SAFETY: the array has 8 numbers.
        unsafe {
            let sum = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
            _mm256_storeu_ps(lanes.as_mut_ptr(), sum);
        }
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
        lanes.iter().sum::<f32>() + rest
    }
}
