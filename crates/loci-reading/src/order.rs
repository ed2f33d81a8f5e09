//! In which order passages stand before a question.
//!
//! Models use what stands at the ends of a long prompt better than what stands in its middle, some only what stands last.
//! Which order serves a model is a matter of measurement: with real retrievers the best ranks hold distractors too, and then
//! no order may beat another. Two-sided: Jin et al., Long-Context LLMs Meet RAG, 2024, algorithm A.

use loci_engine::documents::Document;
use loci_models::method::{Domain, Parameter, Value};

use crate::dates::{Date, last_date};
use crate::strategy::Span;

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
    /// By the last date written in the text before the passage or in it; undated ones first, otherwise as in the text.
    Date,
}

impl Order {
    /// Their words as typed, for a parameter's domain.
    pub const WORDS: &'static [&'static str] = &["source", "rank", "reverse", "two-sided", "date"];

    /// The parameter of strategies that leave the order to their user.
    pub(crate) const PARAMETER: Parameter = Parameter {
        name: "order",
        meaning: "in which order they stand: as in the text, the best first, the best last, the best at both ends, or by the \
                  dates in the text",
        unit: "",
        default: Value::Word("source"),
        domain: Domain::Words(Self::WORDS),
    };

    /// The order that `word`, one of [`Order::WORDS`], names; [`Order::Source`] for any other.
    pub fn of(word: &str) -> Self {
        match word {
            "rank" => Self::Rank,
            "reverse" => Self::Reverse,
            "two-sided" => Self::TwoSided,
            "date" => Self::Date,
            _ => Self::Source,
        }
    }

    /// Puts `spans` of `documents`, the best first, into this order.
    pub fn of_spans(self, spans: Vec<Span>, documents: &[Document]) -> Vec<Span> {
        if self != Self::Date {
            return self.arrange(spans, Span::clone);
        }
        // A date in a name holds where none is written before.
        let dated = |span: &Span| {
            let document = documents.get(span.document)?;
            last_date(document.text.get(..span.end)?).or_else(|| last_date(&document.name))
        };
        let mut dated: Vec<(Option<Date>, Span)> =
            spans.into_iter().map(|span| (dated(&span), span)).collect();
        dated.sort();
        dated.into_iter().map(|(_, span)| span).collect()
    }

    /// Puts `ranked`, the best first, into this order; `place` says where one stands in its text, or in time.
    pub fn arrange<T, P: Ord>(self, mut ranked: Vec<T>, place: impl Fn(&T) -> P) -> Vec<T> {
        match self {
            Self::Source | Self::Date => ranked.sort_by_key(place),
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
    fn by_date_the_newest_stands_last() {
        let text = "2023/05/22 late. 2023/05/20 (Sat) 10:00 early. more.".to_owned();
        let documents = [
            Document { name: "undated".to_owned(), text: "no date.".to_owned() },
            Document { name: "a".to_owned(), text },
            Document { name: "2023-05-21.txt".to_owned(), text: "named.".to_owned() },
        ];
        let spans = vec![
            Span::new(1, 0..17),
            Span::new(1, 47..52),
            Span::new(2, 0..6),
            Span::new(0, 0..8),
            Span::new(1, 17..47),
        ];
        let texts: Vec<String> = Order::Date
            .of_spans(spans, &documents)
            .iter()
            .map(|span| span.text(&documents).trim().to_owned())
            .collect();
        assert_eq!(
            texts,
            ["no date.", "2023/05/20 (Sat) 10:00 early.", "more.", "named.", "2023/05/22 late."]
        );
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
