//! WordPiece, the tokenizer of BERT: text is normalised and cut into words, and a word into the longest tokens from the
//! left (Wu et al., 2016; the details are those of BERT's release).
//!
//! What is normalised away (case, accents, white space) has no place in the tokens, so they carry no byte ranges.
//! Text is data: `[SEP]` in it is three words, never the token of that name.

mod categories;
mod normal;
mod read;

use std::collections::HashMap;

use super::{MAX_TEXT, TokenizerError};
use normal::Normaliser;

/// A WordPiece tokenizer. Threads may share it.
#[derive(Debug)]
pub struct WordPiece {
    normaliser: Normaliser,
    /// Tokens that may begin a word.
    first: HashMap<Box<str>, u32>,
    /// Tokens that go on within a word, without their prefix.
    inner: HashMap<Box<str>, u32>,
    /// Ids of those that go on, sorted.
    inner_ids: Vec<u32>,
    /// Bytes of the longest token.
    longest: usize,
    /// Largest id and one.
    size: usize,
    unknown: u32,
    /// Words of more characters are unknown.
    longest_word: usize,
    before: Vec<u32>,
    after: Vec<u32>,
}

impl WordPiece {
    /// The tokens of `text`, without those that stand around a text ([`before`](Self::before), [`after`](Self::after)).
    ///
    /// # Errors
    /// [`TokenizerError::TextTooLong`] above 2 GiB.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        if text.len() > MAX_TEXT {
            return Err(TokenizerError::TextTooLong { bytes: text.len(), limit: MAX_TEXT });
        }
        let normal = self.normaliser.normalise(text);
        let mut tokens = Vec::with_capacity(text.len() / 4 + 2);
        for word in normal.split_whitespace() {
            let mut begin = 0;
            for (at, symbol) in word.char_indices() {
                if self.normaliser.is_punctuation(symbol) {
                    self.word(word.get(begin..at).unwrap_or_default(), &mut tokens);
                    begin = at + symbol.len_utf8();
                    self.word(word.get(at..begin).unwrap_or_default(), &mut tokens);
                }
            }
            self.word(word.get(begin..).unwrap_or_default(), &mut tokens);
        }
        Ok(tokens)
    }

    /// Appends the tokens of one word: each time the longest that matches, or "unknown" for the whole word.
    fn word(&self, word: &str, tokens: &mut Vec<u32>) {
        if word.is_empty() {
            return;
        }
        if word.len() > self.longest_word && word.chars().count() > self.longest_word {
            return tokens.push(self.unknown);
        }
        let kept = tokens.len();
        let mut rest = word;
        while !rest.is_empty() {
            let table = if rest.len() == word.len() { &self.first } else { &self.inner };
            let mut end = rest.len().min(self.longest);
            let found = loop {
                // A cut within a character gives no text and is passed over.
                if let Some(id) = rest.get(..end).and_then(|part| table.get(part)) {
                    break Some(*id);
                }
                end -= 1;
                if end == 0 {
                    break None;
                }
            };
            let Some(id) = found else {
                tokens.truncate(kept);
                return tokens.push(self.unknown);
            };
            tokens.push(id);
            rest = rest.get(end..).unwrap_or_default();
        }
    }

    /// Whether a token goes on within a word.
    pub fn is_inner(&self, id: u32) -> bool {
        self.inner_ids.binary_search(&id).is_ok()
    }

    /// Tokens that stand before every text (`[CLS]`).
    pub fn before(&self) -> &[u32] {
        &self.before
    }

    /// Tokens that stand behind every text (`[SEP]`).
    pub fn after(&self) -> &[u32] {
        &self.after
    }

    /// The largest id and one.
    pub const fn vocab_size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tokenizer(config: &serde_json::Value) -> WordPiece {
        let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\naff\n,\n中\nÉ\ne\n##e\nsep\n[\n]\n";
        WordPiece::from_vocabulary(vocab, config).unwrap()
    }

    #[test]
    fn the_longest_tokens_are_taken_from_the_left() {
        let tokenizer = tokenizer(&json!({}));
        assert_eq!(tokenizer.encode("Unaffable,aff").unwrap(), [4, 5, 6, 8, 7]);
        assert_eq!(tokenizer.encode(" aff\t\n un ").unwrap(), [7, 4]);
        assert_eq!((tokenizer.before(), tokenizer.after()), (&[2][..], &[3][..]));
        assert!(tokenizer.is_inner(5) && !tokenizer.is_inner(4));
    }

    #[test]
    fn a_word_with_a_part_that_is_no_token_is_unknown_as_a_whole() {
        let tokenizer = tokenizer(&json!({}));
        assert_eq!(tokenizer.encode("unaffect un").unwrap(), [1, 4]);
        let long = "e".repeat(100);
        assert_eq!(tokenizer.encode(&long).unwrap().len(), 100);
        assert_eq!(tokenizer.encode(&(long + "e")).unwrap(), [1]);
    }

    #[test]
    fn special_tokens_in_a_text_are_text() {
        assert_eq!(tokenizer(&json!({})).encode("[SEP]").unwrap(), [14, 13, 15]);
    }

    #[test]
    fn accents_and_case_are_kept_where_the_configuration_says_so() {
        let lower = tokenizer(&json!({}));
        assert_eq!(lower.encode("É 中中").unwrap(), [11, 9, 9]);
        let cased = tokenizer(&json!({"do_lower_case": false}));
        assert_eq!(cased.encode("É").unwrap(), [10]);
        let stripped = tokenizer(&json!({"do_lower_case": false, "strip_accents": true}));
        assert_eq!(stripped.encode("É é").unwrap(), [1, 11]);
        let together = tokenizer(&json!({"tokenize_chinese_chars": false}));
        assert_eq!(together.encode("中中").unwrap(), [1]);
    }
}
