//! The engine against llama.cpp on the real model (fixtures by `scripts/golden/oracle.py`). Runs only where
//! LOCI_TEST_MODEL names its file.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use loci_context::MethodSpec;
use loci_engine::session::{Control, Session};
use loci_engine::{ContextOptions, Engine};
use loci_kernels::Pool;
use loci_kernels::tiles::RowType;
use serde_json::Value;

/// Two tokens whose logits are nearer than this are a near-tie. llama.cpp's own gaps differ from the exact ones (the
/// same weights, nothing rounded) by up to this much in 95 % of the steps of the fixture (`p95` there), because it
/// rounds activations to 8 bits, as we do.
const NEAR_TIE: f64 = 0.32;

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/oracle/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn engine() -> Option<Arc<Engine>> {
    let path = loci_testing::real_model()?;
    let pool = Arc::new(Pool::with_all_processors());
    Some(Arc::new(Engine::open(&path, "test", pool).unwrap()))
}

fn session(engine: &Arc<Engine>, row_type: RowType, tokens: usize) -> Session {
    let options = ContextOptions {
        method: Some(MethodSpec::parse("full").unwrap()),
        row_type,
        ..ContextOptions::default()
    };
    let plan = options.plan(engine, tokens, 0).unwrap();
    Session::new(Arc::clone(engine), options.memory(engine, &plan).unwrap())
}

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
}

/// Follows llama.cpp's greedy text token by token; wherever ours would be another token, the two must be nearly tied.
/// A single early near-tie therefore hides nothing that comes later.
#[test]
fn greedy_continuations_equal_llama_cpp_up_to_near_ties() {
    let Some(engine) = engine() else { return };
    let fixture = fixture("greedy");
    let mut prompts = 0;
    let mut ties = 0;
    for prompt in fixture["prompts"].as_array().unwrap() {
        let name = prompt["name"].as_str().unwrap();
        let (ids, expected) = (numbers(&prompt["ids"]), numbers(&prompt["tokens"]));
        assert_eq!(expected.len(), 64);
        let mut session = session(&engine, RowType::F32, ids.len() + 64);
        session.read(&ids, &mut Control::default()).unwrap();
        for (step, token) in expected.iter().enumerate() {
            let logits = session.logits().unwrap();
            let own = loci_models::sampling::greedy(logits).unwrap();
            if own != *token {
                let gap = logits[own as usize] - logits[*token as usize];
                let exact = prompt["exact_gaps"][step].as_f64().unwrap();
                println!(
                    "{name}, step {step}: {own} for {token}; ours {gap:.3} ahead, exact runner-up {exact:.3} behind"
                );
                assert!(
                    f64::from(gap) < NEAR_TIE,
                    "{name}, step {step}: {own} for {token} is no near-tie: {gap}"
                );
                ties += 1;
            }
            session.step(*token).unwrap();
        }
        prompts += 1;
    }
    assert_eq!(prompts, 10);
    // llama.cpp's own rounding puts 5 % of its gaps off by more than a near-tie; 7 of the 21 differences seen here are
    // steps at which the exact computation sides with ours.
    assert!(ties <= 640 / 20, "{ties} of 640 steps differ");
}

#[test]
fn perplexity_equals_llama_cpp_within_half_a_percent() {
    let Some(engine) = engine() else { return };
    let fixture = fixture("perplexity");
    let ids = numbers(&fixture["ids"]);
    let window = &fixture["windows"][0];
    let n_ctx = usize::try_from(window["n_ctx"].as_u64().unwrap()).unwrap();
    let expected = window["perplexity"].as_f64().unwrap();
    for row_type in [RowType::F16, RowType::I8] {
        let (mut sum, mut scored) = (0.0, 0);
        for ids in ids.chunks(n_ctx) {
            let mut session = session(&engine, row_type, ids.len());
            let surprise = session.read_with_surprise(ids).unwrap();
            sum += surprise.iter().skip(1).map(|nll| f64::from(*nll)).sum::<f64>();
            scored += ids.len() - 1;
        }
        let found = (sum / f64::from(u32::try_from(scored).unwrap())).exp();
        println!(
            "perplexity with {} rows: {found}, llama.cpp {expected}, ratio {}",
            row_type.name(),
            found / expected
        );
        assert!((found / expected - 1.0).abs() < 0.005, "{}: {found} for {expected}", row_type.name());
    }
}
