//! Tokenizer and chat template of a model file or folder.

use std::path::Path;

use serde_json::Value;

use crate::error::ModelError;
use crate::folder::{self, Folder};
use crate::gguf::{Gguf, Value as Metadata};
use crate::source::Source;
use crate::tokenizer::{Tokenizer, Vocabulary};

/// Settings of a folder's tokenizer.
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// A chat template in a file of its own, as newer folders have it.
const TEMPLATE: &str = "chat_template.jinja";
/// Metadata keys of tokens that end an answer, besides `eos_token_id`.
const END_KEYS: [&str; 2] = ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

/// The tokenizer, if the source has one.
pub(crate) fn tokenizer(source: &Source) -> Result<Option<Tokenizer>, ModelError> {
    let made = match source {
        Source::Gguf(file) => match vocabulary(file)? {
            None => return Ok(None),
            Some(vocabulary) => Tokenizer::from_vocabulary(vocabulary),
        },
        Source::Folder(folder) if folder.path().join("tokenizer.json").is_file() => {
            Tokenizer::from_folder(folder.path())
        }
        Source::Folder(_) => return Ok(None),
    };
    made.map(Some).map_err(|error| ModelError::Tokenizer { path: source.path().to_owned(), source: error })
}

/// Text of the chat template, if the source has one.
pub(crate) fn chat_template(source: &Source) -> Result<Option<String>, ModelError> {
    match source {
        Source::Gguf(file) => Ok(file.text("tokenizer.chat_template")?.map(str::to_owned)),
        Source::Folder(folder) => folder_template(folder),
    }
}

fn folder_template(folder: &Folder) -> Result<Option<String>, ModelError> {
    let path = folder.path().join(TEMPLATE);
    if path.is_file() {
        return std::fs::read_to_string(&path).map(Some).map_err(|source| ModelError::io(&path, source));
    }
    let path = folder.path().join(TOKENIZER_CONFIG);
    if !path.is_file() {
        return Ok(None);
    }
    Ok(match folder::object(&path)?.get("chat_template") {
        Some(Value::String(text)) => Some(text.clone()),
        // Several named templates: the one for plain conversations.
        Some(Value::Array(named)) => named
            .iter()
            .find(|entry| entry.get("name").and_then(Value::as_str) == Some("default"))
            .and_then(|entry| entry.get("template")?.as_str())
            .map(str::to_owned),
        _ => None,
    })
}

/// The vocabulary in GGUF metadata; `None` when there is none.
fn vocabulary(file: &Gguf) -> Result<Option<Vocabulary>, ModelError> {
    let Some(model) = file.text("tokenizer.ggml.model")? else { return Ok(None) };
    let spaced = model == "llama";
    let mut ends = Vec::new();
    for key in END_KEYS {
        ends.extend(token(file, key)?);
    }
    Ok(Some(Vocabulary {
        model: model.to_owned(),
        pre: file.text("tokenizer.ggml.pre")?.unwrap_or_default().to_owned(),
        tokens: list(file, "tokenizer.ggml.tokens", "texts", text_of)?,
        scores: list(file, "tokenizer.ggml.scores", "numbers", |value| {
            value.number().map(|score| score as f32)
        })?,
        types: list(file, "tokenizer.ggml.token_type", "whole numbers", |value| {
            value.size().and_then(|ty| i32::try_from(ty).ok())
        })?,
        merges: list(file, "tokenizer.ggml.merges", "texts", text_of)?,
        bos: token(file, "tokenizer.ggml.bos_token_id")?,
        eos: token(file, "tokenizer.ggml.eos_token_id")?,
        ends,
        unknown: token(file, "tokenizer.ggml.unknown_token_id")?,
        // The defaults of the format when a file is silent.
        add_bos: file.flag("tokenizer.ggml.add_bos_token")?.unwrap_or(spaced),
        add_eos: file.flag("tokenizer.ggml.add_eos_token")?.unwrap_or(false),
        add_space_prefix: file.flag("tokenizer.ggml.add_space_prefix")?.unwrap_or(spaced),
    }))
}

fn text_of(value: Metadata<'_>) -> Option<String> {
    match value {
        Metadata::Text(text) => Some(text.to_owned()),
        _ => None,
    }
}

fn token(file: &Gguf, key: &str) -> Result<Option<u32>, ModelError> {
    match file.size(key)? {
        None => Ok(None),
        Some(id) => u32::try_from(id)
            .map(Some)
            .map_err(|_| ModelError::setting(file.path(), key, "a token", id.to_string())),
    }
}

/// All elements of an array; empty when there is none under `key`.
fn list<T>(
    file: &Gguf,
    key: &str,
    kind: &str,
    read: impl Fn(Metadata<'_>) -> Option<T>,
) -> Result<Vec<T>, ModelError> {
    let Some(array) = file.array(key)? else { return Ok(Vec::new()) };
    let values: Option<Vec<T>> = array.values().map(read).collect();
    match values {
        Some(values) if values.len() == array.len() => Ok(values),
        _ => Err(ModelError::setting(
            file.path(),
            key,
            format!("an array of {kind}"),
            format!("{} elements of type {:?}", array.len(), array.element()),
        )),
    }
}

/// Where a tokenizer would be, for errors.
pub(crate) fn place_of(path: &Path) -> &'static str {
    if path.is_dir() { "tokenizer.json" } else { "metadata tokenizer.ggml.model" }
}
