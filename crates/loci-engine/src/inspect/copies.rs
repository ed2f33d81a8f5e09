//! Of each head, how much of an answer it copied.
//!
//! Source: Wu et al., "Retrieval Head Mechanistically Explains Long-Context Factuality", 2024. A head copies a token
//! when it looks, while the model chooses that token, most at a place inside the answer's span where the very same token
//! stands.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// How copies are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Each place of the span once: at most 1, as the paper defines it.
    #[default]
    Paper,
    /// Each copy, as the published code does: more than 1 when the model repeats itself.
    Official,
}

/// The copies of one answer.
#[derive(Clone, Debug)]
pub struct Copies<'a> {
    prompt: &'a [u32],
    span: Range<usize>,
    mode: Mode,
    /// Of each head, the places copied, one entry a copy.
    copied: Vec<Vec<usize>>,
}

impl<'a> Copies<'a> {
    /// No copies yet by any of `heads` heads. `span` are the positions of the answer in `prompt`.
    pub fn new(prompt: &'a [u32], span: Range<usize>, mode: Mode, heads: usize) -> Self {
        Self { prompt, span, mode, copied: vec![Vec::new(); heads] }
    }

    /// The model chose `token`; `looks` says where each head looked most.
    pub fn record(&mut self, token: u32, looks: &[Option<usize>]) {
        for (copied, look) in self.copied.iter_mut().zip(looks) {
            let Some(place) = look.filter(|place| self.span.contains(place)) else { continue };
            let counts = self.mode == Mode::Official || !copied.contains(&place);
            if self.prompt.get(place) == Some(&token) && counts {
                copied.push(place);
            }
        }
    }

    /// The share of the answer's tokens that each head copied; 0 for an empty span.
    pub fn scores(&self) -> Vec<f64> {
        let tokens = self.span.len().max(1) as f64;
        self.copied.iter().map(|copied| copied.len() as f64 / tokens).collect()
    }
}

/// Scores of several answers.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    answers: usize,
    sums: Vec<f64>,
    fired: Vec<usize>,
}

impl Tally {
    /// Takes in the scores of one more answer.
    pub fn add(&mut self, scores: &[f64]) {
        self.answers += 1;
        self.sums.resize(scores.len().max(self.sums.len()), 0.0);
        self.fired.resize(self.sums.len(), 0);
        for ((sum, fired), score) in self.sums.iter_mut().zip(&mut self.fired).zip(scores) {
            *sum += score;
            *fired += usize::from(*score > 0.0);
        }
    }

    /// Answers taken in.
    pub const fn answers(&self) -> usize {
        self.answers
    }

    /// Mean score of each head; `None` without any answer.
    pub fn means(&self) -> Option<Vec<f64>> {
        self.shares(self.sums.iter().copied())
    }

    /// Of each head, the share of answers of which it copied anything; `None` without any answer.
    pub fn frequencies(&self) -> Option<Vec<f64>> {
        self.shares(self.fired.iter().map(|fired| *fired as f64))
    }

    fn shares(&self, sums: impl Iterator<Item = f64>) -> Option<Vec<f64>> {
        (self.answers > 0).then(|| sums.map(|sum| sum / self.answers as f64).collect())
    }
}

/// The share of the words of `reference` that `answer` has, counting each as often as it stands (ROUGE-1 recall, without
/// stemming). Words are runs of letters and digits in lower case. 0 for a reference without words.
pub fn recall(answer: &str, reference: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        let lower = text.to_lowercase();
        let pieces = lower.split(|symbol: char| !symbol.is_alphanumeric());
        pieces.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (wanted, mut there) = (words(reference), words(answer));
    let found = wanted.iter().filter(|word| {
        let place = there.iter().position(|other| other == *word);
        place.map(|place| there.swap_remove(place)).is_some()
    });
    let found = found.count();
    if wanted.is_empty() { 0.0 } else { found as f64 / wanted.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: [u32; 8] = [9, 1, 2, 3, 4, 2, 9, 9];

    /// The score of a head that looks at `looks` while the model writes `tokens`; the answer stands at 2..5.
    fn score(mode: Mode, tokens: &[u32], looks: &[usize]) -> f64 {
        let mut copies = Copies::new(&PROMPT, 2..5, mode, 1);
        tokens.iter().zip(looks).for_each(|(token, look)| copies.record(*token, &[Some(*look)]));
        copies.scores()[0]
    }

    #[test]
    fn looking_at_the_token_to_be_written_scores_one_and_one_too_early_nothing() {
        for mode in [Mode::Paper, Mode::Official] {
            assert_eq!(score(mode, &[2, 3, 4], &[2, 3, 4]), 1.0);
            assert_eq!(score(mode, &[2, 3, 4], &[1, 2, 3]), 0.0, "an induction head looks one token back");
            assert_eq!(score(mode, &[2, 3, 4], &[3, 4, 5]), 0.0);
            assert_eq!(score(mode, &[2], &[5]), 0.0, "the same token outside the span does not count");
            assert_eq!(score(mode, &[], &[]), 0.0);
        }
    }

    #[test]
    fn repetitions_count_in_the_official_mode_only() {
        let (tokens, looks) = ([2, 3, 4, 2, 3], [2, 3, 4, 2, 3]);
        assert_eq!(score(Mode::Paper, &tokens, &looks), 1.0);
        assert!((score(Mode::Official, &tokens, &looks) - 5.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_order_of_answers_does_not_matter_and_none_is_no_number() {
        let tally = |order: &[[f64; 2]]| {
            let mut tally = Tally::default();
            order.iter().for_each(|scores| tally.add(scores));
            (tally.means(), tally.frequencies(), tally.answers())
        };
        let (a, b, c) = ([0.5, 0.0], [0.25, 0.0], [0.0, 1.0]);
        assert_eq!(tally(&[a, b, c]), tally(&[c, a, b]));
        assert_eq!(tally(&[a, b, c]).0.unwrap(), [0.25, 1.0 / 3.0]);
        assert_eq!(tally(&[a, b, c]).1.unwrap(), [2.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(tally(&[]), (None, None, 0));
    }

    #[test]
    fn recall_counts_words_of_the_reference() {
        assert_eq!(recall("The code is 71432.", "71432"), 1.0);
        assert_eq!(recall("red River", "red river stone"), 2.0 / 3.0);
        assert_eq!(recall("red", "red red"), 0.5);
        assert_eq!((recall("anything", ""), recall("", "word")), (0.0, 0.0));
    }
}
