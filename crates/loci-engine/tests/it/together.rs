//! Sessions that step together compute what they compute alone.

use std::sync::Arc;

use crate::common::{context, engine, fresh, session, tokens};
use loci_engine::session::{Part, Piece, Prefill, Step, step_together};
use loci_engine::{ContextOptions, Control, Engine, EngineError, GenerateOptions, Session, Writing};
use loci_kernels::tiles::RowType;
use loci_models::memory::MemoryError;
use loci_models::sampling::SamplerConfig;

const METHODS: [&str; 5] = [
    "full",
    "inf-llm:sinks=4,window=24,block_size=8,top_k=2,queries=8",
    "snap-kv:budget=40,window=4",
    "squeezed-attention:observed=8,clusters=30,sparsity=0.8,queries=8",
    "em-llm",
];

/// What is read and written, and how far it has come.
struct Job {
    session: Session,
    prefill: Prefill,
    writing: Option<Writing>,
    next: Option<u32>,
}

fn options(seed: u64) -> GenerateOptions {
    GenerateOptions {
        max_tokens: 12,
        ignore_end: true,
        sampler: SamplerConfig { temperature: 0.8, seed, ..SamplerConfig::default() },
        ..GenerateOptions::default()
    }
}

fn job(engine: &Arc<Engine>, method: &str, length: usize, chunk: usize) -> Job {
    Job {
        session: session(engine, method).with_chunk(chunk),
        prefill: Prefill::prompt(&tokens(length)).with_context(length - 9),
        writing: Some(Writing::new(engine, &options(length as u64)).unwrap()),
        next: None,
    }
}

/// Carries out all jobs, each step in common; returns what was written.
fn together(mut jobs: Vec<Job>) -> Vec<Vec<u32>> {
    let mut quiet = |_: &str| std::ops::ControlFlow::Continue(());
    loop {
        let mut parts = Vec::new();
        for job in &mut jobs {
            if job.writing.is_none() {
                continue;
            }
            while job.session.next_piece(&job.prefill) == Piece::Alone {
                assert!(job.session.advance(&mut job.prefill, &Control::default()).unwrap());
            }
            match (job.session.next_piece(&job.prefill), job.next.take()) {
                (Piece::Done, Some(token)) => {
                    parts.push(Part { session: &mut job.session, step: Step::Token(token) });
                }
                (Piece::Done, None) => {}
                _ => parts.push(Part { session: &mut job.session, step: Step::Piece(&mut job.prefill) }),
            }
        }
        let outcomes = step_together(&mut parts);
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let mut busy = false;
        for job in &mut jobs {
            if job.session.logits().is_some()
                && let Some(writing) = &mut job.writing
            {
                job.next = writing.next(&mut job.session, &mut quiet).unwrap();
                if job.next.is_none() {
                    let tokens = job.writing.take().unwrap().tokens().to_vec();
                    job.prefill = Prefill::part(&tokens);
                }
            }
            busy |= job.writing.is_some();
        }
        if !busy {
            return jobs.iter().map(|job| job.prefill.tokens(0..job.prefill.total()).to_vec()).collect();
        }
    }
}

#[test]
fn sessions_write_the_same_together_and_alone() {
    let engine = engine();
    let make = || -> Vec<Job> {
        METHODS
            .iter()
            .zip([70, 33, 90, 120, 51])
            .map(|(method, length)| job(&engine, method, length, 16))
            .collect()
    };
    let alone: Vec<Vec<u32>> = make().into_iter().flat_map(|job| together(vec![job])).collect();
    assert!(alone.iter().all(|written| written.len() == 12));
    assert_eq!(together(make()), alone);
    // And as the plain calls do.
    let mut plain = session(&engine, "full").with_chunk(16);
    plain.read(&tokens(70), &mut Control::default()).unwrap();
    let mut quiet = |_: &str| std::ops::ControlFlow::Continue(());
    let written =
        loci_engine::generate::generate(&mut plain, &options(70), &mut Control::default(), &mut quiet)
            .unwrap();
    assert_eq!(written.tokens, alone[0]);
}

#[test]
fn one_that_is_refused_does_not_hinder_the_others() {
    let engine = engine();
    let mut good = session(&engine, "full");
    let options = ContextOptions { budget: Some(400_000), row_type: RowType::F32, ..context("full") };
    let plan = options.plan(&engine, 10, 2).unwrap();
    let mut small = Session::new(Arc::clone(&engine), options.memory(&engine, &plan).unwrap());
    let (mut fits, mut too_long) = (Prefill::prompt(&tokens(40)), Prefill::part(&tokens(400)));
    let mut refused = 0;
    for _ in 0..2 {
        let mut parts = [
            Part { session: &mut small, step: Step::Piece(&mut too_long) },
            Part { session: &mut good, step: Step::Piece(&mut fits) },
        ];
        let outcomes = step_together(&mut parts);
        refused += usize::from(matches!(outcomes[0], Err(EngineError::Memory(MemoryError::Budget { .. }))));
        assert!(outcomes[1].is_ok(), "{outcomes:?}");
    }
    assert_eq!((refused, small.len()), (2, 0), "it can be told of the refusal again and again");
    assert_eq!(good.logits().unwrap(), fresh(&engine, "full", &tokens(40)));
}
