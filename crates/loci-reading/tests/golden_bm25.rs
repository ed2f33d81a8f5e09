//! BM25 against the package rank_bm25: scripts/golden/bm25.py.
#![allow(clippy::unwrap_used, clippy::panic)] // a test fails by panicking

use loci_reading::Bm25;
use loci_reading::bm25::Weights;
use loci_reading::tokens::{between_spaces, words};
use serde_json::Value;

fn tokens(text: &Value, cut: &Value) -> Vec<String> {
    let text = text.as_str().unwrap();
    match cut.as_str().unwrap() {
        "words" => words(text),
        _ => between_spaces(text).map(str::to_owned).collect(),
    }
}

#[test]
fn scores_are_those_of_rank_bm25() {
    let golden: Value = serde_json::from_str(include_str!("fixtures/bm25.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 10);
    for case in cases {
        let documents = case["corpus"].as_array().unwrap().iter().map(|text| tokens(text, &case["cut"]));
        let weights = Weights { k1: case["k1"].as_f64().unwrap(), b: case["b"].as_f64().unwrap() };
        let index = Bm25::new(documents, weights);
        for (query, expected) in
            case["queries"].as_array().unwrap().iter().zip(case["scores"].as_array().unwrap())
        {
            let scores = index.scores(tokens(query, &case["cut"]));
            let expected: Vec<f64> = serde_json::from_value(expected.clone()).unwrap();
            assert_eq!(scores.len(), expected.len());
            for (score, expected) in scores.iter().zip(&expected) {
                assert!((score - expected).abs() < 1e-9, "{query} {}: {score}, not {expected}", case["cut"]);
            }
        }
    }
}
