//! What a sampler is told, and what it refuses.

use std::collections::BTreeMap;

/// How tokens are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplerConfig {
    /// Divides the logits; 0 always takes the largest (greedy).
    pub temperature: f32,
    /// Only this many of the largest logits are drawn from; 0 for all (Fan et al., 2018).
    pub top_k: usize,
    /// Only the smallest set of most probable tokens with at least this probability together; 1 for all (Holtzman
    /// et al., 2020).
    pub top_p: f32,
    /// Only tokens at least this fraction as probable as the most probable; 0 for all (Nguyen et al., 2024).
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of recent tokens; 1 for none (Keskar et al., 2019).
    pub repetition_penalty: f32,
    /// How many recent tokens are penalised.
    pub repetition_window: usize,
    /// Taken from the logit of a token for each time it was drawn, -2 to 2; 0 for none. The prompt does not count.
    pub frequency_penalty: f32,
    /// Taken from the logit of a token that was drawn at all, -2 to 2; 0 for none. The prompt does not count.
    pub presence_penalty: f32,
    /// Added to the logits of these tokens, -100 to 100. The ends of the range as good as forbid or force a token; only
    /// a constraint forbids for certain.
    pub logit_bias: BTreeMap<u32, f32>,
    /// Seed of the random generator.
    pub seed: u64,
}

impl Default for SamplerConfig {
    /// Greedy, without penalty.
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            repetition_window: 64,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            logit_bias: BTreeMap::new(),
            seed: 0,
        }
    }
}

impl SamplerConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// [`SamplingError::Parameter`] for the first value outside its range.
    pub fn validate(&self) -> Result<(), SamplingError> {
        let finite = f32::is_finite;
        let penalty = |value: f32| (-2.0..=2.0).contains(&value);
        let rules = [
            (
                "temperature",
                self.temperature,
                finite(self.temperature) && self.temperature >= 0.0,
                "0 or more",
            ),
            ("top_p", self.top_p, self.top_p > 0.0 && self.top_p <= 1.0, "above 0 and at most 1"),
            ("min_p", self.min_p, (0.0..=1.0).contains(&self.min_p), "from 0 to 1"),
            (
                "repetition_penalty",
                self.repetition_penalty,
                finite(self.repetition_penalty) && self.repetition_penalty > 0.0,
                "above 0; 1 means none",
            ),
            ("frequency_penalty", self.frequency_penalty, penalty(self.frequency_penalty), "from -2 to 2"),
            ("presence_penalty", self.presence_penalty, penalty(self.presence_penalty), "from -2 to 2"),
        ];
        if let Some((name, value, _, allowed)) = rules.into_iter().find(|rule| !rule.2) {
            return Err(SamplingError::Parameter { name, value, allowed });
        }
        match self.logit_bias.iter().find(|(_, bias)| !(-100.0..=100.0).contains(*bias)) {
            Some((&id, &value)) => Err(SamplingError::Bias { id, value }),
            None => Ok(()),
        }
    }
}

/// Why no token could be drawn.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SamplingError {
    /// A parameter outside its range.
    #[error("{name} = {value} is not allowed; use a number {allowed}")]
    Parameter {
        /// Which.
        name: &'static str,
        /// Its value.
        value: f32,
        /// What would do.
        allowed: &'static str,
    },
    /// A bias outside its range.
    #[error("the logit bias {value} of token {id} is not allowed; use a number from -100 to 100")]
    Bias {
        /// The token.
        id: u32,
        /// Its bias.
        value: f32,
    },
    /// A constraint could not go on.
    #[error("the constraint on the output failed: {message}")]
    Constraint {
        /// Why.
        message: String,
    },
    /// A logit that is no number: the model's weights are damaged or overflow.
    #[error("the logit of token {id} is {value}; the model file is damaged, download it again")]
    BadLogit {
        /// The token.
        id: usize,
        /// NaN or plus infinity.
        value: f32,
    },
    /// There are no logits or all are minus infinity.
    #[error("no token is allowed; loosen the constraint on the output")]
    NothingAllowed,
    /// A token outside the logits.
    #[error("token {id} is outside the vocabulary of {size} tokens")]
    NoSuchToken {
        /// The token.
        id: u32,
        /// Number of logits.
        size: usize,
    },
    /// An empty stop string would stop before the first word.
    #[error("stop string {index} is empty; leave it out")]
    EmptyStop {
        /// Position in the list, from 0.
        index: usize,
    },
}
