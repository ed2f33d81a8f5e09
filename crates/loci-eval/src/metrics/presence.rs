//! Whether what is right stands in the answer.
//!
//! Something empty is found nowhere: an empty gold would else be right always.

use super::normal::{english, plain, words};
use super::share;

/// Equal but for case and blanks at the ends (M4LE's exact match).
pub fn exact(answer: &str, gold: &str) -> bool {
    plain(answer) == plain(gold)
}

/// Equal once articles, punctuation and case are gone (SQuAD's exact match).
pub fn exact_normal(answer: &str, gold: &str) -> bool {
    english(answer) == english(gold)
}

/// The gold stands in the answer as it is.
pub fn contains(answer: &str, gold: &str) -> bool {
    !gold.is_empty() && answer.contains(gold)
}

/// The gold stands in the answer, upper and lower case alike.
pub fn contains_any_case(answer: &str, gold: &str) -> bool {
    contains(&answer.to_lowercase(), &gold.to_lowercase())
}

/// The gold stands in the answer between characters that are neither letters nor digits, upper and lower case alike:
/// `no` is not in `not`. Chinese has no blanks between words; use [`contains`] there.
pub fn contains_word(answer: &str, gold: &str) -> bool {
    let (answer, gold) = (answer.to_lowercase(), gold.to_lowercase());
    let outside = |character: Option<char>| !character.is_some_and(char::is_alphanumeric);
    !gold.is_empty()
        && answer.char_indices().any(|(at, _)| {
            let (before, from) = answer.split_at(at);
            from.strip_prefix(&gold)
                .is_some_and(|behind| outside(before.chars().next_back()) && outside(behind.chars().next()))
        })
}

/// Whether both have a word in common, words parted by blanks (LooGLE's partial match).
pub fn shares_word(answer: &str, gold: &str) -> bool {
    words(answer).any(|word| words(gold).any(|other| other == word))
}

/// The answer begins with the gold, after blanks (Needle Threading).
pub fn begins_with(answer: &str, gold: &str) -> bool {
    !gold.is_empty() && answer.trim().starts_with(gold)
}

/// Whether any gold stands in the answer, upper and lower case alike.
pub fn contains_any<G: AsRef<str>>(answer: &str, golds: &[G]) -> bool {
    golds.iter().any(|gold| contains_any_case(answer, gold.as_ref()))
}

/// Whether there are golds and all stand in the answer, upper and lower case alike.
pub fn contains_all<G: AsRef<str>>(answer: &str, golds: &[G]) -> bool {
    !golds.is_empty() && golds.iter().all(|gold| contains_any_case(answer, gold.as_ref()))
}

/// Share of the golds that stand in the answer, upper and lower case alike (RULER's string match); 0 without golds.
pub fn share_contained<G: AsRef<str>>(answer: &str, golds: &[G]) -> f64 {
    let found = golds.iter().filter(|gold| contains_any_case(answer, gold.as_ref())).count();
    share(found as f64, golds.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_found_nowhere() {
        assert!(!contains("text", "") && !contains_any_case("", "") && !contains_word("", ""));
        assert!(!begins_with("text", "") && !contains_all::<&str>("text", &[]));
        assert_eq!(share_contained::<&str>("text", &[]), 0.0);
        assert!(exact("", " "));
    }

    #[test]
    fn case_and_words() {
        assert!(exact(" Yes\n", "yes") && exact_normal("The cat.", "cat") && !exact("The cat", "cat"));
        assert!(!contains("Paris", "paris") && contains_any_case("in PARIS", "paris"));
        assert!(contains_word("It is No.", "no") && !contains_word("it is not", "no"));
        assert!(
            contains_word("not no", "no") && !contains_word("120", "12") && contains_word("é 12é 12", "12")
        );
        assert!(contains_word("x1 1 1", "1 1"));
        assert!(shares_word("Ann Lee", "Mr Lee") && !shares_word("Ann", "Anna") && !shares_word("", ""));
        assert!(begins_with("  abc, I think", "abc") && !begins_with("I think abc", "abc"));
    }

    #[test]
    fn shares_of_several() {
        let golds = ["VAR ab", "var cd", "x", "y"];
        assert_eq!(share_contained("Var AB and var CD, X", &golds), 0.75);
        assert!(contains_any("y", &golds) && !contains_all("y", &golds));
    }

    proptest! {
        #[test]
        fn a_text_is_in_itself(text in ".{1,20}", around in ".{0,9}") {
            prop_assert!(exact(&text, &text) && exact_normal(&text, &text));
            let longer = format!("{around}{text}{around}");
            prop_assert!(contains(&longer, &text));
            prop_assert!(contains_word(&text, &text));
        }
    }
}
