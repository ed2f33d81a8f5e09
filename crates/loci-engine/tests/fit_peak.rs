//! What `fit` predicts against the allocator, weights and activations included.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

#[path = "it/common/mod.rs"]
mod common;

use common::{engine, read, tokens};
use loci_context::MethodSpec;
use loci_engine::fit::{FitRequest, ROW_TYPES, fit};
use loci_engine::{ContextOptions, Session};
use loci_kernels::counting::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

const LENGTH: usize = 6000;
const ANSWER: usize = 8;

// The only test of this binary: others would allocate beside it.
#[test]
fn predicted_bytes_bound_the_peak_and_are_not_far_above_it() {
    let engine = engine();
    let methods = ["full", "window:window=1024", "inf-llm:window=512,block_size=32,top_k=8,queries=128"];
    let report = fit(
        &engine,
        &FitRequest {
            length: LENGTH,
            answer: ANSWER,
            memory: 1 << 30,
            methods: methods.map(|text| MethodSpec::parse(text).unwrap()).to_vec(),
            row_types: ROW_TYPES.to_vec(),
            context: ContextOptions::default(),
        },
    )
    .unwrap();
    assert_eq!(report.candidates.len(), 3 * ROW_TYPES.len());
    for candidate in &report.candidates {
        let row_type = ROW_TYPES.into_iter().find(|row_type| row_type.name() == candidate.kv).unwrap();
        for (budget, predicted) in
            [(None, candidate.needed_bytes), (Some(candidate.least_bytes), candidate.least_bytes)]
        {
            let options = ContextOptions {
                method: Some(MethodSpec::parse(&candidate.method).unwrap()),
                row_type,
                // The bytes beside the budget do not depend on it.
                budget: budget.map(|least| candidate.budget_bytes - (candidate.needed_bytes - least)),
                ..ContextOptions::default()
            };
            // Buffers that an earlier case has left are used again: they belong to this one too.
            let before = ALLOCATOR.live() - engine.model().cpu().idle_bytes();
            ALLOCATOR.reset_peak();
            let plan = options.plan(&engine, LENGTH, ANSWER).unwrap();
            let mut session = Session::new(engine.clone(), options.memory(&engine, &plan).unwrap());
            read(&mut session, &tokens(LENGTH));
            for token in tokens(ANSWER) {
                session.step(token).unwrap();
            }
            let peak = ALLOCATOR.peak() - before + engine.model().bytes();
            drop(session);
            let name = format!("{} {} budget {budget:?}", candidate.method, candidate.kv);
            println!("{name}: predicted {predicted}, peak {peak}");
            assert!(peak <= predicted, "{name}: the peak is {peak}, predicted were {predicted}");
            assert!(2 * predicted <= 3 * peak, "{name}: the peak is {peak}, predicted were {predicted}");
        }
    }
}
