//! What the tests of this folder share.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test file uses its own part

use std::path::{Path, PathBuf};
use std::sync::Arc;

use loci_kernels::Pool;
use loci_models::Model;
use loci_models::memory::ContextMemory;
use loci_models::reference::{ReferenceMemory, TinyModel};
use loci_models::rope::{RopeSchedule, RopeSpec};
use loci_models::signals::SignalState;
use loci_models::wiring::{ForwardError, Logits, LogitsFor, Span};

/// A folder of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The model of a fixture, folder or GGUF.
pub fn open(name: &str) -> Model {
    let folder = fixture(name);
    let file = folder.join("model.gguf");
    let path = if file.is_file() { file } else { folder };
    Model::open(&path, Arc::new(Pool::new(2))).unwrap()
}

/// The schedule that the model's own configuration asks for.
pub fn schedule(model: &Model, tokens: usize) -> RopeSchedule {
    let rope = &model.config().rope;
    RopeSpec::from_config(rope)
        .unwrap()
        .schedule(rope.base, rope.head_dim, rope.trained_window, tokens)
        .unwrap()
}

/// A small random model.
pub fn tiny(threads: usize) -> Model {
    TinyModel::default().open(Arc::new(Pool::new(threads))).unwrap()
}

/// An empty reference memory for a model.
pub fn memory(model: &Model) -> ReferenceMemory {
    ReferenceMemory::new(model.shape(), schedule(model, 0))
}

/// One step of one sequence.
pub fn read(
    model: &Model,
    memory: &mut dyn ContextMemory,
    tokens: &[u32],
    logits: LogitsFor,
) -> Result<Logits, ForwardError> {
    let mut state = SignalState::default();
    let mut spans = [Span { memory, state: &mut state, tokens, logits }];
    Ok(model.forward(&mut spans)?.swap_remove(0))
}

/// Pseudo-random tokens.
pub fn tokens(count: usize, seed: u32) -> Vec<u32> {
    (0..count as u32)
        .map(|index| (index.wrapping_mul(2_654_435_761).wrapping_add(seed * 97) >> 13) % 256)
        .collect()
}
