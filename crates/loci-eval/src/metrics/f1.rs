//! Overlap of what was said with what is right: precision, recall and their harmonic mean.

use std::collections::{BTreeMap, BTreeSet};

use super::normal::{chinese, english, words};
use super::{harmonic, share};

/// Precision, recall and their harmonic mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Overlap {
    /// Share of what was said that is right; 0 if nothing was said.
    pub precision: f64,
    /// Share of what is right that was said; 0 if nothing is right.
    pub recall: f64,
    /// Their harmonic mean; 0 if both are 0.
    pub f1: f64,
}

impl Overlap {
    /// From counts: `right` of `said` things said are among the `wanted` ones. Counts of many examples may be summed
    /// first: that is micro F1 (LongICLBench).
    pub fn of_counts(right: usize, said: usize, wanted: usize) -> Self {
        let (precision, recall) = (share(right as f64, said), share(right as f64, wanted));
        Self { precision, recall, f1: harmonic(precision, recall) }
    }

    /// Of sets (M4LE's lists of ids, LongIns). With nothing said or nothing wanted it is 0 throughout, both included.
    pub fn of_sets<T: Ord>(said: &BTreeSet<T>, wanted: &BTreeSet<T>) -> Self {
        Self::of_counts(said.intersection(wanted).count(), said.len(), wanted.len())
    }

    /// Of items that may repeat, in any order: an item counts as often as both have it.
    pub fn of_items<T: Ord>(said: &[T], wanted: &[T]) -> Self {
        let mut left: BTreeMap<&T, usize> = BTreeMap::new();
        for item in wanted {
            *left.entry(item).or_default() += 1;
        }
        let mut right = 0;
        for item in said {
            if let Some(count) = left.get_mut(item).filter(|count| **count > 0) {
                *count -= 1;
                right += 1;
            }
        }
        Self::of_counts(right, said.len(), wanted.len())
    }
}

/// Token F1 of English texts (Rajpurkar et al. 2016; LongBench): words of both without case, articles and punctuation.
pub fn f1(answer: &str, gold: &str) -> f64 {
    let (answer, gold) = (english(answer), english(gold));
    Overlap::of_items(&words(&answer).collect::<Vec<_>>(), &words(&gold).collect::<Vec<_>>()).f1
}

/// Token F1 of Chinese texts (LongBench): words by segmentation, each without case, punctuation and blanks.
#[cfg(feature = "chinese")]
pub fn f1_chinese(answer: &str, gold: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        let words = super::segment::chinese_words(text).into_iter().map(chinese);
        words.filter(|word| !word.is_empty()).collect()
    };
    Overlap::of_items(&words(answer), &words(gold)).f1
}

/// F1 over characters, without case, punctuation and blanks (InfiniteBench, SCBench, for Chinese).
pub fn f1_characters(answer: &str, gold: &str) -> f64 {
    let characters = |text: &str| chinese(text).chars().collect::<Vec<_>>();
    Overlap::of_items(&characters(answer), &characters(gold)).f1
}

/// Share of the gold's different words, in lower case, that the answer has (FILM's document probe); 0 without words.
/// Long answers gain by it: set a limit to them.
pub fn word_recall(answer: &str, gold: &str) -> f64 {
    let (answer, gold) = (answer.to_lowercase(), gold.to_lowercase());
    Overlap::of_sets(&words(&answer).collect(), &words(&gold).collect()).recall
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_count_as_often_as_both_have_them() {
        assert_eq!(f1("a cat cat", "the cat dog"), 0.5);
        assert!((f1("it was Paris, France", "Paris") - 0.4).abs() < 1e-12);
        assert_eq!((f1("", "x"), f1("x", ""), f1("", ""), f1("the", "the")), (0.0, 0.0, 0.0, 0.0));
        assert_eq!(f1_characters("北京。", "北京市"), 0.8);
    }

    #[test]
    fn word_recall_takes_each_word_once() {
        assert_eq!(word_recall("A b", "a a B c"), 2.0 / 3.0);
        assert_eq!((word_recall("", "a"), word_recall("a", "")), (0.0, 0.0));
    }

    #[test]
    fn sets_and_counts() {
        let overlap = Overlap::of_sets(&BTreeSet::from([1, 2, 3, 4]), &BTreeSet::from([2, 9]));
        assert_eq!((overlap.precision, overlap.recall), (0.25, 0.5));
        assert!((overlap.f1 - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(Overlap::of_counts(0, 0, 0), Overlap::default());
    }

    #[cfg(feature = "chinese")]
    #[test]
    fn chinese_words_without_marks_are_compared() {
        assert_eq!(f1_chinese("北京大学。", "北京大学"), 1.0);
        assert_eq!(f1_chinese("。", "。"), 0.0);
    }

    proptest! {
        #[test]
        fn between_0_and_1_symmetric_and_1_of_itself(a in "[a-d .,]{0,12}", b in "\\PC{0,12}") {
            for f in [f1, f1_characters] {
                let score = f(&a, &b);
                prop_assert!((0.0..=1.0).contains(&score) && (score - f(&b, &a)).abs() < 1e-12);
            }
            prop_assert_eq!(f1(&b, &b), f64::from(u8::from(!english(&b).is_empty())));
        }
    }
}
