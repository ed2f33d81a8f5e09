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

/// Remembers something.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Remember {
    /// What is to be remembered, as a statement that stands by itself.
    pub(super) text: String,
    /// What it is about, such as `home address`: of several things about one topic the newest counts.
    pub(super) topic: Option<String>,
    /// Since when it is true: 2023-05-20 or 2023-05-20T02:21:00Z.
    pub(super) valid_from: Option<String>,
    /// Until when it is true.
    pub(super) valid_until: Option<String>,
    /// The conversation that it is from.
    pub(super) session: Option<String>,
    /// Who said it: `user` (when left out), `assistant`, `tool`, or a name.
    pub(super) speaker: Option<String>,
}

/// Finds what is remembered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Recall {
    /// The question, in full.
    pub(super) query: String,
    /// The most things to show (5 when left out).
    #[schemars(range(min = 1, max = 100))]
    pub(super) top: Option<u32>,
    /// The time that is asked about; now when left out.
    pub(super) at: Option<String>,
    /// Whether to show also what is no longer so.
    #[serde(default)]
    pub(super) past: bool,
}

/// Forgets for good.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Forget {
    /// Ids of what is to be forgotten, as recall and timeline show them.
    #[serde(default)]
    pub(super) ids: Vec<String>,
    /// Words: everything that has them all is forgotten.
    pub(super) words: Option<String>,
    /// Only says what would be forgotten.
    #[serde(default)]
    pub(super) dry_run: bool,
    /// Why, for the log.
    pub(super) reason: Option<String>,
}

/// Shows what is remembered in the order of time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Timeline {
    /// From this time on: 2023-05-20 or 2023-05-20T02:21:00Z.
    pub(super) from: Option<String>,
    /// Before this time.
    pub(super) until: Option<String>,
    /// About one topic only.
    pub(super) topic: Option<String>,
    /// Of one conversation only.
    pub(super) session: Option<String>,
    /// The most things to show, the latest ones (100 when left out).
    #[schemars(range(min = 1, max = 100))]
    pub(super) most: Option<u32>,
}
