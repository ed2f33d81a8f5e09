//! In which order passages stand before a question.
//!
//! Models use what stands at the ends of a long prompt better than what stands in its middle, some only what stands last.
//! Which order serves a model is a matter of measurement: with real retrievers the best ranks hold distractors too, and then
//! no order may beat another. Two-sided: Jin et al., Long-Context LLMs Meet RAG, 2024, algorithm A.

/// An order of passages that were ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As in the text they are from: right for stories, and wherever what comes later counts.
    #[default]
    Source,
    /// The best first.
    Rank,
    /// The best last, next to the question.
    Reverse,
    /// The best first, the second best last, the weakest in the middle.
    TwoSided,
}

impl Order {
    /// Their words as typed, for a parameter's domain.
    pub const WORDS: &'static [&'static str] = &["source", "rank", "reverse", "two-sided"];

    /// The order that `word`, one of [`Order::WORDS`], names; [`Order::Source`] for any other.
    pub fn of(word: &str) -> Self {
        match word {
            "rank" => Self::Rank,
            "reverse" => Self::Reverse,
            "two-sided" => Self::TwoSided,
            _ => Self::Source,
        }
    }

    /// Puts `ranked`, the best first, into this order; `place` says where one stands in its text.
    pub fn arrange<T, P: Ord>(self, mut ranked: Vec<T>, place: impl Fn(&T) -> P) -> Vec<T> {
        match self {
            Self::Source => ranked.sort_by_key(place),
            Self::Rank => {}
            Self::Reverse => ranked.reverse(),
            Self::TwoSided => {
                let (mut front, mut back) = (Vec::with_capacity(ranked.len()), Vec::new());
                for (rank, passage) in ranked.into_iter().enumerate() {
                    if rank % 2 == 0 { front.push(passage) } else { back.push(passage) }
                }
                front.extend(back.into_iter().rev());
                ranked = front;
            }
        }
        ranked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arranged(order: Order, count: usize) -> Vec<usize> {
        order.arrange((1..=count).collect(), |rank| (rank * 7) % 11)
    }

    #[test]
    fn every_order_keeps_all_passages() {
        assert_eq!(arranged(Order::Rank, 5), [1, 2, 3, 4, 5]);
        assert_eq!(arranged(Order::Reverse, 5), [5, 4, 3, 2, 1]);
        assert_eq!(arranged(Order::Source, 5), [5, 2, 4, 1, 3]);
        assert_eq!(arranged(Order::TwoSided, 6), [1, 3, 5, 6, 4, 2]);
        assert_eq!(arranged(Order::TwoSided, 5), [1, 3, 5, 4, 2]);
        for word in Order::WORDS {
            for count in 0..50 {
                let mut found = arranged(Order::of(word), count);
                found.sort_unstable();
                assert!(found.into_iter().eq(1..=count), "{word}, {count}");
            }
        }
    }

    #[test]
    fn two_sided_is_the_papers_rule() {
        for count in 1..=50 {
            let found = arranged(Order::TwoSided, count);
            for (at, rank) in found.iter().enumerate() {
                // Counted from 1: an odd rank i stands at (i + 1) / 2, an even one at count + 1 - i / 2.
                let place = if rank % 2 == 1 { rank.div_ceil(2) } else { count + 1 - rank / 2 };
                assert_eq!(at + 1, place, "{found:?}");
            }
            let from_end = |rank: usize| {
                let at = found.iter().position(|found| *found == rank).unwrap_or(0);
                at.min(count - 1 - at)
            };
            assert!((1..count).all(|rank| from_end(rank) <= from_end(rank + 1)), "{found:?}");
        }
    }
}
