//! The parts of a `tokenizer.json` that are understood, as serde reads them.

use serde::Deserialize;
use serde_json::Value;

/// The file.
#[derive(Deserialize)]
pub(super) struct TokenizerFile {
    #[serde(default)]
    pub(super) added_tokens: Vec<AddedToken>,
    pub(super) normalizer: Option<Value>,
    pub(super) pre_tokenizer: Option<Value>,
    pub(super) post_processor: Option<Value>,
    pub(super) model: Model,
}

/// An entry of `added_tokens`.
#[derive(Clone, Deserialize)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    pub(super) content: String,
    #[serde(default)]
    pub(super) special: bool,
    #[serde(default)]
    pub(super) single_word: bool,
    #[serde(default)]
    pub(super) lstrip: bool,
    #[serde(default)]
    pub(super) rstrip: bool,
}

/// The model: the fields of BPE and of WordPiece; other kinds keep theirs in nothing.
#[derive(Deserialize)]
pub(super) struct Model {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) vocab: Value,
    #[serde(default)]
    pub(super) merges: Vec<Merge>,
    pub(super) dropout: Option<f32>,
    pub(super) unk_token: Option<String>,
    pub(super) continuing_subword_prefix: Option<String>,
    pub(super) end_of_word_suffix: Option<String>,
    pub(super) max_input_chars_per_word: Option<usize>,
    #[serde(default)]
    pub(super) fuse_unk: bool,
    #[serde(default)]
    pub(super) byte_fallback: bool,
    #[serde(default)]
    pub(super) ignore_merges: bool,
}

/// Old files write a merge as one string, newer ones as a pair.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Merge {
    Pair(String, String),
    Line(String),
}

impl Merge {
    pub(super) fn pair(&self) -> Result<(&str, &str), &str> {
        match self {
            Self::Pair(left, right) => Ok((left, right)),
            Self::Line(line) => line.split_once(' ').ok_or(line),
        }
    }
}

/// The `type` of a component.
pub(super) fn kind(node: &Value) -> &str {
    node.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// A component, or the components of a `Sequence` in order.
pub(super) fn sequence<'v>(node: Option<&'v Value>, list: &str) -> Vec<&'v Value> {
    match node {
        None | Some(Value::Null) => Vec::new(),
        Some(node) if kind(node) == "Sequence" => {
            node.get(list).and_then(Value::as_array).map(|items| items.iter().collect()).unwrap_or_default()
        }
        Some(node) => vec![node],
    }
}

/// A yes-or-no field.
pub(super) fn flag(node: &Value, name: &str, default: bool) -> bool {
    node.get(name).and_then(Value::as_bool).unwrap_or(default)
}

/// A text field.
pub(super) fn text<'v>(node: &'v Value, name: &str) -> Option<&'v str> {
    node.get(name).and_then(Value::as_str)
}
