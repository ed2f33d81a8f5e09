//! BLEU (Papineni et al. 2002) as sacrebleu computes it (Post 2018), from 0 to 1 where sacrebleu writes 0 to 100.

use std::collections::BTreeMap;

use super::normal::{is_blank, words};
use super::share;

/// Longest n-gram.
const ORDER: usize = 4;

/// How texts become words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// `13a`: punctuation apart, but not points and commas in numbers, hyphens in words, apostrophes.
    Western,
    /// `zh`: every Chinese character by itself, the rest as `13a`.
    Chinese,
}

impl Words {
    fn of(self, text: &str) -> Vec<String> {
        let text = text.trim_end_matches(is_blank);
        let prepared = match self {
            Self::Western => {
                let mut text = text.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
                for (name, sign) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
                    text = text.replace(name, sign);
                }
                format!(" {text} ")
            }
            Self::Chinese => {
                let mut out = String::new();
                for character in text.trim_start_matches(is_blank).chars() {
                    apart(&mut out, character, is_chinese(character));
                }
                out
            }
        };
        let mut out = String::new();
        for character in prepared.chars() {
            apart(&mut out, character, is_mark(character));
        }
        let is_point = |character: char| matches!(character, '.' | ',');
        let out = each_pair(&out, |a, b| !a.is_ascii_digit() && is_point(b), |a, b| format!("{a} {b} "));
        let out = each_pair(&out, |a, b| is_point(a) && !b.is_ascii_digit(), |a, b| format!(" {a} {b}"));
        let out = each_pair(&out, |a, b| a.is_ascii_digit() && b == '-', |a, b| format!("{a} {b} "));
        words(&out).map(str::to_owned).collect()
    }
}

fn apart(out: &mut String, character: char, by_itself: bool) {
    if by_itself {
        out.extend([' ', character, ' ']);
    } else {
        out.push(character);
    }
}

/// ASCII punctuation that stands by itself wherever it is: all but `'`, `,`, `-` and `.`.
const fn is_mark(character: char) -> bool {
    character.is_ascii_punctuation() && !matches!(character, '\'' | ',' | '-' | '.')
}

/// What sacrebleu takes for a Chinese character. Its bounds of the ideographs beyond U+FFFF are written with four
/// digits too few, so that these are left out and all from U+2001 to U+2A6D, quotation marks and dashes among them,
/// are in.
const fn is_chinese(character: char) -> bool {
    matches!(character,
        '\u{2001}'..='\u{2a6d}' | '\u{2e80}'..='\u{2eff}' | '\u{2f00}'..='\u{2fdf}' | '\u{2ff0}'..='\u{303f}'
        | '\u{3100}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}' | '\u{31c0}'..='\u{31ef}' | '\u{3200}'..='\u{4db5}'
        | '\u{4e00}'..='\u{9fbb}' | '\u{f900}'..='\u{fa2d}' | '\u{fa30}'..='\u{fa6a}' | '\u{fa70}'..='\u{fad9}'
        | '\u{fe10}'..='\u{fe1f}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ffef}')
}

/// `text` with every pair of neighbours that is `wanted` written anew, from the left, each character in one pair at
/// most.
fn each_pair(
    text: &str,
    wanted: impl Fn(char, char) -> bool,
    write: impl Fn(char, char) -> String,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(first) = characters.next() {
        match characters.next_if(|second| wanted(first, *second)) {
            Some(second) => out.push_str(&write(first, second)),
            None => out.push(first),
        }
    }
    out
}

/// Counts of one or more texts, from which BLEU follows.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    said: usize,
    wanted: usize,
    right: [usize; ORDER],
    total: [usize; ORDER],
}

fn n_grams<W: AsRef<str>>(words: &[W], n: usize) -> BTreeMap<Vec<&str>, usize> {
    let mut counts = BTreeMap::new();
    for gram in words.windows(n) {
        *counts.entry(gram.iter().map(AsRef::as_ref).collect()).or_default() += 1;
    }
    counts
}

impl Counts {
    fn of(answer: &[String], golds: &[Vec<String>]) -> Self {
        let said = answer.len();
        // The length that is nearest, and the shorter of two as near.
        let nearest = golds.iter().map(Vec::len).min_by_key(|length| (length.abs_diff(said), *length));
        let mut counts = Self { said, wanted: nearest.unwrap_or(0), ..Self::default() };
        for (n, (right, total)) in (1..).zip(counts.right.iter_mut().zip(&mut counts.total)) {
            let mut most: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
            for (gram, count) in golds.iter().flat_map(|gold| n_grams(gold, n)) {
                let entry = most.entry(gram).or_default();
                *entry = count.max(*entry);
            }
            for (gram, count) in n_grams(answer, n) {
                *total += count;
                *right += most.get(&gram).map_or(0, |most| count.min(*most));
            }
        }
        counts
    }

    fn add(&mut self, other: &Self) {
        self.said += other.said;
        self.wanted += other.wanted;
        self.right.iter_mut().zip(other.right).for_each(|(to, from)| *to += from);
        self.total.iter_mut().zip(other.total).for_each(|(to, from)| *to += from);
    }

    /// `existing`: only orders of which the answer has n-grams count.
    fn bleu(&self, existing: bool) -> f64 {
        if self.right.iter().all(|right| *right == 0) {
            return 0.0;
        }
        let (mut logs, mut orders, mut smooth) = (0.0, 0, 1.0);
        for (right, total) in self.right.iter().zip(self.total).take_while(|(_, total)| *total > 0) {
            // Exponential smoothing: the first order without a match counts half a match, the next a quarter, ….
            let right = if *right > 0 {
                *right as f64
            } else {
                smooth *= 2.0;
                1.0 / smooth
            };
            logs += (right / total as f64).ln();
            orders += 1;
        }
        if orders < ORDER && !existing {
            return 0.0;
        }
        brevity(self.said, self.wanted) * (logs / orders as f64).exp()
    }
}

/// Penalty of an answer that is shorter than the gold.
fn brevity(said: usize, wanted: usize) -> f64 {
    match said {
        0 => 0.0,
        _ if said >= wanted => 1.0,
        _ => (1.0 - wanted as f64 / said as f64).exp(),
    }
}

/// BLEU of one answer: exponential smoothing, and orders only as long as the answer. 0 without golds.
pub fn sentence_bleu<G: AsRef<str>>(answer: &str, golds: &[G], by: Words) -> f64 {
    counts(answer, golds, by).bleu(true)
}

/// BLEU of many answers, each with its golds: counts are summed first, so it is not the mean of [`sentence_bleu`]. 0
/// for none, and where no answer has four words.
pub fn corpus_bleu<'a, G: AsRef<str> + 'a>(
    answers: impl IntoIterator<Item = (&'a str, &'a [G])>,
    by: Words,
) -> f64 {
    let mut sum = Counts::default();
    for (answer, golds) in answers {
        sum.add(&counts(answer, golds, by));
    }
    sum.bleu(false)
}

fn counts<G: AsRef<str>>(answer: &str, golds: &[G], by: Words) -> Counts {
    let golds: Vec<Vec<String>> = golds.iter().map(|gold| by.of(gold.as_ref())).collect();
    Counts::of(&by.of(answer), &golds)
}

/// Precision of the n-grams of one order times the penalty for shortness, words parted by blanks and nothing smoothed:
/// LooGLE's BLEU-1 and its "BLEU-4", which is no mean over orders. Not to be compared with [`sentence_bleu`].
pub fn bleu_of_order(answer: &str, gold: &str, order: usize) -> f64 {
    let (answer, gold): (Vec<&str>, Vec<&str>) = (words(answer).collect(), words(gold).collect());
    let order = order.max(1);
    let wanted = n_grams(&gold, order);
    let (mut right, mut total) = (0, 0);
    for (gram, count) in n_grams(&answer, order) {
        total += count;
        right += wanted.get(&gram).map_or(0, |wanted| count.min(*wanted));
    }
    brevity(answer.len(), gold.len()) * share(right as f64, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_of_western_texts() {
        let of = |text: &str| Words::Western.of(text).join(" ");
        assert_eq!(of("It's 3.5, 2-3 a-b (x)..."), "It's 3.5 , 2 - 3 a-b ( x ) . . .");
        assert_eq!(of("a-\nb\nc &amp;lt; <skipped>"), "ab c <");
    }

    #[test]
    fn words_of_chinese_texts() {
        assert_eq!(Words::Chinese.of("我有2.5个“GPU”。").join(" "), "我 有 2.5 个 “ GPU ” 。");
        // Ideographs beyond U+FFFF stay together, as in the reference.
        assert_eq!(Words::Chinese.of("𠀀𠀁"), ["𠀀𠀁"]);
    }

    #[test]
    fn hand_cases() {
        assert_eq!(sentence_bleu("a b", &["a b"], Words::Western), 1.0);
        assert_eq!(corpus_bleu([("a b", ["a b"].as_slice())], Words::Western), 0.0);
        assert_eq!(sentence_bleu::<&str>("a", &[], Words::Western), 0.0);
        assert_eq!(corpus_bleu::<&str>([], Words::Western), 0.0);
        assert_eq!(sentence_bleu("", &["a"], Words::Western), 0.0);
        assert_eq!(bleu_of_order("the the cat", "the cat", 1), 2.0 / 3.0);
        assert!((bleu_of_order("the", "the cat", 1) - (-1.0_f64).exp()).abs() < 1e-12);
        assert_eq!((bleu_of_order("a b c", "a b c", 4), bleu_of_order("", "", 0)), (0.0, 0.0));
    }

    proptest! {
        #[test]
        fn between_0_and_1_and_1_of_itself(a in "[ab .,-]{0,15}", b in "\\PC{0,12}") {
            for by in [Words::Western, Words::Chinese] {
                prop_assert!((0.0..=1.0).contains(&sentence_bleu(&a, &[&b, "a b"], by)));
                let own = sentence_bleu(&b, &[&b], by);
                prop_assert_eq!(own, f64::from(u8::from(!by.of(&b).is_empty())));
            }
        }
    }
}
