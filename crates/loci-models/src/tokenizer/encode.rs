//! From a stretch of text without special tokens to tokens.

use std::collections::{HashMap, HashSet};

use super::merge::{Merges, NO_TOKEN, Word};
use super::normal::Normalised;
use super::split::{Rule, split};
use super::{Token, bytes};

/// How SentencePiece writes a space.
pub(super) const SPACE: char = '\u{2581}';

/// Words up to this many bytes are remembered within one call, …
const CACHED_WORD: usize = 64;
/// … until there are this many of them.
const CACHED_WORDS: usize = 1 << 15;

/// Whether a space is put before the text, as SentencePiece does so that a first word looks like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    Never,
    /// Before every stretch between special tokens.
    Always,
    /// The same, unless it begins with a space.
    UnlessThere,
    /// As `UnlessThere`, only at the beginning of the whole text.
    FirstUnlessThere,
}

/// What merges start from.
#[derive(Debug)]
pub(super) enum Units {
    /// Bytes of pre-tokenised words: the gpt2 kind.
    Bytes {
        /// Token of each byte or [`NO_TOKEN`].
        ids: Box<[u32; 256]>,
        rules: Vec<Rule>,
        /// Tokens by their text, when a word that is a token is taken whole.
        whole: Option<HashMap<String, u32>>,
        nfc: bool,
    },
    /// Characters of the whole text, spaces written as [`SPACE`]: the llama kind.
    Chars(Chars),
}

/// See [`Units::Chars`].
#[derive(Debug)]
pub(super) struct Chars {
    /// Token of each character. Ids from `tokens` on are characters that only occur inside longer tokens.
    pub(super) ids: HashMap<char, u32>,
    pub(super) tokens: u32,
    /// Tokens of single bytes, for characters that are no token.
    pub(super) bytes: Option<Box<[u32; 256]>>,
    pub(super) unknown: Option<u32>,
    /// Neighbouring unknown characters become one token.
    pub(super) fuse_unknown: bool,
    pub(super) prefix: Prefix,
    /// Every space begins a new word.
    pub(super) cut_at_spaces: bool,
    /// Neighbours inside some token. Between any other two characters no merge can ever reach, since what a merge
    /// makes is a token: there the text is cut, which changes nothing and bounds time and memory.
    pub(super) inside: HashSet<(char, char)>,
}

/// Appends tokens whose ranges follow each other.
struct Out<'o> {
    tokens: &'o mut Vec<Token>,
    first: usize,
    /// Where the next token begins.
    open: usize,
    /// Up to where the text is done.
    cursor: usize,
}

impl<'o> Out<'o> {
    fn new(tokens: &'o mut Vec<Token>) -> Self {
        let first = tokens.len();
        Self { tokens, first, open: 0, cursor: 0 }
    }

    fn emit(&mut self, id: u32, bytes: usize) {
        self.cursor += bytes;
        self.tokens.push(Token { id, start: self.open, end: self.cursor });
        self.open = self.cursor;
    }

    /// Bytes for which there is no token are counted to the token before, else to the one that follows.
    fn skip(&mut self, bytes: usize) {
        self.cursor += bytes;
        if let Some(last) = self.tokens.get_mut(self.first..).and_then(<[Token]>::last_mut) {
            last.end = self.cursor;
            self.open = self.cursor;
        }
    }

    /// Extends the last token when it is `id`.
    fn extend(&mut self, id: u32, bytes: usize) -> bool {
        match self.tokens.get_mut(self.first..).and_then(<[Token]>::last_mut) {
            Some(last) if last.id == id => {
                self.cursor += bytes;
                last.end = self.cursor;
                self.open = self.cursor;
                true
            }
            _ => false,
        }
    }
}

impl Units {
    /// Appends the tokens of `text`, which begins at byte `base` of what the caller was given.
    pub(super) fn encode(&self, merges: &Merges, text: &str, base: usize, tokens: &mut Vec<Token>) {
        let first = tokens.len();
        match self {
            Self::Bytes { ids, rules, whole, nfc } => {
                let normal = if *nfc { Normalised::nfc(text) } else { Normalised::unchanged(text) };
                let mut out = Out::new(tokens);
                encode_words(ids, rules, whole.as_ref(), merges, &normal.text, &mut out);
                for token in tokens.iter_mut().skip(first) {
                    token.start = base + normal.original(token.start);
                    token.end = base + normal.original(token.end);
                }
            }
            Self::Chars(chars) => {
                chars.encode(merges, text, base == 0, &mut Out::new(tokens));
                for token in tokens.iter_mut().skip(first) {
                    token.start += base;
                    token.end += base;
                }
            }
        }
    }

    /// Bytes of `text` that no token expresses.
    pub(super) fn missing(&self, text: &str) -> usize {
        match self {
            Self::Bytes { ids, nfc, .. } => {
                let normal = if *nfc { Normalised::nfc(text) } else { Normalised::unchanged(text) };
                normal.text.bytes().filter(|byte| ids[usize::from(*byte)] == NO_TOKEN).count()
            }
            Self::Chars(chars) => {
                let unknown = |symbol: &char| {
                    let written = if *symbol == ' ' { SPACE } else { *symbol };
                    chars.ids.get(&written).is_none_or(|id| *id >= chars.tokens)
                        && chars.byte_tokens(written).is_none()
                };
                text.chars().filter(unknown).map(char::len_utf8).sum()
            }
        }
    }
}

fn encode_words(
    ids: &[u32; 256],
    rules: &[Rule],
    whole: Option<&HashMap<String, u32>>,
    merges: &Merges,
    text: &str,
    out: &mut Out<'_>,
) {
    let mut word = Word::default();
    let mut key = String::new();
    // Ranges of `kept` by word: most words of a text come again.
    let mut known: HashMap<&str, (usize, usize)> = HashMap::new();
    let mut kept: Vec<(u32, u32)> = Vec::new();
    split(rules, text, &mut |piece| {
        if let Some(&(from, to)) = known.get(piece) {
            emit_all(kept.get(from..to).unwrap_or_default(), out);
            return;
        }
        if let Some(whole) = whole {
            key.clear();
            key.extend(piece.bytes().map(bytes::char_of));
            if let Some(id) = whole.get(&key) {
                out.emit(*id, piece.len());
                return;
            }
        }
        word.clear();
        for byte in piece.bytes() {
            word.push(ids[usize::from(byte)], 1);
        }
        word.merge(merges);
        if piece.len() > CACHED_WORD {
            for symbol in word.symbols() {
                emit_all(&[symbol], out);
            }
            return;
        }
        if known.len() >= CACHED_WORDS {
            known.clear();
            kept.clear();
        }
        let from = kept.len();
        kept.extend(word.symbols());
        known.insert(piece, (from, kept.len()));
        emit_all(kept.get(from..).unwrap_or_default(), out);
    });
}

fn emit_all(symbols: &[(u32, u32)], out: &mut Out<'_>) {
    for &(id, bytes) in symbols {
        if id == NO_TOKEN {
            out.skip(bytes as usize);
        } else {
            out.emit(id, bytes as usize);
        }
    }
}

impl Chars {
    fn encode(&self, merges: &Merges, text: &str, first: bool, out: &mut Out<'_>) {
        if text.is_empty() {
            return;
        }
        let mut word = Word::default();
        let mut before = None;
        let prefixed = match self.prefix {
            Prefix::Never => false,
            Prefix::Always => true,
            Prefix::UnlessThere => !text.starts_with([' ', SPACE]),
            Prefix::FirstUnlessThere => first && !text.starts_with([' ', SPACE]),
        };
        if prefixed {
            word.push(self.id(SPACE), 0);
            before = Some(SPACE);
        }
        for symbol in text.chars() {
            let written = if symbol == ' ' { SPACE } else { symbol };
            let cut = before.is_some_and(|before| {
                (self.cut_at_spaces && written == SPACE) || !self.inside.contains(&(before, written))
            });
            if cut {
                self.flush(merges, text, &mut word, out);
            }
            word.push(self.id(written), symbol.len_utf8() as u32);
            before = Some(written);
        }
        self.flush(merges, text, &mut word, out);
    }

    fn id(&self, symbol: char) -> u32 {
        self.ids.get(&symbol).copied().unwrap_or(NO_TOKEN)
    }

    fn flush(&self, merges: &Merges, text: &str, word: &mut Word, out: &mut Out<'_>) {
        if word.len() > 1 {
            word.merge(merges);
        }
        for (id, bytes) in word.symbols() {
            let bytes = bytes as usize;
            if id < self.tokens {
                out.emit(id, bytes);
                continue;
            }
            // Only single characters are not tokens.
            let symbol = text.get(out.cursor..out.cursor + bytes).and_then(|part| part.chars().next());
            let written = symbol.filter(|symbol| *symbol != ' ').unwrap_or(SPACE);
            match (self.byte_tokens(written), self.unknown) {
                (Some(ids), _) => {
                    let exact = ids.len() == bytes;
                    for (index, id) in ids.into_iter().enumerate() {
                        out.emit(
                            id,
                            if exact {
                                1
                            } else if index == 0 {
                                bytes
                            } else {
                                0
                            },
                        );
                    }
                }
                (None, Some(unknown)) => {
                    if !(self.fuse_unknown && out.extend(unknown, bytes)) {
                        out.emit(unknown, bytes);
                    }
                }
                (None, None) => out.skip(bytes),
            }
        }
        word.clear();
    }

    fn byte_tokens(&self, symbol: char) -> Option<Vec<u32>> {
        let table = self.bytes.as_ref()?;
        let mut buffer = [0; 4];
        let ids = symbol.encode_utf8(&mut buffer).bytes().map(|byte| table[usize::from(byte)]);
        ids.map(|id| (id != NO_TOKEN).then_some(id)).collect()
    }
}
