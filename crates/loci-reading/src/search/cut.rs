//! The passages that a file is found by.

use std::ops::Range;

use crate::passages::passages;

/// Most bytes of a passage: files that programs write may have no white space at all, and would be a single word. A hundred and
/// twenty words of prose have some seven hundred bytes.
const MOST_BYTES: usize = 8192;

/// Cuts `text` into passages of at most `words` words and [`MOST_BYTES`] bytes: ranges of bytes that cover it without gaps.
pub(super) fn cut(text: &str, words: usize) -> Vec<Range<usize>> {
    let mut cut = Vec::new();
    for Range { mut start, end } in passages(text, words) {
        while end - start > MOST_BYTES {
            let middle = text.floor_char_boundary(start + MOST_BYTES);
            cut.push(start..middle);
            start = middle;
        }
        cut.push(start..end);
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_without_white_space_has_passages_of_bounded_size() {
        let text = "é{\"key\":[1,2,3]},".repeat(3000);
        let ranges = cut(&text, 120);
        assert!(ranges.len() > 5 && ranges.iter().all(|range| range.len() <= MOST_BYTES));
        assert_eq!(ranges.iter().map(|range| &text[range.clone()]).collect::<String>(), text);
    }

    proptest! {
        #[test]
        fn passages_cover_the_text(text in "(x{9000}|é{5000}|[a-c. 中]{1,9}){0,6}", words in 1..20_usize) {
            let mut end = 0;
            for range in cut(&text, words) {
                prop_assert!(range.start == end && range.end > end && range.len() <= MOST_BYTES);
                prop_assert!(text.get(range.clone()).is_some());
                end = range.end;
            }
            prop_assert_eq!(end, text.len());
        }
    }
}
