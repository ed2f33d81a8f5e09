//! From an encoder's folder to packed weights.

use loci_kernels::Pool;

use super::config::EncoderConfig;
use super::wiring::{Block, LayerNorm, Weights};
use crate::cpu::Linear;
use crate::error::ModelError;
use crate::source::Source;
use crate::tensors::Tensors;

/// Packs all weights of an encoder.
pub(super) fn weights(source: &Source, config: &EncoderConfig, pool: &Pool) -> Result<Weights, ModelError> {
    let mut loader = Loader { config, prefix: "", tensors: Tensors::new(source, pool) };
    // A checkpoint with a head for some task has the encoder under this name.
    if loader.tensors.has("bert.embeddings.word_embeddings.weight") {
        loader.prefix = "bert.";
    }
    let EncoderConfig { vocab, positions, types, .. } = *config;
    let words = loader.table("word_embeddings", vocab)?;
    let mut positions = loader.table("position_embeddings", positions)?;
    let kinds = loader.table("token_type_embeddings", types)?;
    // Every token of a text is of the first kind.
    for row in positions.chunks_exact_mut(config.hidden) {
        for (number, kind) in row.iter_mut().zip(&kinds) {
            *number += kind;
        }
    }
    let norm = loader.norm("embeddings.LayerNorm")?;
    let blocks = (0..config.layers).map(|layer| loader.block(layer)).collect::<Result<_, _>>()?;
    loader.refuse_unused(source)?;
    Ok(Weights {
        hidden: config.hidden,
        heads: config.heads,
        activation: config.activation,
        words,
        positions,
        norm,
        blocks,
    })
}

struct Loader<'a> {
    config: &'a EncoderConfig,
    prefix: &'static str,
    tensors: Tensors<'a>,
}

impl Loader<'_> {
    fn block(&mut self, layer: usize) -> Result<Block, ModelError> {
        let EncoderConfig { hidden, ffn, .. } = *self.config;
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        Ok(Block {
            query: self.linear(&name("attention.self.query"), hidden, hidden)?,
            key: self.linear(&name("attention.self.key"), hidden, hidden)?,
            value: self.linear(&name("attention.self.value"), hidden, hidden)?,
            output: self.linear(&name("attention.output.dense"), hidden, hidden)?,
            attention_norm: self.norm(&name("attention.output.LayerNorm"))?,
            up: self.linear(&name("intermediate.dense"), ffn, hidden)?,
            down: self.linear(&name("output.dense"), hidden, ffn)?,
            ffn_norm: self.norm(&name("output.LayerNorm"))?,
        })
    }

    fn linear(&mut self, name: &str, out_features: usize, in_features: usize) -> Result<Linear, ModelError> {
        self.tensors.linear(&format!("{}{name}", self.prefix), out_features, in_features, &|row| row)
    }

    fn table(&mut self, name: &str, rows: usize) -> Result<Vec<f32>, ModelError> {
        let name = format!("{}embeddings.{name}.weight", self.prefix);
        self.tensors.values(&name, &[rows, self.config.hidden])
    }

    fn norm(&mut self, name: &str) -> Result<LayerNorm, ModelError> {
        let name = format!("{}{name}", self.prefix);
        // Checkpoints converted from TensorFlow have its names.
        let old = self.tensors.has(&format!("{name}.gamma"));
        let (weight, bias) = if old { ("gamma", "beta") } else { ("weight", "bias") };
        let hidden = self.config.hidden;
        Ok(LayerNorm {
            weight: self.tensors.vector(&format!("{name}.{weight}"), hidden)?,
            bias: self.tensors.vector(&format!("{name}.{bias}"), hidden)?,
            epsilon: self.config.norm_epsilon,
        })
    }

    /// A tensor that nothing reads means that the model computes something this wiring does not.
    fn refuse_unused(&self, source: &Source) -> Result<(), ModelError> {
        let harmless = |name: &str| {
            let own = name.strip_prefix(self.prefix).unwrap_or(name);
            // Heads for tasks that are not asked for, and the numbers 0, 1, 2, … as a tensor.
            own.starts_with("pooler.") || own.starts_with("cls.") || own == "embeddings.position_ids"
        };
        match self.tensors.unused().find(|name| !harmless(name)) {
            None => Ok(()),
            Some(name) => {
                Err(ModelError::unsupported(source.path(), "tensor", name, "the tensors of a BERT encoder"))
            }
        }
    }
}
