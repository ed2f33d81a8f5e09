//! From logits to the next token: a chain of small filters, and strings at which an answer stops.
//!
//! The order is that of the `transformers` library, with OpenAI's parameters between: repetition penalty, penalties of
//! what was drawn, biases, constraint, temperature, top-k, top-p, min-p, draw.
//! Same logits, configuration and seed give the same tokens on every machine; equal logits are ordered by id.

mod config;
mod constraint;
mod filters;
mod likelihood;
mod stop;

use std::collections::BTreeMap;

pub use config::{SamplerConfig, SamplingError};
pub use constraint::{Constraint, TokenSet};
pub use likelihood::{LogProbs, TokenLogProb, log_prob, log_probs};
pub use stop::{StopStrings, longest_beginning};

use constraint::Constrained;
use filters::{Candidate, bias, min_p, penalise, penalise_drawn, probabilities, top_k, top_p};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws the tokens of one answer; holds the state of the random generator, and which tokens were drawn.
#[derive(Clone, Debug)]
pub struct Sampler {
    config: SamplerConfig,
    random: ChaCha8Rng,
    drawn: BTreeMap<u32, u32>,
    constraint: Option<Constrained>,
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
        Ok(Self { config, random, drawn: BTreeMap::new(), constraint: None, candidates: Vec::new() })
    }

    /// Draws only what `constraint` allows, and one of `ends`, the tokens that end an answer, only where it may end.
    /// Without `ends` no end is ever drawn; [`is_complete`](Self::is_complete) tells then.
    #[must_use]
    pub fn with_constraint(mut self, constraint: Box<dyn Constraint>, ends: &[u32]) -> Self {
        self.constraint = Some(Constrained { constraint, ends: ends.into() });
        self
    }

    /// Whether nothing but an end can follow what was drawn; never without a constraint.
    pub fn is_complete(&self) -> bool {
        self.constraint.as_ref().is_some_and(|constrained| constrained.constraint.is_complete())
    }

    /// What the sampler was made with.
    pub fn config(&self) -> &SamplerConfig {
        &self.config
    }

    /// Chooses a token. `logits` are `[vocab_size]`; penalties, biases and the constraint are written into them.
    /// `history` is what stands before, oldest first; its last `repetition_window` tokens get the repetition penalty. A
    /// logit of minus infinity forbids its token.
    ///
    /// # Errors
    /// [`SamplingError`] when a logit is NaN or plus infinity, when every token is forbidden, when a bias is for a token
    /// outside the vocabulary, or when the constraint fails.
    pub fn sample(&mut self, logits: &mut [f32], history: &[u32]) -> Result<u32, SamplingError> {
        check(logits)?;
        penalise(logits, history, self.config.repetition_penalty, self.config.repetition_window);
        let (frequency, presence) = (self.config.frequency_penalty, self.config.presence_penalty);
        penalise_drawn(logits, &self.drawn, frequency, presence);
        bias(logits, &self.config.logit_bias)?;
        if let Some(constrained) = &mut self.constraint {
            constrained.forbid(logits)?;
        }
        let token = self.choose(logits)?;
        if let Some(constrained) = &mut self.constraint {
            constrained.accept(token)?;
        }
        *self.drawn.entry(token).or_insert(0) += 1;
        Ok(token)
    }

    fn choose(&mut self, logits: &[f32]) -> Result<u32, SamplingError> {
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
