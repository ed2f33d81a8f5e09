//! Texts made alike before they are compared.
//!
//! Blanks are those of Python's `str.split`: Unicode white space and the four separators from U+001C.

/// Whether Python splits words at `character`.
pub(crate) fn is_blank(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// Words between blanks.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_blank).filter(|word| !word.is_empty())
}

/// Lower case without blanks at the ends.
pub fn plain(text: &str) -> String {
    text.trim_matches(is_blank).to_lowercase()
}

/// Lower case; no ASCII punctuation; no `a`, `an`, `the` (Rajpurkar et al. 2016, as LongBench has it); one space
/// between words.
///
/// Punctuation goes first, so `a.m.` is `am` and `the-end` is `theend`. An article between two letters of another
/// script stays.
pub fn english(text: &str) -> String {
    let lower = text.to_lowercase();
    let bare: String = lower.chars().filter(|character| !character.is_ascii_punctuation()).collect();
    let mut out = String::with_capacity(bare.len());
    // A run of letters and digits is a word here, whatever stands around it: an article beside a symbol goes too.
    let mut rest = bare.as_str();
    while let Some(first) = rest.chars().next() {
        let in_word = first.is_alphanumeric();
        let end = rest.find(|character: char| character.is_alphanumeric() != in_word).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        out.push_str(if matches!(run, "a" | "an" | "the") { " " } else { run });
        rest = behind;
    }
    words(&out).collect::<Vec<_>>().join(" ")
}

/// Chinese and full-width punctuation that LongBench leaves out. Its list has neither opening `《` nor `〈〉` nor `．`.
const fn is_chinese_punctuation(character: char) -> bool {
    matches!(character,
        '\u{2013}' | '\u{2014}' | '\u{2018}' | '\u{2019}' | '\u{201b}'..='\u{201f}' | '\u{2026}' | '\u{2027}'
        | '\u{3001}'..='\u{3003}' | '\u{300b}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{3030}'
        | '\u{303e}' | '\u{303f}' | '\u{fe4f}' | '\u{ff01}'..='\u{ff0d}' | '\u{ff0f}'
        | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff64}')
}

/// Lower case without ASCII and Chinese punctuation and without any blank (LongBench).
pub fn chinese(text: &str) -> String {
    let lower = text.to_lowercase();
    lower
        .chars()
        .filter(|character| {
            !(character.is_ascii_punctuation() || is_chinese_punctuation(*character) || is_blank(*character))
        })
        .collect()
}

/// The first line behind leading line breaks: what a few-shot answer is cut to before it is scored (LongBench).
pub fn first_line(text: &str) -> &str {
    text.trim_start_matches('\n').split('\n').next().unwrap_or("")
}

/// `text` before the first of `ends`, without blanks at its ends (M4LE).
pub fn before_any<'a>(text: &'a str, ends: &[&str]) -> &'a str {
    let end = ends.iter().filter(|end| !end.is_empty()).filter_map(|end| text.find(*end)).min();
    text.get(..end.unwrap_or(text.len())).unwrap_or(text).trim_matches(is_blank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_loses_case_articles_and_punctuation_only() {
        assert_eq!(english("The  Cat, a dog & an_ape!"), "cat dog anape");
        assert_eq!(english("A a the"), "");
        assert_eq!(english("theatre Anna b\u{1c}c"), "theatre anna b c");
        assert_eq!(english("…the…"), "… …");
        assert_eq!(english("Straße É"), "straße é");
    }

    #[test]
    fn chinese_loses_punctuation_and_blanks() {
        assert_eq!(chinese("《红楼梦》,\u{3000}共 120 回。"), "《红楼梦共120回");
        assert_eq!(chinese("ＡＢ！"), "ａｂ");
    }

    #[test]
    fn answers_are_cut() {
        assert_eq!(first_line("\n\nyes\nno"), "yes");
        assert_eq!(first_line("\n"), "");
        assert_eq!(before_any(" A1, B2. And", &[".", "\n"]), "A1, B2");
        assert_eq!(before_any(" A1 ", &[""]), "A1");
    }
}
