//! The operations a model is wired from.
//!
//! A model's wiring ([`crate::wiring`]) is written once, generic over [`Ops`]; an executor decides what a tensor
//! is and where it is computed. [`crate::cpu::Cpu`] computes with the kernels for inference; an executor that
//! records gradients runs the same wiring, so that the model that is trained is the model that is served.

use crate::signals::Distribution;
use crate::wiring::{ForwardError, Span};

/// An executor of a model's operations. Tensors are matrices `[rows, columns]`, a row for each token.
pub trait Ops {
    /// A matrix of activations.
    type Tensor;
    /// A weight matrix `[out_features, in_features]` in any number format, with an optional bias.
    type Linear;
    /// The weight and epsilon of an RMS norm.
    type Norm;

    /// Rows `tokens` of the embedding: `[tokens, hidden]`. The caller has checked that they exist.
    fn embed(&self, table: &Self::Linear, tokens: &[u32]) -> Self::Tensor;

    /// `input [rows, in_features]` times each of several weights that share it: `[rows, out_features]` each.
    fn linear<const N: usize>(&self, input: &Self::Tensor, weights: [&Self::Linear; N]) -> [Self::Tensor; N];

    /// RMS norm of each row.
    fn norm(&self, input: &Self::Tensor, norm: &Self::Norm) -> Self::Tensor;

    /// RMS norm of each head of each row: `[rows, heads * head_dim]`, where `norm` has `head_dim` weights.
    fn head_norm(&self, input: Self::Tensor, norm: &Self::Norm) -> Self::Tensor;

    /// `silu(gate) * up`, number by number.
    fn gate(&self, gate: Self::Tensor, up: &Self::Tensor) -> Self::Tensor;

    /// `a + b`, number by number.
    fn add(&self, a: Self::Tensor, b: &Self::Tensor) -> Self::Tensor;

    /// Attention of one layer. The rows of `q [rows, heads * head_dim]`, `k` and `v [rows, kv_heads * head_dim]`,
    /// unrotated, belong to the spans one after the other; each span's memory sees its own.
    ///
    /// # Errors
    /// [`ForwardError::Memory`] when a span's memory fails.
    fn attend(
        &self,
        layer: usize,
        q: &Self::Tensor,
        k: &Self::Tensor,
        v: &Self::Tensor,
        spans: &mut [Span<'_>],
    ) -> Result<Self::Tensor, ForwardError>;

    /// Some rows, in the given order. The caller has checked that they exist.
    fn select(&self, input: &Self::Tensor, rows: &[usize]) -> Self::Tensor;

    /// Log-sum-exp and entropy of each row of logits.
    fn distributions(&self, logits: &Self::Tensor) -> Vec<Distribution>;

    /// All numbers of a tensor, row after row.
    fn values<'a>(&self, tensor: &'a Self::Tensor) -> std::borrow::Cow<'a, [f32]>;
}
