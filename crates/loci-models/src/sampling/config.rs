//! What a sampler is told, and what it refuses.

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
        ];
        match rules.into_iter().find(|rule| !rule.2) {
            Some((name, value, _, allowed)) => Err(SamplingError::Parameter { name, value, allowed }),
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
