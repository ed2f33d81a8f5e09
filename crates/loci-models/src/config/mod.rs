//! What a model is: its sizes, its RoPE and the small differences between the architectures.

mod gguf;
mod hugging_face;
pub(crate) mod keys;

use std::path::Path;

use crate::error::ModelError;
use crate::memory::AttentionShape;
pub use crate::rope::{RopeConfig, RopeScaling};
pub(crate) use gguf::ROPE_FACTORS;

/// Limits that no model reaches; beyond them a header is taken for damaged before sizes are multiplied.
pub(crate) const MAX_SIZE: usize = 1 << 24;

/// The families whose wiring Loci knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// Llama 2 and 3, SmolLM2, TinyLlama, ….
    Llama,
    /// Mistral; wired like Llama.
    Mistral,
    /// Qwen2 and 2.5: biases on query, key and value.
    Qwen2,
    /// Qwen3: RMS norm of each head's query and key.
    Qwen3,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3];

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    /// The class in `config.json`.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Mistral => "MistralForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
        }
    }

    /// Whether queries and keys are normed head by head.
    pub const fn head_norm(self) -> bool {
        matches!(self, Self::Qwen3)
    }
}

/// The sizes and settings of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Family.
    pub architecture: Architecture,
    /// Transformer layers.
    pub layers: usize,
    /// Numbers that stand for one token between layers.
    pub hidden: usize,
    /// Inner size of the feed-forward part.
    pub ffn: usize,
    /// Query heads of a layer.
    pub heads: usize,
    /// Key-value heads of a layer; divides `heads`.
    pub kv_heads: usize,
    /// Numbers in one head's query, key or value.
    pub head_dim: usize,
    /// Tokens that exist. In GGUF files the rows of the embedding.
    pub vocab: usize,
    /// Added to the mean square in RMS norms.
    pub rms_epsilon: f32,
    /// Window the model was trained with, in tokens; scaling declared by the model is included.
    pub n_ctx: usize,
    /// RoPE as the model was trained with it.
    pub rope: RopeConfig,
    /// Whether the embedding is also the output matrix.
    pub tied_embeddings: bool,
}

impl ModelConfig {
    /// What the model's memory needs to know.
    pub const fn shape(&self) -> AttentionShape {
        AttentionShape {
            layers: self.layers,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
        }
    }

    /// Checks that the sizes make sense together.
    pub(crate) fn check(self, path: &Path) -> Result<Self, ModelError> {
        let sizes = [
            ("number of layers", self.layers),
            ("hidden size", self.hidden),
            ("feed-forward size", self.ffn),
            ("number of heads", self.heads),
            ("number of key-value heads", self.kv_heads),
            ("head_dim", self.head_dim),
            ("vocabulary size", self.vocab),
        ];
        for (key, size) in sizes {
            if size == 0 || size > MAX_SIZE {
                return Err(ModelError::setting(
                    path,
                    key,
                    format!("between 1 and {MAX_SIZE}"),
                    size.to_string(),
                ));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(ModelError::setting(
                path,
                "number of key-value heads",
                format!("a divisor of the {} heads", self.heads),
                self.kv_heads.to_string(),
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(ModelError::setting(path, "head_dim", "even", self.head_dim.to_string()));
        }
        if !(self.rms_epsilon > 0.0 && self.rms_epsilon < 1.0) {
            return Err(ModelError::setting(
                path,
                "RMS epsilon",
                "between 0 and 1",
                self.rms_epsilon.to_string(),
            ));
        }
        if !(self.rope.base.is_finite() && self.rope.base > 1.0) {
            return Err(ModelError::setting(
                path,
                "RoPE base",
                "a number above 1",
                self.rope.base.to_string(),
            ));
        }
        Ok(self)
    }
}

/// Refuses a sliding window that is smaller than the trained one: full attention would compute something else
/// than the model was trained with.
pub(crate) fn check_sliding_window(
    path: &Path,
    window: Option<usize>,
    n_ctx: usize,
) -> Result<(), ModelError> {
    match window {
        Some(window) if window > 0 && window < n_ctx => Err(ModelError::unsupported(
            path,
            "a sliding attention window of",
            format!("{window} tokens in a model of {n_ctx}"),
            "models that attend to everything (Mistral from v0.2 on, Qwen with use_sliding_window off)",
        )),
        _ => Ok(()),
    }
}
