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

/// Layer norm in place: `row = (row - mean(row)) / sqrt(variance(row) + epsilon) * weight + bias`, for rows of
/// `weight.len()` numbers (Ba, Kiros and Hinton, 2016).
///
/// # Panics
/// When `weight` and `bias` differ in length or `rows` are not whole rows.
pub fn layer_norm(isa: Isa, rows: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    assert_eq!(weight.len(), bias.len(), "lengths of weight and bias");
    if weight.is_empty() {
        assert!(rows.is_empty(), "rows without columns");
        return;
    }
    assert!(rows.len().is_multiple_of(weight.len()), "rows of {} numbers", weight.len());
    let count = weight.len() as f32;
    for row in rows.chunks_exact_mut(weight.len()) {
        let mean = plain::sum(isa, row) / count;
        // The mean goes first: the variance of numbers far from 0 would lose its digits otherwise.
        plain::lower(isa, row, mean);
        let variance = dot(isa, row, row) / count;
        plain::scale_and_shift(isa, row, 1.0 / (variance + epsilon).sqrt(), weight, bias);
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

/// Gaussian error linear unit in place (Hendrycks and Gimpel, 2016): `x (1 + erf(x / sqrt(2))) / 2`, within 2e-7 of it
/// times the larger of 1 and `|x|`.
pub fn gelu(isa: Isa, row: &mut [f32]) {
    loops::gelu(isa, row);
}

/// The approximation of [`gelu`] that many models are trained with:
/// `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2`.
pub fn gelu_tanh(isa: Isa, row: &mut [f32]) {
    loops::gelu_tanh(isa, row);
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

/// Columns that [`products`] takes at a time.
pub const COLUMNS: usize = 16;

/// Products of a row of numbers with columns of a matrix: `out[16 g + j]` = sum of `columns[g, i, j] * numbers[i]`, where
/// `columns` is `[out / 16, numbers, 16]`.
///
/// The same bits on all instruction sets.
///
/// # Panics
/// When lengths do not fit, or the columns are no multiple of [`COLUMNS`].
pub fn products(isa: Isa, columns: &[f32], numbers: &[f32], out: &mut [f32]) {
    assert_eq!(columns.len(), numbers.len() * out.len(), "a column for each product");
    assert!(out.len().is_multiple_of(COLUMNS), "groups of {COLUMNS} columns");
    plain::products(isa, columns, numbers, out);
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
mod tests;
