//! Sizes and settings of an encoder, from `config.json`.

use serde_json::Value;

use crate::config::MAX_SIZE;
use crate::config::keys::Keys;
use crate::error::ModelError;
use crate::folder::Folder;

/// Between the two products of a feed-forward part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU by the error function.
    Gelu,
    /// GELU's approximation by the hyperbolic tangent.
    GeluTanh,
}

/// The sizes and settings of a BERT encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderConfig {
    /// Transformer layers.
    pub layers: usize,
    /// Numbers that stand for one token between layers; those of a text's vector, too.
    pub hidden: usize,
    /// Inner size of the feed-forward part.
    pub ffn: usize,
    /// Heads of a layer; divides `hidden`.
    pub heads: usize,
    /// Rows of the embedding.
    pub vocab: usize,
    /// Positions that have an embedding.
    pub positions: usize,
    /// Kinds of segments that have an embedding; texts are of the first.
    pub types: usize,
    /// Added to the variance in layer norms.
    pub norm_epsilon: f32,
    /// Between the two products of a feed-forward part.
    pub activation: Activation,
}

impl EncoderConfig {
    /// Reads the configuration of a folder.
    ///
    /// # Errors
    /// [`ModelError`] when the model is no BERT encoder, or a setting is missing or makes no sense.
    pub fn from_folder(folder: &Folder) -> Result<Self, ModelError> {
        let path = folder.config_path();
        let keys = Keys::new(&path, folder.config());
        for (key, expected) in [("model_type", "bert"), ("position_embedding_type", "absolute")] {
            match keys.get(key).and_then(Value::as_str) {
                Some(found) if found == expected => {}
                None if key == "position_embedding_type" => {}
                found => {
                    let found = found.unwrap_or("(none)");
                    return Err(ModelError::unsupported(
                        &path,
                        format!("an encoder with {key}"),
                        found,
                        expected,
                    ));
                }
            }
        }
        for key in ["is_decoder", "add_cross_attention"] {
            if keys.flag(key)? == Some(true) {
                return Err(ModelError::unsupported(
                    &path,
                    key,
                    "true",
                    "false: every token sees every other",
                ));
            }
        }
        let config = Self {
            layers: keys.need("num_hidden_layers")?,
            hidden: keys.need("hidden_size")?,
            ffn: keys.need("intermediate_size")?,
            heads: keys.need("num_attention_heads")?,
            vocab: keys.need("vocab_size")?,
            positions: keys.need("max_position_embeddings")?,
            types: keys.need("type_vocab_size")?,
            norm_epsilon: keys.number("layer_norm_eps")?.unwrap_or(1e-12) as f32,
            activation: activation(&keys)?,
        };
        let sizes = [
            ("num_hidden_layers", config.layers),
            ("hidden_size", config.hidden),
            ("intermediate_size", config.ffn),
            ("num_attention_heads", config.heads),
            ("vocab_size", config.vocab),
            ("max_position_embeddings", config.positions),
            ("type_vocab_size", config.types),
        ];
        for (key, size) in sizes {
            if size == 0 || size > MAX_SIZE {
                let expected = format!("between 1 and {MAX_SIZE}");
                return Err(ModelError::setting(&path, key, expected, size.to_string()));
            }
        }
        // A head of the kernels has at most 65,535 numbers.
        if !config.hidden.is_multiple_of(config.heads) || config.hidden / config.heads > usize::from(u16::MAX)
        {
            let expected = format!("a divisor of the {} numbers of a token", config.hidden);
            return Err(ModelError::setting(
                &path,
                "num_attention_heads",
                expected,
                config.heads.to_string(),
            ));
        }
        if !(config.norm_epsilon > 0.0 && config.norm_epsilon < 1.0) {
            let found = config.norm_epsilon.to_string();
            return Err(ModelError::setting(&path, "layer_norm_eps", "between 0 and 1", found));
        }
        Ok(config)
    }
}

fn activation(keys: &Keys<'_>) -> Result<Activation, ModelError> {
    match keys.get("hidden_act").and_then(Value::as_str) {
        Some("gelu" | "gelu_python") | None => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
        Some(other) => Err(ModelError::unsupported(
            &keys.path,
            "hidden_act",
            other,
            "gelu, gelu_new, gelu_fast, gelu_pytorch_tanh",
        )),
    }
}
