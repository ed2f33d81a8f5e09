//! Statistics against values of standard packages: scripts/golden/eval_statistics.py.

#![allow(clippy::unwrap_used, clippy::panic)]

use loci_context::random::Random;
use loci_eval::statistics::agreement::{alpha_interval, alpha_nominal, cohens_kappa};
use loci_eval::statistics::calibration::{aurc, brier};
use loci_eval::statistics::effect::{cliffs_delta, cohens_d};
use loci_eval::statistics::trend::{half_life, line};
use loci_eval::statistics::{
    benjamini_hochberg, holm, mcnemar, paired_bootstrap, paired_permutation, wilson,
};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("fixtures/statistics.json")).unwrap()
}

fn cases(part: &str) -> Vec<Value> {
    let cases = golden()[part].as_array().unwrap().clone();
    assert!(cases.len() > 1, "{part}");
    cases
}

fn of<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

#[track_caller]
fn close(ours: f64, golden: &Value) {
    let golden: f64 = of(golden);
    assert!((ours - golden).abs() < 1e-9 * golden.abs().max(1.0), "{ours}, not {golden}");
}

#[test]
fn shares() {
    for case in cases("wilson") {
        let interval = wilson(of(&case[0]), of(&case[1]));
        close(interval.low, &case[2]);
        close(interval.high, &case[3]);
    }
    for case in cases("mcnemar") {
        close(mcnemar(of(&case[0]), of(&case[1])), &case[2]);
    }
}

#[test]
fn differences_of_pairs() {
    let (draws, seed) = (of(&golden()["draws"]), of(&golden()["seed"]));
    for case in cases("differences") {
        let values: Vec<f64> = of(&case["values"]);
        let interval = paired_bootstrap(&values, draws, &mut Random::new(seed)).unwrap();
        close(interval.low, &case["interval"][0]);
        close(interval.high, &case["interval"][1]);
        close(paired_permutation(&values, draws, &mut Random::new(seed)).unwrap(), &case["p"]);
        match cohens_d(&values) {
            Some(d) => close(d, &case["d"]),
            None => assert!(case["d"].is_null()),
        }
    }
}

#[test]
fn corrections() {
    for case in cases("corrections") {
        let ps: Vec<f64> = of(&case[0]);
        for (index, (holm, bh)) in holm(&ps).into_iter().zip(benjamini_hochberg(&ps)).enumerate() {
            close(holm, &case[1][index]);
            close(bh, &case[2][index]);
        }
    }
}

#[test]
fn effects_and_agreement() {
    for case in cases("cliff") {
        close(cliffs_delta(&of::<Vec<f64>>(&case[0]), &of::<Vec<f64>>(&case[1])).unwrap(), &case[2]);
    }
    let pairs: Vec<(f64, f64)> = of(&golden()["kappa"][0]);
    let pairs: Vec<(i32, i32)> = pairs.into_iter().map(|(a, b)| (a as i32, b as i32)).collect();
    close(cohens_kappa(&pairs).unwrap(), &golden()["kappa"][1]);
    for case in cases("alpha") {
        close(alpha_nominal(&of::<Vec<Vec<i32>>>(&case[0])).unwrap(), &case[1]);
        close(alpha_interval(&of::<Vec<Vec<f64>>>(&case[0])).unwrap(), &case[2]);
    }
}

#[test]
fn confidence_and_trends() {
    for case in cases("confidence") {
        let answers: Vec<(f64, bool)> = of(&case[0]);
        close(brier(&answers).unwrap(), &case[1]);
        close(aurc(&answers).unwrap(), &case[2]);
    }
    for case in cases("trends") {
        let points: Vec<(f64, f64)> = of(&case[0]);
        let found = line(&points).unwrap();
        close(found.slope, &case[1]);
        close(found.intercept, &case[2]);
        // A minimum is flat: it is found to about the root of the precision of numbers.
        let (ours, golden) = (half_life(&points).unwrap(), of::<f64>(&case[3]));
        assert!((ours / golden - 1.0).abs() < 1e-5, "{ours}, not {golden}");
    }
}
