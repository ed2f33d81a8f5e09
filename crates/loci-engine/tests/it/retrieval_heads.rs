//! Scores of heads against an independent implementation, and the whole measurement on a small random model.

use std::sync::Arc;

use loci_engine::inspect::copies::{Copies, Mode, Tally, recall};
use loci_engine::inspect::heads::{HeadsRequest, measure};
use loci_engine::{Control, Engine};
use loci_kernels::Pool;
use loci_models::reference::TinyModel;
use serde_json::Value;

/// A random model whose window holds a probe in bytes.
fn engine() -> Arc<Engine> {
    let model = TinyModel { n_ctx: 2048, ..TinyModel::default() }.open(Arc::new(Pool::new(2))).unwrap();
    Arc::new(Engine::from_model(model, "tiny").unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn wholes(value: &Value) -> Vec<usize> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|number| usize::try_from(number.as_u64().unwrap()).unwrap())
        .collect()
}

fn assert_same(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} for {expected:?}");
}

#[test]
fn scores_are_those_of_the_reference() {
    let path = format!("{}/tests/fixtures/retrieval_heads.json", env!("CARGO_MANIFEST_DIR"));
    let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let heads = usize::try_from(case["heads"].as_u64().unwrap()).unwrap();
    for (mode, name) in [(Mode::Paper, "paper"), (Mode::Official, "official")] {
        let mut tally = Tally::default();
        for probe in case["probes"].as_array().unwrap() {
            let tokens = |key: &str| -> Vec<u32> {
                wholes(&probe[key]).into_iter().map(|token| u32::try_from(token).unwrap()).collect()
            };
            let (prompt, written, span) = (tokens("prompt"), tokens("written"), wholes(&probe["span"]));
            let mut copies = Copies::new(&prompt, span[0]..span[1], mode, heads);
            for (token, looks) in written.iter().zip(probe["looks"].as_array().unwrap()) {
                let looks: Vec<Option<usize>> = wholes(looks).into_iter().map(Some).collect();
                copies.record(*token, &looks);
            }
            let scores = copies.scores();
            assert_same(&scores, &numbers(&probe["scores"][name]));
            assert!(mode == Mode::Official || scores.iter().all(|score| (0.0..=1.0).contains(score)));
            let text = |tokens: &[u32]| tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
            let share = recall(&text(&written), &text(&prompt[span[0]..span[1]]));
            assert_same(&[share], &[probe["recall"].as_f64().unwrap()]);
            if share > 0.5 {
                tally.add(&scores);
            }
        }
        assert_same(&tally.means().unwrap(), &numbers(&case["means"][name]));
        assert_same(&tally.frequencies().unwrap(), &numbers(&case["frequencies"]));
        assert_eq!(tally.answers() as u64, case["accepted"].as_u64().unwrap());
    }
}

#[test]
fn a_model_that_answers_nothing_is_an_error_and_not_a_table() {
    let engine = engine();
    let request =
        HeadsRequest { lengths: vec![400], depths: vec![50.0], probes: 2, ..HeadsRequest::default() };
    let error = measure(&engine, &request, &mut Control::default()).unwrap_err().to_string();
    assert!(error.contains("none of 2 probes") && error.contains("--lengths"), "{error}");
}

#[test]
fn probes_that_do_not_fit_are_refused_before_anything_is_read() {
    let engine = engine();
    let base = HeadsRequest { lengths: vec![400], depths: vec![50.0], probes: 1, ..HeadsRequest::default() };
    for (request, word) in [
        (HeadsRequest { lengths: vec![100_000], ..base.clone() }, "window"),
        (HeadsRequest { lengths: vec![30], ..base.clone() }, "needle"),
        (HeadsRequest { depths: vec![101.0], ..base.clone() }, "depth"),
        (HeadsRequest { depths: vec![f64::NAN], ..base.clone() }, "depth"),
        (HeadsRequest { probes: 0, ..base }, "at least one"),
    ] {
        let error = measure(&engine, &request, &mut Control::default()).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
