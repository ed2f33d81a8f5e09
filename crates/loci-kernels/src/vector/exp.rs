//! The exponential function for each instruction set.
//!
//! `e^x = 2^n e^r` with `n = round(x / ln 2)`: `r` lies within ±ln(2)/2, where a polynomial of degree 6 is
//! exact to 4e-9. `n ln 2` is subtracted in two parts so that `r` keeps its low bits (Cody and Waite, 1980).
//! The relative error is below 2e-7 for `-87.3 <= x <= 88`. Below, the result is 0; above, it stays at `e^88`;
//! NaN stays NaN.

/// Below this number the result is 0: denormal results are not worth their cost.
const LOW: f32 = -87.3;
/// Above this number the result stays the same: `2^n` is an f32 up to n = 127.
const HIGH: f32 = 88.0;
const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// `ln 2` in few bits, so that its products with small integers are exact, and what is missing from it.
const LN2_HIGH: f32 = 0.693_145_75;
const LN2_LOW: f32 = 1.428_606_8e-6;
/// Coefficients of `r^6` down to `r^2`, fitted to the relative error at Chebyshev nodes; those of `r` and 1
/// are 1.
const COEFFICIENTS: [f32; 5] = [0.001_375_115, 0.008_368_988, 0.041_669_544, 0.166_665_18, 0.499_999_88];
/// 1.5 * 2^23: adding it leaves the rounded integer in the low bits.
const MAGIC: f32 = 12_582_912.0;

/// `e^x` in plain Rust.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let clamped = if x < LOW { LOW } else { x };
    let clamped = if clamped > HIGH { HIGH } else { clamped };
    let shifted = clamped * LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = clamped - n * LN2_HIGH - n * LN2_LOW;
    let tail = COEFFICIENTS.iter().fold(0.0, |sum, coefficient| sum * r + coefficient);
    let small = tail * (r * r) + r + 1.0;
    let power = shifted.to_bits().wrapping_sub(MAGIC.to_bits()).wrapping_add(127) << 23;
    if x < LOW { 0.0 } else { small * f32::from_bits(power) }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{COEFFICIENTS, HIGH, LN2_HIGH, LN2_LOW, LOG2_E, LOW};
    use std::arch::x86_64::*;

    /// `e^x` for 16 numbers.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) fn exp_avx512(x: __m512) -> __m512 {
        // The order of the operands matters: with NaN among them, both return the second one.
        let clamped = _mm512_min_ps(_mm512_set1_ps(HIGH), _mm512_max_ps(_mm512_set1_ps(LOW), x));
        let n = _mm512_roundscale_ps::<0>(_mm512_mul_ps(clamped, _mm512_set1_ps(LOG2_E)));
        let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN2_HIGH), clamped);
        let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN2_LOW), r);
        let mut tail = _mm512_set1_ps(COEFFICIENTS[0]);
        for coefficient in &COEFFICIENTS[1..] {
            tail = _mm512_fmadd_ps(tail, r, _mm512_set1_ps(*coefficient));
        }
        let small = _mm512_fmadd_ps(tail, _mm512_mul_ps(r, r), r);
        let small = _mm512_add_ps(small, _mm512_set1_ps(1.0));
        let kept = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(x, _mm512_set1_ps(LOW));
        _mm512_maskz_scalef_ps(kept, small, n)
    }

    /// `e^x` for 8 numbers.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(crate) fn exp_avx2(x: __m256) -> __m256 {
        let clamped = _mm256_min_ps(_mm256_set1_ps(HIGH), _mm256_max_ps(_mm256_set1_ps(LOW), x));
        let n = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(_mm256_mul_ps(
            clamped,
            _mm256_set1_ps(LOG2_E),
        ));
        let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN2_HIGH), clamped);
        let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN2_LOW), r);
        let mut tail = _mm256_set1_ps(COEFFICIENTS[0]);
        for coefficient in &COEFFICIENTS[1..] {
            tail = _mm256_fmadd_ps(tail, r, _mm256_set1_ps(*coefficient));
        }
        let small = _mm256_fmadd_ps(tail, _mm256_mul_ps(r, r), r);
        let small = _mm256_add_ps(small, _mm256_set1_ps(1.0));
        let power = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
        let power = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(power));
        let kept = _mm256_cmp_ps::<_CMP_NLT_UQ>(x, _mm256_set1_ps(LOW));
        _mm256_and_ps(kept, _mm256_mul_ps(small, power))
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{exp_avx2, exp_avx512};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    /// Every form on one number.
    fn all(x: f32) -> Vec<f32> {
        let mut results = vec![exp(x)];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::*;
            if Isa::best() >= Isa::Avx2 {
                // SAFETY: the processor has AVX2.
                results.push(unsafe { _mm256_cvtss_f32(exp_avx2(_mm256_set1_ps(x))) });
            }
            if Isa::best() >= Isa::Avx512 {
                // SAFETY: the processor has AVX-512.
                results.push(unsafe { _mm512_cvtss_f32(exp_avx512(_mm512_set1_ps(x))) });
            }
        }
        results
    }

    #[test]
    fn relative_error_is_below_two_in_ten_million() {
        for step in 0..200_000 {
            let x = -87.3 + 175.3 * (step as f32 / 200_000.0);
            let expected = f64::from(x).exp();
            for found in all(x) {
                assert!((f64::from(found) / expected - 1.0).abs() < 2e-7, "{x}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn ends_of_the_range() {
        for (x, expected) in [(0.0, 1.0), (-88.0, 0.0), (f32::NEG_INFINITY, 0.0)] {
            assert!(all(x).iter().all(|found| *found == expected), "{x}: {:?}", all(x));
        }
        assert!(all(f32::NAN).iter().all(|found| found.is_nan()));
        for found in all(f32::INFINITY).into_iter().chain(all(1e9)) {
            assert!((found / 1.651_636_3e38 - 1.0).abs() < 1e-6, "{found}");
        }
    }
}
