//! Examples: a text and what is asked about it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the questions about one text stand to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Each is asked about the text alone; the text is read once for all of them.
    #[default]
    Apart,
    /// Each follows the ones before it with their right answers, so that errors do not pile up (as SCBench does).
    InTurn,
}

/// What is put around a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrap {
    /// The model's chat template, text and question as the user's message.
    #[default]
    Chat,
    /// Nothing: the model continues the text.
    Plain,
}

/// A text and the questions asked about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Unlike that of any other example of the task with the same settings; the same for the same settings.
    pub id: String,
    /// What is read once: instructions, documents. The first question stands directly behind it.
    pub context: String,
    /// Questions in their order; at least one.
    pub turns: Vec<Turn>,
    /// How they stand to each other.
    #[serde(default)]
    pub mode: Mode,
    /// What is put around them.
    #[serde(default)]
    pub wrap: Wrap,
    /// Tokens that were asked for; 0 where the text comes as it is.
    #[serde(default)]
    pub length: usize,
    /// What reports group by, besides length and depth: `language`, `dataset`, ….
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// For models trained on token ids of their own: what they read instead of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
}

/// Token ids, and which token should follow at which places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// What is read.
    pub tokens: Vec<u32>,
    /// Places in `tokens`, rising, each with the token that is right directly behind it. Only these places count.
    pub targets: Vec<(usize, u32)>,
}

/// One question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// What stands behind the text.
    pub question: String,
    /// How the answer begins: given to the model, no part of what it answers. May be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answer_start: String,
    /// What is right. Whether any or all of them are wanted is the task's affair.
    pub gold: Vec<String>,
    /// At most this many tokens of answer.
    pub max_tokens: usize,
    /// The answer ends before the first of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// The answers to choose among, where they are few: small models are then judged by which one they find most likely.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The model is judged by how likely it finds the first of `gold`, instead of by what it writes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub likelihood: bool,
    /// Share of the text before what is asked for, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<f64>,
    /// What else scoring needs to know.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub data: serde_json::Value,
}

impl Example {
    /// Text and first question as one.
    pub fn prompt(&self) -> String {
        let question = self.turns.first().map_or("", |turn| turn.question.as_str());
        format!("{}{question}", self.context)
    }
}
