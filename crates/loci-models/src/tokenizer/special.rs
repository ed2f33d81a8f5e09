//! Tokens that are matched as text before anything else: control tokens and what a model's authors added.

use aho_corasick::{AhoCorasick, MatchKind};

use super::{SpecialTokens, TokenizerError};

/// A token that is matched in the text itself.
#[derive(Clone, Debug)]
pub(super) struct Added {
    pub(super) text: String,
    pub(super) id: u32,
    /// Steers the model (`<|im_end|>`), as opposed to a word that was added.
    pub(super) control: bool,
    /// Takes white space before it along.
    pub(super) left_space: bool,
    /// Takes white space behind it along.
    pub(super) right_space: bool,
}

impl Added {
    /// Whether the token may also be found in text that is data.
    ///
    /// Added words and runs of white space are how the model is used to reading; but many models also declare marks
    /// such as `<tool_call>` or `</think>` as plain added words. A document must not be able to set those.
    fn harmless(&self) -> bool {
        let text = self.text.trim();
        let mark =
            (text.starts_with('<') && text.ends_with('>')) || (text.starts_with('[') && text.ends_with(']'));
        !self.control && !mark
    }
}

/// Finds added tokens, leftmost first and of those the longest.
#[derive(Debug)]
pub(super) struct Marks {
    all: Finder,
    harmless: Finder,
}

#[derive(Debug)]
struct Finder {
    automaton: Option<AhoCorasick>,
    tokens: Vec<Added>,
}

impl Finder {
    fn new(tokens: Vec<Added>) -> Result<Self, TokenizerError> {
        if tokens.is_empty() {
            return Ok(Self { automaton: None, tokens });
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(tokens.iter().map(|token| &token.text))
            .map_err(|error| TokenizerError::Unsupported {
                part: "added tokens",
                found: error.to_string(),
                supported: "fewer and shorter ones".to_owned(),
            })?;
        Ok(Self { automaton: Some(automaton), tokens })
    }
}

impl Marks {
    pub(super) fn new(tokens: Vec<Added>) -> Result<Self, TokenizerError> {
        let tokens: Vec<_> = tokens.into_iter().filter(|token| !token.text.is_empty()).collect();
        let harmless = tokens.iter().filter(|token| token.harmless()).cloned().collect();
        Ok(Self { all: Finder::new(tokens)?, harmless: Finder::new(harmless)? })
    }

    /// Appends `(start, end, id)` of each token found in `text`, `base` added to the offsets.
    pub(super) fn find(
        &self,
        text: &str,
        special: SpecialTokens,
        base: usize,
        out: &mut Vec<(usize, usize, u32)>,
    ) {
        let finder = match special {
            SpecialTokens::Parse => &self.all,
            SpecialTokens::AsText => &self.harmless,
        };
        let Some(automaton) = &finder.automaton else { return };
        let mut free = 0;
        for found in automaton.find_iter(text) {
            let Some(token) = finder.tokens.get(found.pattern().as_usize()) else { continue };
            let (mut start, mut end) = (found.start(), found.end());
            // White space that the token before took along may be part of this one.
            if start < free {
                continue;
            }
            if token.left_space {
                start = text.get(free..start).map_or(start, |before| free + before.trim_end().len());
            }
            if token.right_space {
                end = text.get(end..).map_or(end, |behind| text.len() - behind.trim_start().len());
            }
            out.push((base + start, base + end, token.id));
            free = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str, id: u32, control: bool) -> Added {
        Added { text: text.to_owned(), id, control, left_space: false, right_space: false }
    }

    #[test]
    fn the_longest_wins_and_data_gets_no_marks() {
        let tokens = vec![
            added("<a>", 0, true),
            added("<a><b>", 1, true),
            added("<tool>", 2, false),
            added("  ", 3, false),
        ];
        let marks = Marks::new(tokens).unwrap();
        let mut out = Vec::new();
        marks.find("x<a><b>  <tool>", SpecialTokens::Parse, 10, &mut out);
        assert_eq!(out, [(11, 17, 1), (17, 19, 3), (19, 25, 2)]);
        out.clear();
        marks.find("x<a><b>  <tool>", SpecialTokens::AsText, 0, &mut out);
        assert_eq!(out, [(7, 9, 3)]);
    }

    #[test]
    fn white_space_is_taken_along_when_the_token_says_so() {
        let mut token = added("<m>", 0, true);
        token.left_space = true;
        token.right_space = true;
        let marks = Marks::new(vec![token]).unwrap();
        let mut out = Vec::new();
        marks.find("a  <m> \n<m>b", SpecialTokens::Parse, 0, &mut out);
        assert_eq!(out, [(1, 8, 0), (8, 11, 0)]);
    }
}
