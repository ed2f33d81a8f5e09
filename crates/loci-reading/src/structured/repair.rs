//! Repairs of a [`Statement`] by the words of its text, as in the released code of StruXGPT.
//!
//! A sentence is found again by its recall: the share of its words that a description has. Words are in lower case, without
//! punctuation and articles; that a word counts however often either has it is inferred.

use std::collections::HashSet;

use super::statement::{Described, Statement};
use crate::passages::sentences;
use crate::tokens::words;

/// The recall above which a sentence counts as kept, in the released code.
pub const THRESHOLD: f64 = 0.5;

/// Longest sentence that is told from the next by full stops alone, in words.
const MOST_WORDS: usize = 200;

/// `statement` with the sentences of `source` that it left out, each behind what the sentence before it was found in.
///
/// Sentences are looked for in their order, each in the current aspect and the next one: a match in the next moves on. One
/// whose best recall is not above `threshold` was left out.
pub fn complete(statement: &Statement, source: &[&str], threshold: f64) -> Statement {
    let mut completed = statement.clone();
    let (mut aspect, mut place) = (0, 0);
    for sentence in source {
        let own = content(sentence);
        if own.is_empty() {
            continue;
        }
        let mut best = (0.0, aspect, 0);
        for (number, described) in completed.aspects.iter().enumerate().skip(aspect).take(2) {
            for (at, description) in described.descriptions.iter().enumerate() {
                let found = recall(&own, &set(description));
                if found > best.0 {
                    best = (found, number, at);
                }
            }
        }
        let (found, number, at) = best;
        if found > threshold {
            // Within an aspect the place never moves back, so that what is put in keeps the order of the text.
            place = if number == aspect { place.max(at + 1) } else { at + 1 };
            aspect = number;
            continue;
        }
        let Some(described) = completed.aspects.get_mut(aspect) else { break };
        described.descriptions.insert(place.min(described.descriptions.len()), sentence.trim().to_owned());
        place += 1;
    }
    completed
}

/// The scope and the names of `statement` over the sentences of the text itself.
///
/// Each of the `paragraphs` goes to the current aspect or the next one, whichever has more of its words; of equals the
/// current one. Every sentence stands once, in its order; aspects that get none are left out.
pub fn remap(statement: &Statement, paragraphs: &[&str]) -> Statement {
    let said: Vec<HashSet<String>> =
        statement.aspects.iter().map(|aspect| set(&aspect.descriptions.join(" "))).collect();
    let mut aspects: Vec<Described> = statement
        .aspects
        .iter()
        .map(|aspect| Described { name: aspect.name.clone(), descriptions: Vec::new() })
        .collect();
    let mut current = 0;
    for paragraph in paragraphs {
        let own = content(paragraph);
        let of = |aspect: usize| said.get(aspect).map_or(-1.0, |said| recall(&own, said));
        if of(current + 1) > of(current) {
            current += 1;
        }
        let Some(aspect) = aspects.get_mut(current) else { break };
        let sentences = sentences(paragraph, MOST_WORDS).into_iter().filter_map(|range| paragraph.get(range));
        let sentences = sentences.map(super::on_one_line).filter(|sentence| !sentence.is_empty());
        aspect.descriptions.extend(sentences);
    }
    aspects.retain(|aspect| !aspect.descriptions.is_empty());
    Statement { scope: statement.scope.clone(), aspects }
}

/// The words of `text` that count.
fn content(text: &str) -> Vec<String> {
    words(text).into_iter().filter(|word| !matches!(word.as_str(), "a" | "an" | "the")).collect()
}

fn set(text: &str) -> HashSet<String> {
    content(text).into_iter().collect()
}

/// The share of `own` that `said` has; 0 for no words.
fn recall(own: &[String], said: &HashSet<String>) -> f64 {
    let found = own.iter().filter(|word| said.contains(*word)).count();
    found as f64 / own.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn statement(aspects: &[(&str, &[&str])]) -> Statement {
        let described = |(name, descriptions): &(&str, &[&str])| Described {
            name: (*name).to_owned(),
            descriptions: descriptions.iter().map(|one| (*one).to_owned()).collect(),
        };
        Statement { scope: "s".to_owned(), aspects: aspects.iter().map(described).collect() }
    }

    #[test]
    fn what_is_missing_is_put_in_its_place() {
        let written = statement(&[
            ("a", &["Kings rode out.", "They sang."]),
            ("b", &["Peace came."]),
            ("c", &["The end."]),
        ]);
        let source = [
            "The kings rode out!",
            "Nobody slept.",
            "They sang.",
            "It rained.",
            "Peace came late.",
            "Snow.",
            "",
        ];
        let completed = complete(&written, &source, THRESHOLD);
        assert_eq!(
            completed,
            statement(&[
                ("a", &["Kings rode out.", "Nobody slept.", "They sang.", "It rained."]),
                ("b", &["Peace came.", "Snow."]),
                ("c", &["The end."]),
            ])
        );
        assert_eq!(complete(&completed, &source, THRESHOLD), completed);
        // Only the next aspect is looked at: what is said two further counts as missing.
        let skipped = complete(&written, &["The end."], THRESHOLD);
        assert_eq!(skipped.aspects[0].descriptions[0], "The end.");
        // Half is not more than half.
        assert_eq!(complete(&written, &["Kings danced."], THRESHOLD).aspects[0].descriptions.len(), 3);
    }

    #[test]
    fn paragraphs_find_their_aspect() {
        let written = statement(&[
            ("War", &["Kings fought long."]),
            ("Peace", &["Farmers ploughed fields."]),
            ("c", &["x"]),
        ]);
        let paragraphs = ["The kings fought. Long.\n", "Then farmers came.", "Kings fought."];
        assert_eq!(
            remap(&written, &paragraphs),
            statement(&[
                ("War", &["The kings fought.", "Long."]),
                ("Peace", &["Then farmers came.", "Kings fought."])
            ]),
            "nothing goes back"
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost(
            descriptions in prop::collection::vec(prop::collection::vec("[a-d]( [a-d]){0,3}", 1..4), 1..4),
            source in prop::collection::vec("[a-f]( [a-f]){0,3}[.]", 0..8),
        ) {
            let described = |descriptions: Vec<String>| Described { name: "n".to_owned(), descriptions };
            let written =
                Statement { scope: "s".to_owned(), aspects: descriptions.into_iter().map(described).collect() };
            let source: Vec<&str> = source.iter().map(String::as_str).collect();
            let said = |statement: &Statement| -> Vec<String> {
                statement.aspects.iter().flat_map(|aspect| aspect.descriptions.clone()).collect()
            };
            let completed = said(&complete(&written, &source, THRESHOLD));
            for sentence in &source {
                let own = content(sentence);
                let kept = completed.iter().any(|one| recall(&own, &set(one)) > THRESHOLD);
                prop_assert!(own.is_empty() || kept, "{sentence}");
            }
            prop_assert_eq!(said(&remap(&written, &source)), source);
        }
    }
}
