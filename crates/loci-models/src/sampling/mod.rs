//! From logits to the next token: a chain of small filters, and strings at which an answer stops.
//!
//! The order is that of the `transformers` library: repetition penalty, temperature, top-k, top-p, min-p, draw.
//! Same logits, configuration and seed give the same tokens on every machine; equal logits are ordered by id.

mod config;
mod filters;
mod stop;

pub use config::{SamplerConfig, SamplingError};
pub use stop::StopStrings;

use filters::{Candidate, min_p, penalise, probabilities, top_k, top_p};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws tokens; holds the state of the random generator.
#[derive(Clone, Debug)]
pub struct Sampler {
    config: SamplerConfig,
    random: ChaCha8Rng,
    candidates: Vec<Candidate>,
}

impl Sampler {
    /// A sampler at the beginning of its random sequence.
    ///
    /// # Errors
    /// [`SamplingError::Parameter`] for a value outside its range.
    pub fn new(config: SamplerConfig) -> Result<Self, SamplingError> {
        config.validate()?;
        let random = ChaCha8Rng::seed_from_u64(config.seed);
        Ok(Self { config, random, candidates: Vec::new() })
    }

    /// What the sampler was made with.
    pub fn config(&self) -> &SamplerConfig {
        &self.config
    }

    /// Chooses a token. `logits` are `[vocab_size]`; the repetition penalty is written into them. `history` is what
    /// stands before, oldest first; its last `repetition_window` tokens are penalised. A logit of minus infinity
    /// forbids its token.
    ///
    /// # Errors
    /// [`SamplingError`] when a logit is NaN or plus infinity, or when every token is forbidden.
    pub fn sample(&mut self, logits: &mut [f32], history: &[u32]) -> Result<u32, SamplingError> {
        check(logits)?;
        penalise(logits, history, self.config.repetition_penalty, self.config.repetition_window);
        if self.config.temperature == 0.0 || self.config.top_k == 1 {
            return greedy(logits);
        }
        let candidates = &mut self.candidates;
        candidates.clear();
        let allowed = logits.iter().enumerate().filter(|(_, logit)| **logit > f32::NEG_INFINITY);
        candidates.extend(allowed.map(|(id, logit)| Candidate {
            id: id as u32,
            logit: *logit,
            probability: 0.0,
        }));
        if self.config.top_k > 0 {
            top_k(candidates, self.config.top_k);
        }
        probabilities(candidates, self.config.temperature);
        if self.config.top_p < 1.0 {
            top_p(candidates, self.config.top_p);
        }
        if self.config.min_p > 0.0 {
            min_p(candidates, self.config.min_p);
        }
        draw(candidates, uniform(&mut self.random)).ok_or(SamplingError::NothingAllowed)
    }
}

/// The token with the largest logit, the lowest id among equals.
///
/// # Errors
/// [`SamplingError`] when a logit is NaN or plus infinity, or when every token is forbidden.
pub fn greedy(logits: &[f32]) -> Result<u32, SamplingError> {
    check(logits)?;
    let mut best: Option<(usize, f32)> = None;
    for (id, &logit) in logits.iter().enumerate() {
        if logit > best.map_or(f32::NEG_INFINITY, |(_, best)| best) {
            best = Some((id, logit));
        }
    }
    best.map(|(id, _)| id as u32).ok_or(SamplingError::NothingAllowed)
}

/// Natural logarithm of the probability of token `id` under `logits` `[vocab_size]`, before any filter.
///
/// # Errors
/// [`SamplingError`] when a logit is NaN or plus infinity, when all are minus infinity, or when there is no such
/// token.
pub fn log_prob(logits: &[f32], id: u32) -> Result<f32, SamplingError> {
    let best = logits.get(greedy(logits)? as usize).copied().map_or(0.0, f64::from);
    let size = logits.len();
    let logit = *logits.get(id as usize).ok_or(SamplingError::NoSuchToken { id, size })?;
    let sum: f64 = logits.iter().map(|logit| (f64::from(*logit) - best).exp()).sum();
    Ok((f64::from(logit) - best - sum.ln()) as f32)
}

fn check(logits: &[f32]) -> Result<(), SamplingError> {
    match logits.iter().position(|logit| logit.is_nan() || *logit == f32::INFINITY) {
        Some(id) => Err(SamplingError::BadLogit { id, value: logits[id] }),
        None => Ok(()),
    }
}

/// A number in `[0, 1)` with 53 random bits.
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// The candidate in whose share of the total `at` lies.
fn draw(candidates: &[Candidate], at: f64) -> Option<u32> {
    let total: f64 = candidates.iter().map(|candidate| candidate.probability).sum();
    let mut left = at * total;
    let mut chosen = None;
    for candidate in candidates.iter().filter(|candidate| candidate.probability > 0.0) {
        // Rounding may leave a remainder after the last one, which then is chosen.
        chosen = Some(candidate.id);
        left -= candidate.probability;
        if left < 0.0 {
            break;
        }
    }
    chosen
}
