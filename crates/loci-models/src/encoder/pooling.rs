//! From the vectors of tokens to that of a text, as the files of sentence-transformers say.

use std::path::{Component, Path};

use serde_json::{Map, Value};

use super::config::EncoderConfig;
use crate::config::keys::Keys;
use crate::error::ModelError;
use crate::folder;

/// Which modules a model consists of.
const MODULES: &str = "modules.json";
/// Settings of the first module.
const TRANSFORMER: &str = "sentence_bert_config.json";
/// Settings of the whole model.
const MODEL: &str = "config_sentence_transformers.json";
/// Numbers below which a vector has no direction.
const TINY: f32 = 1e-12;

/// How the vectors of tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean, with the tokens that stand around the text.
    Mean,
    /// The first one, that of `[CLS]`.
    Cls,
}

impl Pooling {
    /// The vector of a text; `states` `[tokens, hidden]`, of at least one token.
    pub(super) fn pool(self, states: &[f32], hidden: usize) -> Vec<f32> {
        let mut rows = states.chunks_exact(hidden.max(1));
        let count = rows.len();
        let mut vector = rows.next().map_or_else(|| vec![0.0; hidden], <[f32]>::to_vec);
        if self == Self::Mean && count > 1 {
            for row in rows {
                for (sum, number) in vector.iter_mut().zip(row) {
                    *sum += number;
                }
            }
            for number in &mut vector {
                *number /= count as f32;
            }
        }
        vector
    }
}

/// Scales a vector to length 1; one without a direction stays.
pub(super) fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt() as f32;
    for number in vector {
        *number /= length.max(TINY);
    }
}

/// What stands around the transformer of a sentence encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolingConfig {
    /// How the vectors of tokens become one.
    pub pooling: Pooling,
    /// Whether vectors have length 1.
    pub normalise: bool,
    /// Most tokens of a text, with those around it.
    pub max_tokens: usize,
    /// Whether letters become small before the tokenizer sees a text.
    pub lower_case: bool,
}

impl PoolingConfig {
    /// Reads `modules.json` and the settings of the modules.
    ///
    /// # Errors
    /// [`ModelError`] when a file is missing or damaged, or the model has modules that are not supported.
    pub fn from_folder(path: &Path, config: &EncoderConfig) -> Result<Self, ModelError> {
        let modules = path.join(MODULES);
        if !modules.is_file() {
            let file = format!("{MODULES} (how the vectors of tokens become one)");
            return Err(ModelError::MissingFile { path: path.join(folder::CONFIG), file });
        }
        let (mut pooling, mut normalise, mut transformer) = (None, false, false);
        let Value::Array(list) = folder::json(&modules)? else {
            return Err(ModelError::damaged(&modules, "a list of modules", "another JSON value"));
        };
        for module in &list {
            let text = |key: &str| module.get(key).and_then(Value::as_str).unwrap_or_default();
            let kind = text("type").rsplit('.').next().unwrap_or_default();
            match kind {
                "Transformer" if !transformer && text("path").is_empty() => transformer = true,
                "Pooling" if transformer && pooling.is_none() => {
                    pooling = Some(read_pooling(path, text("path"), config)?);
                }
                "Normalize" if pooling.is_some() && !normalise => normalise = true,
                _ => {
                    let known = "Transformer (in the folder itself), Pooling, Normalize, in this order";
                    return Err(ModelError::unsupported(&modules, "module", module.to_string(), known));
                }
            }
        }
        let Some(pooling) = pooling else {
            return Err(ModelError::setting(&modules, "modules", "Transformer and Pooling", "fewer"));
        };
        let model = optional(&path.join(MODEL))?;
        if let Some(name) = model.get("default_prompt_name").filter(|name| !name.is_null()) {
            let known = "models that read texts as they are";
            return Err(ModelError::unsupported(
                &path.join(MODEL),
                "default_prompt_name",
                name.to_string(),
                known,
            ));
        }
        let (file, tokenizer) = (path.join(TRANSFORMER), path.join("tokenizer_config.json"));
        let object = optional(&file)?;
        let keys = Keys::new(&file, &object);
        let longest = match keys.size("max_seq_length")? {
            Some(longest) => longest,
            // Files of models without a limit have a number here that no integer holds.
            None => optional(&tokenizer)?
                .get("model_max_length")
                .and_then(Value::as_u64)
                .and_then(|longest| usize::try_from(longest).ok())
                .unwrap_or(usize::MAX),
        };
        Ok(Self {
            pooling,
            normalise,
            max_tokens: longest.min(config.positions),
            lower_case: keys.flag("do_lower_case")?.unwrap_or(false),
        })
    }
}

/// A file's object, or an empty one where there is no file.
fn optional(path: &Path) -> Result<Map<String, Value>, ModelError> {
    if path.is_file() { folder::object(path) } else { Ok(Map::new()) }
}

/// `inside`: the module's folder, which must not lead out of the model's.
fn read_pooling(path: &Path, inside: &str, config: &EncoderConfig) -> Result<Pooling, ModelError> {
    if !Path::new(inside).components().all(|part| matches!(part, Component::Normal(_))) {
        let expected = "the name of a folder in this one";
        return Err(ModelError::setting(&path.join(MODULES), "path", expected, inside));
    }
    let file = path.join(inside).join(folder::CONFIG);
    let object = folder::object(&file)?;
    let keys = Keys::new(&file, &object);
    for key in ["word_embedding_dimension", "embedding_dimension"] {
        if let Some(size) = keys.size(key)?.filter(|size| *size != config.hidden) {
            let expected = format!("{}, as the model's hidden_size", config.hidden);
            return Err(ModelError::setting(&file, key, expected, size.to_string()));
        }
    }
    // Newer files name the mode, older ones have a switch for each.
    let named = keys.get("pooling_mode").and_then(Value::as_str);
    let mut modes: Vec<&str> = named.into_iter().collect();
    for (key, value) in &object {
        if let Some(mode) = key.strip_prefix("pooling_mode_")
            && value.as_bool() == Some(true)
        {
            modes.push(mode);
        }
    }
    // As they stand in the file, in whatever order: what is said of them is always the same.
    modes.sort_unstable();
    match modes.as_slice() {
        ["mean" | "mean_tokens"] => Ok(Pooling::Mean),
        ["cls" | "cls_token"] => Ok(Pooling::Cls),
        other => {
            let found = if other.is_empty() { "(none)".to_owned() } else { other.join(" and ") };
            Err(ModelError::unsupported(&file, "pooling mode", found, "mean, cls, one of them"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_one_vector() {
        let states = [1.0, 2.0, 3.0, 6.0];
        assert_eq!(Pooling::Mean.pool(&states, 2), [2.0, 4.0]);
        assert_eq!(Pooling::Cls.pool(&states, 2), [1.0, 2.0]);
    }

    #[test]
    fn a_vector_without_direction_stays() {
        let mut vector = [3.0, 4.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        let mut none = [0.0, 0.0];
        normalise(&mut none);
        assert_eq!(none, [0.0, 0.0]);
    }
}
