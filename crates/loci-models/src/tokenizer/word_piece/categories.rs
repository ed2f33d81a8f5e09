//! General categories of characters, as sorted ranges.

use regex_syntax::hir::{Class, HirKind};

use super::TokenizerError;
use crate::tokenizer::folder::unsupported;

/// A set of characters.
#[derive(Debug)]
pub(super) struct Category(Box<[(char, char)]>);

impl Category {
    /// The characters of a class in the syntax of regular expressions, such as `[\p{Mn}]`.
    pub(super) fn new(class: &str) -> Result<Self, TokenizerError> {
        let unknown = |found: String| unsupported("class of characters", found, "general categories");
        let parsed = regex_syntax::parse(class).map_err(|error| unknown(error.to_string()))?;
        match parsed.into_kind() {
            HirKind::Class(Class::Unicode(class)) => {
                Ok(Self(class.iter().map(|range| (range.start(), range.end())).collect()))
            }
            _ => Err(unknown(class.to_owned())),
        }
    }

    /// Whether `symbol` is one of them.
    pub(super) fn has(&self, symbol: char) -> bool {
        let index = self.0.partition_point(|(_, end)| *end < symbol);
        self.0.get(index).is_some_and(|(start, _)| *start <= symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_ranges_belong_to_them() {
        let marks = Category::new(r"\p{Mn}").unwrap();
        assert!(marks.has('\u{300}') && marks.has('\u{34e}') && marks.has('\u{36f}'));
        assert!(!marks.has('\u{2ff}') && !marks.has('\u{370}') && !marks.has('a'));
        assert!(Category::new("abc").is_err() && Category::new(r"\p{Nonsense}").is_err());
    }
}
