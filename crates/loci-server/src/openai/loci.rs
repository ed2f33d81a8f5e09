//! Loci's own fields.

use std::time::Duration;

use loci_engine::Progress;
use loci_engine::evidence::Evidence;
use loci_memory::Added;
use loci_memory::talk::Notes;
use loci_models::memory::ContextReport;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a request may say besides OpenAI's fields.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LociFields {
    /// The method that holds the context, as `id` or `id:name=value,name=value`.
    pub method: Option<String>,
    /// Bytes that the context may take, such as `512MiB`.
    pub budget: Option<String>,
    /// The id of a reading that the messages are about.
    pub reading: Option<String>,
    /// At most this many passages of evidence; 5 unless said otherwise.
    pub evidence: Option<u16>,
    /// Into how many cells the map of the context is cut; none unless asked for.
    #[schema(maximum = 1000)]
    pub map: Option<u16>,
    /// Sends how far the reading of the prompt is, in a stream.
    pub progress: bool,
    /// Asks about a reading without a sentence that points at the text.
    pub bare: bool,
    /// A reading strategy, as `id` or `id:name=value,name=value`: it decides what of the documents the model is given. The
    /// documents are those of `reading`, or `documents`.
    pub read: Option<String>,
    /// Texts that a reading strategy reads.
    pub documents: Option<Vec<InlineDocument>>,
    /// What is remembered of the user is looked at before the answer, and what the user tells remembered.
    pub memory: Option<MemoryFields>,
}

/// How a chat uses the memory of a user. `{}` is the memory of the server's default user.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryFields {
    /// Whose memory.
    pub user: Option<String>,
    /// The conversation that what is told belongs to.
    pub session: Option<String>,
    /// At most so many items are shown to the model; 5 when left out.
    pub top: Option<usize>,
    /// `words`, `meaning` or `fused`.
    pub by: Option<String>,
    /// Whether what the user tells is remembered; it is when left out. Questions alone tell nothing.
    pub remember: Option<bool>,
}

/// What a memory had to do with an answer.
#[derive(Clone, Debug, Serialize)]
pub struct MemoryReport {
    /// The items that the model was shown, by their numbers in the prompt.
    #[serde(flatten)]
    pub notes: Notes,
    /// Whether anything that is remembered supports an answer.
    pub supported: bool,
    /// What became of what the user told; none where nothing was.
    pub remembered: Option<Added>,
}

/// A text that a request brings.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InlineDocument {
    /// Its name, for evidence.
    #[serde(default)]
    pub name: String,
    /// The text.
    pub text: String,
}

impl LociFields {
    /// The method as typed, if one is.
    pub fn method(&self) -> Option<&str> {
        typed(self.method.as_deref())
    }

    /// The reading strategy as typed, if one is.
    pub fn read(&self) -> Option<&str> {
        typed(self.read.as_deref())
    }

    /// The budget as typed, if one is.
    pub fn budget(&self) -> Option<&str> {
        typed(self.budget.as_deref())
    }
}

/// Forms send fields that were left empty.
fn typed(field: Option<&str>) -> Option<&str> {
    field.map(str::trim).filter(|text| !text.is_empty())
}

/// What became of the context.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LociReport {
    /// The method with all its parameters.
    pub method: String,
    /// What became of the tokens.
    #[schema(value_type = Object)]
    pub context: ContextReport,
    /// Passages that the answer attended to, heaviest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Object>)]
    pub evidence: Option<Vec<Cited>>,
    /// Whose attention was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighed_by: Option<&'static str>,
    /// How long it took.
    pub timing: LociTiming,
    /// What the context still holds of each part of the documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map: Option<ContextMap>,
    /// What a memory had to do with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub memory: Option<MemoryReport>,
}

/// A passage with the document it stands in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cited {
    /// Number of the document in its reading.
    pub document: usize,
    /// The passage.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub passage: Evidence,
}

/// How long it took.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct LociTiming {
    /// Seconds in the queue.
    pub queued_s: f64,
    /// Tokens of the prompt that were read.
    pub prefill_tokens: usize,
    /// Seconds of the reading.
    pub prefill_s: f64,
    /// Tokens written.
    pub decode_tokens: usize,
    /// Seconds of the writing.
    pub decode_s: f64,
}

/// The documents in cells of about equal size.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ContextMap {
    /// In order.
    pub cells: Vec<Cell>,
}

/// A part of a document.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Cell {
    /// Number of the document.
    pub document: usize,
    /// First byte.
    pub start: usize,
    /// Byte behind the last.
    pub end: usize,
    /// Share of its rows, over layers and heads, that is still held.
    pub held: f32,
    /// Share of the answer's attention that it got.
    pub mass: f32,
}

/// How far a prompt is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct ProgressReport {
    /// Tokens read.
    pub done: usize,
    /// Tokens to read.
    pub total: usize,
    /// Speed so far.
    pub tokens_per_s: f64,
}

impl From<Progress> for ProgressReport {
    fn from(progress: Progress) -> Self {
        Self { done: progress.done, total: progress.total, tokens_per_s: progress.tokens_per_second() }
    }
}

/// Seconds, to the tenth of a millisecond.
pub(crate) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 1e4
}
