//! Vector operations of a transformer: norms, rotation, gates, softmax.
//!
//! Every function computes the same numbers in the same order for the same length and instruction set. Loops
//! without sums are plain Rust compiled for each instruction set and agree to the bit on all of them; sums and
//! exponentials have their own forms for AVX2 and AVX-512.

pub(crate) mod exp;
mod loops;
mod nibbles;
mod plain;
mod reduce;

use crate::Isa;

/// Root-mean-square norm: `out[r] = input[r] / sqrt(mean(input[r]^2) + epsilon) * weight`, for rows of
/// `weight.len()` numbers (Zhang and Sennrich, 2019).
///
/// # Panics
/// When `input` and `out` differ in length or are not whole rows.
pub fn rms_norm(isa: Isa, input: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    assert_eq!(input.len(), out.len(), "lengths of input and output");
    if weight.is_empty() {
        assert!(input.is_empty(), "rows without columns");
        return;
    }
    assert!(input.len().is_multiple_of(weight.len()), "rows of {} numbers", weight.len());
    for (input, out) in input.chunks_exact(weight.len()).zip(out.chunks_exact_mut(weight.len())) {
        let mean = dot(isa, input, input) / weight.len() as f32;
        let factor = 1.0 / (mean + epsilon).sqrt();
        plain::scale(isa, input, factor, weight, out);
    }
}

/// Rotates one row in place (Su et al., 2021, pairs split into halves): with `n = cos.len()`, for each pair
/// `(x, y) = (row[i], row[i + n])`: `row[i] = x cos - y sin`, `row[i + n] = y cos + x sin`. Numbers behind `2n`
/// stay.
///
/// # Panics
/// When `cos` and `sin` differ in length or the row is shorter than `2n`.
pub fn rotate(isa: Isa, row: &mut [f32], cos: &[f32], sin: &[f32]) {
    assert_eq!(cos.len(), sin.len(), "lengths of cosines and sines");
    let (first, rest) = row.split_at_mut(cos.len());
    let (second, _) = rest.split_at_mut(cos.len());
    plain::rotate(isa, first, second, cos, sin);
}

/// Gate of a SwiGLU layer (Shazeer, 2020): `gate[i] = silu(gate[i]) * up[i]` with `silu(x) = x / (1 + e^-x)`.
///
/// # Panics
/// When the lengths differ.
pub fn swiglu(isa: Isa, gate: &mut [f32], up: &[f32]) {
    assert_eq!(gate.len(), up.len(), "lengths of gate and up");
    loops::swiglu(isa, gate, up);
}

/// `a[i] += b[i]`.
///
/// # Panics
/// When the lengths differ.
pub fn add(isa: Isa, a: &mut [f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "lengths of both");
    plain::add(isa, a, b);
}

/// Sum of `a[i] * b[i]`.
///
/// # Panics
/// When the lengths differ.
pub fn dot(isa: Isa, a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "lengths of both");
    reduce::dot(isa, a, b)
}

/// Numbers rounded to 16 bits, with the scale that gives them back: `numbers[i]` is about `rounded[i] * scale`, within
/// half a 32,767th of the largest one.
pub fn round_to_16_bits(isa: Isa, numbers: &[f32]) -> (Vec<i16>, f32) {
    let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
    let scale = largest / 32_767.0;
    let inverse = if scale > f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
    let mut rounded = vec![0; numbers.len()];
    plain::round_to_16_bits(isa, numbers, inverse, &mut rounded);
    (rounded, scale)
}

/// Longest group of [`dot_nibbles`]: the sums of its products stay within 32 bits.
pub const NIBBLES: usize = 8192;

/// For each row of 4-bit codes the sum over groups of `scales[g]` times the sum of `codes[i] * numbers[i]` in the group: its
/// product with numbers, where each group of them has a scale. Codes are from -8 to 7.
///
/// Byte `i` of a group of `n` codes holds `codes[i] + 8` in its lower half and `codes[n / 2 + i] + 8` in the upper.
///
/// # Panics
/// When lengths differ, or the groups do not fill the rows, are of an odd length or longer than [`NIBBLES`].
pub fn dot_nibbles(isa: Isa, nibbles: &[u8], scales: &[f32], numbers: &[i16], out: &mut [f32]) {
    if out.is_empty() || numbers.is_empty() {
        return out.fill(0.0);
    }
    assert_eq!(2 * nibbles.len(), out.len() * numbers.len(), "rows as long as the numbers");
    assert!(!scales.is_empty() && scales.len().is_multiple_of(out.len()), "groups of rows");
    let groups = scales.len() / out.len();
    assert!(numbers.len().is_multiple_of(2 * groups), "groups of whole bytes");
    assert!(numbers.len() / groups <= NIBBLES, "groups of at most {NIBBLES}");
    nibbles::dot(isa, nibbles, scales, numbers, out);
}

/// Softmax in place: `row[i] = e^row[i] / sum e^row`; returns the log of the sum (natural log).
///
/// A row without finite numbers above `-inf` becomes zeros, with `-inf` returned.
pub fn softmax(isa: Isa, row: &mut [f32]) -> f32 {
    let largest = plain::max(isa, row);
    if largest == f32::NEG_INFINITY {
        row.fill(0.0);
        return f32::NEG_INFINITY;
    }
    let sum = loops::exp_and_sum(isa, row, largest);
    plain::multiply(isa, row, 1.0 / sum);
    largest + sum.ln()
}

/// The index of the largest number, the first one of equals; `None` when there is no number above `-inf`.
pub fn argmax(isa: Isa, row: &[f32]) -> Option<usize> {
    let largest = plain::max(isa, row);
    if largest == f32::NEG_INFINITY {
        return None;
    }
    row.iter().position(|number| *number == largest)
}

/// What a row of logits says about its distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distribution {
    /// Natural log of the sum of exponentials: the log-probability of token `t` is `logits[t] - log_sum_exp`.
    pub log_sum_exp: f32,
    /// Entropy in nats.
    pub entropy: f32,
}

/// [`Distribution`] of a row of logits, which stays as it is.
///
/// Without a number above `-inf` the log-sum-exp is `-inf` and the entropy 0.
pub fn distribution(isa: Isa, logits: &[f32]) -> Distribution {
    let largest = plain::max(isa, logits);
    if largest == f32::NEG_INFINITY {
        return Distribution { log_sum_exp: f32::NEG_INFINITY, entropy: 0.0 };
    }
    let (sum, weighted) = loops::sums(isa, logits, largest);
    // With x the logit above the largest and p = e^x / sum: -sum p ln p = ln sum - (sum e^x x) / sum.
    let entropy = (sum.ln() - weighted / sum).max(0.0);
    Distribution { log_sum_exp: largest + sum.ln(), entropy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f32>> {
        proptest::collection::vec(-8.0_f32..8.0, count)
    }

    fn close(found: f32, expected: f64, size: f64) -> bool {
        (f64::from(found) - expected).abs() <= 1e-6 * size + 1e-30
    }

    proptest! {
        #[test]
        fn norm_is_that_of_f64(row in numbers(1..200), epsilon in 0.0_f32..0.1) {
            let weight: Vec<f32> = row.iter().map(|x| 1.0 - x / 10.0).collect();
            let input: Vec<f32> = row.iter().chain(row.iter().rev()).copied().collect();
            for isa in Isa::available() {
                let mut out = vec![f32::NAN; input.len()];
                rms_norm(isa, &input, &weight, epsilon, &mut out);
                for (input, out) in input.chunks(weight.len()).zip(out.chunks(weight.len())) {
                    let mean = input.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / input.len() as f64;
                    let root = (mean + f64::from(epsilon)).sqrt();
                    for ((found, x), weight) in out.iter().zip(input).zip(&weight) {
                        let expected = f64::from(*x) / root * f64::from(*weight);
                        prop_assert!(close(*found, expected, expected.abs() + 1e-6), "{found} {expected}");
                    }
                }
            }
        }

        #[test]
        fn dot_is_that_of_f64(a in numbers(0..300)) {
            let b: Vec<f32> = a.iter().rev().map(|x| x + 0.5).collect();
            let terms = || a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b));
            for isa in Isa::available() {
                prop_assert!(close(dot(isa, &a, &b), terms().sum(), terms().map(f64::abs).sum()));
            }
        }

        #[test]
        fn products_with_nibbles_are_those_of_f64(
            half in prop_oneof![numbers(1..90), numbers(32..33), numbers(64..65)], groups in 1_usize..5) {
            let numbers: Vec<f32> = (0..2 * groups).flat_map(|_| half.iter().copied()).collect();
            let rows = 3;
            let nibbles: Vec<u8> =
                numbers.iter().rev().cycle().take(rows * numbers.len() / 2).map(|x| (x * 15.0) as i32 as u8).collect();
            let scales: Vec<f32> = (0..rows * groups).map(|group| 0.1 + group as f32).collect();
            for isa in Isa::available() {
                let (rounded, scale) = round_to_16_bits(isa, &numbers);
                for (rounded, number) in rounded.iter().zip(&numbers) {
                    prop_assert!((f32::from(*rounded) * scale - number).abs() <= 0.51 * scale);
                }
                let mut out = vec![0.0; rows];
                dot_nibbles(isa, &nibbles, &scales, &rounded, &mut out);
                for (row, found) in out.iter().enumerate() {
                    let terms = || rounded.iter().enumerate().map(|(at, number)| {
                        let (group, within) = (row * groups + at / (2 * half.len()), at % (2 * half.len()));
                        let byte = nibbles[group * half.len() + within % half.len()];
                        let nibble = if within < half.len() { byte & 15 } else { byte >> 4 };
                        f64::from(*number) * (f64::from(nibble) - 8.0) * f64::from(scales[group])
                    });
                    prop_assert!(close(*found, terms().sum(), terms().map(f64::abs).sum()));
                }
            }
        }

        #[test]
        fn swiglu_is_that_of_f64(gate in proptest::collection::vec(-100.0_f32..100.0, 0..100)) {
            let up: Vec<f32> = gate.iter().rev().map(|x| x / 7.0 + 1.0).collect();
            for isa in Isa::available() {
                let mut found = gate.clone();
                swiglu(isa, &mut found, &up);
                for ((found, x), up) in found.iter().zip(&gate).zip(&up) {
                    let x = f64::from(*x);
                    let expected = x / (1.0 + (-x).exp()) * f64::from(*up);
                    prop_assert!(close(*found, expected, expected.abs()), "{found} {expected} at {x}");
                }
            }
        }

        #[test]
        fn softmax_and_distribution_are_those_of_f64(row in numbers(1..300), shift in -1e4_f32..1e4) {
            let row: Vec<f32> = row.iter().map(|x| x + shift).collect();
            let largest = row.iter().fold(f64::NEG_INFINITY, |a, b| a.max(f64::from(*b)));
            let sum: f64 = row.iter().map(|x| (f64::from(*x) - largest).exp()).sum();
            let log_sum = largest + sum.ln();
            let entropy: f64 = row.iter().map(|x| f64::from(*x) - log_sum).map(|p| -p * p.exp()).sum();
            for isa in Isa::available() {
                let found = distribution(isa, &row);
                prop_assert!(close(found.log_sum_exp, log_sum, log_sum.abs() + 1.0));
                prop_assert!((f64::from(found.entropy) - entropy).abs() < 1e-5, "{found:?} {entropy}");
                let mut weights = row.clone();
                prop_assert!(close(softmax(isa, &mut weights), log_sum, log_sum.abs() + 1.0));
                for (found, x) in weights.iter().zip(&row) {
                    let expected = (f64::from(*x) - log_sum).exp();
                    prop_assert!(close(*found, expected, expected * 2.0), "{found} {expected}");
                }
            }
        }

        #[test]
        fn argmax_is_the_first_largest(row in proptest::collection::vec(-3_i8..4, 1..200)) {
            let row: Vec<f32> = row.iter().map(|x| f32::from(*x)).collect();
            let mut expected = 0;
            for (index, number) in row.iter().enumerate() {
                if *number > row[expected] {
                    expected = index;
                }
            }
            for isa in Isa::available() {
                prop_assert_eq!(argmax(isa, &row), Some(expected));
            }
        }
    }

    #[test]
    fn rotation_turns_pairs_and_keeps_the_rest() {
        for isa in Isa::available() {
            let mut row = [1.0, 2.0, 3.0, 4.0, 5.0];
            rotate(isa, &mut row, &[0.0, 0.6], &[1.0, 0.8]);
            assert_eq!(row, [-3.0, 2.0 * 0.6 - 4.0 * 0.8, 1.0, 4.0 * 0.6 + 2.0 * 0.8, 5.0]);
        }
    }

    #[test]
    fn hidden_and_empty_rows_give_zeros_instead_of_undefined_numbers() {
        for isa in Isa::available() {
            assert_eq!(softmax(isa, &mut []), f32::NEG_INFINITY);
            let mut row = [f32::NEG_INFINITY; 20];
            assert_eq!(softmax(isa, &mut row), f32::NEG_INFINITY);
            assert_eq!(row, [0.0; 20]);
            assert_eq!(argmax(isa, &row[..0]), None);
            let mut row = [f32::NEG_INFINITY; 20];
            row[17] = 3.0;
            assert_eq!(distribution(isa, &row), Distribution { log_sum_exp: 3.0, entropy: 0.0 });
            assert_eq!(argmax(isa, &row), Some(17));
            assert_eq!(softmax(isa, &mut row), 3.0);
            assert_eq!(row[17], 1.0);
            assert_eq!(row[..17], [0.0; 17]);
        }
    }

    #[test]
    fn adding_adds() {
        for isa in Isa::available() {
            let mut a: Vec<f32> = (0..37).map(|x| x as f32).collect();
            let b: Vec<f32> = a.iter().map(|x| 0.5 - x).collect();
            add(isa, &mut a, &b);
            assert_eq!(a, [0.5; 37]);
        }
    }
}
