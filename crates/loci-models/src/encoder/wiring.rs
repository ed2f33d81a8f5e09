//! The computation of a BERT encoder.

use super::config::Activation;
use crate::cpu::{Cpu, Linear, Matrix};
use crate::ops::Ops;

/// A layer norm.
#[derive(Debug)]
pub(crate) struct LayerNorm {
    /// One weight a column.
    pub(crate) weight: Vec<f32>,
    /// One bias a column.
    pub(crate) bias: Vec<f32>,
    /// Added to the variance.
    pub(crate) epsilon: f32,
}

/// One layer.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    pub(super) attention_norm: LayerNorm,
    pub(super) up: Linear,
    pub(super) down: Linear,
    pub(super) ffn_norm: LayerNorm,
}

/// All weights of an encoder.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) hidden: usize,
    pub(super) heads: usize,
    pub(super) activation: Activation,
    /// `[vocab, hidden]`.
    pub(super) words: Vec<f32>,
    /// `[positions, hidden]`, the embedding of the first kind of segment added.
    pub(super) positions: Vec<f32>,
    pub(super) norm: LayerNorm,
    pub(super) blocks: Vec<Block>,
}

/// Hidden states of the sequences `[all tokens, hidden]`, one behind the other. Norms come after the sums they norm.
///
/// Sequences are not longer than there are positions, and tokens are in the vocabulary.
pub(super) fn forward(weights: &Weights, cpu: &Cpu, sequences: &[&[u32]]) -> Matrix {
    let places: Vec<(u32, usize)> = sequences
        .iter()
        .flat_map(|tokens| tokens.iter().copied().enumerate().map(|(position, token)| (token, position)))
        .collect();
    let lengths: Vec<usize> = sequences.iter().map(|tokens| tokens.len()).collect();
    let mut states =
        cpu.embed_places(&weights.words, &weights.positions, weights.hidden, &places, &weights.norm);
    for block in &weights.blocks {
        let [query, key, value] = cpu.linear(&states, [&block.query, &block.key, &block.value]);
        let attended = cpu.attend_all(&query, &key, &value, weights.heads, &lengths);
        drop((query, key, value));
        let attended = cpu.project_and_norm(&attended, &block.output, &states, &block.attention_norm);
        let inner = cpu.project_and_activate(&attended, &block.up, weights.activation);
        states = cpu.project_and_norm(&inner, &block.down, &attended, &block.ffn_norm);
    }
    states
}
