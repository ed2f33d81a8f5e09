//! What stands between the fields of a summary: sentences of the kind that such papers are full of, without a value in them.

use loci_context::random::Random;

/// Sentences with slots: a part of the device, what is done with it, where, by whom, and what it was looked into for.
const TEMPLATES: &[&str] = &[
    "The {part} is supplied {state} and is to be kept {where} until use. ",
    "Before each run {who} should inspect the {part} for damage. ",
    "The {part} and the {other} were {done} under the conditions given in the protocol. ",
    "Studies of {topic} were {done} at several sites and gave comparable results. ",
    "Compared with earlier versions the {part} has been {done}, which does not affect {topic}. ",
    "No change to the {part} raises new questions of {topic}. ",
    "The instructions explain to {who} how the {part} is {done}. ",
    "With regard to {topic}, the {part} meets the recognised standards. ",
    "Where the {part} is kept {where}, {topic} was not affected. ",
    "Risks connected with the {part} were {done} and judged acceptable by {who}. ",
    "The {other} takes up the sample, and the {part} shows the result to {who}. ",
    "Acceptance criteria for {topic} were set in advance and met. ",
    "In a study with {who} the {part} was {done} without further training. ",
    "Both devices have a {part}, and in both the {other} is {done} in the same way. ",
    "The {part} is intended for use by {who} and not for use {where}. ",
    "Substances that might interfere with {topic} were {done} one after the other. ",
    "The {other} is discarded after use, while the {part} is {done} again. ",
    "Questions of {topic} that came up during development were {done} by {who}. ",
];
const PARTS: &[&str] = &[
    "reagent pack",
    "sample cup",
    "optical reader",
    "calibrator set",
    "control solution",
    "test cartridge",
    "wash buffer",
    "pipette tip",
    "incubation chamber",
    "display unit",
    "waste container",
    "software module",
    "heating block",
    "bar code reader",
    "power supply",
    "sample tray",
];
const STATES: &[&str] =
    &["ready for use", "freeze-dried", "in single pouches", "sterile", "without additives", "assembled"];
const WHERE: &[&str] = &[
    "at room temperature",
    "in the refrigerator",
    "away from light",
    "in a dry place",
    "at the bedside",
    "in the original package",
    "in the central laboratory",
];
const WHO: &[&str] = &[
    "trained operators",
    "laboratory staff",
    "nurses",
    "independent reviewers",
    "lay users",
    "the quality unit",
    "service engineers",
    "physicians",
];
const DONE: &[&str] = &[
    "evaluated",
    "cleaned",
    "redesigned",
    "tested",
    "documented",
    "recorded",
    "examined",
    "repeated",
    "verified",
    "assessed",
];
const TOPICS: &[&str] = &[
    "precision",
    "carry-over",
    "electrical safety",
    "shelf life",
    "biocompatibility",
    "transport",
    "usability",
    "cross-reactivity",
    "software validation",
    "recovery",
    "accuracy near the cut-off",
    "stability after opening",
    "electromagnetic compatibility",
    "lot-to-lot agreement",
];

/// Filler that follows from a seed.
pub(super) struct Filler {
    random: Random,
    made: Vec<String>,
}

impl Filler {
    /// Nothing said yet.
    pub(super) const fn new(random: Random) -> Self {
        Self { random, made: Vec::new() }
    }

    /// The first `count` sentences, each with the blank behind it; the same ones whenever it is called.
    pub(super) fn take(&mut self, count: usize) -> &[String] {
        while self.made.len() < count {
            let random = &mut self.random;
            let parts = random.some_of(PARTS, 2);
            let template = random.one_of(TEMPLATES);
            let sentence = [
                ("{part}", parts.first().copied().unwrap_or("")),
                ("{other}", parts.get(1).copied().unwrap_or("")),
                ("{state}", random.one_of(STATES)),
                ("{where}", random.one_of(WHERE)),
                ("{who}", random.one_of(WHO)),
                ("{done}", random.one_of(DONE)),
                ("{topic}", random.one_of(TOPICS)),
            ]
            .iter()
            .fold(template.to_owned(), |sentence, (slot, word)| sentence.replace(slot, word));
            self.made.push(sentence);
        }
        self.made.get(..count).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filler_holds_no_value_and_seldom_repeats() {
        let mut filler = Filler::new(Random::new(3));
        let made = filler.take(400).to_vec();
        assert_eq!(filler.take(7), &made[..7]);
        let different: std::collections::BTreeSet<&String> = made.iter().collect();
        assert!(different.len() > 350, "{}", different.len());
        for sentence in &made {
            assert!(sentence.ends_with(". ") && !sentence.contains(['{', '}']), "{sentence}");
            assert!(!sentence.contains(|c: char| c.is_ascii_digit()), "{sentence}");
        }
    }
}
