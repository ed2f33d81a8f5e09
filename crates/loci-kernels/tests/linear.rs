//! Packed matrices and their products against plain definitions, on all instruction sets of this processor.

use loci_kernels::linear::{PackError, PackedMatrix, matmul, matmul_reference};
use loci_kernels::quant::{GgmlType, dequantize};
use loci_kernels::{Isa, Pool};
use proptest::prelude::*;

/// A small generator of its own (SplitMix64), so that tests need no crate for it.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// Roughly normal, variance 1.
    fn normal(&mut self) -> f32 {
        let sum: f64 = (0..12).map(|_| self.bits() as f64 / u64::MAX as f64).sum();
        (sum - 6.0) as f32
    }

    fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.normal()).collect()
    }

    /// Weights in format `ty`: any codes, factors near 0.02.
    fn weights(&mut self, ty: GgmlType, count: usize) -> Vec<u8> {
        let half = |x: f32| half::f16::from_f32(x).to_le_bytes();
        if ty.is_dense() {
            let numbers = self.numbers(count);
            return match ty {
                GgmlType::F32 => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
                GgmlType::F16 => numbers.iter().flat_map(|x| half(*x)).collect(),
                _ => numbers.iter().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect(),
            };
        }
        let factors: &[usize] = match ty {
            GgmlType::Q4_0 | GgmlType::Q5_0 | GgmlType::Q8_0 => &[0],
            GgmlType::Q6_K => &[208],
            _ => &[0, 2],
        };
        let mut bytes: Vec<u8> = (0..ty.bytes_for(count).unwrap()).map(|_| self.bits() as u8).collect();
        for block in bytes.chunks_exact_mut(ty.block_bytes()) {
            for at in factors {
                block[*at..at + 2].copy_from_slice(&half(0.02 * self.normal()));
            }
        }
        bytes
    }

    fn packed(&mut self, ty: GgmlType, out_features: usize, in_features: usize) -> PackedMatrix {
        let bytes = self.weights(ty, out_features * in_features);
        PackedMatrix::pack(ty, &bytes, out_features, in_features, &|row| row, &Pool::new(1)).unwrap()
    }
}

fn product(isa: Isa, pool: &Pool, input: &[f32], rows: usize, weight: &PackedMatrix) -> Vec<f32> {
    let mut output = vec![f32::NAN; rows * weight.out_features()];
    matmul(isa, pool, input, rows, &[weight], &mut [&mut output]);
    output
}

/// What the quantised product is by definition, in f64, and the sum of magnitudes that bounds its rounding.
fn defined(input: &[f32], rows: usize, weight: &PackedMatrix) -> Vec<(f64, f64)> {
    let columns = weight.in_features();
    let mut weights = vec![0.0; columns];
    let mut result = vec![(0.0, 0.0); rows * weight.out_features()];
    for column in 0..weight.out_features() {
        weight.read_row(column, &mut weights);
        for row in 0..rows {
            let mut total = (0.0, 0.0);
            for (numbers, weights) in input[row * columns..][..columns].chunks(32).zip(weights.chunks(32)) {
                let largest = numbers.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
                for (number, weight) in numbers.iter().zip(weights) {
                    let code = (number * (127.0 / largest)).round_ties_even();
                    let term = f64::from(largest / 127.0) * f64::from(code) * f64::from(*weight);
                    total.0 += term;
                    // A min cancels against a scale times codes, so that its rounding counts more.
                    total.1 += term.abs() + f64::from(largest) * 0.5;
                }
            }
            result[row * weight.out_features() + column] = total;
        }
    }
    result
}

fn types() -> impl Strategy<Value = GgmlType> {
    proptest::sample::select(GgmlType::ALL.to_vec())
}

/// Columns allowed for a format, from `units` whole blocks (or odd numbers for dense formats).
fn columns(ty: GgmlType, units: usize) -> usize {
    if ty.is_dense() { units * 13 + 1 } else { units.div_ceil(ty.block_len() / 32) * ty.block_len() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn rows_read_back_equal_the_source(ty in types(), out in 1_usize..40, units in 1_usize..20, seed: u64) {
        let columns = columns(ty, units);
        let mut random = Random(seed);
        let bytes = random.weights(ty, out * columns);
        let order = |row: usize| (row * 7 + 3) % out;
        let order = |row: usize| if out % 7 == 0 { out - 1 - row } else { order(row) };
        let packed = PackedMatrix::pack(ty, &bytes, out, columns, &order, &Pool::new(2)).unwrap();
        let row_bytes = ty.bytes_for(columns).unwrap();
        let (mut expected, mut found) = (vec![0.0; columns], vec![0.0; columns]);
        for row in 0..out {
            dequantize(ty, &bytes[order(row) * row_bytes..][..row_bytes], &mut expected);
            packed.read_row(row, &mut found);
            prop_assert_eq!(&expected, &found);
        }
    }

    #[test]
    fn products_equal_their_definition(
        ty in types(), rows in 1_usize..30, out in 1_usize..70, units in 1_usize..20, seed: u64,
    ) {
        let mut random = Random(seed);
        let weight = random.packed(ty, out, columns(ty, units));
        let input = random.numbers(rows * weight.in_features());
        let expected = if ty.is_dense() {
            let mut plain = vec![0.0; rows * out];
            matmul_reference(&input, rows, &weight, &mut plain);
            plain.iter().map(|x| (f64::from(*x), weight.in_features() as f64)).collect()
        } else {
            defined(&input, rows, &weight)
        };
        for isa in Isa::available() {
            let found = product(isa, &Pool::new(2), &input, rows, &weight);
            for (index, (found, (expected, size))) in found.iter().zip(&expected).enumerate() {
                let error = (f64::from(*found) - expected).abs();
                prop_assert!(error <= 2e-6 * size, "{}: {found} is not {expected} at {index}", isa.name());
            }
        }
    }

    #[test]
    fn a_row_gives_the_same_bits_alone_and_in_a_batch(
        ty in types(), rows in 2_usize..40, out in 1_usize..70, units in 1_usize..12, seed: u64,
    ) {
        let mut random = Random(seed);
        let weight = random.packed(ty, out, columns(ty, units));
        let input = random.numbers(rows * weight.in_features());
        for isa in Isa::available() {
            let batch = product(isa, &Pool::new(1), &input, rows, &weight);
            for (row, numbers) in input.chunks(weight.in_features()).enumerate() {
                let alone = product(isa, &Pool::new(1), numbers, 1, &weight);
                prop_assert_eq!(&alone, &batch[row * out..][..out], "row {} on {}", row, isa.name());
            }
        }
    }
}

#[test]
fn several_matrices_of_mixed_formats_and_many_tasks_do_not_depend_on_threads() {
    let mut random = Random(5);
    let columns = 768;
    let shapes = [(GgmlType::Q4_1, 600), (GgmlType::F16, 50), (GgmlType::Q6_K, 333), (GgmlType::Q8_0, 1)];
    // More matrices than one parallel region takes.
    let weights: Vec<PackedMatrix> =
        shapes.iter().cycle().take(10).map(|(ty, out)| random.packed(*ty, *out, columns)).collect();
    let weights: Vec<&PackedMatrix> = weights.iter().collect();
    for rows in [1, 3, 401] {
        let input = random.numbers(rows * columns);
        for isa in Isa::available() {
            if isa == Isa::Portable && rows > 3 {
                continue; // slow, and the cutting into tasks is the same
            }
            let run = |threads| {
                let mut outputs: Vec<Vec<f32>> =
                    weights.iter().map(|weight| vec![f32::NAN; rows * weight.out_features()]).collect();
                let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
                matmul(isa, &Pool::new(threads), &input, rows, &weights, &mut slices);
                outputs
            };
            let one = run(1);
            assert!(one.iter().flatten().all(|number| number.is_finite()));
            assert_eq!(one, run(3), "{} with {rows} rows", isa.name());
        }
    }
}

#[test]
fn quantised_activations_cost_less_than_one_percent() {
    let mut random = Random(11);
    for ty in GgmlType::ALL {
        let weight = random.packed(ty, 64, 1536);
        let input = random.numbers(20 * 1536);
        let mut expected = vec![0.0; 20 * 64];
        matmul_reference(&input, 20, &weight, &mut expected);
        let found = product(Isa::best(), &Pool::new(1), &input, 20, &weight);
        let square = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|x| f64::from(x * x)).sum::<f64>();
        let error = square(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
        let relative = (error / square(&mut expected.iter().copied())).sqrt();
        assert!(relative < if ty.is_dense() { 1e-5 } else { 1e-2 }, "{}: {relative}", ty.name());
    }
}

#[test]
fn extreme_codes_and_activations_are_summed_exactly() {
    // All codes at one end and all activations equal: the largest sums there are.
    for (ty, raw) in
        [(GgmlType::Q8_0, 0x80), (GgmlType::Q8_0, 0x7F), (GgmlType::Q4_0, 0), (GgmlType::Q5_1, 0xFF)]
    {
        let mut bytes = vec![raw; ty.bytes_for(16 * 64).unwrap()];
        for block in bytes.chunks_exact_mut(ty.block_bytes()) {
            block[..2].copy_from_slice(&half::f16::ONE.to_le_bytes());
            if ty == GgmlType::Q5_1 {
                block[2..4].copy_from_slice(&half::f16::ZERO.to_le_bytes());
            }
        }
        let weight = PackedMatrix::pack(ty, &bytes, 16, 64, &|row| row, &Pool::new(1)).unwrap();
        let mut row = vec![0.0; 64];
        weight.read_row(0, &mut row);
        for sign in [1.0, -1.0] {
            let expected = row[0] * 127.0 * sign * 64.0;
            for isa in Isa::available() {
                let found = product(isa, &Pool::new(1), &[127.0 * sign; 5 * 64], 5, &weight);
                assert!(found.iter().all(|number| *number == expected), "{} {}", ty.name(), isa.name());
            }
        }
    }
}

#[test]
fn undefined_and_infinite_inputs_reach_the_output_and_zeros_give_zero() {
    let mut random = Random(3);
    let weight = random.packed(GgmlType::Q4_1, 20, 64);
    for isa in Isa::available() {
        let mut input = random.numbers(3 * 64);
        input[70] = f32::NAN;
        input[130] = f32::INFINITY;
        let found = product(isa, &Pool::new(1), &input, 3, &weight);
        assert!(found[..20].iter().all(|x| x.is_finite()));
        assert!(found[20..40].iter().all(|x| x.is_nan()));
        assert!(found[40..].iter().all(|x| !x.is_finite()));
        assert_eq!(product(isa, &Pool::new(1), &[0.0; 64], 1, &weight), [0.0; 20]);
        assert!(product(isa, &Pool::new(1), &[1e-38; 64], 1, &weight).iter().all(|x| x.abs() < 1e-30));
    }
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let pool = Pool::new(1);
    let pack =
        |ty, bytes: &[u8], out, columns| PackedMatrix::pack(ty, bytes, out, columns, &|row| row, &pool);
    let error = pack(GgmlType::Q8_0, &[0; 33], 1, 32).unwrap_err();
    assert_eq!(
        error,
        PackError::Length { ty: "Q8_0", out_features: 1, in_features: 32, expected: 34, found: 33 }
    );
    assert!(matches!(pack(GgmlType::Q4_K, &[0; 144], 8, 32), Err(PackError::Shape { block: 256, .. })));
    assert!(matches!(pack(GgmlType::F32, &[], usize::MAX, 32), Err(PackError::Shape { .. })));
    let empty = pack(GgmlType::Q8_0, &[], 0, 32).unwrap();
    assert_eq!((empty.bytes(), empty.out_features()), (0, 0));
    matmul(Isa::best(), &pool, &[1.0; 32], 1, &[&empty], &mut [&mut []]);
}
