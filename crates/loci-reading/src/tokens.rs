//! What a text is ranked by: its tokens.

/// The pieces between single spaces, as they stand: no case is folded, line breaks and punctuation stay in the pieces, and
/// two spaces have an empty piece between them. LongMemEval's published scorer cuts texts so for BM25 (Wu et al. 2024).
pub fn between_spaces(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ')
}

/// Words in lower case: runs of letters, digits and the accents on them. Characters of scripts without spaces between words
/// ([`is_unspaced`]) are words of their own.
///
/// Apostrophes and hyphens end a word, so that `Anna's` is found by `Anna`.
pub fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    for character in text.to_lowercase().chars() {
        if is_unspaced(character) {
            found.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            found.push(character.to_string());
        } else if character.is_alphanumeric() || (is_accent(character) && !word.is_empty()) {
            word.push(character);
        } else if !word.is_empty() {
            found.push(std::mem::take(&mut word));
        }
    }
    found.extend((!word.is_empty()).then_some(word));
    found
}

/// Whether `character` is Chinese, or a Japanese syllable: what is written without spaces between words.
pub const fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}')
}

/// Accents that stand behind their letter: no letters by themselves, but no end of a word either.
const fn is_accent(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_several_scripts() {
        assert_eq!(words("Anna's 3rd Straße, e-mail!"), ["anna", "s", "3rd", "straße", "e", "mail"]);
        assert_eq!(words("模型GPT答错了2题。"), ["模", "型", "gpt", "答", "错", "了", "2", "题"]);
        assert_eq!(words("cafe\u{301} \u{301}x İ"), ["cafe\u{301}", "x", "i\u{307}"]);
        assert!(words(" ,。— ").is_empty() && words("").is_empty());
    }

    #[test]
    fn spaces_alone_cut() {
        assert_eq!(between_spaces("A b.\nC  d").collect::<Vec<_>>(), ["A", "b.\nC", "", "d"]);
        assert_eq!(between_spaces("").count(), 1, "the empty text is one empty piece, as in Python");
    }
}
