//! A forward step: spans, splits, signals and errors.

use std::io::Write;
use std::sync::Arc;

use crate::common::{memory, read, schedule, tiny, tokens};
use loci_kernels::Pool;
use loci_models::Model;
use loci_models::gguf::Gguf;
use loci_models::memory::*;
use loci_models::reference::{ReferenceMemory, TinyModel, write_gguf};
use loci_models::signals::SignalState;
use loci_models::wiring::{ForwardError, LogitsFor, Span};
use proptest::prelude::*;

/// Products may round differently for one row and for many.
const CLOSE: f32 = 2e-4;

fn assert_close(a: &[f32], b: &[f32], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < CLOSE, "{what}: off by {worst}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_split_into_chunks_gives_the_same_logits(cuts in proptest::collection::vec(0_usize..9, 1..8)) {
        let model = tiny(2);
        let tokens = tokens(cuts.iter().sum(), 3);
        let whole = read(&model, &mut memory(&model), &tokens, LogitsFor::All).unwrap();
        let (mut parts, mut split, mut from) = (Vec::new(), memory(&model), 0);
        for cut in cuts {
            parts.extend(read(&model, &mut split, &tokens[from..from + cut], LogitsFor::All).unwrap());
            from += cut;
        }
        assert_close(&parts, &whole, "split");
    }
}

#[test]
fn spans_of_one_step_do_not_see_each_other() {
    let model = tiny(2);
    let inputs = [tokens(7, 1), Vec::new(), tokens(1, 2), tokens(12, 3)];
    let wanted = [LogitsFor::All, LogitsFor::All, LogitsFor::Last, LogitsFor::None];
    let mut memories: Vec<ReferenceMemory> = inputs.iter().map(|_| memory(&model)).collect();
    let mut states: Vec<SignalState> = inputs.iter().map(|_| SignalState::default()).collect();
    let mut spans: Vec<Span<'_>> = memories
        .iter_mut()
        .zip(&mut states)
        .zip(inputs.iter().zip(wanted))
        .map(|((memory, state), (tokens, logits))| Span { memory, state, tokens, logits })
        .collect();
    let together = model.forward(&mut spans).unwrap();
    for ((input, wanted), together) in inputs.iter().zip(wanted).zip(&together) {
        let alone = read(&model, &mut memory(&model), input, wanted).unwrap();
        assert_close(together, &alone, "batched");
    }
    let rows: Vec<usize> = together.iter().map(|logits| logits.len() / TinyModel::VOCAB).collect();
    assert_eq!(rows, [7, 0, 1, 0]);
    let lengths: Vec<usize> = memories.iter().map(ContextMemory::len).collect();
    assert_eq!(lengths, [7, 0, 1, 12]);
}

#[test]
fn the_last_logits_are_the_last_row_of_all() {
    let model = tiny(1);
    let tokens = tokens(9, 5);
    let all = read(&model, &mut memory(&model), &tokens, LogitsFor::All).unwrap();
    let last = read(&model, &mut memory(&model), &tokens, LogitsFor::Last).unwrap();
    assert_close(&last, &all[8 * TinyModel::VOCAB..], "last");
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let tokens = tokens(80, 6);
    let logits = |threads| {
        let model = tiny(threads);
        read(&model, &mut memory(&model), &tokens, LogitsFor::All).unwrap()
    };
    assert_eq!(logits(1), logits(3));
}

#[test]
fn rewinding_a_memory_and_reading_again_gives_the_same_logits() {
    let model = tiny(1);
    let tokens = tokens(12, 8);
    let mut first = memory(&model);
    read(&model, &mut first, &tokens[..8], LogitsFor::None).unwrap();
    let mut fork = first.fork().unwrap();
    let expected = read(&model, &mut first, &tokens[8..], LogitsFor::All).unwrap();
    assert_eq!(read(&model, fork.as_mut(), &tokens[8..], LogitsFor::All).unwrap(), expected);
    assert_eq!(first.truncate(8).unwrap(), 8);
    assert_eq!(read(&model, &mut first, &tokens[8..], LogitsFor::All).unwrap(), expected);
    let mut saved = Vec::new();
    fork.truncate(8).unwrap();
    fork.save(&mut saved).unwrap();
    let mut loaded = memory(&model);
    loaded.load(saved.clone().into()).unwrap();
    assert_eq!(read(&model, &mut loaded, &tokens[8..], LogitsFor::All).unwrap(), expected);
    assert!(memory(&model).load(saved[..saved.len() - 1].to_vec().into()).is_err());
}

#[test]
fn signals_are_those_of_the_logits_before_each_token() {
    let model = tiny(2);
    let tokens = tokens(150, 4);
    let vocab = TinyModel::VOCAB;
    let logits = read(&model, &mut memory(&model), &tokens, LogitsFor::All).unwrap();
    let mut memory = ReferenceMemory::with_signals(model.shape(), schedule(&model, 0));
    let mut state = SignalState::default();
    let mut repetition = Vec::new();
    for chunk in [&tokens[..1], &tokens[1..130], &tokens[130..]] {
        model
            .forward(&mut [Span {
                memory: &mut memory,
                state: &mut state,
                tokens: chunk,
                logits: LogitsFor::None,
            }])
            .unwrap();
        assert_eq!((state.surprise().len(), state.repetition().len()), (chunk.len(), chunk.len()));
        repetition.extend_from_slice(state.repetition());
    }
    assert_eq!((memory.surprise()[0], memory.entropy()[0]), (0.0, 0.0));
    for token in 1..tokens.len() {
        let row: Vec<f64> =
            logits[(token - 1) * vocab..token * vocab].iter().map(|x| f64::from(*x)).collect();
        let total = row.iter().map(|x| x.exp()).sum::<f64>().ln();
        let entropy: f64 = row.iter().map(|x| (total - x) * (x - total).exp()).sum();
        let surprise = total - row[tokens[token] as usize];
        assert!((f64::from(memory.surprise()[token]) - surprise).abs() < 1e-3, "surprise of token {token}");
        assert!((f64::from(memory.entropy()[token]) - entropy).abs() < 1e-3, "entropy of token {token}");
        let again = total - row[tokens[token - 1] as usize];
        assert!(
            (f64::from(repetition[token - 1]) - again).abs() < 1e-3,
            "token {token} as the one before it"
        );
    }
}

#[test]
fn a_step_without_signals_makes_the_next_token_unknown() {
    let model = tiny(1);
    let mut memory = memory(&model);
    let mut state = SignalState::default();
    let mut step = |state: &mut SignalState, token: u32| {
        let tokens = [token];
        let mut spans = [Span { memory: &mut memory, state, tokens: &tokens, logits: LogitsFor::None }];
        model.forward(&mut spans).unwrap();
    };
    state.record(true);
    step(&mut state, 1);
    step(&mut state, 2);
    assert!(state.surprise()[0] > 0.0);
    state.record(false);
    step(&mut state, 3);
    assert!(state.surprise().is_empty());
    state.record(true);
    step(&mut state, 4);
    assert_eq!(state.surprise(), [0.0]);
}

#[test]
fn evidence_is_the_share_of_the_attention() {
    let model = tiny(1);
    let mut memory = memory(&model);
    read(&model, &mut memory, &tokens(20, 9), LogitsFor::None).unwrap();
    memory.record_evidence(true);
    read(&model, &mut memory, &[5], LogitsFor::Last).unwrap();
    let evidence = memory.evidence();
    assert_eq!(evidence.len(), 21);
    assert!(evidence.is_sorted_by(|a, b| a.mass >= b.mass));
    assert!((evidence.iter().map(|part| part.mass).sum::<f32>() - 1.0).abs() < 1e-5);
}

#[test]
fn tokens_and_memories_of_another_model_are_refused() {
    let model = tiny(1);
    let error = read(&model, &mut memory(&model), &[1, 999], LogitsFor::Last).unwrap_err();
    assert!(matches!(error, ForwardError::Token { span: 0, token: 999, vocab: TinyModel::VOCAB }), "{error}");
    let shape = AttentionShape { layers: 3, ..model.shape() };
    let mut other = ReferenceMemory::new(shape, schedule(&model, 0));
    let error = read(&model, &mut other, &[1], LogitsFor::Last).unwrap_err();
    assert!(matches!(error, ForwardError::Shape { span: 0, .. }), "{error}");
    assert!(other.is_empty());
}

/// A memory whose cold file is full.
struct Failing(ReferenceMemory);

impl ContextMemory for Failing {
    fn shape(&self) -> AttentionShape {
        self.0.shape()
    }
    fn len(&self) -> usize {
        0
    }
    fn begin_chunk(&mut self, tokens: usize) -> Result<(), MemoryError> {
        self.0.begin_chunk(tokens)
    }
    fn attend(
        &mut self,
        layer: usize,
        _: &[f32],
        _: &[f32],
        _: &[f32],
        _: &mut [f32],
    ) -> Result<(), MemoryError> {
        Err(MemoryError::Unsupported(format!("layer {layer} fails")))
    }
    fn end_chunk(&mut self, _: Signals<'_>) -> Result<(), MemoryError> {
        Ok(())
    }
    fn truncate(&mut self, to: usize) -> Result<usize, MemoryError> {
        self.0.truncate(to)
    }
    fn fork(&self) -> Result<Box<dyn ContextMemory>, MemoryError> {
        self.0.fork()
    }
    fn save(&self, out: &mut dyn Write) -> Result<(), MemoryError> {
        self.0.save(out)
    }
    fn load(&mut self, from: bytes::Bytes) -> Result<(), MemoryError> {
        self.0.load(from)
    }
    fn record_evidence(&mut self, _: bool) {}
    fn evidence(&self) -> Vec<TokenEvidence> {
        Vec::new()
    }
    fn report(&self) -> ContextReport {
        self.0.report()
    }
    fn bytes(&self) -> usize {
        0
    }
}

#[test]
fn a_failing_memory_is_named_and_the_others_can_be_rewound() {
    let model = tiny(1);
    let (mut sound, mut failing) = (memory(&model), Failing(memory(&model)));
    let (mut a, mut b) = (SignalState::default(), SignalState::default());
    let tokens = tokens(3, 1);
    let error = model
        .forward(&mut [
            Span { memory: &mut sound, state: &mut a, tokens: &tokens, logits: LogitsFor::Last },
            Span { memory: &mut failing, state: &mut b, tokens: &tokens, logits: LogitsFor::Last },
        ])
        .unwrap_err();
    assert!(matches!(error, ForwardError::Memory { span: 1, .. }), "{error}");
    assert_eq!(error.to_string(), "layer 0 fails");
    assert_eq!(sound.truncate(0).unwrap(), 0);
    let after = read(&model, &mut sound, &tokens, LogitsFor::Last).unwrap();
    assert_eq!(after, read(&model, &mut memory(&model), &tokens, LogitsFor::Last).unwrap());
}

#[test]
fn buffers_are_reused_from_step_to_step() {
    let model = tiny(1);
    let mut memory = memory(&model);
    read(&model, &mut memory, &tokens(16, 1), LogitsFor::Last).unwrap();
    let held = model.cpu().idle_bytes();
    for step in 0..5 {
        read(&model, &mut memory, &tokens(16, step), LogitsFor::Last).unwrap();
        assert_eq!(model.cpu().idle_bytes(), held);
    }
}

#[test]
fn an_early_exit_is_the_model_without_its_later_layers() {
    let whole = TinyModel { layers: 3, ..TinyModel::default() };
    let mut metadata = TinyModel { layers: 2, ..whole }.metadata();
    let tensors: Vec<_> =
        whole.tensors().into_iter().filter(|(name, ..)| !name.starts_with("blk.2.")).collect();
    metadata.retain(|(key, _)| key != "tokenizer.chat_template");
    let file = Gguf::from_bytes("two layers", write_gguf(&metadata, &tensors)).unwrap();
    let pool = Arc::new(Pool::new(2));
    let short = Model::from_gguf(file, Arc::clone(&pool)).unwrap();
    let whole = whole.open(pool).unwrap();
    let tokens = tokens(20, 3);
    let logits = |model: &Model, mut memory: ReferenceMemory, layers: usize| {
        let mut state = SignalState::default();
        // Two steps: rows of the first serve the second.
        for part in [&tokens[..15], &tokens[15..]] {
            let span = Span { memory: &mut memory, state: &mut state, tokens: part, logits: LogitsFor::All };
            let found = model.forward_layers(&mut [span], layers).unwrap().remove(0);
            if part.len() == 5 {
                return found;
            }
        }
        Vec::new()
    };
    let expected = logits(&short, memory(&short), 2);
    // With a memory for these layers alone, and with one for all.
    assert_eq!(logits(&whole, memory(&short), 2), expected);
    assert_eq!(logits(&whole, memory(&whole), 2), expected);
    assert_ne!(logits(&whole, memory(&whole), 3), expected);
    let outcome = whole.forward_layers(
        &mut [Span {
            memory: &mut memory(&short),
            state: &mut SignalState::default(),
            tokens: &tokens,
            logits: LogitsFor::None,
        }],
        3,
    );
    assert!(matches!(outcome, Err(ForwardError::Shape { .. })));
}
