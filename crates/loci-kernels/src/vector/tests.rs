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
    fn products_with_columns_are_dots(row in numbers(1..150), groups in 1_usize..4) {
        let width = groups * COLUMNS;
        let column = |j: usize, i: usize| row[i] * 0.7 - j as f32;
        let of_group = |g: usize| (0..row.len()).flat_map(move |i| (0..COLUMNS).map(move |j| (g * COLUMNS + j, i)));
        let columns: Vec<f32> = (0..groups).flat_map(of_group).map(|(j, i)| column(j, i)).collect();
        let mut first = None;
        for isa in Isa::available() {
            let mut out = vec![f32::NAN; width];
            products(isa, &columns, &row, &mut out);
            for (j, found) in out.iter().enumerate() {
                let terms = || (0..row.len()).map(|i| f64::from(column(j, i)) * f64::from(row[i]));
                prop_assert!(close(*found, terms().sum(), terms().map(f64::abs).sum()));
            }
            prop_assert_eq!(&out, first.get_or_insert_with(|| out.clone()));
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
    fn layer_norm_is_that_of_f64(row in numbers(1..200), shift in -100.0_f32..100.0, epsilon in 1e-12_f32..0.1) {
        let weight: Vec<f32> = row.iter().map(|x| 1.0 - x / 10.0).collect();
        let bias: Vec<f32> = row.iter().map(|x| x / 5.0).collect();
        let input: Vec<f32> = row.iter().chain(row.iter().rev()).map(|x| x + shift).collect();
        for isa in Isa::available() {
            let mut out = input.clone();
            layer_norm(isa, &mut out, &weight, &bias, epsilon);
            for (input, out) in input.chunks(weight.len()).zip(out.chunks(weight.len())) {
                let mean = input.iter().map(|x| f64::from(*x)).sum::<f64>() / input.len() as f64;
                let spread = input.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>();
                let root = (spread / input.len() as f64 + f64::from(epsilon)).sqrt();
                for (((found, x), weight), bias) in out.iter().zip(input).zip(&weight).zip(&bias) {
                    let expected = (f64::from(*x) - mean) / root * f64::from(*weight) + f64::from(*bias);
                    // The mean is rounded to the precision of the numbers before it is taken off.
                    let size = 1.0 + expected.abs() + mean.abs() / root;
                    prop_assert!(close(*found, expected, 4.0 * size), "{found} {expected}");
                }
            }
        }
    }

    #[test]
    fn gelu_with_tanh_is_that_of_f64(row in proptest::collection::vec(-30.0_f32..30.0, 0..100)) {
        for isa in Isa::available() {
            let mut found = row.clone();
            gelu_tanh(isa, &mut found);
            for (found, x) in found.iter().zip(&row) {
                let x = f64::from(*x);
                let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                let expected = x * (1.0 + u.tanh()) / 2.0;
                prop_assert!(close(*found, expected, 1.0 + expected.abs()), "{found} {expected} at {x}");
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
fn gelu_is_that_of_the_error_function() {
    // By an erfc in double precision.
    let expected = [
        (-5.0, -1.433_257_859_396e-6),
        (-3.0, -0.004_049_694_094_890_3),
        (-1.0, -0.158_655_253_931_457_1),
        (-0.5, -0.154_268_769_362_993_4),
        (-0.01, -0.004_960_106_436_853_7),
        (0.0, 0.0),
        (0.25, 0.149_676_581_420_730_9),
        (1.0, 0.841_344_746_068_542_9),
        (2.0, 1.954_499_736_103_641_6),
        (4.0, 3.999_873_315_032_667_5),
        (40.0, 40.0),
        (-40.0, 0.0),
    ];
    for isa in Isa::available() {
        let mut row: Vec<f32> = expected.iter().map(|(x, _)| *x).collect();
        gelu(isa, &mut row);
        for (found, (x, expected)) in row.iter().zip(expected) {
            let error = (f64::from(*found) - expected).abs();
            assert!(error < 2e-7 * f64::from(x.abs().max(1.0)), "{found} {expected} at {x}");
        }
        let mut undefined = [f32::NAN];
        gelu(isa, &mut undefined);
        assert!(undefined[0].is_nan());
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
