//! What a saved reading says of itself.

use std::path::Path;

use loci_models::memory::ContextReport;
use serde::{Deserialize, Serialize};

use super::error::ReadingError;
use crate::engine::Engine;
use crate::inspect::table::fingerprint;
use crate::layout::Headings;

/// The model a reading belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// How it was called.
    pub name: String,
    /// What its file or folder holds, whatever it is called: see [`model_fingerprint`].
    pub fingerprint: String,
}

/// A document of a reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentFacts {
    /// Its name.
    pub name: String,
    /// Bytes of its text.
    pub bytes: usize,
}

/// What a saved reading says of itself, to be had without a model: see [`Reading::describe`](super::Reading::describe).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Version of the program that wrote it.
    pub program: String,
    /// The model; `None` for one that is in no file.
    pub model: Option<ModelFacts>,
    /// The method with all its parameters.
    pub method: String,
    /// Number format of keys and values where the method has no own: `f32`, `f16`, `i8` or `i4`.
    pub rows: String,
    /// The position schedule, where it is not the model's own.
    pub rope: Option<String>,
    /// Bytes of RAM that what grows with the input may take.
    pub budget: Option<usize>,
    /// Scores of the kv heads that the method goes by.
    pub heads: Option<String>,
    /// Whether the whole model drafts, where the method needs a draft.
    pub drafts_itself: bool,
    /// Tokens it was planned for: those of the documents, and the reserve.
    pub planned_tokens: usize,
    /// Tokens read in one step.
    pub chunk: usize,
    /// Which documents are preceded by their names.
    pub headings: Headings,
    /// The system message.
    pub system: Option<String>,
    /// Tokens read: what the model's template opens with, and the documents.
    pub tokens: usize,
    /// The documents, in the order they were read.
    pub documents: Vec<DocumentFacts>,
    /// What became of the tokens.
    pub context: ContextReport,
    /// Hashes of its blocks of tokens, where the [cache](crate::prefix_cache) made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Vec<String>>,
}

impl Facts {
    /// Reads the section of facts.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ReadingError> {
        serde_json::from_slice(bytes)
            .map_err(|error| ReadingError::damaged(path, format!("its facts cannot be read ({error})")))
    }

    /// Refuses another model than the one that `engine` runs.
    pub(super) fn check_model(&self, path: &Path, engine: &Engine) -> Result<(), ReadingError> {
        let given = model_fingerprint(engine)?;
        match (&self.model, given) {
            (Some(saved), Some(given)) if saved.fingerprint == given => Ok(()),
            (saved, given) => {
                let none = || "in no file".to_owned();
                Err(ReadingError::Model {
                    path: path.to_owned(),
                    saved: saved.as_ref().map_or_else(none, |model| model.name.clone()),
                    saved_fingerprint: saved.as_ref().map_or_else(none, |model| model.fingerprint.clone()),
                    given: engine.name().to_owned(),
                    given_fingerprint: given.unwrap_or_else(none),
                })
            }
        }
    }
}

/// What names a model whatever it is called and wherever it lies: of a file its size and pieces of it, hashed; of a folder
/// the same of its configuration, tokenizer and weights together. `None` for a model that is in no file.
///
/// # Errors
/// [`ReadingError::File`] when its files cannot be read any more.
pub fn model_fingerprint(engine: &Engine) -> Result<Option<String>, ReadingError> {
    let Some(path) = engine.path() else { return Ok(None) };
    let failed = |source| ReadingError::file(path, source);
    if let Some(found) = fingerprint(path).map_err(failed)? {
        return Ok(Some(found));
    }
    let mut parts = Vec::new();
    for file in std::fs::read_dir(path).map_err(failed)? {
        let file = file.map_err(failed)?.path();
        let kind = file.extension().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        if ["safetensors", "json", "jinja", "model"].contains(&kind)
            && let Some(found) = fingerprint(&file).map_err(failed)?
        {
            parts.push(format!("{} {found}\n", file.file_name().unwrap_or_default().to_string_lossy()));
        }
    }
    parts.sort();
    let hash = blake3::hash(parts.concat().as_bytes()).to_hex();
    Ok(Some(hash.get(..32).unwrap_or(&hash).to_owned()))
}
