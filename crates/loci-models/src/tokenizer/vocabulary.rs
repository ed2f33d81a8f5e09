//! A vocabulary as GGUF metadata holds it, and the tokenizer made from it.

use std::collections::{HashMap, HashSet};

use super::encode::{Chars, Prefix, Units};
use super::merge::{Merges, NO_TOKEN};
use super::special::{Added, Marks};
use super::{Piece, PieceKind, Tokenizer, TokenizerError, bytes, split};

/// Longest token from which SentencePiece merges are derived; real ones have tens of bytes, and the time to derive
/// them grows with the square.
const MAX_MERGED_TOKEN: usize = 1024;

/// The fields `tokenizer.ggml.*` of a GGUF file.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// `model`: "gpt2" (byte-level BPE) or "llama" (SentencePiece BPE with scores).
    pub model: String,
    /// `pre`: name of the pre-tokenizer; only for "gpt2", empty when absent.
    pub pre: String,
    /// `tokens`: text of each token; its index is the id.
    pub tokens: Vec<String>,
    /// `scores`: one per token for "llama", else empty.
    pub scores: Vec<f32>,
    /// `token_type`: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; may be empty (all normal).
    pub types: Vec<i32>,
    /// `merges`: "left right", best first; only for "gpt2".
    pub merges: Vec<String>,
    /// `bos_token_id`.
    pub bos: Option<u32>,
    /// `eos_token_id`.
    pub eos: Option<u32>,
    /// `eot_token_id`, `eom_token_id` and others that end an answer.
    pub ends: Vec<u32>,
    /// `unknown_token_id`.
    pub unknown: Option<u32>,
    /// `add_bos_token`; the default of the file format is true for "llama" and false for "gpt2".
    pub add_bos: bool,
    /// `add_eos_token`.
    pub add_eos: bool,
    /// `add_space_prefix`; the default of the file format is true. Only for "llama".
    pub add_space_prefix: bool,
}

impl Vocabulary {
    fn check(&self) -> Result<(), TokenizerError> {
        let size = self.tokens.len();
        if size == 0 {
            return Err(TokenizerError::Empty);
        }
        let optional = [("types", self.types.len())];
        let scores = (self.model == "llama").then_some(("scores", self.scores.len()));
        for (what, found) in optional.into_iter().filter(|(_, found)| *found > 0).chain(scores) {
            if found != size {
                return Err(TokenizerError::Lengths { what, found, expected: size });
            }
        }
        let named = [("bos", self.bos), ("eos", self.eos), ("unknown", self.unknown)];
        let ends = self.ends.iter().map(|id| ("end of turn", Some(*id)));
        for (what, id) in named.into_iter().chain(ends) {
            if let Some(id) = id.filter(|id| *id as usize >= size) {
                return Err(TokenizerError::IdOutOfRange { what: what.to_owned(), id: id.into(), size });
            }
        }
        Ok(())
    }

    fn kind(&self, id: usize) -> Result<PieceKind, TokenizerError> {
        Ok(match self.types.get(id).copied().unwrap_or(1) {
            1 => PieceKind::Normal,
            2 => PieceKind::Unknown,
            3 => PieceKind::Control,
            4 => PieceKind::User,
            5 => PieceKind::Unused,
            6 => PieceKind::Byte,
            other => {
                return Err(TokenizerError::Unsupported {
                    part: "token type",
                    found: format!("{other} of token {id}"),
                    supported: "1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte".to_owned(),
                });
            }
        })
    }
}

impl Tokenizer {
    /// Makes the tokenizer that a GGUF file describes.
    ///
    /// For "gpt2" the merges are applied by rank within the pieces of the named pre-tokenizer; for "llama" the
    /// score of a token is the rank of every merge that makes it, equal scores are merged from left to right, and
    /// characters that are no token become byte tokens.
    ///
    /// # Errors
    /// [`TokenizerError`] for an unknown model or pre-tokenizer and for lists that contradict each other.
    pub fn from_vocabulary(vocabulary: Vocabulary) -> Result<Self, TokenizerError> {
        vocabulary.check()?;
        let chars = match vocabulary.model.as_str() {
            "gpt2" => false,
            "llama" => true,
            other => {
                return Err(TokenizerError::Unsupported {
                    part: "tokenizer model",
                    found: format!("{other:?}"),
                    supported: "gpt2, llama".to_owned(),
                });
            }
        };
        let kinds =
            (0..vocabulary.tokens.len()).map(|id| vocabulary.kind(id)).collect::<Result<Vec<_>, _>>()?;
        let pieces: Vec<_> = vocabulary
            .tokens
            .iter()
            .zip(&kinds)
            .map(|(text, kind)| Piece::new(text.clone(), *kind, chars))
            .collect();
        let added = pieces
            .iter()
            .enumerate()
            .filter(|(_, piece)| matches!(piece.kind, PieceKind::Control | PieceKind::User))
            .map(|(id, piece)| Added {
                text: piece.text.clone(),
                id: id as u32,
                control: piece.kind == PieceKind::Control,
                left_space: false,
                right_space: false,
            })
            .collect();
        let plain = plain_ids(&pieces);
        let (merges, units) = if chars {
            let (merges, chars) = sentence_piece(&vocabulary, &pieces, &plain)?;
            (merges, Units::Chars(chars))
        } else {
            let written = vocabulary.merges.iter().map(|merge| merge.split_once(' ').ok_or(merge.as_str()));
            let merges = ranked_merges(written, &plain)?;
            let (rules, whole) = split::named(&vocabulary.pre)?;
            (merges, byte_level(rules, whole, false, plain))
        };
        let mut ends = vocabulary.ends;
        ends.extend(vocabulary.eos);
        Ok(Self::assemble(pieces, units, merges, Marks::new(added)?)
            .with_ids(vocabulary.bos, vocabulary.eos, ends, vocabulary.unknown)
            .with_flags(vocabulary.add_bos, vocabulary.add_eos))
    }
}

/// Ids of the tokens that merging may start from and lead to, by text; the first of equal texts.
pub(super) fn plain_ids(pieces: &[Piece]) -> HashMap<String, u32> {
    let mut ids = HashMap::with_capacity(pieces.len());
    for (id, piece) in pieces.iter().enumerate() {
        if matches!(piece.kind, PieceKind::Normal | PieceKind::Unused) && !piece.text.is_empty() {
            ids.entry(piece.text.clone()).or_insert(id as u32);
        }
    }
    ids
}

/// The units of byte-level BPE.
pub(super) fn byte_level(
    rules: Vec<split::Rule>,
    whole: bool,
    nfc: bool,
    plain: HashMap<String, u32>,
) -> Units {
    let mut ids = Box::new([NO_TOKEN; 256]);
    for byte in 0..=255_u8 {
        if let Some(id) = plain.get(bytes::char_of(byte).encode_utf8(&mut [0; 4]) as &str) {
            ids[usize::from(byte)] = *id;
        }
    }
    Units::Bytes { ids, rules, whole: whole.then_some(plain), nfc }
}

/// Merges in order of rank; an item is `Err` with the text of what is no pair.
pub(super) fn ranked_merges<'m>(
    written: impl Iterator<Item = Result<(&'m str, &'m str), &'m str>>,
    plain: &HashMap<String, u32>,
) -> Result<Merges, TokenizerError> {
    let mut merges = Merges::default();
    let mut both = String::new();
    for (index, item) in written.enumerate() {
        let bad = |text: String, reason| TokenizerError::BadMerge { index, text, reason };
        let (left, right) =
            item.map_err(|text| bad(text.to_owned(), "is not two tokens with a space between"))?;
        both.clear();
        both.push_str(left);
        both.push_str(right);
        match (plain.get(left), plain.get(right), plain.get(&both)) {
            (Some(left), Some(right), Some(merged)) => merges.add(*left, *right, index as u32, *merged),
            (None, ..) | (_, None, _) => {
                return Err(bad(format!("{left} {right}"), "joins what is no token of the vocabulary"));
            }
            _ => return Err(bad(format!("{left} {right}"), "makes no token of the vocabulary")),
        }
    }
    Ok(merges)
}

/// Units and merges of SentencePiece BPE: any two neighbours merge that are together a token, best score first.
fn sentence_piece(
    vocabulary: &Vocabulary,
    pieces: &[Piece],
    plain: &HashMap<String, u32>,
) -> Result<(Merges, Chars), TokenizerError> {
    let mut distinct = Vec::with_capacity(pieces.len());
    for (id, score) in vocabulary.scores.iter().enumerate() {
        if score.is_nan() {
            return Err(TokenizerError::BadScore { id, score: *score });
        }
        distinct.push(*score);
    }
    distinct.sort_unstable_by(|a, b| b.total_cmp(a));
    distinct.dedup();
    // -0.0 and 0.0 are one score; `total_cmp` orders them, `==` does not.
    let rank = |score: f32| distinct.partition_point(|other| *other > score) as u32;

    let tokens = pieces.len() as u32;
    let mut chars = char_units(pieces, plain)?;
    let mut merges = Merges::default();
    // Best score first, so that of several ways to write a pair the first stays.
    let mut order: Vec<_> = plain.values().map(|id| *id as usize).collect();
    order.sort_unstable_by_key(|id| (vocabulary.scores.get(*id).map_or(0, |score| rank(*score)), *id));
    for id in order {
        let (Some(piece), Some(score)) = (pieces.get(id), vocabulary.scores.get(id)) else { continue };
        for (at, _) in piece.text.char_indices().skip(1) {
            let (left, right) = piece.text.split_at(at);
            if let (Some(left), Some(right)) =
                (symbol_id(left, plain, &chars.ids), symbol_id(right, plain, &chars.ids))
            {
                merges.add(left, right, rank(*score), id as u32);
            }
        }
    }
    let mut table = Box::new([NO_TOKEN; 256]);
    for (id, piece) in pieces.iter().enumerate().filter(|(_, piece)| piece.kind == PieceKind::Byte) {
        if let [byte] = piece.bytes[..] {
            table[usize::from(byte)] = id as u32;
        }
    }
    chars.bytes = table.iter().any(|id| *id != NO_TOKEN).then_some(table);
    chars.unknown = vocabulary.unknown.filter(|id| *id < tokens);
    chars.prefix = if vocabulary.add_space_prefix { Prefix::Always } else { Prefix::Never };
    Ok((merges, chars))
}

fn symbol_id(text: &str, plain: &HashMap<String, u32>, chars: &HashMap<char, u32>) -> Option<u32> {
    plain.get(text).copied().or_else(|| {
        let mut symbols = text.chars();
        let symbol = symbols.next()?;
        if symbols.next().is_none() { chars.get(&symbol).copied() } else { None }
    })
}

/// Characters and their neighbours in `pieces`; no prefix, byte or unknown tokens yet.
pub(super) fn char_units(pieces: &[Piece], plain: &HashMap<String, u32>) -> Result<Chars, TokenizerError> {
    let tokens = pieces.len() as u32;
    let mut ids: HashMap<char, u32> = HashMap::new();
    let mut inside = HashSet::new();
    let mut next = tokens;
    for (text, id) in plain {
        if text.len() > MAX_MERGED_TOKEN {
            let (bytes, limit) = (text.len(), MAX_MERGED_TOKEN);
            return Err(TokenizerError::TokenTooLong { id: *id as usize, bytes, limit });
        }
        let mut before = None;
        for symbol in text.chars() {
            ids.entry(symbol).or_insert_with(|| {
                plain.get(symbol.encode_utf8(&mut [0; 4]) as &str).copied().unwrap_or_else(|| {
                    next += 1;
                    next - 1
                })
            });
            if let Some(before) = before {
                inside.insert((before, symbol));
            }
            before = Some(symbol);
        }
    }
    Ok(Chars {
        ids,
        tokens,
        bytes: None,
        unknown: None,
        fuse_unknown: true,
        prefix: Prefix::Never,
        cut_at_spaces: false,
        inside,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::SpecialTokens;
    use proptest::prelude::*;

    proptest! {
        /// The text is cut where no token reaches over; without cuts the tokens must be the same.
        #[test]
        fn cutting_sentence_piece_text_changes_nothing(
            words in prop::collection::vec("\u{2581}{0,2}[abc]{0,4}", 1..12),
            scores in prop::collection::vec(-3_i8..0, 12),
            text in "[abcd ]{0,40}",
        ) {
            let mut tokens: Vec<_> = ["<unk>", "a", "b", "\u{2581}"].map(str::to_owned).into();
            tokens.extend(words.into_iter().filter(|word| !word.is_empty()));
            let scores = (0..tokens.len()).map(|id| f32::from(scores[id % scores.len()])).collect();
            let mut types = vec![1; tokens.len()];
            types[0] = 2;
            let vocabulary = Vocabulary {
                model: "llama".to_owned(),
                tokens,
                scores,
                types,
                unknown: Some(0),
                add_space_prefix: true,
                ..Vocabulary::default()
            };
            let mut tokenizer = Tokenizer::from_vocabulary(vocabulary).unwrap();
            let cut = tokenizer.encode(&text, SpecialTokens::AsText, false).unwrap();
            if let Units::Chars(chars) = &mut tokenizer.units {
                let symbols = ['a', 'b', 'c', 'd', '\u{2581}'];
                chars.inside.extend(symbols.iter().flat_map(|left| symbols.map(|right| (*left, right))));
            }
            prop_assert_eq!(cut, tokenizer.encode(&text, SpecialTokens::AsText, false).unwrap());
        }
    }
}
