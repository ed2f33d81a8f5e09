//! The wiring of the Llama family, once, over [`Ops`].
//!
//! A forward step takes a batch of spans, each with new tokens of one sequence and that sequence's memory. The
//! products run over the rows of all spans together; attention runs span by span.

use crate::memory::{AttentionShape, ContextMemory, MemoryError, Signals};
use crate::ops::Ops;
use crate::signals::SignalState;

/// Rows of logits computed at once. The logits of a long chunk would be the largest matrix of all (512 tokens of
/// a vocabulary of 150,000 are 300 MB); signals are taken from them block by block.
pub(crate) const HEAD_ROWS: usize = 64;

/// One layer's weights.
#[derive(Debug)]
pub struct Block<O: Ops> {
    /// Before attention.
    pub attention_norm: O::Norm,
    /// `[heads * head_dim, hidden]`.
    pub query: O::Linear,
    /// `[kv_heads * head_dim, hidden]`.
    pub key: O::Linear,
    /// `[kv_heads * head_dim, hidden]`.
    pub value: O::Linear,
    /// Norms of each head's query and key (Qwen3).
    pub head_norms: Option<(O::Norm, O::Norm)>,
    /// `[hidden, heads * head_dim]`.
    pub output: O::Linear,
    /// Before the feed-forward part.
    pub ffn_norm: O::Norm,
    /// `[ffn, hidden]`.
    pub gate: O::Linear,
    /// `[ffn, hidden]`.
    pub up: O::Linear,
    /// `[hidden, ffn]`.
    pub down: O::Linear,
}

/// A model's weights.
#[derive(Debug)]
pub struct Weights<O: Ops> {
    /// Sizes of attention.
    pub shape: AttentionShape,
    /// Tokens that exist: rows of the embedding and of the head.
    pub vocab: usize,
    /// `[vocab, hidden]`.
    pub embedding: O::Linear,
    /// Layers in order.
    pub blocks: Vec<Block<O>>,
    /// Before the head.
    pub norm: O::Norm,
    /// `[vocab, hidden]`; `None` when the embedding serves as the head.
    pub head: Option<O::Linear>,
}

/// Which rows of logits a span wants back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogitsFor {
    /// None.
    None,
    /// Those behind the span's last token.
    Last,
    /// Those behind every token of the span.
    All,
}

/// New tokens of one sequence.
pub struct Span<'a> {
    /// The sequence's memory.
    pub memory: &'a mut dyn ContextMemory,
    /// What the sequence carries from step to step so that its signals can be computed.
    pub state: &'a mut SignalState,
    /// New tokens; may be empty.
    pub tokens: &'a [u32],
    /// Logits wanted.
    pub logits: LogitsFor,
}

impl Span<'_> {
    fn wants_signals(&self) -> bool {
        !self.tokens.is_empty() && (self.state.is_recording() || self.memory.wants_signals())
    }
}

/// The logits of one span, `[rows, vocab]`: no row, one, or one a token, as the span asked for.
pub type Logits = Vec<f32>;

/// Why a forward step failed. The memories of its spans may then hold part of the step: truncate them to their
/// lengths before it, or drop them.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// A token the model does not have.
    #[error("token {token} does not exist: the model has {vocab}; use this model's own tokenizer")]
    Token {
        /// The span, counted from 0.
        span: usize,
        /// The offending token.
        token: u32,
        /// Tokens that exist.
        vocab: usize,
    },
    /// A memory that was made for another model.
    #[error("the memory was made for {found:?}, the model has {expected:?}; make it from this model's shape")]
    Shape {
        /// The span, counted from 0.
        span: usize,
        /// The model's shape.
        expected: AttentionShape,
        /// The memory's shape.
        found: AttentionShape,
    },
    /// A memory failed.
    #[error("{source}")]
    Memory {
        /// The span, counted from 0.
        span: usize,
        /// What it said.
        source: MemoryError,
    },
}

/// Reads the tokens of all spans and returns the logits that each asked for.
///
/// # Errors
/// [`ForwardError`]; nothing was changed for `Token` and `Shape`.
pub fn forward<O: Ops>(
    weights: &Weights<O>,
    ops: &O,
    spans: &mut [Span<'_>],
) -> Result<Vec<Logits>, ForwardError> {
    forward_layers(weights, ops, spans, weights.blocks.len())
}

/// As [`forward`], through the first `layers` layers only (at least one) and from there straight to the head: a rough
/// draft of what the whole model says, for a part of its cost. A span's memory is one for just these layers, or one for
/// all of them; its later layers then miss the tokens, so that it can only be truncated to before them or dropped.
///
/// # Errors
/// As [`forward`].
pub fn forward_layers<O: Ops>(
    weights: &Weights<O>,
    ops: &O,
    spans: &mut [Span<'_>],
    layers: usize,
) -> Result<Vec<Logits>, ForwardError> {
    let layers = layers.clamp(1, weights.blocks.len().max(1));
    check(weights, spans, layers)?;
    for (index, span) in spans.iter_mut().enumerate().filter(|(_, span)| !span.tokens.is_empty()) {
        span.memory
            .begin_chunk(span.tokens.len())
            .map_err(|source| ForwardError::Memory { span: index, source })?;
    }
    for span in spans.iter_mut().filter(|span| !span.tokens.is_empty()) {
        match span.wants_signals() {
            true => span.state.begin(span.tokens.len()),
            false => span.state.skip(),
        }
    }
    let tokens: Vec<u32> = spans.iter().flat_map(|span| span.tokens.iter().copied()).collect();
    let wanted = wanted_rows(spans);
    let mut logits: Vec<Logits> = spans.iter().map(|_| Logits::new()).collect();
    if !tokens.is_empty() {
        let hidden = blocks(weights, ops, spans, &tokens, &wanted, layers)?;
        if let Some(hidden) = hidden {
            head(weights, ops, spans, &hidden, &wanted, &mut logits);
        }
    }
    for (index, span) in spans.iter_mut().enumerate().filter(|(_, span)| !span.tokens.is_empty()) {
        let signals = match span.memory.wants_signals() {
            true => span.state.signals(),
            false => Signals::default(),
        };
        span.memory.end_chunk(signals).map_err(|source| ForwardError::Memory { span: index, source })?;
    }
    Ok(logits)
}

fn check<O: Ops>(weights: &Weights<O>, spans: &[Span<'_>], layers: usize) -> Result<(), ForwardError> {
    let expected = AttentionShape { layers, ..weights.shape };
    for (index, span) in spans.iter().enumerate() {
        if let Some(token) = span.tokens.iter().find(|token| **token as usize >= weights.vocab) {
            return Err(ForwardError::Token { span: index, token: *token, vocab: weights.vocab });
        }
        let found = span.memory.shape();
        if found != weights.shape && found != expected {
            return Err(ForwardError::Shape { span: index, expected, found });
        }
    }
    Ok(())
}

/// A row whose logits are needed.
struct Wanted {
    /// Row among the tokens of all spans.
    row: usize,
    span: usize,
    /// Index of the token in its span.
    token: usize,
    /// Whether the caller wants these logits, or only the signals do.
    returned: bool,
}

fn wanted_rows(spans: &[Span<'_>]) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    let mut first = 0;
    for (index, span) in spans.iter().enumerate() {
        let all = span.wants_signals();
        for token in 0..span.tokens.len() {
            let returned = match span.logits {
                LogitsFor::None => false,
                LogitsFor::Last => token + 1 == span.tokens.len(),
                LogitsFor::All => true,
            };
            if all || returned {
                wanted.push(Wanted { row: first + token, span: index, token, returned });
            }
        }
        first += span.tokens.len();
    }
    wanted
}

/// The first `layers` layers: the hidden states of the wanted rows, in their order; `None` when no row is wanted.
fn blocks<O: Ops>(
    weights: &Weights<O>,
    ops: &O,
    spans: &mut [Span<'_>],
    tokens: &[u32],
    wanted: &[Wanted],
    layers: usize,
) -> Result<Option<O::Tensor>, ForwardError> {
    let mut x = ops.embed(&weights.embedding, tokens);
    let last = layers.saturating_sub(1);
    for (layer, block) in weights.blocks.iter().enumerate().take(layers) {
        let h = ops.norm(&x, &block.attention_norm);
        let [mut q, mut k, v] = ops.linear(&h, [&block.query, &block.key, &block.value]);
        if let Some((query_norm, key_norm)) = &block.head_norms {
            q = ops.head_norm(q, query_norm);
            k = ops.head_norm(k, key_norm);
        }
        let mut attended = ops.attend(layer, &q, &k, &v, spans)?;
        // Behind the last attention, rows no longer meet: those that nobody asked for are not computed.
        if layer == last && wanted.len() < tokens.len() {
            if wanted.is_empty() {
                return Ok(None);
            }
            let rows: Vec<usize> = wanted.iter().map(|wanted| wanted.row).collect();
            attended = ops.select(&attended, &rows);
            x = ops.select(&x, &rows);
        }
        let [output] = ops.linear(&attended, [&block.output]);
        x = ops.add(x, &output);
        let h = ops.norm(&x, &block.ffn_norm);
        let [gate, up] = ops.linear(&h, [&block.gate, &block.up]);
        let [down] = ops.linear(&ops.gate(gate, &up), [&block.down]);
        x = ops.add(x, &down);
    }
    Ok(Some(x))
}

/// The head over the wanted rows: fills the logits of the spans that want them and the signals.
fn head<O: Ops>(
    weights: &Weights<O>,
    ops: &O,
    spans: &mut [Span<'_>],
    hidden: &O::Tensor,
    wanted: &[Wanted],
    logits: &mut [Logits],
) {
    let head = weights.head.as_ref().unwrap_or(&weights.embedding);
    let signalling: Vec<bool> = spans.iter().map(Span::wants_signals).collect();
    let normed = ops.norm(hidden, &weights.norm);
    for (index, group) in wanted.chunks(HEAD_ROWS).enumerate() {
        let first = index * HEAD_ROWS;
        let [rows] = if wanted.len() <= HEAD_ROWS {
            ops.linear(&normed, [head])
        } else {
            let indices: Vec<usize> = (first..first + group.len()).collect();
            ops.linear(&ops.select(&normed, &indices), [head])
        };
        let values = ops.values(&rows);
        let any_signals = group.iter().any(|wanted| signalling.get(wanted.span) == Some(&true));
        let distributions = if any_signals { ops.distributions(&rows) } else { Vec::new() };
        for (row, (wanted, values)) in group.iter().zip(values.chunks_exact(weights.vocab)).enumerate() {
            if wanted.returned
                && let Some(logits) = logits.get_mut(wanted.span)
            {
                logits.extend_from_slice(values);
            }
            if signalling.get(wanted.span) == Some(&true)
                && let Some(span) = spans.get_mut(wanted.span)
                && let Some(token) = span.tokens.get(wanted.token)
            {
                span.state.push(*token, values, distributions.get(row).copied().unwrap_or_default());
            }
        }
    }
}
