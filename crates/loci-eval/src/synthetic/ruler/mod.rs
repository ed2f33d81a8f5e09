//! The thirteen tasks of RULER (Hsieh et al. 2024): needles of eight kinds, variable tracking, common and frequent
//! words, and questions about documents among others.

mod common_words;
mod frequent_words;
mod niah;
mod questions;
mod tracking;

pub use common_words::CommonWords;
pub use frequent_words::FrequentWords;
pub use niah::{
    NIAH_MULTIKEY_1, NIAH_MULTIKEY_2, NIAH_MULTIKEY_3, NIAH_MULTIQUERY, NIAH_MULTIVALUE, NIAH_SINGLE_1,
    NIAH_SINGLE_2, NIAH_SINGLE_3, Niah,
};
pub use questions::{Questions, RULER_QA_1, RULER_QA_2};
pub use tracking::VariableTracking;

use std::collections::BTreeMap;

use super::scores::contained;
use crate::example::Turn;
use crate::task::Score;

const PAPER: &str =
    "Hsieh et al., RULER: What's the Real Context Size of Your Long-Context Language Models?, 2024";

/// Said again and again where the filler shall mean nothing.
const NOISE: &str =
    "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.\n";

/// Below this many tokens the tasks take their smaller sizes.
const SMALL: usize = 4096;

/// The answer without white space around it, and control characters as line breaks.
fn cleaned(answer: &str) -> String {
    answer.trim().replace(|character: char| character.is_control(), "\n")
}

/// The share of the gold texts that the answer contains.
fn all_contained(turn: &Turn, answer: &str) -> Score {
    contained(&turn.gold, &cleaned(answer))
}

/// Words with how often they occur, most often first; of equal ones the first by the alphabet.
fn most_common<'t>(words: impl Iterator<Item = &'t str>) -> Vec<(&'t str, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    let mut counted: Vec<(&str, usize)> = counts.into_iter().collect();
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counted
}

#[cfg(test)]
mod tests {
    #[test]
    fn answers_are_cleaned_before_they_are_scored() {
        assert_eq!(super::cleaned(" a\u{0}b\t"), "a\nb");
        assert_eq!(super::most_common(["b", "a", "b", "c"].into_iter()), [("b", 2), ("a", 1), ("c", 1)]);
    }
}
