//! From which passage an answer was read, and whether it holds what is right.

use std::ops::Range;

use super::Record;
use crate::metrics::presence::{contains, contains_word};

/// Among the further figures of a [`Record`]: whether the heaviest passage holds an answer that is right. Not there where none
/// stands in the text, as with sums and summaries.
pub const EVIDENCE: &str = "evidence";

/// Writes into `record` the heaviest of the ranges of `context` that its answer was read from, and whether it holds what is
/// right.
pub(super) fn note(record: &mut Record, context: &str, looked_at: &[(Range<usize>, f32)]) {
    let Some(passage) = looked_at.first().and_then(|(bytes, _)| context.get(bytes.clone())) else { return };
    let (all, shown) = (one_spaced(context), one_spaced(passage));
    let golds: Vec<String> =
        record.gold.iter().map(|gold| one_spaced(gold)).filter(|gold| stands(&all, gold)).collect();
    if !golds.is_empty() {
        let holds = golds.iter().any(|gold| stands(&shown, gold));
        record.also.insert(EVIDENCE.to_owned(), f64::from(u8::from(holds)));
    }
    record.passage = Some(passage.to_owned());
}

/// The text with one space for whatever blanks there are.
fn one_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `gold` stands in `text`: as words of its own, or anywhere in a script without blanks.
fn stands(text: &str, gold: &str) -> bool {
    contains_word(text, gold) || (!gold.is_ascii() && contains(text, gold))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "The pass key is\n4711 5. Grass is green. 47115 is none. 通行证是七。";

    fn noted(gold: &[&str], looked_at: &[&str]) -> (Option<String>, Option<f64>) {
        let mut record =
            Record { gold: gold.iter().map(|gold| (*gold).to_owned()).collect(), ..Record::default() };
        let ranges: Vec<(Range<usize>, f32)> = looked_at
            .iter()
            .map(|passage| TEXT.find(passage).map(|start| (start..start + passage.len(), 0.1)).unwrap())
            .collect();
        note(&mut record, TEXT, &ranges);
        (record.passage, record.also.get(EVIDENCE).copied())
    }

    #[test]
    fn the_heaviest_passage_counts_and_numbers_are_whole() {
        let key = "key is\n4711 5.";
        assert_eq!(noted(&["4711 5"], &[key, "Grass"]), (Some(key.to_owned()), Some(1.0)));
        assert_eq!(noted(&["4711 5"], &["Grass", key]), (Some("Grass".to_owned()), Some(0.0)));
        assert_eq!(noted(&["4711"], &["47115 is"]).1, Some(0.0));
        // Any of several; those that stand nowhere do not count.
        assert_eq!(noted(&["4711 5", "green", "blue"], &["is green"]).1, Some(1.0));
        assert_eq!(noted(&["七"], &["证是七"]).1, Some(1.0));
    }

    #[test]
    fn what_stands_nowhere_cannot_be_held() {
        assert_eq!(noted(&["blue"], &["Grass"]), (Some("Grass".to_owned()), None));
        assert_eq!(noted(&["green"], &[]), (None, None));
    }

    #[test]
    fn ranges_that_are_none_of_the_text_say_nothing() {
        let mut record = Record { gold: vec!["green".to_owned()], ..Record::default() };
        note(&mut record, TEXT, &[(0..TEXT.len() + 5, 1.0)]);
        assert_eq!((record.passage, record.also.len()), (None, 0));
    }
}
