//! Scores that the generated tasks share.

use std::collections::BTreeSet;

use crate::task::Score;

/// Words that say nothing about what is asked for.
const SMALL_WORDS: &[&str] = &[
    "a", "an", "the", "of", "in", "on", "at", "to", "is", "are", "and", "or", "with", "for", "by", "from",
    "it", "that", "this", "under", "after", "before",
];

/// Text in small letters.
pub(super) fn small(text: &str) -> String {
    text.to_lowercase()
}

/// Whether `text` holds `what` as a whole: not in the middle of a longer word or number.
pub(super) fn holds_whole(text: &str, what: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric();
    !what.is_empty()
        && text.match_indices(what).any(|(at, _)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let behind = text.get(at + what.len()..).and_then(|behind| behind.chars().next());
            !before.is_some_and(is_part) && !behind.is_some_and(is_part)
        })
}

fn share(gold: &[String], right: impl Fn(&str) -> bool) -> f64 {
    let count = gold.iter().filter(|text| right(text)).count();
    count as f64 / gold.len().max(1) as f64
}

/// The share of `gold` that the answer contains, in whatever case; beside it `whole`, the share that it contains as
/// whole words or numbers, so that 12 is not found in 120.
pub(super) fn contained(gold: &[String], answer: &str) -> Score {
    let answer = small(answer);
    Score::of(share(gold, |text| !text.is_empty() && answer.contains(&small(text))))
        .and("whole", share(gold, |text| holds_whole(&answer, &small(text))))
}

/// Whether the answer contains any of `gold`; beside it `whole` as in [`contained`].
pub(super) fn contains_any(gold: &[String], answer: &str) -> Score {
    let one = |share: f64| f64::from(u8::from(share > 0.0));
    let all = contained(gold, answer);
    let whole = all.also.get("whole").copied().unwrap_or(0.0);
    Score::of(one(all.score)).and("whole", one(whole))
}

/// Words of a text in small letters, without marks and small words.
pub(super) fn content_words(text: &str) -> BTreeSet<String> {
    small(text)
        .split(|character: char| !character.is_alphanumeric() && character != '-')
        .filter(|word| !word.is_empty() && !SMALL_WORDS.contains(word))
        .map(str::to_owned)
        .collect()
}

/// The share of the gold text's content words that the answer has.
pub(super) fn word_recall(gold: &str, answer: &str) -> f64 {
    recall(&content_words(gold), &content_words(answer))
}

/// The share of `gold` that is in `given`.
pub(super) fn recall(gold: &BTreeSet<String>, given: &BTreeSet<String>) -> f64 {
    gold.intersection(given).count() as f64 / gold.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_number_inside_another_counts_only_for_the_substring_score() {
        let score = contained(&texts(&["12", "7"]), "It is 120, or 7.");
        assert_eq!((score.score, score.also["whole"]), (1.0, 0.5));
        assert_eq!(contained(&texts(&["Ab"]), "").score, 0.0);
        assert_eq!(contained(&texts(&["Ab"]), "xAB").also["whole"], 0.0);
        assert_eq!(contained(&[], "x").score, 0.0);
        assert_eq!(contains_any(&texts(&["no", "7"]), "7").score, 1.0);
    }

    #[test]
    fn recall_counts_content_words_once() {
        assert_eq!(word_recall("eat the warm bread", "Warm, warm bread!"), 2.0 / 3.0);
        assert_eq!(word_recall("eat bread", ""), 0.0);
        assert_eq!(word_recall("", "x"), 0.0);
    }
}
