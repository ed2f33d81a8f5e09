//! How good an answer is, as plain functions of texts.
//!
//! Every score runs from 0 to 1, and no text makes a function fail: an empty answer scores 0 unless nothing was wanted.
//! Where several answers are right, [`best_over`] takes the one that fits best.

pub mod bleu;
pub mod classes;
pub mod edit;
pub mod f1;
pub mod normal;
pub mod order;
pub mod parse;
pub mod presence;
pub mod ranking;
pub mod rouge;
#[cfg(feature = "chinese")]
pub mod segment;

pub use parse::numbers;

/// The best score over all right answers; 0 where there is none.
pub fn best_over<'a, G: AsRef<str>>(golds: &'a [G], score: impl Fn(&'a str) -> f64) -> f64 {
    golds.iter().map(|gold| score(gold.as_ref())).fold(0.0, f64::max)
}

/// Mean; 0 of nothing.
pub fn mean(scores: &[f64]) -> f64 {
    share(scores.iter().sum(), scores.len())
}

/// A score against that of a reference: score / (score + reference), 0.5 where they are equal (M4LE's normalisation, which
/// its paper gives in words only); 0 where both are 0.
pub fn against(score: f64, reference: f64) -> f64 {
    if score + reference > 0.0 { score / (score + reference) } else { 0.0 }
}

/// `part / whole`, and 0 where there is no whole.
pub(crate) fn share(part: f64, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part / whole as f64 }
}

/// Harmonic mean; 0 where both are 0.
pub(crate) fn harmonic(one: f64, other: f64) -> f64 {
    if one + other > 0.0 { 2.0 * one * other / (one + other) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_several_answers_counts() {
        let golds = ["a cat".to_owned(), "dog".to_owned()];
        assert_eq!(best_over(&golds, |gold| f1::f1("the dog", gold)), 1.0);
        assert_eq!(best_over::<&str>(&[], |_| 1.0), 0.0);
        assert_eq!((mean(&[]), mean(&[0.25, 0.75])), (0.0, 0.5));
        assert_eq!((against(0.4, 0.4), against(0.3, 0.1), against(0.0, 0.0)), (0.5, 0.75, 0.0));
    }
}
