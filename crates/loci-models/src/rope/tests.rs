//! Golden values from an independent script, the numbers printed in the papers, and the equalities every
//! schedule must keep.

use std::f64::consts::TAU;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Golden {
    spec: String,
    base: f64,
    head_dim: usize,
    trained_window: usize,
    planned_tokens: usize,
    attention_scale: f64,
    frequencies: Vec<f64>,
}

fn schedule(spec: &str, base: f64, head_dim: usize, window: usize, planned: usize) -> RopeSchedule {
    RopeSpec::parse(spec).and_then(|spec| spec.schedule(base, head_dim, window, planned)).unwrap()
}

fn close(left: f64, right: f64, relative: f64) -> bool {
    (left - right).abs() <= relative * right.abs()
}

#[test]
fn every_schedule_gives_the_frequencies_of_the_golden_script() {
    let golden: Vec<Golden> = serde_json::from_str(include_str!("../../tests/fixtures/rope.json")).unwrap();
    for case in &golden {
        let made = schedule(&case.spec, case.base, case.head_dim, case.trained_window, case.planned_tokens);
        assert!(close(made.attention_scale, case.attention_scale, 1e-14), "{}", case.spec);
        assert_eq!(made.frequencies.len(), case.frequencies.len());
        for (pair, (left, right)) in made.frequencies.iter().zip(&case.frequencies).enumerate() {
            assert!(close(*left, *right, 1e-12), "{} pair {pair}: {left} is not {right}", case.spec);
        }
    }
    for info in SCHEDULES {
        assert!(
            golden.iter().any(|case| case.spec.split(':').next() == Some(info.id)),
            "no golden of {}",
            info.id
        );
    }
}

#[test]
fn giraffe_prints_these_values() {
    let expect = |spec: &str, printed: [f64; 8]| {
        let made = schedule(spec, 1e4, 16, 2048, 0);
        for (left, right) in made.frequencies.iter().zip(printed) {
            assert!(close(*left, right, 5e-6), "{spec}: {:?}", made.frequencies);
        }
    };
    let stock = [1.0, 0.316_228, 0.1, 0.031_622_8, 0.01, 0.003_162_28, 0.001, 0.000_316_228];
    expect("none", stock);
    let mut cut = stock;
    (cut[6], cut[7]) = (1.917_48e-4, 0.0);
    expect("truncated:window=2048", cut);
    expect("truncated:window=64", [1.0, 0.316_228, 0.1, 0.006_135_92, 0.0, 0.0, 0.0, 0.0]);
    expect("power", [1.0, 0.295_804, 0.086_602_5, 0.025, 0.007_071_07, 0.001_936_49, 0.000_5, 0.000_111_803]);
}

#[test]
fn giraffe_keeps_flattens_and_stops_these_numbers_of_pairs() {
    for (base, head_dim, window, expected) in [(1e4, 128, 2048, (41, 14, 9)), (1e5, 64, 8192, (20, 6, 6))] {
        let made = schedule("truncated", base, head_dim, window, 0);
        let low = TAU / (16.0 * window as f64);
        let count = |test: &dyn Fn(f64) -> bool| made.frequencies.iter().filter(|f| test(**f)).count();
        assert_eq!((count(&|f| f > low), count(&|f| f == low), count(&|f| f == 0.0)), expected);
    }
}

#[test]
fn pairs_that_finish_a_turn_in_the_window_are_as_the_abf_paper_counts_them() {
    for (base, head_dim, window, expected) in [
        (1e4, 128, 4096, 46),
        (1e4, 128, 32_768, 60),
        (5e5, 128, 4096, 32),
        (5e5, 128, 32_768, 42),
        (1e5, 64, 8192, 20),
        (1e5, 64, 32_768, 24),
        (5e6, 64, 8192, 15),
        (5e6, 64, 32_768, 18),
    ] {
        let made = schedule(&format!("abf:base={base}"), 1e4, head_dim, 4096, 0);
        let turning = made.frequencies.iter().filter(|f| *f * window as f64 >= TAU).count();
        assert_eq!(turning, expected, "base {base}, head_dim {head_dim}, window {window}");
    }
}

/// Expected score of equal all-ones query and key at a distance: the sum of the pairs' cosines.
fn score(schedule: &RopeSchedule, distance: f64) -> f64 {
    (0..schedule.pairs()).map(|pair| schedule.angle(pair, distance).cos()).sum()
}

#[test]
fn a_larger_base_damps_far_tokens_less() {
    let (old, new) = (schedule("none", 1e4, 128, 4096, 0), schedule("abf", 1e4, 128, 4096, 0));
    assert_eq!((score(&old, 0.0), score(&new, 0.0)), (64.0, 64.0));
    let mean = |schedule: &RopeSchedule| {
        let far = (4096..32_768).step_by(16);
        let count = far.clone().count() as f64;
        far.map(|distance| score(schedule, distance as f64)).sum::<f64>() / count
    };
    assert!(mean(&new) > mean(&old) + 5.0, "{} against {}", mean(&new), mean(&old));
}

#[test]
fn a_larger_base_keeps_neighbours_further_apart_than_interpolation() {
    // Squared distance between the rotated images of positions 0 and 1 of the all-ones vector, per unit norm:
    // the more, the easier neighbours are to tell apart. Both reach 32k from 4k.
    let apart = |schedule: &RopeSchedule| schedule.pairs() as f64 - score(schedule, 1.0);
    let base = schedule("abf", 1e4, 128, 4096, 0);
    let interpolated = schedule("linear:factor=8", 1e4, 128, 4096, 0);
    assert!(apart(&base) > 4.0 * apart(&interpolated), "{} {}", apart(&base), apart(&interpolated));
}

#[test]
fn neutral_parameters_equal_stock_positions_bit_for_bit() {
    for spec in [
        "linear:factor=1",
        "ntk:factor=1",
        "dynamic-ntk",
        "dynamic-ntk:factor=8",
        "yarn:factor=1",
        "llama3:factor=1",
        "abf:base=10000",
        "truncated:window=4294967296",
        "power:exponent=0",
        "e2",
        "e2:factor=1",
    ] {
        for head_dim in [4, 16, 64, 96, 128] {
            let stock = RopeSchedule::stock(1e4, head_dim).unwrap();
            assert_eq!(schedule(spec, 1e4, head_dim, 2048, 2048), stock, "{spec}, head_dim {head_dim}");
        }
    }
}

#[test]
fn dynamic_schedules_leave_short_inputs_alone_and_grow_with_long_ones() {
    for spec in ["dynamic-ntk:factor=2", "e2"] {
        assert!(RopeSpec::parse(spec).unwrap().is_dynamic());
        let at = |planned| schedule(spec, 1e4, 64, 2048, planned);
        assert_eq!(at(1), at(2048));
        assert!(at(2049).frequencies[31] < at(2048).frequencies[31]);
        assert!(at(8192).frequencies[31] < at(4096).frequencies[31]);
    }
    for info in SCHEDULES.iter().filter(|info| !["dynamic-ntk", "e2"].contains(&info.id)) {
        let spec = RopeSpec::parse(info.id).unwrap();
        assert!(!spec.is_dynamic());
        assert_eq!(spec.schedule(1e4, 64, 2048, 1).unwrap(), spec.schedule(1e4, 64, 2048, 99_999).unwrap());
    }
    assert!(!RopeSpec::parse("e2:factor=4").unwrap().is_dynamic());
}

#[test]
fn automatic_e2_takes_the_smallest_whole_factor_and_a_given_one_must_reach() {
    for (planned, factor) in [(0, 1.0), (4096, 1.0), (4097, 2.0), (32_768, 8.0), (32_769, 9.0)] {
        let made = schedule("e2", 1e4, 128, 4096, planned);
        assert_eq!(made.frequencies[0], 1.0 / factor, "{planned} planned");
        // The last position stays inside the trained window.
        assert!(made.angle(0, planned.saturating_sub(1) as f64) < 4096.0);
    }
    let refused = RopeSpec::parse("e2:factor=2").unwrap().schedule(1e4, 128, 4096, 8193).unwrap_err();
    assert!(refused.to_string().contains("factor=3"), "{refused}");
    assert!(RopeSpec::parse("e2:factor=0.5").unwrap().schedule(1e4, 128, 4096, 10).is_err());
}

#[test]
fn ntk_slows_the_slowest_pair_by_the_factor_and_the_fastest_not_at_all() {
    let (stock, made) = (schedule("none", 1e4, 64, 2048, 0), schedule("ntk:factor=8", 1e4, 64, 2048, 0));
    assert_eq!(made.frequencies[0], stock.frequencies[0]);
    assert!(close(made.frequencies[31] * 8.0, stock.frequencies[31], 1e-12));
}

#[test]
fn bad_texts_and_bad_models_are_refused() {
    for text in [
        "yarm",
        "yarn:facto=2",
        "yarn:factor=0",
        "linear:factor=-1",
        "linear:factor=x",
        "truncated:window=-1",
    ] {
        assert!(RopeSpec::parse(text).is_err(), "{text}");
    }
    for info in SCHEDULES {
        let spec = RopeSpec::parse(info.id).unwrap();
        assert!(spec.schedule(1e4, 63, 2048, 4096).is_err(), "{} with odd head_dim", info.id);
        assert!(spec.schedule(1e4, 0, 2048, 4096).is_err(), "{} with no head_dim", info.id);
        assert!(spec.schedule(1.0, 64, 2048, 4096).is_err(), "{} with base 1", info.id);
    }
    for text in ["abf:base=1", "ntk", "yarn:beta_fast=1,beta_slow=1", "llama3:low_freq_factor=4"] {
        assert!(RopeSpec::parse(text).unwrap().schedule(1e4, 2, 2048, 0).is_err(), "{text}");
    }
    for text in ["yarn", "llama3", "dynamic-ntk", "truncated", "e2"] {
        let refused = RopeSpec::parse(text).unwrap().schedule(1e4, 64, 0, 10).unwrap_err();
        assert!(refused.to_string().contains("trained with"), "{text}: {refused}");
    }
}

#[test]
fn a_models_configuration_gives_the_schedule_one_would_type() {
    let config = |scaling| RopeConfig { base: 5e5, head_dim: 64, trained_window: 131_072, scaling };
    for (scaling, typed) in [
        (None, "none"),
        (Some(RopeScaling::Linear { factor: 2.5 }), "linear:factor=2.5"),
        (Some(RopeScaling::Dynamic { factor: 2.0 }), "dynamic-ntk:factor=2"),
        (
            Some(RopeScaling::Yarn {
                factor: 4.0,
                original_window: 32_768,
                beta_fast: 32.0,
                beta_slow: 1.0,
                attention_scale: None,
            }),
            "yarn:factor=4,original=32768",
        ),
        (
            Some(RopeScaling::Yarn {
                factor: 40.0,
                original_window: 4096,
                beta_fast: 16.0,
                beta_slow: 2.0,
                attention_scale: Some(1.25),
            }),
            "yarn:factor=40,original=4096,beta_fast=16,beta_slow=2,attention_scale=1.25",
        ),
        (
            Some(RopeScaling::Llama3 {
                factor: 32.0,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_window: 8192,
            }),
            "llama3:factor=32,original=8192",
        ),
    ] {
        let spec = RopeSpec::from_config(&config(scaling)).unwrap();
        let expected = RopeSpec::parse(typed).unwrap();
        assert_eq!(spec.to_string(), expected.to_string());
        let made = |spec: &RopeSpec| spec.schedule(5e5, 64, 131_072, 200_000).unwrap();
        assert_eq!(made(&spec), made(&expected));
    }
    assert!(RopeSpec::from_config(&config(Some(RopeScaling::Linear { factor: 0.0 }))).is_err());
    assert!(RopeSpec::from_config(&config(Some(RopeScaling::Linear { factor: f64::NAN }))).is_err());
}

#[test]
fn frequency_factors_of_a_model_file_divide_and_must_fit() {
    let spec = |factors: Vec<f64>| {
        let scaling = Some(RopeScaling::FrequencyFactors(factors));
        RopeSpec::from_config(&RopeConfig { base: 1e4, head_dim: 8, trained_window: 2048, scaling }).unwrap()
    };
    let made = spec(vec![1.0, 2.0, 4.0, 8.0]).schedule(1e4, 8, 2048, 0).unwrap();
    let stock = RopeSchedule::stock(1e4, 8).unwrap();
    for (pair, factor) in [1.0, 2.0, 4.0, 8.0].into_iter().enumerate() {
        assert_eq!(made.frequencies[pair], stock.frequencies[pair] / factor);
    }
    assert!(spec(vec![1.0; 3]).schedule(1e4, 8, 2048, 0).is_err());
    assert!(spec(vec![1.0, 0.0, 1.0, 1.0]).schedule(1e4, 8, 2048, 0).is_err());
}

#[test]
fn warns_of_an_untrained_base_and_of_a_replaced_scaling() {
    let mut config = RopeConfig { base: 1e4, head_dim: 64, trained_window: 2048, scaling: None };
    let warning = |spec: &str, config: &RopeConfig| RopeSpec::parse(spec).unwrap().warning(config);
    assert!(warning("abf", &config).is_some());
    assert!(warning("abf:base=10000", &config).is_none());
    assert!(warning("linear", &config).is_none());
    config.scaling = Some(RopeScaling::Linear { factor: 4.0 });
    assert!(warning("linear", &config).is_some());
    assert!(RopeSpec::from_config(&RopeConfig { scaling: None, ..config }).is_ok());
}

#[test]
fn declarations_are_complete_and_distinct() {
    for (i, info) in SCHEDULES.iter().enumerate() {
        assert_eq!(info.family, "rope");
        assert!(!info.title.is_empty() && !info.paper.is_empty() && !info.description.is_empty());
        assert!(SCHEDULES[..i].iter().all(|other| other.id != info.id), "{} twice", info.id);
        for parameter in info.parameters {
            // The default lies in its own domain: typing it is accepted.
            let typed = format!("{}:{}={}", info.id, parameter.name, parameter.default);
            assert!(RopeSpec::parse(&typed).is_ok(), "{typed}");
        }
    }
}

proptest! {
    #[test]
    fn scale_s_at_position_s_p_equals_unscaled_at_p(
        scale in 1.0..64.0f64, position in 0.0..1e6f64, half in 1usize..80, base in 2.0..1e7f64,
    ) {
        let stock = schedule("none", base, 2 * half, 4096, 0);
        for spec in [format!("linear:factor={scale}"), format!("e2:factor={scale}")] {
            let made = schedule(&spec, base, 2 * half, 4096, 0);
            for pair in 0..half {
                let (left, right) = (made.angle(pair, scale * position), stock.angle(pair, position));
                prop_assert!(close(left, right, 1e-14), "{spec} pair {pair}: {left} is not {right}");
            }
        }
    }

    #[test]
    fn no_schedule_speeds_a_pair_up_or_makes_it_turn_backwards(
        half in 2usize..80, base in 2.0..1e7f64, window in 1usize..200_000, planned in 0usize..1_000_000,
    ) {
        let stock = schedule("none", base, 2 * half, window, 0);
        for info in SCHEDULES.iter().filter(|info| info.id != "abf") {
            let made = schedule(info.id, base, 2 * half, window, planned);
            prop_assert_eq!(made.pairs(), half);
            prop_assert!(made.attention_scale >= 1.0);
            for (left, right) in made.frequencies.iter().zip(&stock.frequencies) {
                prop_assert!(*left >= 0.0 && *left <= *right * (1.0 + 1e-12), "{}: {left} > {right}", info.id);
            }
        }
    }

    #[test]
    fn rotated_products_depend_on_the_distance_alone(
        from in 0.0..1e5f64, to in 0.0..1e5f64, shift in 0.0..1e5f64,
    ) {
        let made = schedule("yarn", 1e4, 16, 2048, 0);
        let turn = |position: f64| {
            let (mut cos, mut sin) = ([0.0; 8], [0.0; 8]);
            made.rotation(position, &mut cos, &mut sin);
            (cos, sin)
        };
        let product = |a: f64, b: f64| {
            let ((ca, sa), (cb, sb)) = (turn(a), turn(b));
            (0..8).map(|pair| f64::from(ca[pair] * cb[pair] + sa[pair] * sb[pair])).sum::<f64>()
        };
        prop_assert!((product(from, to) - product(from + shift, to + shift)).abs() < 1e-5);
    }
}
