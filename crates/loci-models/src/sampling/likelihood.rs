//! How likely the model thought a token, whatever the sampler did.

use std::cmp::Reverse;

use super::filters::Candidate;
use super::{SamplingError, greedy};

/// A token and the natural logarithm of its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenLogProb {
    /// The token.
    pub id: u32,
    /// Natural logarithm of its probability, 0 or less; minus infinity when the model excludes it.
    pub log_prob: f32,
}

/// What the model thought of a token that was drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct LogProbs {
    /// The token that was drawn.
    pub drawn: TokenLogProb,
    /// The most probable tokens, best first, the lower id first among equals. Holds the drawn one only if it is one of
    /// them.
    pub top: Vec<TokenLogProb>,
}

/// Natural logarithm of the probability of token `id` under `logits` `[vocab_size]`, before any filter.
///
/// # Errors
/// [`SamplingError`] when a logit is NaN or plus infinity, when all are minus infinity, or when there is no such
/// token.
pub fn log_prob(logits: &[f32], id: u32) -> Result<f32, SamplingError> {
    Ok(log_probs(logits, id, 0)?.drawn.log_prob)
}

/// The log-probabilities of token `id` and of the `count` most probable ones under `logits` `[vocab_size]`: the log
/// softmax of the logits as the model gave them, before penalties, biases, constraint, temperature and filters.
///
/// # Errors
/// As [`log_prob`].
pub fn log_probs(logits: &[f32], id: u32, count: usize) -> Result<LogProbs, SamplingError> {
    let best = logits.get(greedy(logits)? as usize).copied().map_or(0.0, f64::from);
    let size = logits.len();
    let logit = *logits.get(id as usize).ok_or(SamplingError::NoSuchToken { id, size })?;
    let sum: f64 = logits.iter().map(|logit| (f64::from(*logit) - best).exp()).sum();
    let of = |id: u32, logit: f32| TokenLogProb { id, log_prob: (f64::from(logit) - best - sum.ln()) as f32 };
    let mut top = Vec::new();
    if count > 0 {
        let mut all: Vec<Candidate> = (0_u32..)
            .zip(logits)
            .map(|(id, logit)| Candidate { id, logit: *logit, probability: 0.0 })
            .collect();
        if count < all.len() {
            all.select_nth_unstable_by(count, |a, b| b.cmp(a));
            all.truncate(count);
        }
        all.sort_unstable_by_key(|candidate| Reverse(*candidate));
        top = all.into_iter().map(|candidate| of(candidate.id, candidate.logit)).collect();
    }
    Ok(LogProbs { drawn: of(id, logit), top })
}
