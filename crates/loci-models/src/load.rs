//! From a model file to packed weights.

use loci_kernels::Pool;

use crate::config::{Architecture, ModelConfig};
use crate::cpu::{Cpu, Linear, Norm};
use crate::error::ModelError;
use crate::source::{Part, Source};
use crate::tensors::Tensors;
use crate::wiring::{Block, Weights};

/// Packs all weights of a model. Each tensor's pages of the mapped file are let go once it is packed, so that
/// memory holds the weights once.
pub(crate) fn weights(
    source: &Source,
    config: &ModelConfig,
    pool: &Pool,
) -> Result<Weights<Cpu>, ModelError> {
    let mut loader = Loader { source, config, tensors: Tensors::new(source, pool) };
    let (vocab, hidden) = (config.vocab, config.hidden);
    let mut blocks = Vec::new();
    for layer in 0..config.layers {
        blocks.push(loader.block(layer)?);
    }
    let weights = Weights {
        shape: config.shape(),
        vocab,
        embedding: loader.linear(source.embedding_name(), vocab, hidden, Rows::AsStored)?,
        blocks,
        norm: loader.norm(source.norm_name(), hidden)?,
        head: match config.tied_embeddings {
            true => None,
            false => Some(loader.linear(source.head_name(), vocab, hidden, Rows::AsStored)?),
        },
    };
    loader.refuse_unused()?;
    Ok(weights)
}

/// How the rows of a query or key matrix are ordered in the file.
#[derive(Clone, Copy)]
enum Rows {
    /// As everywhere in Loci: number `i` of a head is turned together with number `i + head_dim / 2`.
    AsStored,
    /// Llama's files in GGUF: `2 i` together with `2 i + 1`, in heads of this many rows.
    Interleaved(usize),
}

impl Rows {
    /// The stored row that becomes row `row`.
    const fn source(self, row: usize) -> usize {
        match self {
            Self::AsStored => row,
            Self::Interleaved(head_dim) => {
                let (head, within) = (row / head_dim, row % head_dim);
                let half = head_dim / 2;
                head * head_dim + 2 * (within % half) + within / half
            }
        }
    }
}

struct Loader<'a> {
    source: &'a Source,
    config: &'a ModelConfig,
    tensors: Tensors<'a>,
}

impl Loader<'_> {
    fn block(&mut self, layer: usize) -> Result<Block<Cpu>, ModelError> {
        let ModelConfig { architecture, hidden, ffn, heads, kv_heads, head_dim, .. } = *self.config;
        let rows = match (self.source, architecture) {
            (Source::Gguf(_), Architecture::Llama | Architecture::Mistral) => Rows::Interleaved(head_dim),
            _ => Rows::AsStored,
        };
        let name = |part| self.source.block_name(layer, part);
        let (query, key, value, output) =
            (name(Part::Query), name(Part::Key), name(Part::Value), name(Part::Output));
        let (gate, up, down) = (name(Part::Gate), name(Part::Up), name(Part::Down));
        let (attention_norm, ffn_norm) = (name(Part::AttentionNorm), name(Part::FfnNorm));
        let (query_norm, key_norm) = (name(Part::QueryNorm), name(Part::KeyNorm));
        Ok(Block {
            attention_norm: self.norm(&attention_norm, hidden)?,
            query: self.linear(&query, heads * head_dim, hidden, rows)?,
            key: self.linear(&key, kv_heads * head_dim, hidden, rows)?,
            value: self.linear(&value, kv_heads * head_dim, hidden, Rows::AsStored)?,
            head_norms: match architecture.head_norm() {
                true => Some((self.norm(&query_norm, head_dim)?, self.norm(&key_norm, head_dim)?)),
                false => None,
            },
            output: self.linear(&output, hidden, heads * head_dim, Rows::AsStored)?,
            ffn_norm: self.norm(&ffn_norm, hidden)?,
            gate: self.linear(&gate, ffn, hidden, Rows::AsStored)?,
            up: self.linear(&up, ffn, hidden, Rows::AsStored)?,
            down: self.linear(&down, hidden, ffn, Rows::AsStored)?,
        })
    }

    fn linear(
        &mut self,
        name: &str,
        out_features: usize,
        in_features: usize,
        rows: Rows,
    ) -> Result<Linear, ModelError> {
        self.tensors.linear(name, out_features, in_features, &move |row| rows.source(row))
    }

    fn norm(&mut self, name: &str, length: usize) -> Result<Norm, ModelError> {
        let weight = self.tensors.vector(&format!("{name}.weight"), length)?;
        Ok(Norm { weight, epsilon: self.config.rms_epsilon })
    }

    /// A tensor that nothing reads means that the model computes something this wiring does not.
    fn refuse_unused(&self) -> Result<(), ModelError> {
        let head = format!("{}.weight", self.source.head_name());
        let harmless = |name: &str| {
            // Frequencies are taken from the configuration, or from the factors that it has read already.
            name == crate::config::ROPE_FACTORS
                || name.ends_with("rotary_emb.inv_freq")
                || (self.config.tied_embeddings && name == head)
        };
        match self.tensors.unused().find(|name| !harmless(name)) {
            None => Ok(()),
            Some(name) => Err(ModelError::unsupported(
                self.source.path(),
                "tensor",
                name,
                format!("the tensors of a {} model", self.config.architecture.name()),
            )),
        }
    }
}
