//! The two places weights come from, behind one face: tensors by name, rows first.

use std::path::Path;

use loci_kernels::quant::GgmlType;

use crate::config::ModelConfig;
use crate::error::ModelError;
use crate::folder::Folder;
use crate::gguf::Gguf;

/// A model file or folder.
#[derive(Debug)]
pub(crate) enum Source {
    /// A GGUF file.
    Gguf(Gguf),
    /// A Hugging Face folder.
    Folder(Folder),
}

/// A tensor as it is stored.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'a> {
    pub(crate) ty: GgmlType,
    pub(crate) shape: &'a [usize],
    pub(crate) bytes: &'a [u8],
}

/// The tensors of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    AttentionNorm,
    Query,
    Key,
    Value,
    Output,
    QueryNorm,
    KeyNorm,
    FfnNorm,
    Gate,
    Up,
    Down,
}

impl Part {
    const fn gguf(self) -> &'static str {
        match self {
            Self::AttentionNorm => "attn_norm",
            Self::Query => "attn_q",
            Self::Key => "attn_k",
            Self::Value => "attn_v",
            Self::Output => "attn_output",
            Self::QueryNorm => "attn_q_norm",
            Self::KeyNorm => "attn_k_norm",
            Self::FfnNorm => "ffn_norm",
            Self::Gate => "ffn_gate",
            Self::Up => "ffn_up",
            Self::Down => "ffn_down",
        }
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::AttentionNorm => "input_layernorm",
            Self::Query => "self_attn.q_proj",
            Self::Key => "self_attn.k_proj",
            Self::Value => "self_attn.v_proj",
            Self::Output => "self_attn.o_proj",
            Self::QueryNorm => "self_attn.q_norm",
            Self::KeyNorm => "self_attn.k_norm",
            Self::FfnNorm => "post_attention_layernorm",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }
}

impl Source {
    /// Opens a `.gguf` file or a model folder.
    pub(crate) fn open(path: &Path) -> Result<Self, ModelError> {
        let metadata = std::fs::metadata(path).map_err(|source| ModelError::io(path, source))?;
        match metadata.is_dir() {
            true => Folder::open(path).map(Self::Folder),
            false => Gguf::open(path).map(Self::Gguf),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Gguf(file) => file.path(),
            Self::Folder(folder) => folder.path(),
        }
    }

    pub(crate) fn config(&self) -> Result<ModelConfig, ModelError> {
        match self {
            Self::Gguf(file) => ModelConfig::from_gguf(file),
            Self::Folder(folder) => ModelConfig::from_folder(folder),
        }
    }

    pub(crate) fn tensor(&self, name: &str) -> Result<Option<Raw<'_>>, ModelError> {
        Ok(match self {
            Self::Gguf(file) => {
                file.tensor(name).map(|(info, bytes)| Raw { ty: info.ty, shape: &info.shape, bytes })
            }
            Self::Folder(folder) => folder.tensor(name)?.map(|tensor| Raw {
                ty: tensor.ty,
                shape: tensor.shape,
                bytes: tensor.bytes,
            }),
        })
    }

    /// Names of all tensors.
    pub(crate) fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Gguf(file) => Box::new(file.tensors().map(|(name, _)| name)),
            Self::Folder(folder) => Box::new(folder.names()),
        }
    }

    /// A tensor's pages need not stay resident.
    pub(crate) fn release(&self, name: &str) {
        match self {
            Self::Gguf(file) => {
                if let Some((info, _)) = file.tensor(name) {
                    file.release(info.bytes.clone());
                }
            }
            Self::Folder(folder) => folder.release(name),
        }
    }

    pub(crate) const fn embedding_name(&self) -> &'static str {
        match self {
            Self::Gguf(_) => "token_embd",
            Self::Folder(_) => "model.embed_tokens",
        }
    }

    pub(crate) const fn norm_name(&self) -> &'static str {
        match self {
            Self::Gguf(_) => "output_norm",
            Self::Folder(_) => "model.norm",
        }
    }

    pub(crate) const fn head_name(&self) -> &'static str {
        match self {
            Self::Gguf(_) => "output",
            Self::Folder(_) => "lm_head",
        }
    }

    /// Name of a layer's tensor without `.weight` or `.bias`.
    pub(crate) fn block_name(&self, layer: usize, part: Part) -> String {
        match self {
            Self::Gguf(_) => format!("blk.{layer}.{}", part.gguf()),
            Self::Folder(_) => format!("model.layers.{layer}.{}", part.folder()),
        }
    }
}
