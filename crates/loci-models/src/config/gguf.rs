//! The configuration in GGUF metadata.

use super::{Architecture, ModelConfig, RopeConfig, RopeScaling, check_sliding_window};
use crate::error::ModelError;
use crate::gguf::{Gguf, Value};

/// Tensor with one divisor a pair, in files converted from Llama 3.1 and later.
pub(crate) const ROPE_FACTORS: &str = "rope_freqs.weight";

impl ModelConfig {
    /// Reads the configuration of a GGUF file.
    ///
    /// # Errors
    /// [`ModelError`] when the architecture is unknown, or a setting is missing or makes no sense.
    pub fn from_gguf(file: &Gguf) -> Result<Self, ModelError> {
        let keys = Keys::new(file)?;
        let architecture = keys.architecture;
        let hidden = keys.need("embedding_length")?;
        let heads = keys.need("attention.head_count")?;
        let kv_heads = keys.size("attention.head_count_kv")?.unwrap_or(heads);
        let head_dim = match keys.size("attention.key_length")? {
            Some(length) => length,
            None => hidden / heads.max(1),
        };
        if let Some(length) = keys.size("attention.value_length")?.filter(|length| *length != head_dim) {
            return Err(keys.unsupported(
                "attention.value_length",
                length,
                format!("the key length {head_dim}"),
            ));
        }
        if let Some(length) = keys.size("rope.dimension_count")?.filter(|length| *length != head_dim) {
            return Err(keys.unsupported(
                "rope.dimension_count",
                length,
                format!("all {head_dim} numbers of a head"),
            ));
        }
        if let Some(experts) = keys.size("expert_count")?.filter(|experts| *experts > 0) {
            return Err(keys.unsupported("expert_count", experts, "0 (dense models)".to_owned()));
        }
        let n_ctx = keys.need("context_length")?;
        check_sliding_window(file.path(), keys.size("attention.sliding_window")?, n_ctx)?;
        let (embedding, _) = file.tensor("token_embd.weight").ok_or_else(|| ModelError::MissingTensor {
            path: file.path().to_owned(),
            tensor: "token_embd.weight".to_owned(),
        })?;
        let config = Self {
            architecture,
            layers: keys.need("block_count")?,
            hidden,
            ffn: keys.need("feed_forward_length")?,
            heads,
            kv_heads,
            head_dim,
            vocab: embedding.shape.first().copied().unwrap_or(0),
            rms_epsilon: keys.need_number("attention.layer_norm_rms_epsilon")? as f32,
            n_ctx,
            rope: RopeConfig {
                // llama.cpp's default, for old files that do not state it.
                base: keys.number("rope.freq_base")?.unwrap_or(10_000.0),
                head_dim,
                trained_window: n_ctx,
                scaling: keys.scaling(head_dim)?,
            },
            tied_embeddings: file.tensor("output.weight").is_none(),
        };
        config.check(file.path())
    }
}

/// Settings of one architecture: `{architecture}.{name}`.
struct Keys<'a> {
    file: &'a Gguf,
    architecture: Architecture,
    prefix: &'static str,
}

impl<'a> Keys<'a> {
    fn new(file: &'a Gguf) -> Result<Self, ModelError> {
        let name = file.text("general.architecture")?.ok_or_else(|| {
            ModelError::setting(file.path(), "general.architecture", "the name of an architecture", "none")
        })?;
        let (architecture, prefix) = match name {
            "llama" => (Architecture::Llama, "llama"),
            "qwen2" => (Architecture::Qwen2, "qwen2"),
            "qwen3" => (Architecture::Qwen3, "qwen3"),
            other => {
                return Err(ModelError::unsupported(
                    file.path(),
                    "architecture",
                    other,
                    "llama, qwen2, qwen3",
                ));
            }
        };
        Ok(Self { file, architecture, prefix })
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// A size; an array with the same size for each layer counts as that size.
    fn size(&self, name: &str) -> Result<Option<usize>, ModelError> {
        let key = self.key(name);
        if let Some(Value::Array(array)) = self.file.get(&key) {
            let mut sizes = array.values().map(Value::size);
            let first = sizes.next().flatten();
            if first.is_some() && sizes.all(|size| size == first) {
                return Ok(first);
            }
            return Err(ModelError::unsupported(
                self.file.path(),
                key,
                "that differs between layers",
                "one value for all layers",
            ));
        }
        self.file.size(&key)
    }

    fn need(&self, name: &str) -> Result<usize, ModelError> {
        self.size(name)?.ok_or_else(|| self.missing(name))
    }

    fn number(&self, name: &str) -> Result<Option<f64>, ModelError> {
        self.file.number(&self.key(name))
    }

    fn need_number(&self, name: &str) -> Result<f64, ModelError> {
        self.number(name)?.ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> ModelError {
        ModelError::setting(self.file.path(), self.key(name), "given", "nothing")
    }

    fn unsupported(&self, name: &str, found: usize, supported: String) -> ModelError {
        ModelError::unsupported(self.file.path(), self.key(name), found.to_string(), supported)
    }

    fn scaling(&self, head_dim: usize) -> Result<Option<RopeScaling>, ModelError> {
        if let Some(factors) = self.factors(head_dim)? {
            return Ok(Some(RopeScaling::FrequencyFactors(factors)));
        }
        let kind = self.file.text(&self.key("rope.scaling.type"))?;
        let factor = match self.number("rope.scaling.factor")? {
            Some(factor) => Some(factor),
            None => self.number("rope.scale_linear")?,
        };
        let positive = |factor: Option<f64>| match factor {
            Some(factor) if factor > 0.0 => Ok(factor),
            other => Err(ModelError::setting(
                self.file.path(),
                self.key("rope.scaling.factor"),
                "a number above 0",
                other.map_or_else(|| "nothing".to_owned(), |factor| factor.to_string()),
            )),
        };
        match kind {
            Some("none") => Ok(None),
            None if factor.is_none_or(|factor| factor == 1.0 || factor == 0.0) => Ok(None),
            None | Some("linear") => Ok(Some(RopeScaling::Linear { factor: positive(factor)? })),
            Some("yarn") => {
                let factor = positive(factor)?;
                let attention = self.number("rope.scaling.attn_factor")?;
                Ok(Some(RopeScaling::Yarn {
                    factor,
                    original_window: self.size("rope.scaling.original_context_length")?.unwrap_or(0),
                    beta_fast: self.number("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
                    beta_slow: self.number("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
                    // In GGUF the attention factor multiplies YaRN's own temperature.
                    attention_scale: attention.map(|factor_of| factor_of * (0.1 * factor.ln() + 1.0)),
                }))
            }
            Some(other) => Err(ModelError::unsupported(
                self.file.path(),
                self.key("rope.scaling.type"),
                other,
                "none, linear, yarn",
            )),
        }
    }

    /// The divisors of the pairs, when the file has the tensor.
    fn factors(&self, head_dim: usize) -> Result<Option<Vec<f64>>, ModelError> {
        let Some((info, bytes)) = self.file.tensor(ROPE_FACTORS) else { return Ok(None) };
        if info.shape != [head_dim / 2] || info.ty != loci_kernels::quant::GgmlType::F32 {
            return Err(ModelError::TensorShape {
                path: self.file.path().to_owned(),
                tensor: format!("{ROPE_FACTORS} of type F32"),
                expected: vec![head_dim / 2],
                found: info.shape.clone(),
            });
        }
        let factors: Vec<f64> =
            bytes.as_chunks::<4>().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect();
        match factors.iter().find(|factor| !(factor.is_finite() && **factor > 0.0)) {
            Some(factor) => Err(ModelError::setting(
                self.file.path(),
                ROPE_FACTORS,
                "numbers above 0",
                factor.to_string(),
            )),
            None => Ok(Some(factors)),
        }
    }
}
