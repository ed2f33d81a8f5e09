//! What the tasks of this folder need beside [`crate::metrics`].

use std::collections::{BTreeMap, BTreeSet};

use crate::metrics::f1::Overlap;
use crate::metrics::rouge::Rouge;
use crate::metrics::{f1, normal, rouge};

/// The words of `text` without case, articles and punctuation.
pub(crate) fn words(text: &str) -> Vec<String> {
    normal::words(&normal::english(text)).map(str::to_owned).collect()
}

/// Whether the words of `gold` stand in `answer`, one after the other, without case, articles and punctuation.
pub(crate) fn holds(answer: &str, gold: &str) -> bool {
    let (answer, gold) = (words(answer), words(gold));
    !gold.is_empty() && answer.windows(gold.len()).any(|run| run == gold)
}

/// F1 of Chinese words; of characters where this is built without Chinese words.
pub(super) fn f1_chinese(answer: &str, gold: &str) -> f64 {
    #[cfg(feature = "chinese")]
    let score = f1::f1_chinese(answer, gold);
    #[cfg(not(feature = "chinese"))]
    let score = f1::f1_characters(answer, gold);
    score
}

/// ROUGE-L of Chinese words; of characters where this is built without Chinese words.
pub(super) fn rouge_l_chinese(answer: &str, gold: &str) -> Rouge {
    #[cfg(feature = "chinese")]
    let score = rouge::rouge_l_chinese(answer, gold);
    #[cfg(not(feature = "chinese"))]
    let score = {
        let spaced = |text: &str| text.chars().flat_map(|letter| [letter, ' ']).collect::<String>();
        rouge::rouge_l(&spaced(answer), &spaced(gold))
    };
    score
}

/// Length of the longest common subsequence, and which of `gold` are in one.
fn common<T: PartialEq>(answer: &[T], gold: &[T]) -> Vec<usize> {
    let width = gold.len() + 1;
    let mut table = vec![0_u32; (answer.len() + 1) * width];
    let at = |table: &[u32], row: usize, column: usize| table.get(row * width + column).copied().unwrap_or(0);
    for (row, left) in answer.iter().enumerate() {
        for (column, right) in gold.iter().enumerate() {
            let value = if left == right {
                at(&table, row, column) + 1
            } else {
                at(&table, row, column + 1).max(at(&table, row + 1, column))
            };
            if let Some(cell) = table.get_mut((row + 1) * width + column + 1) {
                *cell = value;
            }
        }
    }
    let (mut row, mut column) = (answer.len(), gold.len());
    let mut members = Vec::new();
    while row > 0 && column > 0 {
        if answer.get(row - 1) == gold.get(column - 1) {
            members.push(column - 1);
            (row, column) = (row - 1, column - 1);
        } else if at(&table, row - 1, column) > at(&table, row, column - 1) {
            row -= 1;
        } else {
            column -= 1;
        }
    }
    members
}

/// ROUGE-Lsum F: lines are sentences, words are runs of letters and digits in lower case.
pub(super) fn rouge_l_sum(answer: &str, gold: &str) -> f64 {
    let lines = |text: &str| -> Vec<Vec<String>> {
        let words = |line: &str| {
            let runs =
                line.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|run| !run.is_empty());
            runs.map(str::to_owned).collect()
        };
        text.to_lowercase().lines().map(words).collect()
    };
    let (answers, golds) = (lines(answer), lines(gold));
    let count = |lines: &[Vec<String>]| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        lines.iter().flatten().for_each(|word| *counts.entry(word.clone()).or_default() += 1);
        counts
    };
    let (mut left, mut wanted) = (count(&answers), count(&golds));
    let (given, asked) = (left.values().sum(), wanted.values().sum());
    let mut hits = 0;
    for gold in &golds {
        let union: BTreeSet<usize> = answers.iter().flat_map(|answer| common(answer, gold)).collect();
        for word in union.into_iter().filter_map(|index| gold.get(index)) {
            if let (Some(one), Some(other)) = (left.get_mut(word), wanted.get_mut(word))
                && *one > 0
                && *other > 0
            {
                (*one, *other) = (*one - 1, *other - 1);
                hits += 1;
            }
        }
    }
    Overlap::of_counts(hits, given, asked).f1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rouge_by_lines() {
        assert!((rouge_l_sum("A b.\nc", "a b c") - 1.0).abs() < 1e-12);
        // Both lines of the gold have one word in common with the answer, which it says once.
        assert_eq!(rouge_l_sum("a x", "a b\na c"), 1.0 / 3.0);
        assert_eq!((rouge_l_sum("", "a"), rouge_l_sum("x", "a"), rouge_l_sum("", "")), (0.0, 0.0, 0.0));
    }

    #[test]
    fn words_stand_one_after_the_other() {
        assert!(holds("It is the Well of Loneliness.", "well of a loneliness"));
        assert!(!holds("of well", "well of") && !holds("a", "the") && !holds("120", "20"));
    }

    #[test]
    fn chinese_words_and_sentences() {
        assert_eq!((f1_chinese("", "小猫"), f1_chinese("小猫。", "小猫")), (0.0, 1.0));
        assert!((rouge_l_chinese("山上有庙", "山上有庙").f - 1.0).abs() < 1e-6);
    }
}
