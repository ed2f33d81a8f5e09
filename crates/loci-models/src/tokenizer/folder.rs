//! Tokenizers of Hugging Face folders: `tokenizer.json`, with `tokenizer_config.json` and `generation_config.json`
//! beside it for the tokens that begin and end a text.
//!
//! The two kinds that language models of the supported families use are read: byte-level BPE, and SentencePiece BPE
//! converted to merges. A component that is not understood is refused by name; guessing would give wrong tokens.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::encode::{Chars, Prefix, Units};
use super::json::{Model, TokenizerFile, flag, kind, sequence, text};
use super::merge::NO_TOKEN;
use super::special::{Added, Marks};
use super::split::Rule;
use super::vocabulary::{byte_level, char_units, plain_ids, ranked_merges};
use super::{Piece, PieceKind, Tokenizer, TokenizerError, byte_token};

/// The largest known `tokenizer.json` has about 35 MB.
const MAX_FILE: u64 = 256 << 20;

/// What the normalizer and pre-tokenizer of a file come to.
struct Plan {
    bytes: bool,
    rules: Vec<Rule>,
    nfc: bool,
    prefix: Prefix,
    cut_at_spaces: bool,
}

impl Tokenizer {
    /// Reads the tokenizer of a model folder.
    ///
    /// # Errors
    /// [`TokenizerError`] when `tokenizer.json` is missing, damaged or of a kind that is not supported.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let file = read(&folder.join("tokenizer.json"))?;
        let config = read_optional(&folder.join("tokenizer_config.json"))?;
        let generation = read_optional(&folder.join("generation_config.json"))?;
        Self::from_json(&file, &config, &generation)
    }

    /// Makes the tokenizer from the contents of `tokenizer.json`; `config` and `generation` are the contents of
    /// `tokenizer_config.json` and `generation_config.json`, or `null`.
    ///
    /// # Errors
    /// As [`from_folder`](Self::from_folder).
    pub fn from_json(file: &str, config: &Value, generation: &Value) -> Result<Self, TokenizerError> {
        let file: TokenizerFile = serde_json::from_str(file)
            .map_err(|source| TokenizerError::Json { file: "tokenizer.json".to_owned(), source })?;
        let plan = plan(&file)?;
        let pieces = pieces(&file, &plan)?;
        let size = pieces.len();
        let added = file
            .added_tokens
            .iter()
            .map(|token| {
                if token.single_word {
                    return Err(unsupported(
                        "added token",
                        format!("{:?} with single_word", token.content),
                        "false",
                    ));
                }
                Ok(Added {
                    text: token.content.clone(),
                    id: token.id,
                    control: token.special,
                    left_space: token.lstrip,
                    right_space: token.rstrip,
                })
            })
            .collect::<Result<_, _>>()?;
        let plain = plain_ids(&pieces);
        let merges = ranked_merges(file.model.merges.iter().map(super::json::Merge::pair), &plain)?;
        let unknown = match &file.model.unk_token {
            Some(text) => pieces.iter().position(|piece| piece.text == *text).map(|id| id as u32),
            None => None,
        };
        let units = if plan.bytes {
            byte_level(plan.rules, file.model.ignore_merges, plan.nfc, plain)
        } else {
            let mut chars = char_units(&pieces, &plain)?;
            chars.bytes = file.model.byte_fallback.then(|| byte_tokens(&pieces)).flatten();
            chars.unknown = unknown;
            Units::Chars(Chars {
                fuse_unknown: file.model.fuse_unk,
                prefix: plan.prefix,
                cut_at_spaces: plan.cut_at_spaces,
                ..chars
            })
        };
        let tokenizer = Self::assemble(pieces, units, merges, Marks::new(added)?);
        let bos = named(&tokenizer, config, "bos_token");
        let eos = named(&tokenizer, config, "eos_token");
        let leading = leading_token(file.post_processor.as_ref()).and_then(|text| tokenizer.id_of(text));
        let add_bos = match config.get("add_bos_token").and_then(Value::as_bool) {
            Some(add) => add,
            None => leading.is_some() && bos.is_none_or(|bos| Some(bos) == leading),
        };
        let mut ends = Vec::new();
        match generation.get("eos_token_id") {
            Some(Value::Array(ids)) => ends.extend(ids.iter().filter_map(Value::as_u64)),
            Some(id) => ends.extend(id.as_u64()),
            None => {}
        }
        let ends = ends.into_iter().map(|id| match u32::try_from(id) {
            Ok(small) if (small as usize) < size => Ok(small),
            _ => Err(TokenizerError::IdOutOfRange { what: "eos_token_id".to_owned(), id, size }),
        });
        let ends = ends.collect::<Result<_, _>>()?;
        let add_eos = flag(config, "add_eos_token", false);
        Ok(tokenizer.with_ids(bos.or(leading), eos, ends, unknown).with_flags(add_bos, add_eos))
    }
}

pub(super) fn unsupported(part: &'static str, found: impl Into<String>, supported: &str) -> TokenizerError {
    TokenizerError::Unsupported { part, found: found.into(), supported: supported.to_owned() }
}

pub(super) fn read(path: &Path) -> Result<String, TokenizerError> {
    let io = |source| TokenizerError::Io { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(io)?.len();
    if size > MAX_FILE {
        return Err(TokenizerError::FileTooLarge { path: path.to_owned(), size, limit: MAX_FILE });
    }
    std::fs::read_to_string(path).map_err(io)
}

pub(super) fn read_optional(path: &Path) -> Result<Value, TokenizerError> {
    if !path.exists() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&read(path)?)
        .map_err(|source| TokenizerError::Json { file: path.display().to_string(), source })
}

fn plan(file: &TokenizerFile) -> Result<Plan, TokenizerError> {
    check_model(&file.model)?;
    let mut plan =
        Plan { bytes: false, rules: Vec::new(), nfc: false, prefix: Prefix::Never, cut_at_spaces: false };
    let mut spaces = false;
    for node in sequence(file.normalizer.as_ref(), "normalizers") {
        let pattern = node.get("pattern").and_then(|pattern| text(pattern, "String"));
        match kind(node) {
            "NFC" => plan.nfc = true,
            "Prepend" if text(node, "prepend") == Some("\u{2581}") => plan.prefix = Prefix::Always,
            "Replace" if pattern == Some(" ") && text(node, "content") == Some("\u{2581}") => spaces = true,
            _ => {
                let known = "NFC, Prepend and Replace of SentencePiece's space";
                return Err(unsupported("normalizer", node.to_string(), known));
            }
        }
    }
    for node in sequence(file.pre_tokenizer.as_ref(), "pretokenizers") {
        if plan.bytes || plan.cut_at_spaces {
            return Err(unsupported("pre-tokenizer", format!("{} after the last stage", kind(node)), "none"));
        }
        match kind(node) {
            "ByteLevel" if !flag(node, "add_prefix_space", true) => {
                if flag(node, "use_regex", true) {
                    plan.rules.push(Rule::gpt2()?);
                }
                plan.bytes = true;
            }
            "Digits" if flag(node, "individual_digits", false) => plan.rules.push(Rule::digits()?),
            "Split" => plan.rules.push(split_rule(node)?),
            "Metaspace" if text(node, "replacement") == Some("\u{2581}") => {
                spaces = true;
                plan.cut_at_spaces = flag(node, "split", true);
                plan.prefix = match text(node, "prepend_scheme") {
                    Some("never") => Prefix::Never,
                    Some("first") => Prefix::FirstUnlessThere,
                    _ => Prefix::UnlessThere,
                };
            }
            other => {
                let known = "ByteLevel without add_prefix_space, Digits (individual), Split, Metaspace";
                return Err(unsupported("pre-tokenizer", format!("{other:?} ({node})"), known));
            }
        }
    }
    let consistent = if plan.bytes { !spaces } else { spaces && plan.rules.is_empty() && !plan.nfc };
    if !consistent {
        let known = "byte-level BPE, or SentencePiece BPE with its space";
        return Err(unsupported("tokenizer", "a mixture of byte-level and other components", known));
    }
    Ok(plan)
}

fn check_model(model: &Model) -> Result<(), TokenizerError> {
    // Files from before the field existed are BPE when they have merges.
    let kind = model.kind.as_deref().unwrap_or(if model.merges.is_empty() { "none" } else { "BPE" });
    if kind != "BPE" {
        return Err(unsupported("tokenizer model", kind, "BPE"));
    }
    let affixes = [&model.continuing_subword_prefix, &model.end_of_word_suffix];
    if affixes.into_iter().flatten().any(|affix| !affix.is_empty()) {
        return Err(unsupported("BPE", "with a prefix or suffix of words", "none"));
    }
    if model.dropout.is_some_and(|dropout| dropout != 0.0) {
        return Err(unsupported("BPE", "with dropout", "no dropout"));
    }
    Ok(())
}

fn split_rule(node: &Value) -> Result<Rule, TokenizerError> {
    let pattern = node.get("pattern").and_then(|pattern| text(pattern, "Regex"));
    match (pattern, text(node, "behavior"), flag(node, "invert", false)) {
        (Some(pattern), Some("Isolated"), _) => Rule::new(pattern),
        // Keeping the matches and removing what lies between is the same as long as all text matches, which holds
        // for patterns that end by matching white space.
        (Some(pattern), Some("Removed"), true) if pattern.ends_with(r"|\s+") => Rule::new(pattern),
        _ => Err(unsupported("pre-tokenizer", node.to_string(), "Split by a Regex, Isolated")),
    }
}

fn pieces(file: &TokenizerFile, plan: &Plan) -> Result<Vec<Piece>, TokenizerError> {
    let Value::Object(vocab) = &file.model.vocab else {
        return Err(unsupported("vocabulary", "no table", "a table from token to id"));
    };
    let count = vocab.len() + file.added_tokens.len();
    // Ids may have holes, but a file of a few bytes must not make a table of gigabytes.
    let size = count.saturating_mul(2).saturating_add(1 << 16);
    let mut texts: HashMap<u32, (&str, PieceKind)> = HashMap::with_capacity(count);
    for (text, id) in vocab {
        let id = checked(text, id.as_u64().unwrap_or(u64::MAX), size)?;
        let kind = if file.model.byte_fallback && byte_token(text).is_some() {
            PieceKind::Byte
        } else if file.model.unk_token.as_ref() == Some(text) && !plan.bytes {
            PieceKind::Unknown
        } else {
            PieceKind::Normal
        };
        if let Some((first, _)) = texts.insert(id, (text, kind)) {
            return Err(TokenizerError::DuplicateId { id, first: first.to_owned(), second: text.clone() });
        }
    }
    for token in &file.added_tokens {
        let id = checked(&token.content, token.id.into(), size)?;
        let kind = match texts.get(&id) {
            Some((first, _)) if *first != token.content => {
                return Err(TokenizerError::DuplicateId {
                    id,
                    first: (*first).to_owned(),
                    second: token.content.clone(),
                });
            }
            Some((_, PieceKind::Unknown)) => PieceKind::Unknown,
            _ if token.special => PieceKind::Control,
            _ => PieceKind::User,
        };
        texts.insert(id, (&token.content, kind));
    }
    let size = texts.keys().max().map_or(0, |id| *id as usize + 1);
    if size == 0 {
        return Err(TokenizerError::Empty);
    }
    let piece = |id| {
        let (text, kind) = texts.get(&id).copied().unwrap_or(("", PieceKind::Unused));
        Piece::new(text.to_owned(), kind, !plan.bytes)
    };
    Ok((0..size as u32).map(piece).collect())
}

pub(super) fn checked(text: &str, id: u64, size: usize) -> Result<u32, TokenizerError> {
    match u32::try_from(id) {
        Ok(small) if (small as usize) < size => Ok(small),
        _ => Err(TokenizerError::IdOutOfRange { what: format!("the vocabulary's {text:?}"), id, size }),
    }
}

fn byte_tokens(pieces: &[Piece]) -> Option<Box<[u32; 256]>> {
    let mut table = Box::new([NO_TOKEN; 256]);
    for (id, piece) in pieces.iter().enumerate() {
        if let (PieceKind::Byte, Some(byte)) = (piece.kind, byte_token(&piece.text)) {
            table[usize::from(byte)] = id as u32;
        }
    }
    table.iter().any(|id| *id != NO_TOKEN).then_some(table)
}

/// The token a configuration names, as a string or as an object with its `content`.
fn named(tokenizer: &Tokenizer, config: &Value, name: &str) -> Option<u32> {
    let value = config.get(name)?;
    tokenizer.id_of(value.as_str().or_else(|| text(value, "content"))?)
}

/// The special token that the post-processor puts before a single text.
fn leading_token(node: Option<&Value>) -> Option<&str> {
    sequence(node, "processors").into_iter().find(|node| kind(node) == "TemplateProcessing").and_then(
        |node| {
            let first = node.get("single")?.as_array()?.first()?;
            text(first.get("SpecialToken")?, "id")
        },
    )
}
