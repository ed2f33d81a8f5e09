//! What a model's own configuration says about RoPE. Readers of model files fill these in; nobody else needs
//! to define them.

/// RoPE as a model was trained with it.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeConfig {
    /// Base of the frequencies (`rope_theta`).
    pub base: f64,
    /// Numbers in one head that are rotated.
    pub head_dim: usize,
    /// Positions the model supports as it stands, scaling included (`max_position_embeddings`).
    pub trained_window: usize,
    /// The schedule the model was trained with, if it is not the stock one.
    pub scaling: Option<RopeScaling>,
}

/// A scaling declared by a model's configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// Positions divided by `factor`.
    Linear {
        /// How many times longer the window becomes.
        factor: f64,
    },
    /// The base grows with the length of the input.
    Dynamic {
        /// How many times longer the window may become.
        factor: f64,
    },
    /// YaRN.
    Yarn {
        /// How many times longer the window becomes.
        factor: f64,
        /// Window before scaling, in tokens; 0 when not stated.
        original_window: usize,
        /// Turns in the original window above which a pair is left alone (32).
        beta_fast: f64,
        /// Turns below which a pair is fully interpolated (1).
        beta_slow: f64,
        /// Temperature; `None` for YaRN's own formula.
        attention_scale: Option<f64>,
    },
    /// The scaling of Llama 3.1 and later.
    Llama3 {
        /// Divisor of slow pairs.
        factor: f64,
        /// Turns in the original window below which a pair is slow (1).
        low_freq_factor: f64,
        /// Turns above which a pair is left alone (4).
        high_freq_factor: f64,
        /// Window before scaling, in tokens.
        original_window: usize,
    },
    /// One divisor a pair, from a tensor of the model file.
    FrequencyFactors(Vec<f64>),
}
