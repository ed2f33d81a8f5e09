//! How alike two texts are, by runs of five words.

use std::collections::BTreeSet;

use crate::search::index_words;

/// Words of a run (memory governance: 5-gram shingles).
const RUN: usize = 5;
/// From this share on two texts count as one (memory governance).
const NEAR: f64 = 0.8;

/// The runs of five words of a text; of a shorter one its words, as one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shingles(BTreeSet<String>);

impl Shingles {
    pub(crate) fn of(text: &str) -> Self {
        let words = index_words(text);
        if words.len() < RUN {
            return Self([words.join(" ")].into());
        }
        Self(words.windows(RUN).map(|run| run.join(" ")).collect())
    }

    /// Jaccard's measure: what both have of what any of them has.
    pub(crate) fn likeness(&self, other: &Self) -> f64 {
        let both = self.0.intersection(&other.0).count();
        let any = self.0.len() + other.0.len() - both;
        if any == 0 { 1.0 } else { both as f64 / any as f64 }
    }
}

/// Whether two texts count as one.
pub(crate) fn is_near(one: &Shingles, other: &Shingles) -> bool {
    one.likeness(other) >= NEAR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_counts_runs() {
        let of = |one: &str, other: &str| Shingles::of(one).likeness(&Shingles::of(other));
        assert_eq!(of("a b c d e f", "A, b c d e f!"), 1.0);
        assert_eq!(of("a b c d e f", "a b c d e g"), 1.0 / 3.0);
        assert_eq!(of("one two", "one two"), 1.0);
        assert_eq!(of("one two", "two one"), 0.0);
        assert_eq!(of("我喜欢喝茶和咖啡", "我喜欢喝茶和咖啡。"), 1.0);
    }
}
