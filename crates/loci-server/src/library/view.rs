//! A reading as it is told.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Entry, State};
use crate::openai::ProgressReport;

/// A reading as it is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReadingView {
    /// How requests call it.
    pub id: String,
    /// How people call it.
    pub name: String,
    /// `queued`, `reading`, `ready` or `failed`.
    pub status: &'static str,
    /// How far it is.
    pub progress: Option<ProgressReport>,
    /// Why it failed.
    pub error: Option<String>,
    /// The model that reads it.
    pub model: String,
    /// The method: as asked for, and with all parameters once it is read.
    pub method: Option<String>,
    /// Bytes that its context may take.
    pub budget: Option<usize>,
    /// Tokens read.
    pub tokens: Option<usize>,
    /// Bytes of the saved file.
    pub bytes: Option<u64>,
    /// Its documents.
    pub documents: Vec<DocumentView>,
    /// Seconds since 1970.
    pub created: u64,
    /// Whether it is to be kept.
    pub pinned: bool,
    /// What became of the tokens.
    #[schema(value_type = Option<Object>)]
    pub context: Option<loci_models::memory::ContextReport>,
}

/// A document of a reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
pub struct DocumentView {
    /// Its name.
    pub name: String,
    /// Bytes of its text.
    pub bytes: usize,
}

impl Entry {
    pub(super) fn view(&self) -> ReadingView {
        let meta = &self.meta;
        let (status, progress, error, facts) = match &self.state {
            State::Waiting | State::Queued => ("queued", None, None, None),
            State::Reading(progress) => ("reading", progress.map(Into::into), None, None),
            State::Ready(facts) => ("ready", None, None, Some(facts)),
            State::Failed(error) => ("failed", None, Some(error.clone()), None),
        };
        ReadingView {
            id: meta.id.clone(),
            name: meta.name.clone(),
            status,
            progress,
            error,
            model: meta.model.clone(),
            method: facts.map(|facts| facts.method.clone()).or_else(|| meta.method.clone()),
            budget: facts.map_or(meta.budget, |facts| facts.budget),
            tokens: facts.map(|facts| facts.tokens),
            bytes: self.bytes,
            documents: meta.documents.clone(),
            created: meta.created,
            pinned: meta.pinned,
            context: facts.map(|facts| facts.context),
        }
    }
}
