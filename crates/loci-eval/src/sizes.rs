//! Sizes in tokens of the model under test, and texts that fit them.

use std::ops::Range;

use loci_models::tokenizer::{SpecialTokens, Tokenizer, whole_characters};

use crate::error::EvalError;
use crate::example::Example;
use crate::task::Request;

/// What a token is.
pub trait Tokens: Sync {
    /// Bytes of each token of `text`, in order, covering it.
    ///
    /// # Errors
    /// [`EvalError::Engine`] for a text beyond the tokenizer's limit.
    fn spans(&self, text: &str) -> Result<Vec<Range<usize>>, EvalError>;

    /// Number of tokens of `text`.
    ///
    /// # Errors
    /// As [`Tokens::spans`].
    fn count(&self, text: &str) -> Result<usize, EvalError> {
        Ok(self.spans(text)?.len())
    }

    /// Tokens that a prompt takes besides text and question.
    fn overhead(&self) -> usize;
}

/// A model's own tokens.
#[derive(Debug)]
pub struct ModelTokens<'a> {
    tokenizer: &'a Tokenizer,
    overhead: usize,
}

impl<'a> ModelTokens<'a> {
    /// Tokens of `tokenizer`, of whose prompts `overhead` belong to a chat template.
    pub const fn new(tokenizer: &'a Tokenizer, overhead: usize) -> Self {
        Self { tokenizer, overhead }
    }
}

impl Tokens for ModelTokens<'_> {
    fn spans(&self, text: &str) -> Result<Vec<Range<usize>>, EvalError> {
        let tokens = self
            .tokenizer
            .encode(text, SpecialTokens::AsText, false)
            .map_err(|error| EvalError::Engine(error.into()))?;
        Ok(tokens.iter().map(|token| token.start..token.end).collect())
    }

    fn overhead(&self) -> usize {
        self.overhead
    }
}

/// Words with the white space behind them, as tokens: for tests, and where no tokenizer is at hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words;

impl Tokens for Words {
    fn spans(&self, text: &str) -> Result<Vec<Range<usize>>, EvalError> {
        let mut spans = Vec::new();
        let (mut start, mut in_space) = (0, false);
        for (at, character) in text.char_indices() {
            if in_space && !character.is_whitespace() {
                spans.push(start..at);
                start = at;
            }
            in_space = character.is_whitespace();
        }
        if start < text.len() {
            spans.push(start..text.len());
        }
        Ok(spans)
    }

    fn overhead(&self) -> usize {
        0
    }
}

impl Request<'_> {
    /// Tokens of the largest prompt of `example` with its longest answer; of a sequence of token ids, their number.
    ///
    /// # Errors
    /// As [`Tokens::spans`].
    pub fn size_of(&self, example: &Example) -> Result<usize, EvalError> {
        if let Some(sequence) = &example.sequence {
            return Ok(sequence.tokens.len());
        }
        let mut longest = 0;
        for turn in &example.turns {
            longest = longest.max(
                self.tokens.count(&turn.question)? + self.tokens.count(&turn.answer_start)? + turn.max_tokens,
            );
        }
        Ok(self.tokens.count(&example.context)? + longest + self.tokens.overhead())
    }

    /// The example of as many units (lines, sentences, characters: what `make` says) as fit into `length` tokens, and at
    /// most `most`. `make` must make the same example of the same number.
    ///
    /// # Errors
    /// [`EvalError::Unmakeable`] when `least` units do not fit.
    pub fn largest(
        &self,
        task: &'static str,
        length: usize,
        (least, most): (usize, usize),
        mut make: impl FnMut(usize) -> Result<Example, EvalError>,
    ) -> Result<Example, EvalError> {
        let mut best = make(least)?;
        let smallest = self.size_of(&best)?;
        if smallest > length {
            return Err(EvalError::Unmakeable {
                task,
                message: format!(
                    "the smallest example takes {smallest} tokens, not {length}; ask for a longer one"
                ),
            });
        }
        let (mut fits, mut size, mut too_many) = (least, smallest, most.saturating_add(1));
        let mut step = smallest as f64 / least.max(1) as f64;
        let mut by_proportion = true;
        while too_many - fits > 1 {
            // Sizes grow nearly evenly, so a guess by proportion is nearly right; halving by turns makes sure of the end.
            let candidate = if by_proportion {
                fits.saturating_add(((length - size) as f64 / step.max(1e-6)) as usize)
            } else {
                fits.midpoint(too_many.min(fits.saturating_mul(4)))
            };
            by_proportion = !by_proportion;
            let candidate = candidate.clamp(fits + 1, too_many - 1);
            let example = make(candidate)?;
            let takes = self.size_of(&example)?;
            step = takes.saturating_sub(smallest) as f64 / (candidate - least) as f64;
            if takes <= length {
                (fits, size, best) = (candidate, takes, example);
            } else {
                too_many = candidate;
            }
        }
        Ok(best)
    }

    /// `text` with its middle left out if it has more than `most` tokens: the first and the last half of them stay.
    ///
    /// # Errors
    /// As [`Tokens::spans`].
    pub fn without_middle(&self, text: &str, most: usize) -> Result<String, EvalError> {
        let spans = self.tokens.spans(text)?;
        if spans.len() <= most {
            return Ok(text.to_owned());
        }
        let half = most / 2;
        let end = half.checked_sub(1).and_then(|last| spans.get(last)).map_or(0, |span| span.end);
        let start = spans.get(spans.len() - half).map_or(text.len(), |span| span.start);
        // A character that is cut in two goes with the half that holds its beginning.
        let head = text.get(..whole_characters(text, 0, end).end).unwrap_or("");
        let tail = text.get(whole_characters(text, 0, start).end..).unwrap_or("");
        Ok(format!("{head}{tail}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Turn;

    #[test]
    fn words_cover_the_text() {
        let text = "  one two\n\nthree ";
        let spans = Words.spans(text).unwrap();
        assert_eq!(
            spans.iter().map(|span| &text[span.clone()]).collect::<Vec<_>>(),
            ["  ", "one ", "two\n\n", "three "]
        );
    }

    #[test]
    fn the_middle_is_left_out_of_what_is_too_long_only() {
        let values = crate::synthetic::passkey_values();
        let request = Request::new(&values, &Words);
        assert_eq!(request.without_middle("a b c d", 4).unwrap(), "a b c d");
        assert_eq!(request.without_middle("a b c d e f", 4).unwrap(), "a b e f");
        assert_eq!(request.without_middle("a b c d e f", 5).unwrap(), "a b e f");
        assert_eq!(request.without_middle("a b", 0).unwrap(), "");
    }

    #[test]
    fn as_many_units_as_fit_and_no_more() {
        let values = crate::synthetic::passkey_values();
        let request = Request::new(&values, &Words);
        for (words, answer) in [(1, 3), (3, 0), (7, 20)] {
            let make = |units: usize| {
                // Every tenth unit is longer: sizes need not grow evenly.
                let context: String =
                    (0..units).map(|unit| "w ".repeat(words + usize::from(unit % 10 == 0))).collect();
                let turn = Turn { max_tokens: answer, ..Turn::default() };
                Ok(Example { context, turns: vec![turn], ..Example::default() })
            };
            for length in [answer + words + 1, 100, 1000, 12_345] {
                let made = request.largest("test", length, (1, 1_000_000), make).unwrap();
                let size = request.size_of(&made).unwrap();
                assert!(size <= length && size + words + 2 > length, "{size} of {length}");
            }
            assert!(request.largest("test", answer, (1, 10), make).is_err());
            assert_eq!(
                request.largest("test", 100_000, (1, 10), make).unwrap().context,
                make(10).unwrap().context
            );
        }
    }
}
