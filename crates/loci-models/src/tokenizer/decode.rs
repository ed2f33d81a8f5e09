//! Tokens to text, as they come.

use super::{PieceKind, Tokenizer};

/// What decoding shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Control tokens are written as the vocabulary writes them.
    pub special: bool,
    /// The text continues another one, so its first space was not put there by encoding and stays.
    pub continues: bool,
}

/// A stream from token ids to text. What it returns, joined, is what [`Tokenizer::decode_with`] gives for all ids.
#[derive(Clone, Debug)]
pub struct Decoder {
    options: DecodeOptions,
    /// The beginning of a character whose other bytes are still to come; at most three.
    held: Vec<u8>,
    /// The next byte is the text's first.
    fresh: bool,
}

impl Decoder {
    pub(super) fn new(tokenizer: &Tokenizer, options: DecodeOptions) -> Self {
        let fresh = tokenizer.drops_first_space() && !options.continues;
        Self { options, held: Vec::new(), fresh }
    }

    /// Takes a token of the tokenizer that the decoder was made by; returns what can be shown now.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> String {
        match tokenizer.pieces.get(id as usize) {
            None => self.add("\u{fffd}".as_bytes()),
            Some(piece) if piece.kind == PieceKind::Control => {
                if self.options.special {
                    self.add(piece.text.as_bytes())
                } else {
                    String::new()
                }
            }
            Some(piece) => {
                let first_space =
                    self.fresh && piece.bytes.first() == Some(&b' ') && piece.kind != PieceKind::Byte;
                self.add(piece.bytes.get(usize::from(first_space)..).unwrap_or_default())
            }
        }
    }

    /// Ends the text: an incomplete character becomes U+FFFD.
    pub fn finish(self) -> String {
        if self.held.is_empty() { String::new() } else { "\u{fffd}".to_owned() }
    }

    fn add(&mut self, bytes: &[u8]) -> String {
        self.fresh = false;
        self.held.extend_from_slice(bytes);
        let mut out = String::new();
        let mut rest = self.held.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    out.push_str(text);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, bad) = rest.split_at(error.valid_up_to());
                    out.push_str(&String::from_utf8_lossy(valid));
                    rest = bad;
                    let Some(length) = error.error_len() else { break };
                    out.push('\u{fffd}');
                    rest = bad.get(length..).unwrap_or_default();
                }
            }
        }
        self.held = rest.to_vec();
        out
    }
}
