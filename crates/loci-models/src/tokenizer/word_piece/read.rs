//! From `tokenizer.json`, or from `vocab.txt`, to a tokenizer.
//!
//! What `tokenizer_config.json` says of case, accents and ideographs goes before `tokenizer.json`, as in the library that
//! models are published with.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::WordPiece;
use super::normal::{Normaliser, Steps};
use crate::tokenizer::TokenizerError;
use crate::tokenizer::folder::{checked, read, read_optional, unsupported};
use crate::tokenizer::json::{TokenizerFile, flag, kind, text};

/// Marks tokens that go on within a word.
const PREFIX: &str = "##";
/// Words of more characters are unknown.
const LONGEST_WORD: usize = 100;

impl WordPiece {
    /// Reads the tokenizer of an encoder's folder: `tokenizer.json`, or else `vocab.txt`.
    ///
    /// # Errors
    /// [`TokenizerError`] when both are missing, or one is damaged or of a kind that is not supported.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let config = read_optional(&folder.join("tokenizer_config.json"))?;
        let (file, vocabulary) = (folder.join("tokenizer.json"), folder.join("vocab.txt"));
        if !file.is_file() && vocabulary.is_file() {
            return Self::from_vocabulary(&read(&vocabulary)?, &config);
        }
        Self::from_json(&read(&file)?, &config)
    }

    /// Makes the tokenizer from the contents of `tokenizer.json`; `config` is that of `tokenizer_config.json`, or `null`.
    ///
    /// # Errors
    /// As [`from_folder`](Self::from_folder).
    pub fn from_json(file: &str, config: &Value) -> Result<Self, TokenizerError> {
        let file: TokenizerFile = serde_json::from_str(file)
            .map_err(|source| TokenizerError::Json { file: "tokenizer.json".to_owned(), source })?;
        let model = &file.model;
        match model.kind.as_deref() {
            Some("WordPiece") => {}
            other => return Err(unsupported("tokenizer model", other.unwrap_or("none"), "WordPiece")),
        }
        match file.pre_tokenizer.as_ref().map(kind) {
            Some("BertPreTokenizer") => {}
            other => return Err(unsupported("pre-tokenizer", other.unwrap_or("none"), "BertPreTokenizer")),
        }
        let node = match &file.normalizer {
            Some(node) if kind(node) == "BertNormalizer" => node,
            other => {
                let found = other.as_ref().map_or("none", kind);
                return Err(unsupported("normalizer", found, "BertNormalizer"));
            }
        };
        if let Some(added) = file.added_tokens.iter().find(|added| !added.special) {
            return Err(unsupported("added token", format!("{:?}", added.content), "special tokens"));
        }
        let Value::Object(table) = &model.vocab else {
            return Err(unsupported("vocabulary", "no table", "a table from token to id"));
        };
        // Ids may have holes, but a file of a few bytes must not name ids of billions.
        let most = table.len().saturating_mul(2).saturating_add(1 << 16);
        let mut tokens = HashMap::with_capacity(table.len());
        for (token, id) in table {
            tokens.insert(token.as_str(), checked(token, id.as_u64().unwrap_or(u64::MAX), most)?);
        }
        for added in &file.added_tokens {
            tokens.insert(&added.content, checked(&added.content, added.id.into(), most)?);
        }
        let around = around(file.post_processor.as_ref())?;
        let parts = Parts {
            tokens,
            prefix: model.continuing_subword_prefix.as_deref().unwrap_or(PREFIX),
            longest_word: model.max_input_chars_per_word.unwrap_or(LONGEST_WORD),
            unknown: model.unk_token.as_deref().unwrap_or("[UNK]"),
            around,
        };
        parts.assemble(node, config)
    }

    /// Makes the tokenizer from the contents of `vocab.txt`, a token a line; `config` is that of
    /// `tokenizer_config.json`, or `null`.
    ///
    /// # Errors
    /// As [`from_folder`](Self::from_folder).
    pub fn from_vocabulary(vocabulary: &str, config: &Value) -> Result<Self, TokenizerError> {
        let size = vocabulary.lines().count();
        let mut tokens = HashMap::with_capacity(size);
        for (id, token) in vocabulary.lines().enumerate() {
            tokens.insert(token.trim_end(), checked(token, id as u64, size)?);
        }
        let named = |name: &str, usual| {
            let value = config.get(name);
            value.and_then(|value| value.as_str().or_else(|| text(value, "content"))).unwrap_or(usual)
        };
        let parts = Parts {
            tokens,
            prefix: PREFIX,
            longest_word: LONGEST_WORD,
            unknown: named("unk_token", "[UNK]"),
            around: (vec![named("cls_token", "[CLS]")], vec![named("sep_token", "[SEP]")]),
        };
        parts.assemble(&Value::Null, config)
    }
}

/// What both kinds of files come to.
struct Parts<'a> {
    tokens: HashMap<&'a str, u32>,
    prefix: &'a str,
    longest_word: usize,
    unknown: &'a str,
    /// Names of the tokens before and behind a text.
    around: (Vec<&'a str>, Vec<&'a str>),
}

impl Parts<'_> {
    /// `node`: the normaliser of `tokenizer.json`.
    fn assemble(self, node: &Value, config: &Value) -> Result<WordPiece, TokenizerError> {
        let id = |token: &str| {
            let missing = || unsupported("vocabulary", format!("without {token}"), "one that has it");
            self.tokens.get(token).copied().ok_or_else(missing)
        };
        let ids = |tokens: &[&str]| tokens.iter().map(|token| id(token)).collect::<Result<Vec<_>, _>>();
        let lower = flag(config, "do_lower_case", flag(node, "lowercase", true));
        let accents = config.get("strip_accents").or_else(|| node.get("strip_accents"));
        let steps = Steps {
            clean: flag(node, "clean_text", true),
            ideographs: flag(config, "tokenize_chinese_chars", flag(node, "handle_chinese_chars", true)),
            accents: accents.and_then(Value::as_bool).unwrap_or(lower),
            lower,
        };
        let own = |token: &str| token.to_owned().into_boxed_str();
        let inner: HashMap<Box<str>, u32> = self
            .tokens
            .iter()
            .filter_map(|(token, id)| Some((own(token.strip_prefix(self.prefix)?), *id)))
            .collect();
        let mut inner_ids: Vec<u32> = inner.values().copied().collect();
        inner_ids.sort_unstable();
        Ok(WordPiece {
            normaliser: Normaliser::new(steps)?,
            unknown: id(self.unknown)?,
            before: ids(&self.around.0)?,
            after: ids(&self.around.1)?,
            first: self.tokens.iter().map(|(token, id)| (own(token), *id)).collect(),
            inner,
            inner_ids,
            longest: self.tokens.keys().map(|token| token.len()).max().unwrap_or(0).max(1),
            size: self.tokens.values().max().map_or(0, |id| *id as usize + 1),
            longest_word: self.longest_word,
        })
    }
}

/// The tokens that the post-processor puts before and behind a single text.
fn around(node: Option<&Value>) -> Result<(Vec<&str>, Vec<&str>), TokenizerError> {
    let node = match node {
        None | Some(Value::Null) => return Ok((Vec::new(), Vec::new())),
        Some(node) => node,
    };
    let wrong =
        || unsupported("post-processor", node.to_string(), "BertProcessing, or a template of one text");
    match kind(node) {
        "BertProcessing" => {
            let name = |key: &str| node.get(key)?.as_array()?.first()?.as_str();
            match (name("cls"), name("sep")) {
                (Some(cls), Some(sep)) => Ok((vec![cls], vec![sep])),
                _ => Err(wrong()),
            }
        }
        "TemplateProcessing" => {
            let (mut before, mut after, mut text_seen) = (Vec::new(), Vec::new(), false);
            for item in node.get("single").and_then(Value::as_array).into_iter().flatten() {
                let special = item.get("SpecialToken");
                let part = special.or_else(|| item.get("Sequence")).ok_or_else(wrong)?;
                let id = text(part, "id").ok_or_else(wrong)?;
                if part.get("type_id").and_then(Value::as_u64) != Some(0) {
                    return Err(wrong());
                }
                match (special.is_some(), text_seen) {
                    (true, false) => before.push(id),
                    (true, true) => after.push(id),
                    (false, false) => text_seen = true,
                    (false, true) => return Err(wrong()),
                }
            }
            if text_seen { Ok((before, after)) } else { Err(wrong()) }
        }
        _ => Err(wrong()),
    }
}
