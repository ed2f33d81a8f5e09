//! A model, ready to read tokens.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loci_kernels::{Isa, Pool};

use crate::config::ModelConfig;
use crate::cpu::Cpu;
use crate::error::ModelError;
use crate::gguf::Gguf;
use crate::memory::AttentionShape;
use crate::source::Source;
use crate::tokenizer::Tokenizer;
use crate::wiring::{self, ForwardError, Logits, Span, Weights};
use crate::{load, material};

/// A model: weights in the layout of the kernels, an executor, and what came with it. Threads may share it.
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    config: ModelConfig,
    weights: Weights<Cpu>,
    cpu: Cpu,
    tokenizer: Option<Tokenizer>,
    chat_template: Option<String>,
    tokens_read: AtomicU64,
}

impl Model {
    /// Opens a `.gguf` file or a folder with `config.json` and safetensors, and packs the weights on all threads
    /// of `pool`, on which the model will also compute.
    ///
    /// # Errors
    /// [`ModelError`] when something is missing, damaged or not supported.
    pub fn open(path: &Path, pool: Arc<Pool>) -> Result<Self, ModelError> {
        Self::from_source(&Source::open(path)?, pool, Isa::active())
    }

    /// A model from an opened GGUF file.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn from_gguf(file: Gguf, pool: Arc<Pool>) -> Result<Self, ModelError> {
        Self::from_source(&Source::Gguf(file), pool, Isa::active())
    }

    fn from_source(source: &Source, pool: Arc<Pool>, isa: Isa) -> Result<Self, ModelError> {
        let config = source.config()?;
        let weights = load::weights(source, &config, &pool)?;
        let tokenizer = material::tokenizer(source)?;
        let chat_template = material::chat_template(source)?;
        let path = source.path().to_owned();
        let (cpu, tokens_read) = (Cpu::new(pool, isa), AtomicU64::new(0));
        Ok(Self { path, config, weights, cpu, tokenizer, chat_template, tokens_read })
    }

    /// The file or folder it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sizes and settings.
    pub const fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// What a memory for this model needs to know.
    pub const fn shape(&self) -> AttentionShape {
        self.weights.shape
    }

    /// The weights, for [`wiring::forward`].
    pub const fn weights(&self) -> &Weights<Cpu> {
        &self.weights
    }

    /// The executor.
    pub const fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// Whether the model came with a tokenizer.
    pub const fn has_tokenizer(&self) -> bool {
        self.tokenizer.is_some()
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// [`ModelError::NoTokenizer`] when the model came without one.
    pub fn tokenizer(&self) -> Result<&Tokenizer, ModelError> {
        self.tokenizer.as_ref().ok_or_else(|| ModelError::NoTokenizer {
            path: self.path.clone(),
            expected: material::place_of(&self.path),
        })
    }

    /// Text of the chat template that came with the model.
    pub fn chat_template(&self) -> Option<&str> {
        self.chat_template.as_deref()
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let weights = &self.weights;
        let blocks = weights.blocks.iter().flat_map(|block| {
            [&block.query, &block.key, &block.value, &block.output, &block.gate, &block.up, &block.down]
        });
        blocks.chain([&weights.embedding]).chain(&weights.head).map(|linear| linear.matrix.bytes()).sum()
    }

    /// The most bytes that activations take while steps of `chunk` tokens are computed; with `signals` the surprise of
    /// every token is computed too. What the memories take is not in it.
    pub fn step_bytes(&self, chunk: usize, signals: bool) -> usize {
        let ModelConfig { hidden, ffn, heads, kv_heads, head_dim, vocab, .. } = self.config;
        // Matrices of one layer that are alive together: five as wide as the hidden state, queries and what attention
        // gives, keys and values, gate and up; and what a product makes of its widest input.
        let widest = hidden.max(ffn).max(heads * head_dim);
        let token = 5 * hidden + 2 * heads * head_dim + 2 * kv_heads * head_dim + 2 * ffn + widest;
        // Logits are computed, handed out and kept; with signals for a block of tokens, and once more a thread.
        let logits = 4 + if signals { wiring::HEAD_ROWS.min(chunk) + self.cpu.pool().threads() } else { 0 };
        (chunk * token + logits * vocab) * size_of::<f32>()
    }

    /// Reads the new tokens of all spans and returns the logits that each asked for; see [`wiring::forward`].
    ///
    /// # Errors
    /// [`ForwardError`] for a token the model does not have, or when a memory fails.
    pub fn forward(&self, spans: &mut [Span<'_>]) -> Result<Vec<Logits>, ForwardError> {
        self.forward_layers(spans, usize::MAX)
    }

    /// The same through the first `layers` layers only; see [`wiring::forward_layers`].
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn forward_layers(&self, spans: &mut [Span<'_>], layers: usize) -> Result<Vec<Logits>, ForwardError> {
        let tokens: usize = spans.iter().map(|span| span.tokens.len()).sum();
        let logits = wiring::forward_layers(&self.weights, &self.cpu, spans, layers)?;
        self.tokens_read.fetch_add(tokens as u64, Ordering::Relaxed);
        Ok(logits)
    }

    /// Tokens that went through the model, or through some of its layers, since it was opened: those of all sequences.
    pub fn tokens_read(&self) -> u64 {
        self.tokens_read.load(Ordering::Relaxed)
    }
}
