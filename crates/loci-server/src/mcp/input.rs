//! What tools are called with. The comments of fields are what a model is told of them.

use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;

/// Reads texts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Read {
    /// Absolute paths of files to read (text, Markdown, HTML, PDF, EPUB), in folders that the server was allowed to read.
    #[serde(default)]
    pub(super) files: Vec<String>,
    /// Texts given here, instead of files.
    #[serde(default)]
    pub(super) documents: Vec<Text>,
    /// What to call the reading; the first document's name when left out.
    pub(super) name: Option<String>,
    /// Method that holds the context, as `id` or `id:name=value`; the server's own when left out.
    pub(super) method: Option<String>,
    /// Memory that the context may take, such as `512MiB`.
    pub(super) budget: Option<String>,
    /// Model that reads; the server's first when left out.
    pub(super) model: Option<String>,
    /// Seconds to wait for the end of the reading (50 when left out). It goes on when they are over; then call
    /// `list_readings`, or `ask`, which waits too.
    #[schemars(range(max = 3600))]
    pub(super) wait_s: Option<u32>,
}

/// A text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    /// Its name, such as `notes.md`.
    pub(super) name: String,
    /// The text itself.
    pub(super) text: String,
}

/// Asks about a reading.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// Id or name of the reading.
    pub(super) reading: String,
    /// The question.
    pub(super) question: String,
    /// The longest answer, in tokens.
    #[schemars(range(min = 1))]
    pub(super) max_tokens: Option<u32>,
    /// The most passages to show as evidence (5 when left out).
    #[schemars(range(max = 100))]
    pub(super) passages: Option<u16>,
    /// Seconds to wait for a reading that is not ready yet (50 when left out).
    #[schemars(range(max = 3600))]
    pub(super) wait_s: Option<u32>,
}

/// Finds passages.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Evidence {
    /// Id or name of the reading.
    pub(super) reading: String,
    /// What the passages are to be about.
    pub(super) question: String,
    /// The most passages (5 when left out).
    #[schemars(range(min = 1, max = 100))]
    pub(super) passages: Option<u16>,
    /// Characters of the text to show on both sides of each passage (200 when left out).
    #[schemars(range(max = 10000))]
    pub(super) around: Option<u32>,
    /// Seconds to wait for a reading that is not ready yet (50 when left out).
    #[schemars(range(max = 3600))]
    pub(super) wait_s: Option<u32>,
}

/// Lists readings.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct List {}
