//! What a saved reading says of itself.

use std::path::Path;

use loci_models::memory::ContextReport;
use serde::{Deserialize, Serialize};

use super::error::ReadingError;
use crate::engine::Engine;
use crate::layout::Headings;

/// The model a reading belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// How it was called.
    pub name: String,
    /// What its file or folder holds, whatever it is called: see [`Engine::fingerprint`].
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
        match (&self.model, fingerprint(engine)?) {
            (Some(saved), Some(given)) if saved.fingerprint == given => Ok(()),
            (saved, given) => {
                let none = || "in no file".to_owned();
                Err(ReadingError::Model {
                    path: path.to_owned(),
                    saved: saved.as_ref().map_or_else(none, |model| model.name.clone()),
                    saved_fingerprint: saved.as_ref().map_or_else(none, |model| model.fingerprint.clone()),
                    given: engine.name().to_owned(),
                    given_fingerprint: given.map_or_else(none, str::to_owned),
                })
            }
        }
    }
}

/// The [fingerprint](Engine::fingerprint) of the model that `engine` runs.
pub(crate) fn fingerprint(engine: &Engine) -> Result<Option<&str>, ReadingError> {
    let path = engine.path().unwrap_or(Path::new(""));
    engine.fingerprint().map_err(|source| ReadingError::file(path, source))
}
