//! A small random model for the engine's tests.
#![allow(dead_code)] // each test file uses a part of it

use std::sync::Arc;

use loci_engine::{ContextOptions, Control, Engine, Session};
use loci_kernels::Pool;
use loci_kernels::tiles::RowType;
use loci_models::reference::TinyModel;

/// An engine on a random model of two layers whose tokens are bytes.
pub(crate) fn engine() -> Arc<Engine> {
    let model = TinyModel::default().open(Arc::new(Pool::new(2))).expect("the small model opens");
    Arc::new(Engine::from_model(model, "tiny").expect("it has a tokenizer and a template"))
}

/// Exact rows, and the method typed as `method`.
pub(crate) fn context(method: &str) -> ContextOptions {
    ContextOptions {
        method: Some(loci_context::MethodSpec::parse(method).expect("a method")),
        row_type: RowType::F32,
        ..ContextOptions::default()
    }
}

/// An empty session with `method`.
pub(crate) fn session(engine: &Arc<Engine>, method: &str) -> Session {
    let options = context(method);
    let plan = options.plan(engine, 200, 20).expect("a plan");
    Session::new(Arc::clone(engine), options.memory(engine, &plan).expect("a memory"))
}

/// `count` tokens that do not repeat soon.
pub(crate) fn tokens(count: usize) -> Vec<u32> {
    (0..count).map(|index| (index * index * 7 + index * 13 + 5) as u32 % 251).collect()
}

/// Reads without watching.
pub(crate) fn read(session: &mut Session, tokens: &[u32]) {
    session.read(tokens, &mut Control::default()).expect("the tokens are read");
}

/// The logits behind `tokens` in a fresh session.
pub(crate) fn fresh(engine: &Arc<Engine>, method: &str, tokens: &[u32]) -> Vec<f32> {
    let mut session = session(engine, method);
    read(&mut session, tokens);
    session.logits().expect("logits").to_vec()
}

/// Fails when two rows of logits differ by more than rounding.
pub(crate) fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 2e-3 * (1.0 + b.abs()), "logit {index}: {a} instead of {b}");
    }
}
