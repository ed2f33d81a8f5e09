//! Sessions: however a sequence came about, it continues like a fresh one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::{assert_close, engine, fresh, read, session, tokens};
use loci_engine::{Control, EngineError, Progress};
use proptest::prelude::*;

const FULL: &str = "full";

#[test]
fn the_size_of_chunks_changes_nothing() {
    let engine = engine();
    let text = tokens(75);
    let expected = fresh(&engine, FULL, &text);
    for chunk in [1, 7, 16, 64, 1000] {
        let mut session = session(&engine, FULL).with_chunk(chunk);
        read(&mut session, &text);
        assert_close(session.logits().unwrap(), &expected);
        assert_eq!(session.tokens(), text);
        assert_eq!(session.report().unwrap().read, 75);
    }
}

#[test]
fn an_interrupted_read_can_go_on() {
    let engine = engine();
    let text = tokens(75);
    let mut session = session(&engine, FULL).with_chunk(16);
    let stop = AtomicBool::new(false);
    let mut seen = Vec::new();
    let mut progress = |progress: Progress| {
        seen.push((progress.done, progress.total));
        stop.store(progress.done >= 32, Ordering::Relaxed);
    };
    let mut control = Control { stop: Some(&stop), progress: Some(&mut progress) };
    let error = session.read(&text, &mut control).unwrap_err();
    assert!(matches!(error, EngineError::Interrupted { done: 32, total: 75 }), "{error}");
    assert_eq!(seen, [(16, 75), (32, 75)]);
    assert_eq!(session.tokens(), &text[..32]);
    read(&mut session, &text[32..]);
    assert_close(session.logits().unwrap(), &fresh(&engine, FULL, &text));
}

#[test]
fn only_what_differs_is_read_again() {
    let engine = engine();
    let text = tokens(60);
    let mut session = session(&engine, FULL);
    read(&mut session, &text);
    let mut other = text[..50].to_vec();
    other.extend([3, 1, 4, 1, 5]);
    assert_eq!(session.change_to(&other, &mut Control::default()).unwrap(), 5);
    assert_close(session.logits().unwrap(), &fresh(&engine, FULL, &other));
    assert_eq!(
        session.change_to(&other, &mut Control::default()).unwrap(),
        1,
        "the last token, for its logits"
    );
    assert_eq!(session.change_to(&[], &mut Control::default()).unwrap(), 0);
    assert!(session.is_empty() && session.logits().is_none());
}

#[test]
fn a_token_that_does_not_exist_is_refused() {
    let engine = engine();
    let mut session = session(&engine, FULL);
    let error = session.read(&[1, 2, 99_999], &mut Control::default()).unwrap_err().to_string();
    assert!(error.contains("99999"), "{error}");
}

#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    Truncate(usize),
    Fork,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1_usize..40).prop_map(Step::Read),
        2 => (0_usize..120).prop_map(Step::Truncate),
        1 => Just(Step::Fork),
    ];
    prop::collection::vec(step, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_history_equals_a_fresh_run(steps in steps(), chunk in 1_usize..50) {
        let engine = engine();
        let mut session = session(&engine, FULL).with_chunk(chunk);
        let mut text: Vec<u32> = Vec::new();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Read(count) => {
                    let new: Vec<u32> = tokens(next + count).split_off(next);
                    next += count;
                    read(&mut session, &new);
                    text.extend(new);
                }
                Step::Truncate(to) => {
                    session.truncate(to, &mut Control::default()).unwrap();
                    text.truncate(to);
                }
                Step::Fork => {
                    let fork = session.fork().unwrap();
                    // What happens to the first from now on must not reach the second.
                    read(&mut session, &[9, 9, 9]);
                    session = fork;
                }
            }
            prop_assert_eq!(session.tokens(), &text);
        }
        text.push(42);
        read(&mut session, &[42]);
        let expected = fresh(&engine, FULL, &text);
        assert_close(session.logits().unwrap(), &expected);
    }
}
