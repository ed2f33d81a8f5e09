//! Sessions: however a sequence came about, it continues like a fresh one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::{assert_close, engine, fresh, read, session, tokens};
use loci_engine::{Control, EngineError, Progress, Session};
use loci_models::memory::{
    AttentionShape, ContextMemory, ContextReport, MemoryError, Signals, TokenEvidence,
};
use loci_models::reference::ReferenceMemory;
use loci_models::rope::RopeSchedule;
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
fn a_context_ends_where_it_was_said_to_however_the_sequence_came_about() {
    let engine = engine();
    let method = "squeezed-attention:observed=8,clusters=30,sparsity=0.8,queries=8";
    let text = tokens(90);
    let (body, question) = (&text[..70], &text[70..]);
    let asked = |session: &mut Session| {
        session.read_context(&text[..80], 70, &mut Control::default()).unwrap();
        read(session, &text[80..]);
        session.logits().unwrap().to_vec()
    };
    let expected = asked(&mut session(&engine, method));
    let full = fresh(&engine, "full", &text);
    let distance = expected.iter().zip(&full).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(distance > 0.02, "the context did not end");
    // In one read where nobody wants to know.
    assert_close(&asked(&mut session(&engine, "full")), &full);

    let mut used = session(&engine, method);
    used.read_on(body, &mut Control::default()).unwrap();
    used.end_context().unwrap();
    read(&mut used, question);
    assert_close(used.logits().unwrap(), &expected);
    // Another question about the same text: nothing of it is read again.
    assert_eq!(used.truncate(70, &mut Control::default()).unwrap(), 0);
    read(&mut used, &[3, 1, 4, 1, 5]);
    assert_eq!(used.change_to(&text, &mut Control::default()).unwrap(), 20);
    assert_close(used.logits().unwrap(), &expected);
    // Back into the text: it is open again, and ends where it is said to.
    used.truncate(40, &mut Control::default()).unwrap();
    used.read_context(&text[40..80], 30, &mut Control::default()).unwrap();
    read(&mut used, &text[80..]);
    assert_close(used.logits().unwrap(), &expected);
}

/// Full attention that only ever goes back to its beginning, and notes where contexts ended.
struct Forgetful(ReferenceMemory, Arc<Mutex<Vec<usize>>>);

impl ContextMemory for Forgetful {
    fn shape(&self) -> AttentionShape {
        self.0.shape()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn begin_chunk(&mut self, tokens: usize) -> Result<(), MemoryError> {
        self.0.begin_chunk(tokens)
    }
    fn attend(
        &mut self,
        layer: usize,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        out: &mut [f32],
    ) -> Result<(), MemoryError> {
        self.0.attend(layer, q, k, v, out)
    }
    fn end_chunk(&mut self, signals: Signals<'_>) -> Result<(), MemoryError> {
        self.0.end_chunk(signals)
    }
    fn wants_context_end(&self) -> bool {
        true
    }
    fn end_context(&mut self) -> Result<(), MemoryError> {
        self.1.lock().unwrap().push(self.len());
        Ok(())
    }
    fn truncate(&mut self, _to: usize) -> Result<usize, MemoryError> {
        self.0.truncate(0)
    }
    fn fork(&self) -> Result<Box<dyn ContextMemory>, MemoryError> {
        self.0.fork()
    }
    fn save(&self, out: &mut dyn std::io::Write) -> Result<(), MemoryError> {
        self.0.save(out)
    }
    fn load(&mut self, from: bytes::Bytes) -> Result<(), MemoryError> {
        self.0.load(from)
    }
    fn record_evidence(&mut self, on: bool) {
        self.0.record_evidence(on);
    }
    fn evidence(&self) -> Vec<TokenEvidence> {
        self.0.evidence()
    }
    fn report(&self) -> ContextReport {
        self.0.report()
    }
    fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

#[test]
fn a_context_read_again_ends_again() {
    let engine = engine();
    let ends = Arc::new(Mutex::new(Vec::new()));
    let shape = engine.model().shape();
    let schedule = RopeSchedule::stock(10_000.0, shape.head_dim).unwrap();
    let memory = Forgetful(ReferenceMemory::new(shape, schedule), Arc::clone(&ends));
    let mut session = Session::new(engine, Box::new(memory)).with_chunk(16);
    let (text, mut quiet) = (tokens(60), Control::default());
    session.read_context(&text, 25, &mut quiet).unwrap();
    assert_eq!(*ends.lock().unwrap(), [25]);
    // The memory went back to its beginning, the session to 40.
    assert_eq!(session.truncate(40, &mut quiet).unwrap(), 40);
    assert_eq!(*ends.lock().unwrap(), [25, 25]);
    // From before its end the context is open, and stays so when it is read on.
    session.truncate(20, &mut quiet).unwrap();
    session.read_on(&text[20..], &mut quiet).unwrap();
    session.truncate(50, &mut quiet).unwrap();
    assert_eq!(*ends.lock().unwrap(), [25, 25]);
    assert_eq!(session.tokens(), &text[..50]);
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
