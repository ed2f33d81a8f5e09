//! ROUGE as the Python package `rouge` 1.0.1 computes it, which LongBench, LooGLE, M4LE and CNNSum use (Lin 2004 for
//! the idea). It is neither the original script nor `rouge-score`:
//!
//! - case and punctuation stay; sentences end at `.`; words are parted by blanks;
//! - n-grams, and the words of common subsequences, are sets: repeating something changes nothing;
//! - a sentence of blanks only, such as stands behind the last full stop, counts as one empty word;
//! - F is 2PR / (P + R + 1e-8), so that a text has a little less than 1 with itself.
//!
//! The empty text, and one of full stops only, scores 0; the package refuses it. The package also runs out of stack where
//! going back through the common subsequence of two sentences takes about 1,000 steps, and LongBench then counts 0: here
//! they are scored like others. A pair of sentences takes as many bytes as the product of their words.

use std::collections::{BTreeMap, BTreeSet};

use super::normal::words;

/// Precision, recall and F of one ROUGE.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rouge {
    /// Share of the answer's units that the gold has.
    pub precision: f64,
    /// Share of the gold's units that the answer has.
    pub recall: f64,
    /// 2PR / (P + R + 1e-8).
    pub f: f64,
}

impl Rouge {
    fn of_counts(both: usize, answer: usize, gold: usize) -> Self {
        let (precision, recall) = (super::share(both as f64, answer), super::share(both as f64, gold));
        Self { precision, recall, f: 2.0 * precision * recall / (precision + recall + 1e-8) }
    }
}

/// Sentences as words, each word a number that is the same in both texts.
#[derive(Default)]
struct Numbered<'a>(BTreeMap<&'a str, u32>);

impl<'a> Numbered<'a> {
    fn sentences(&mut self, text: &'a str) -> Vec<Vec<u32>> {
        let mut sentences = Vec::new();
        for sentence in text.split('.').filter(|sentence| !sentence.is_empty()) {
            let mut numbers: Vec<u32> = words(sentence).map(|word| self.number(word)).collect();
            if numbers.is_empty() {
                numbers.push(self.number(""));
            }
            sentences.push(numbers);
        }
        sentences
    }

    fn number(&mut self, word: &'a str) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(word).or_insert(next)
    }
}

fn both<'a>(answer: &'a str, gold: &'a str) -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
    let mut numbered = Numbered::default();
    (numbered.sentences(answer), numbered.sentences(gold))
}

fn rouge_n(answer: &str, gold: &str, n: usize) -> Rouge {
    let (answer, gold) = both(answer, gold);
    let (answer, gold) = (answer.concat(), gold.concat());
    let (answer, gold): (BTreeSet<_>, BTreeSet<_>) = (answer.windows(n).collect(), gold.windows(n).collect());
    Rouge::of_counts(answer.intersection(&gold).count(), answer.len(), gold.len())
}

/// ROUGE-1: different words of both.
pub fn rouge_1(answer: &str, gold: &str) -> Rouge {
    rouge_n(answer, gold, 1)
}

/// ROUGE-2: different pairs of neighbouring words of both, across the ends of sentences.
pub fn rouge_2(answer: &str, gold: &str) -> Rouge {
    rouge_n(answer, gold, 2)
}

/// ROUGE-L: different words in any longest common subsequence of a sentence of the gold and one of the answer, against
/// the different words of each text.
pub fn rouge_l(answer: &str, gold: &str) -> Rouge {
    let (answer, gold) = both(answer, gold);
    let mut common = BTreeSet::new();
    for wanted in &gold {
        for said in &answer {
            add_common(wanted, said, &mut common);
        }
    }
    let different = |sentences: &[Vec<u32>]| sentences.iter().flatten().collect::<BTreeSet<_>>().len();
    Rouge::of_counts(common.len(), different(&answer), different(&gold))
}

/// [`rouge_l`] of Chinese words (LongBench's dureader and vcsum, CNNSum). The Chinese full stop ends no sentence.
#[cfg(feature = "chinese")]
pub fn rouge_l_chinese(answer: &str, gold: &str) -> Rouge {
    let segmented = |text: &str| super::segment::chinese_words(text).join(" ");
    rouge_l(&segmented(answer), &segmented(gold))
}

/// Adds the words of one longest common subsequence: of several, the one met by going back from the ends, and where
/// both ways are as long, by first leaving out words of `said`.
fn add_common(wanted: &[u32], said: &[u32], common: &mut BTreeSet<u32>) {
    #[derive(Clone, Copy, PartialEq)]
    enum Step {
        Both,
        Wanted,
        Said,
    }
    let mut steps = Vec::with_capacity(wanted.len() * said.len());
    let mut row = vec![0_u32; said.len() + 1];
    for left in wanted {
        let (mut diagonal, mut before) = (0, 0);
        for (right, cell) in said.iter().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            let (step, length) = match (left == right, above > before) {
                (true, _) => (Step::Both, diagonal + 1),
                (false, true) => (Step::Wanted, above),
                (false, false) => (Step::Said, before),
            };
            steps.push(step);
            *cell = length;
            (diagonal, before) = (above, length);
        }
    }
    let (mut i, mut j) = (wanted.len(), said.len());
    while i > 0 && j > 0 {
        match steps.get((i - 1) * said.len() + j - 1) {
            Some(Step::Both) => {
                common.extend(wanted.get(i - 1));
                (i, j) = (i - 1, j - 1);
            }
            Some(Step::Wanted) => i -= 1,
            _ => j -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hand_cases() {
        let score = rouge_l("the cat sat", "the cat lay there");
        assert_eq!((score.precision, score.recall), (2.0 / 3.0, 0.5));
        assert_eq!(rouge_1("b a", "a b c").recall, 2.0 / 3.0);
        assert_eq!(rouge_2("b a", "a b c"), Rouge::default());
        // Repeating changes nothing, and order within a sentence does.
        assert_eq!(rouge_l("a a a b", "a b").precision, 1.0);
        assert_eq!(rouge_l("b a", "a b").precision, 0.5);
    }

    #[test]
    fn empty_texts_score_nothing() {
        for text in ["", ".", "...", "\n"] {
            for rouge in [rouge_1, rouge_2, rouge_l] {
                assert_eq!((rouge(text, "a b").f, rouge("a b", text).f), (0.0, 0.0), "{text:?}");
            }
        }
        // The blank behind the full stop is a word of its own.
        assert_eq!(rouge_1("a b. ", "a b").precision, 2.0 / 3.0);
    }

    #[test]
    fn long_sentences_are_scored() {
        let text = "one two three ".repeat(700);
        assert!(rouge_l(&text, &text).f > 0.99);
    }

    proptest! {
        #[test]
        fn between_0_and_1_and_nearly_1_of_itself(a in "[a-c]( [a-c.]){0,12}", b in "\\PC{0,12}") {
            for rouge in [rouge_1, rouge_l] {
                let score = rouge(&a, &b);
                for part in [score.precision, score.recall, score.f] {
                    prop_assert!((0.0..=1.0).contains(&part));
                }
                prop_assert!((rouge(&a, &a).f - 1.0).abs() < 1e-7);
            }
        }
    }
}
