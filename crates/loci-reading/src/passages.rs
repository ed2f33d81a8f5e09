//! Cutting a text into sentences and passages.

use std::ops::Range;

use crate::tokens::is_unspaced;

/// Cuts a text into sentences, each with the white space behind it: byte ranges that cover the text without gaps, none for
/// the empty text.
///
/// A sentence ends at `.`, `?` or `!`, with closing marks, before white space; at `。`, `！` or `？`, with closing marks; at
/// empty lines; and before a word that would be one more than `most_words` (at least 1), so that a text without full stops
/// has borders too. A word is what stands between white space, or one character of a script without spaces.
pub fn sentences(text: &str, most_words: usize) -> Vec<Range<usize>> {
    cut(text, most_words).into_iter().map(|sentence| sentence.range).collect()
}

/// Cuts a text into passages of at most `words_per_passage` words (at least 1): byte ranges that cover the text without
/// gaps, none for the empty text.
///
/// Each holds as many whole [`sentences`] as fit; a sentence is cut between words only where it alone is longer than a
/// passage.
pub fn passages(text: &str, words_per_passage: usize) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut words = 0;
    for sentence in cut(text, words_per_passage) {
        match found.last_mut() {
            Some(last) if words + sentence.words <= words_per_passage => {
                last.end = sentence.range.end;
                words += sentence.words;
            }
            _ => {
                found.push(sentence.range);
                words = sentence.words;
            }
        }
    }
    found
}

/// A sentence and its number of words.
struct Sentence {
    range: Range<usize>,
    words: usize,
}

/// How the last sentence has ended, if it has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    No,
    /// With a full stop that counts only before white space: `3.5`.
    BeforeSpace,
    /// With one that always counts.
    Always,
}

fn cut(text: &str, most_words: usize) -> Vec<Sentence> {
    let most_words = most_words.max(1);
    let mut found = Vec::new();
    let (mut start, mut words, mut breaks) = (0, 0, 0);
    let (mut ended, mut in_space, mut before) = (Ended::No, true, None);
    for (at, character) in text.char_indices() {
        if character.is_whitespace() {
            breaks += usize::from(character == '\n');
            in_space = true;
            continue;
        }
        let marks = is_full_stop(character) || is_closing(character);
        let begins_word = in_space
            || is_unspaced(character)
            || (before.is_some_and(ends_word) && character.is_alphanumeric());
        let ends = match ended {
            Ended::No => false,
            Ended::BeforeSpace => in_space,
            Ended::Always => in_space || !marks,
        };
        // White space in front of everything belongs to the first sentence.
        let some = words > 0;
        if some && (ends || (in_space && breaks > 1) || (begins_word && words >= most_words)) {
            found.push(Sentence { range: start..at, words });
            (start, words) = (at, 0);
        }
        // The first character counts as a word even if it is a mark: a sentence has at least one.
        words += usize::from(begins_word || words == 0);
        if in_space {
            (ended, breaks) = (Ended::No, 0);
        }
        in_space = false;
        ended = match character {
            '。' | '！' | '？' => Ended::Always,
            '.' | '?' | '!' if ended == Ended::No => Ended::BeforeSpace,
            _ if marks => ended,
            _ => Ended::No,
        };
        before = Some(character);
    }
    if !text.is_empty() {
        found.push(Sentence { range: start..text.len(), words });
    }
    found
}

/// Whether a word may begin behind `character` without white space: it is of a script that has none, or a wide mark.
fn ends_word(character: char) -> bool {
    let wide = matches!(character, '\u{3001}'..='\u{303f}' | '\u{ff01}'..='\u{ff65}');
    is_unspaced(character) || (wide && !character.is_alphanumeric())
}

const fn is_full_stop(character: char) -> bool {
    matches!(character, '.' | '?' | '!' | '。' | '！' | '？')
}

/// Marks that may stand between a full stop and the end of its sentence.
const fn is_closing(character: char) -> bool {
    matches!(character, '"' | '\'' | ')' | ']' | '”' | '’' | '」' | '』' | '）' | '》')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str, most_words: usize) -> Vec<&str> {
        sentences(text, most_words).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn sentences_are_the_text() {
        let text = "One two. \"Three?\" four 3.5 five!\n\nTitle\n\nsix";
        assert_eq!(of(text, 60), ["One two. ", "\"Three?\" ", "four 3.5 five!\n\n", "Title\n\n", "six"]);
        assert_eq!(of(&"w ".repeat(200), 60).len(), 4);
        assert_eq!(of(" \n\n a?! b", 60), [" \n\n a?! ", "b"]);
        assert_eq!(of(" \n ", 60), [" \n "]);
        assert!(of("", 60).is_empty());
    }

    #[test]
    fn chinese_sentences_end_without_white_space() {
        let text = "他说：“走吧。”我们走了！真的？！是。GPT 3.5好 吗";
        assert_eq!(of(text, 60), ["他说：“走吧。”", "我们走了！", "真的？！", "是。", "GPT 3.5好 吗"]);
        assert_eq!(of("一二三四五六七", 3), ["一二三", "四五六", "七"]);
        assert_eq!(of("一，二，GPT三", 2), ["一，二，", "GPT三"]);
    }

    #[test]
    fn passages_hold_whole_sentences_where_they_can() {
        let text = "A b c. D e. F g h i j k l. M.";
        let of = |words| passages(text, words).into_iter().map(|range| &text[range]).collect::<Vec<_>>();
        assert_eq!(of(5), ["A b c. D e. ", "F g h i j ", "k l. M."]);
        assert_eq!(of(100), [text]);
        assert_eq!(of(0).len(), 13, "one word each");
        assert!(passages("", 5).is_empty());
    }

    proptest! {
        #[test]
        fn passages_cover_the_text_and_keep_to_their_words(
            text in "([a-c]{1,3}|[ \\n.?!。！？”\"，一二三é]){0,60}",
            words in 0..9_usize,
        ) {
            for ranges in [passages(&text, words), sentences(&text, words)] {
                let mut end = 0;
                for range in &ranges {
                    prop_assert!(range.start == end && range.end > end && text.is_char_boundary(range.end));
                    prop_assert!(text[range.clone()].split_whitespace().count() <= words.max(1));
                    end = range.end;
                }
                prop_assert_eq!(end, text.len());
                if !text.trim().is_empty() {
                    prop_assert!(ranges.iter().all(|range| !text[range.clone()].trim().is_empty()));
                }
            }
        }
    }
}
