//! BERT's normaliser: control characters out, white space to spaces, ideographs as words of their own, accents and case.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::TokenizerError;
use super::categories::Category;

/// What is done to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    /// Control characters are left out and white space becomes spaces.
    pub(super) clean: bool,
    /// Spaces are put around ideographs.
    pub(super) ideographs: bool,
    /// Letters are decomposed and accents left out.
    pub(super) accents: bool,
    /// Letters become small.
    pub(super) lower: bool,
}

/// The normaliser, and what counts as punctuation.
#[derive(Debug)]
pub(super) struct Normaliser {
    steps: Steps,
    punctuation: Category,
    control: Category,
    accents: Category,
}

impl Normaliser {
    pub(super) fn new(steps: Steps) -> Result<Self, TokenizerError> {
        Ok(Self {
            steps,
            punctuation: Category::new(r"\p{P}")?,
            // Unassigned characters are kept, as in the library that models are published with.
            control: Category::new(r"[\p{Cc}\p{Cf}\p{Co}]")?,
            accents: Category::new(r"\p{Mn}")?,
        })
    }

    pub(super) fn is_punctuation(&self, symbol: char) -> bool {
        if symbol.is_ascii() { symbol.is_ascii_punctuation() } else { self.punctuation.has(symbol) }
    }

    pub(super) fn normalise<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Steps { accents, lower, .. } = self.steps;
        let clean = self.cleaned(text);
        if clean.is_ascii() {
            if lower && clean.bytes().any(|byte| byte.is_ascii_uppercase()) {
                let mut clean = clean.into_owned();
                clean.make_ascii_lowercase();
                return Cow::Owned(clean);
            }
            return clean;
        }
        let plain = match accents {
            true => Cow::Owned(clean.nfd().filter(|symbol| !self.accents.has(*symbol)).collect::<String>()),
            false => clean,
        };
        match lower {
            // Letter by letter: a word's last sigma is a sigma like any other.
            true => Cow::Owned(plain.chars().flat_map(char::to_lowercase).collect()),
            false => plain,
        }
    }

    fn cleaned<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Steps { clean, ideographs, .. } = self.steps;
        let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        if !(clean || ideographs) || text.bytes().all(plain) {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        for symbol in text.chars() {
            if clean && !matches!(symbol, '\t' | '\n' | '\r') && self.is_control(symbol) {
                continue;
            }
            if clean && symbol.is_whitespace() {
                out.push(' ');
            } else if ideographs && is_ideograph(symbol) {
                out.extend([' ', symbol, ' ']);
            } else {
                out.push(symbol);
            }
        }
        Cow::Owned(out)
    }

    fn is_control(&self, symbol: char) -> bool {
        if symbol.is_ascii() {
            return symbol.is_ascii_control();
        }
        symbol == '\u{fffd}' || self.control.has(symbol)
    }
}

/// Ideographs of Chinese, as BERT's release counts them: not kana and not hangul, whose languages write spaces or whose
/// vocabulary knows whole words. The gap at U+2B820 is the published library's.
const fn is_ideograph(symbol: char) -> bool {
    matches!(symbol,
        '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{2a6df}'
        | '\u{2a700}'..='\u{2b81f}'
        | '\u{2b920}'..='\u{2ceaf}'
        | '\u{2f800}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        let all = Steps { clean: true, ideographs: true, accents: true, lower: true };
        Normaliser::new(all).unwrap().normalise(text).into_owned()
    }

    #[test]
    fn each_step_does_its_part() {
        assert_eq!(normal("A\u{0}B\u{200b}C\u{fffd}D\u{e9}"), "abcde");
        assert_eq!(normal("a\tb\u{3000}c"), "a b c");
        assert_eq!(normal("ab中国c"), "ab 中  国 c");
        assert_eq!(normal("ÅÉ\u{308}ΟΣ"), "aeοσ");
        assert_eq!(normal("plain"), "plain");
    }

    #[test]
    fn steps_that_are_off_change_nothing() {
        let none = Steps { clean: false, ideographs: false, accents: false, lower: false };
        let text = "A\u{0}É\t中";
        assert_eq!(Normaliser::new(none).unwrap().normalise(text), text);
    }
}
