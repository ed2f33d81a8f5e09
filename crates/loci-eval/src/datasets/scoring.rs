//! The metrics that the tasks of this folder use.

use std::collections::{BTreeMap, BTreeSet};

use crate::metrics::numbers;

/// `text` in lower case without ASCII punctuation, articles and runs of white space, as words.
pub(super) fn words(text: &str) -> Vec<String> {
    let plain: String = text.to_lowercase().chars().filter(|letter| !letter.is_ascii_punctuation()).collect();
    plain.split_whitespace().filter(|word| !matches!(*word, "a" | "an" | "the")).map(str::to_owned).collect()
}

/// `text` in lower case without punctuation and white space, as characters.
fn characters(text: &str) -> Vec<String> {
    let punctuation = |letter: char| {
        letter.is_ascii_punctuation()
            || matches!(letter, '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}'
                | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}' | '\u{2010}'..='\u{2027}')
    };
    let letters = text.chars().filter(|letter| !letter.is_whitespace() && !punctuation(*letter));
    letters.map(|letter| letter.to_lowercase().collect()).collect()
}

fn overlap_f1(answer: &[String], gold: &[String]) -> f64 {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    gold.iter().for_each(|word| *counts.entry(word).or_default() += 1);
    let mut same = 0.0;
    for word in answer {
        if let Some(count) = counts.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            same += 1.0;
        }
    }
    harmonic(same / answer.len().max(1) as f64, same / gold.len().max(1) as f64)
}

fn harmonic(precision: f64, recall: f64) -> f64 {
    if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

/// F1 of words.
pub(super) fn f1(answer: &str, gold: &str) -> f64 {
    overlap_f1(&words(answer), &words(gold))
}

/// F1 of Chinese text, by characters.
pub(super) fn f1_zh(answer: &str, gold: &str) -> f64 {
    overlap_f1(&characters(answer), &characters(gold))
}

/// F1 of single characters.
pub(super) fn f1_characters(answer: &str, gold: &str) -> f64 {
    overlap_f1(&characters(answer), &characters(gold))
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

/// Precision and recall of ROUGE-L as the Python package `rouge` counts it.
fn rouge_parts(answer: &str, gold: &str) -> (f64, f64) {
    fn sentences(text: &str) -> Vec<Vec<&str>> {
        text.split('.')
            .map(|one| one.split_whitespace().collect())
            .filter(|one: &Vec<&str>| !one.is_empty())
            .collect()
    }
    let (answers, golds) = (sentences(answer), sentences(gold));
    let mut union = BTreeSet::new();
    for gold in &golds {
        for answer in &answers {
            union.extend(common(answer, gold).into_iter().filter_map(|index| gold.get(index).copied()));
        }
    }
    let distinct =
        |sentences: &[Vec<&str>]| sentences.iter().flatten().collect::<BTreeSet<_>>().len().max(1) as f64;
    (union.len() as f64 / distinct(&answers), union.len() as f64 / distinct(&golds))
}

/// ROUGE-L F.
pub(super) fn rouge_l(answer: &str, gold: &str) -> f64 {
    let (precision, recall) = rouge_parts(answer, gold);
    if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall + 1e-8) } else { 0.0 }
}

/// ROUGE-L recall.
pub(super) fn rouge_l_recall(answer: &str, gold: &str) -> f64 {
    rouge_parts(answer, gold).1
}

fn spaced(text: &str) -> String {
    text.chars().flat_map(|letter| [letter, ' ']).collect()
}

/// ROUGE-L F of Chinese text.
pub(super) fn rouge_l_zh(answer: &str, gold: &str) -> f64 {
    rouge_l(&spaced(answer), &spaced(gold))
}

/// ROUGE-L recall of Chinese text.
pub(super) fn rouge_l_recall_zh(answer: &str, gold: &str) -> f64 {
    rouge_l_recall(&spaced(answer), &spaced(gold))
}

/// Share of the different runs of `n` words of `gold` that are in `answer`.
pub(super) fn rouge_n_recall(answer: &str, gold: &str, n: usize) -> f64 {
    let runs = |text: &str| -> BTreeSet<Vec<String>> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        words.windows(n).map(<[String]>::to_vec).collect()
    };
    let (answer, gold) = (runs(answer), runs(gold));
    gold.intersection(&answer).count() as f64 / gold.len().max(1) as f64
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
    let sum = |counts: &BTreeMap<String, usize>| counts.values().sum::<usize>().max(1) as f64;
    let (given, asked) = (sum(&left), sum(&wanted));
    let mut hits = 0.0;
    for gold in &golds {
        let union: BTreeSet<usize> = answers.iter().flat_map(|answer| common(answer, gold)).collect();
        for word in union.into_iter().filter_map(|index| gold.get(index)) {
            if let (Some(one), Some(other)) = (left.get_mut(word), wanted.get_mut(word))
                && *one > 0
                && *other > 0
            {
                (*one, *other) = (*one - 1, *other - 1);
                hits += 1.0;
            }
        }
    }
    harmonic(hits / given, hits / asked)
}

/// BLEU of one pair with these weights of the precisions of runs of 1 to 4 words.
pub(super) fn bleu(answer: &str, gold: &str, weights: [f64; 4]) -> f64 {
    let answer: Vec<&str> = answer.split_whitespace().collect();
    let gold: Vec<&str> = gold.split_whitespace().collect();
    if answer.is_empty() {
        return 0.0;
    }
    let mut log = 0.0;
    for (n, weight) in (1..).zip(weights).filter(|(_, weight)| *weight > 0.0) {
        let mut counts: BTreeMap<&[&str], usize> = BTreeMap::new();
        gold.windows(n).for_each(|run| *counts.entry(run).or_default() += 1);
        let mut same = 0;
        for run in answer.windows(n) {
            if let Some(count) = counts.get_mut(run).filter(|count| **count > 0) {
                *count -= 1;
                same += 1;
            }
        }
        let of = answer.len().saturating_sub(n - 1).max(1);
        log += weight * (same as f64 / of as f64).ln();
    }
    let brevity = (1.0 - gold.len() as f64 / answer.len() as f64).min(0.0);
    (log + brevity).exp()
}

/// Similarity of two lines of code by insertions and deletions, in whole hundredths.
pub(super) fn edit_similarity(answer: &str, gold: &str) -> f64 {
    let letters = |text: &str| text.chars().collect::<Vec<_>>();
    let (answer, gold) = (letters(answer), letters(gold));
    if answer.is_empty() || gold.is_empty() {
        return 0.0;
    }
    let same = 2 * common(&answer, &gold).len();
    (100.0 * same as f64 / (answer.len() + gold.len()) as f64).round() / 100.0
}

/// One over the number of class names found in `answer`, if the gold one is among them.
pub(super) fn class_score(answer: &str, gold: &str, classes: &[String]) -> f64 {
    let found = classes.iter().filter(|class| {
        answer.contains(class.as_str()) && !(gold.contains(class.as_str()) && class.as_str() != gold)
    });
    let found: Vec<&String> = found.collect();
    if found.iter().any(|class| *class == gold) { 1.0 / found.len() as f64 } else { 0.0 }
}

/// Share of the numbers in `answer` that are `gold`.
pub(super) fn count_score(answer: &str, gold: &str) -> f64 {
    let given = numbers(answer);
    given.iter().filter(|number| **number == gold).count() as f64 / given.len().max(1) as f64
}

/// As [`count_score`] for the number in `gold`.
pub(super) fn retrieval_score(answer: &str, gold: &str) -> f64 {
    numbers(gold).first().map_or(0.0, |gold| count_score(answer, gold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_examples() {
        assert_eq!(f1("The cat, sat", "a cat stood"), 0.5);
        assert_eq!(f1_zh("小猫。", "小狗"), 0.5);
        assert!((rouge_l("a b c", "a c d") - 2.0 / 3.0).abs() < 1e-6);
        assert_eq!((rouge_l("...", "a"), rouge_n_recall("a b x", "a b c", 2)), (0.0, 0.5));
        assert!((bleu("a b c d", "a b c d", [0.25; 4]) - 1.0).abs() < 1e-12);
        assert!((rouge_l_sum("A b.\nc", "a b c") - 1.0).abs() < 1e-12 && rouge_l_sum("x", "a") == 0.0);
        assert_eq!(edit_similarity("abcd", "abed"), 0.75);
        assert_eq!((count_score("3 or 4", "3"), retrieval_score("Paragraph 3", "Paragraph 3")), (0.5, 1.0));
        let classes = ["City".to_owned(), "City state".to_owned(), "Dog".to_owned()];
        assert_eq!(class_score("City state", "City state", &classes), 1.0);
        assert_eq!(class_score("City Dog", "City", &classes), 0.5);
    }
}
