//! Text to tokens and back, from GGUF metadata or a `tokenizer.json`.
//!
//! Two kinds exist: byte-level BPE over pre-tokenised words ("gpt2") and SentencePiece BPE over characters
//! ("llama"). Both share the merge loop. Every token carries the byte range it came from; ranges follow each other
//! and cover the text, so that whatever is known about a token can be said of the text.
//!
//! Sentence encoders have a kind of their own, [`WordPiece`], which gives no ranges.
//!
//! Text that was read is data: encoded [`AsText`](SpecialTokens::AsText), no string in it becomes a control token.

mod bytes;
mod decode;
mod encode;
mod error;
mod folder;
mod json;
mod merge;
mod normal;
mod special;
mod split;
mod vocabulary;
mod word_piece;

use std::borrow::Cow;
use std::collections::HashMap;

pub use decode::{DecodeOptions, Decoder};
pub use error::TokenizerError;
pub use vocabulary::Vocabulary;
pub use word_piece::WordPiece;

use encode::{Prefix, SPACE, Units};
use merge::Merges;
use special::Marks;

/// Texts above this are refused: positions within a word are counted in 32 bits.
const MAX_TEXT: usize = 2 << 30;

/// Names of tokens that end an answer; files often name only one of those a model was trained with.
const END_NAMES: &[&str] = &[
    "<|endoftext|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endofturn|>",
    "<EOT>",
    "<|eot|>",
];

/// A token and the bytes of the text it stands for.
///
/// Ranges follow each other without gaps. A character may be several tokens, so a range may begin or end inside one:
/// widen it with [`whole_characters`] before showing it. A token that stands for nothing in the text (the beginning
/// of the sequence, SentencePiece's space before the first word) has an empty range or begins where its text does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Index into the vocabulary.
    pub id: u32,
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

/// What strings such as `<|im_end|>` in a text mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialTokens {
    /// They are the tokens of that name. Only for what the program or a chat template wrote.
    Parse,
    /// They are text like any other. For everything that was read or typed. Words and runs of white space that the
    /// model's authors added to the vocabulary are still found, marks (`<…>`, `[…]`) are not.
    AsText,
}

/// A stretch of text and what special tokens in it mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'t> {
    /// The text.
    pub text: &'t str,
    /// What special tokens in it mean.
    pub special: SpecialTokens,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PieceKind {
    Normal,
    Unknown,
    Control,
    User,
    Unused,
    Byte,
}

/// A token's text as in the vocabulary and the bytes it stands for.
#[derive(Clone, Debug)]
struct Piece {
    text: String,
    bytes: Box<[u8]>,
    kind: PieceKind,
}

impl Piece {
    /// `chars`: the vocabulary writes characters (llama kind), not bytes (gpt2 kind).
    fn new(text: String, kind: PieceKind, chars: bool) -> Self {
        let bytes = match kind {
            PieceKind::Byte => byte_token(&text).map(|byte| vec![byte]),
            PieceKind::Unknown => Some("\u{fffd}".as_bytes().to_vec()),
            PieceKind::Control => None,
            _ if chars => Some(text.replace(SPACE, " ").into_bytes()),
            PieceKind::User => None,
            PieceKind::Normal | PieceKind::Unused => bytes::bytes_of(&text),
        };
        let bytes = bytes.unwrap_or_else(|| text.as_bytes().to_vec()).into_boxed_slice();
        Self { text, bytes, kind }
    }
}

/// The byte of `<0x0A>`.
fn byte_token(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// The smallest range that holds `start..end` and cuts no character of `text`.
pub fn whole_characters(text: &str, start: usize, end: usize) -> std::ops::Range<usize> {
    let mut start = start.min(text.len());
    let mut end = end.clamp(start, text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// A tokenizer. Cheap to share between threads by reference; encoding needs no lock.
#[derive(Debug)]
pub struct Tokenizer {
    pieces: Vec<Piece>,
    ids: HashMap<String, u32>,
    units: Units,
    merges: Merges,
    marks: Marks,
    bos: Option<u32>,
    eos: Option<u32>,
    ends: Vec<u32>,
    unknown: Option<u32>,
    add_bos: bool,
    add_eos: bool,
}

impl Tokenizer {
    fn assemble(pieces: Vec<Piece>, units: Units, merges: Merges, marks: Marks) -> Self {
        let mut ids = HashMap::with_capacity(pieces.len());
        for (id, piece) in pieces.iter().enumerate() {
            ids.entry(piece.text.clone()).or_insert(id as u32);
        }
        let (bos, eos, unknown) = (None, None, None);
        Self {
            pieces,
            ids,
            units,
            merges,
            marks,
            bos,
            eos,
            ends: Vec::new(),
            unknown,
            add_bos: false,
            add_eos: false,
        }
    }

    fn with_ids(mut self, bos: Option<u32>, eos: Option<u32>, ends: Vec<u32>, unknown: Option<u32>) -> Self {
        (self.bos, self.eos, self.unknown) = (bos, eos, unknown);
        let known = END_NAMES.iter().filter_map(|name| self.id_of(name));
        let known: Vec<_> =
            known.filter(|id| self.is_special(*id) || self.kind(*id) == PieceKind::User).collect();
        self.ends = ends.into_iter().chain(eos).chain(known).collect();
        self.ends.sort_unstable();
        self.ends.dedup();
        self
    }

    fn with_flags(mut self, add_bos: bool, add_eos: bool) -> Self {
        (self.add_bos, self.add_eos) = (add_bos, add_eos);
        self
    }

    /// Encodes `text`. With `add_bos` the beginning-of-sequence token comes first, with an empty range, unless the
    /// vocabulary has none or the text already begins with it.
    ///
    /// # Errors
    /// [`TokenizerError::TextTooLong`] above 2 GiB.
    pub fn encode(
        &self,
        text: &str,
        special: SpecialTokens,
        add_bos: bool,
    ) -> Result<Vec<Token>, TokenizerError> {
        self.encode_parts(&[Part { text, special }], add_bos)
    }

    /// Encodes the concatenation of `parts` as one text; special tokens are found within parts that allow it and
    /// merges cross the borders between parts. Ranges count from the beginning of the first part.
    ///
    /// So a chat prompt gets the tokens it would get as a whole, except that what a message says stays text.
    ///
    /// # Errors
    /// [`TokenizerError::TextTooLong`] above 2 GiB in total.
    pub fn encode_parts(&self, parts: &[Part<'_>], add_bos: bool) -> Result<Vec<Token>, TokenizerError> {
        let bytes = parts.iter().map(|part| part.text.len()).sum();
        if bytes > MAX_TEXT {
            return Err(TokenizerError::TextTooLong { bytes, limit: MAX_TEXT });
        }
        let text = match parts {
            [part] => Cow::Borrowed(part.text),
            _ => Cow::Owned(parts.iter().map(|part| part.text).collect::<String>()),
        };
        let mut found = Vec::new();
        let mut base = 0;
        for part in parts {
            self.marks.find(part.text, part.special, base, &mut found);
            base += part.text.len();
        }
        let mut tokens = Vec::with_capacity(text.len() / 4 + 1);
        if let Some(bos) = self
            .bos
            .filter(|bos| add_bos && found.first().is_none_or(|first| (first.0, first.2) != (0, *bos)))
        {
            tokens.push(Token { id: bos, start: 0, end: 0 });
        }
        let mut at = 0;
        for (start, end, id) in found {
            self.units.encode(&self.merges, text.get(at..start).unwrap_or_default(), at, &mut tokens);
            tokens.push(Token { id, start, end });
            at = end;
        }
        self.units.encode(&self.merges, text.get(at..).unwrap_or_default(), at, &mut tokens);
        Ok(tokens)
    }

    /// How many bytes of `text` no token expresses. They are part of the range of a neighbouring token (or of an
    /// unknown token) but the model does not see them: a caller that promises to lose nothing reports this number.
    pub fn missing_bytes(&self, text: &str) -> usize {
        self.units.missing(text)
    }

    /// The text of `ids` without special tokens; what is not valid UTF-8 becomes U+FFFD, as does an id outside the
    /// vocabulary.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.decode_with(ids, DecodeOptions::default())
    }

    /// The text of `ids`.
    pub fn decode_with(&self, ids: &[u32], options: DecodeOptions) -> String {
        let mut decoder = self.decoder(options);
        let mut text: String = ids.iter().map(|id| decoder.push(self, *id)).collect();
        text.push_str(&decoder.finish());
        text
    }

    /// Decodes token by token.
    pub fn decoder(&self, options: DecodeOptions) -> Decoder {
        Decoder::new(self, options)
    }

    /// Whether an answer ends with this token.
    pub fn is_end(&self, id: u32) -> bool {
        self.ends.binary_search(&id).is_ok()
    }

    /// Ids that end an answer, in order.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Whether the token steers the model and is not shown: control tokens.
    pub fn is_special(&self, id: u32) -> bool {
        self.kind(id) == PieceKind::Control
    }

    fn kind(&self, id: u32) -> PieceKind {
        self.pieces.get(id as usize).map_or(PieceKind::Unused, |piece| piece.kind)
    }

    /// Number of ids.
    pub fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    /// The id of the token that the vocabulary writes so (`Ġthe`, `▁the`, `<|im_end|>`).
    pub fn id_of(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// A token as the vocabulary writes it.
    pub fn text_of(&self, id: u32) -> Option<&str> {
        self.pieces.get(id as usize).map(|piece| piece.text.as_str())
    }

    /// The bytes that a token adds to a text that goes on: with the space before the first word, and not always whole
    /// characters. `None` for tokens that stand for no text: control tokens, unknown and unused ones.
    pub fn bytes_of(&self, id: u32) -> Option<&[u8]> {
        let piece = self.pieces.get(id as usize)?;
        let is_text = matches!(piece.kind, PieceKind::Normal | PieceKind::User | PieceKind::Byte);
        is_text.then_some(&piece.bytes)
    }

    /// Beginning-of-sequence token.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// End-of-sequence token.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Token of what is in no token.
    pub fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// Whether the model was trained with the beginning-of-sequence token before plain text.
    pub fn adds_bos(&self) -> bool {
        self.add_bos
    }

    /// Whether the model was trained with the end-of-sequence token after plain text.
    pub fn adds_eos(&self) -> bool {
        self.add_eos
    }

    /// Whether decoding drops the space that encoding put before the first word.
    fn drops_first_space(&self) -> bool {
        matches!(&self.units, Units::Chars(chars) if chars.prefix != Prefix::Never)
    }
}
