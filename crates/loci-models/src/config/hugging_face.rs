//! The configuration in `config.json`.

use std::path::Path;

use serde_json::{Map, Value};

use super::keys::Keys;
use super::{Architecture, ModelConfig, RopeConfig, RopeScaling, check_sliding_window};
use crate::error::ModelError;
use crate::folder::Folder;

impl ModelConfig {
    /// Reads the configuration of a model folder.
    ///
    /// # Errors
    /// [`ModelError`] when the architecture is unknown, or a setting is missing or makes no sense.
    pub fn from_folder(folder: &Folder) -> Result<Self, ModelError> {
        Self::from_json(&folder.config_path(), folder.config())
    }

    /// Reads the settings of a `config.json`; `path` stands for it in errors.
    ///
    /// # Errors
    /// As [`ModelConfig::from_folder`].
    pub fn from_json(path: &Path, config: &Map<String, Value>) -> Result<Self, ModelError> {
        let keys = Keys::new(path, config);
        let architecture = keys.architecture()?;
        let hidden = keys.need("hidden_size")?;
        let heads = keys.need("num_attention_heads")?;
        let head_dim = keys.size("head_dim")?.unwrap_or(hidden / heads.max(1));
        let n_ctx = keys.need("max_position_embeddings")?;
        keys.check_activation()?;
        check_sliding_window(path, keys.sliding_window(architecture)?, n_ctx)?;
        let rope = keys.rope(head_dim, n_ctx)?;
        let config = Self {
            architecture,
            layers: keys.need("num_hidden_layers")?,
            hidden,
            ffn: keys.need("intermediate_size")?,
            heads,
            kv_heads: keys.size("num_key_value_heads")?.unwrap_or(heads),
            head_dim,
            vocab: keys.need("vocab_size")?,
            rms_epsilon: keys.number("rms_norm_eps")?.unwrap_or(1e-6) as f32,
            n_ctx,
            rope,
            tied_embeddings: keys.flag("tie_word_embeddings")?.unwrap_or(false),
        };
        config.check(path)
    }
}

impl Keys<'_> {
    fn architecture(&self) -> Result<Architecture, ModelError> {
        let name = match self.get("architectures") {
            Some(Value::Array(names)) => names.first().and_then(Value::as_str),
            _ => None,
        };
        let found = name.map_or_else(|| "(none named)".to_owned(), str::to_owned);
        Architecture::ALL.into_iter().find(|architecture| architecture.class() == found).ok_or_else(|| {
            let known: Vec<&str> =
                Architecture::ALL.iter().map(|architecture| architecture.class()).collect();
            ModelError::unsupported(&self.path, "architecture", found, known.join(", "))
        })
    }

    fn check_activation(&self) -> Result<(), ModelError> {
        match self.get("hidden_act") {
            None => Ok(()),
            Some(Value::String(name)) if name == "silu" || name == "swish" => Ok(()),
            Some(other) => Err(ModelError::unsupported(&self.path, "hidden_act", other.to_string(), "silu")),
        }
    }

    /// The sliding window, if it is switched on.
    fn sliding_window(&self, architecture: Architecture) -> Result<Option<usize>, ModelError> {
        let on = match architecture {
            Architecture::Llama => false,
            Architecture::Mistral => true,
            // In Qwen2 and Qwen3 the number is always given and a switch decides.
            Architecture::Qwen2 | Architecture::Qwen3 => self.flag("use_sliding_window")?.unwrap_or(false),
        };
        if on { self.size("sliding_window") } else { Ok(None) }
    }

    /// RoPE, in the old form (`rope_theta` and `rope_scaling`) or the new one (`rope_parameters`).
    fn rope(&self, head_dim: usize, n_ctx: usize) -> Result<RopeConfig, ModelError> {
        let name = if self.get("rope_parameters").is_some() { "rope_parameters" } else { "rope_scaling" };
        let nested = match self.get(name) {
            None => None,
            Some(Value::Object(object)) => Some(Keys::new(&self.path, object)),
            Some(other) => return Err(self.wrong(name, "an object", other)),
        };
        let mut base = self.number("rope_theta")?;
        let mut rotated = self.number("partial_rotary_factor")?;
        let mut scaling = None;
        if let Some(nested) = &nested {
            base = nested.number("rope_theta")?.or(base);
            rotated = nested.number("partial_rotary_factor")?.or(rotated);
            scaling = nested.scaling(n_ctx)?;
        }
        if let Some(part) = rotated.filter(|part| *part != 1.0) {
            return Err(ModelError::unsupported(&self.path, "partial_rotary_factor", part.to_string(), "1"));
        }
        Ok(RopeConfig { base: base.unwrap_or(10_000.0), head_dim, trained_window: n_ctx, scaling })
    }

    /// The scaling inside `rope_scaling` or `rope_parameters`.
    fn scaling(&self, n_ctx: usize) -> Result<Option<RopeScaling>, ModelError> {
        let kind =
            self.get("rope_type").or_else(|| self.get("type")).and_then(Value::as_str).unwrap_or("default");
        let original = self.size("original_max_position_embeddings")?;
        let factor = || match self.number("factor")? {
            Some(factor) if factor >= 1.0 && factor.is_finite() => Ok(factor),
            Some(other) => {
                Err(ModelError::setting(&self.path, "factor", "a number from 1", other.to_string()))
            }
            None => Err(ModelError::setting(&self.path, "factor", "a number from 1", "nothing")),
        };
        Ok(Some(match kind {
            "default" => return Ok(None),
            "linear" => RopeScaling::Linear { factor: factor()? },
            "dynamic" => RopeScaling::Dynamic { factor: factor()? },
            "yarn" => {
                if self.flag("truncate")? == Some(false) {
                    return Err(ModelError::unsupported(&self.path, "truncate", "false", "true"));
                }
                let factor = factor()?;
                RopeScaling::Yarn {
                    factor,
                    original_window: original.unwrap_or(0),
                    beta_fast: self.number("beta_fast")?.unwrap_or(32.0),
                    beta_slow: self.number("beta_slow")?.unwrap_or(1.0),
                    attention_scale: self.temperature(factor)?,
                }
            }
            "llama3" => RopeScaling::Llama3 {
                factor: factor()?,
                low_freq_factor: self.number("low_freq_factor")?.unwrap_or(1.0),
                high_freq_factor: self.number("high_freq_factor")?.unwrap_or(4.0),
                original_window: original.unwrap_or(n_ctx),
            },
            other => {
                return Err(ModelError::unsupported(
                    &self.path,
                    "rope_type",
                    other,
                    "default, linear, dynamic, yarn, llama3",
                ));
            }
        }))
    }

    /// YaRN's temperature when the file sets it, directly or by DeepSeek's two coefficients.
    fn temperature(&self, factor: f64) -> Result<Option<f64>, ModelError> {
        if let Some(given) = self.number("attention_factor")? {
            return Ok(Some(given));
        }
        let (Some(upper), Some(lower)) = (self.number("mscale")?, self.number("mscale_all_dim")?) else {
            return Ok(None);
        };
        // Zero counts as not given, as in the released code.
        let both = upper != 0.0 && lower != 0.0;
        let scale = |coefficient: f64| 0.1 * coefficient * factor.ln() + 1.0;
        Ok(both.then(|| scale(upper) / scale(lower)))
    }
}
