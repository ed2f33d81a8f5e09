//! Extraction: the fields of a device summary, one question each.

mod fields;
mod filler;

use loci_context::random::Random;

use self::fields::{FIELDS, Field};
use self::filler::Filler;
use super::draw::{Fresh, shuffled};
use super::hay::{Haystack, insert};
use super::make::{ANY, Declared, ask, example, fill};
use super::scores::contained;
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::metrics::f1::f1;
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Asks for the fields of a device summary.
#[derive(Clone, Copy, Debug)]
pub struct Extraction;

const INFO: TaskInfo = Declared {
    id: "extraction",
    title: "The fields of a device summary, stated in prose, one question each.",
    paper: "Arora et al., Just Read Twice: Closing the Recall Gap for Recurrent Language Models, 2024 (FDA); Arora et al., \
            Language Models Enable Simple Systems for Generating Structured Views of Heterogeneous Data Lakes, 2023",
    parameters: &[counted(
        "questions",
        "fields that are asked for, drawn anew for each text; with depths given, one, whose sentence stands at the depth",
        "questions",
        14,
        (1, 14),
    )],
    invariants: &[
        "A program that reads the text names every field",
        "No two fields of a text have one value",
        "No sentence but its own states a field",
    ],
    description: "Texts of our own in the manner of the summaries that come with notifications of medical devices (FDA 510(k), \
                  which the published task takes fields from): fourteen fields, among them two devices and two K-numbers, each \
                  stated once in one of three ways, in an order that is drawn, among sentences that state none. Right is an \
                  answer that contains the value, as published; `whole` wants it as whole words, `f1` is F1 of words. An \
                  answer ends at a line break or after 48 tokens. The same text is given whatever the method, so that reading \
                  strategies can be compared that repeat it.",
    diffusion: Level::LowMedium,
    scope: Level::Low,
    metric: "value contained",
}
.info();

const HEAD: &str = "Below is the summary of a notification for a medical device. Answer the question from it, in its words.\n\n\
                    Summary of safety and effectiveness\n";

/// A field as one text states it.
struct Stated {
    field: &'static Field,
    value: String,
    sentence: String,
    /// Share of the text before it.
    share: f64,
}

/// All fields at evenly spaced places in an order that is drawn, the first of the result at `depth` if there is one.
fn stated(depth: Option<f64>, random: &mut Random) -> Vec<Stated> {
    let mut fresh = Fresh::new();
    let order: Vec<&'static Field> = shuffled(random, &FIELDS.iter().collect::<Vec<_>>());
    let places = shuffled(random, &(0..order.len()).collect::<Vec<_>>());
    let count = order.len() as f64;
    order
        .into_iter()
        .zip(places)
        .enumerate()
        .map(|(at, (field, place))| {
            let value = field.value(random, &mut fresh);
            let (before, behind) = random
                .below(field.said.len())
                .and_then(|way| field.said.get(way))
                .copied()
                .unwrap_or(("", ""));
            let evenly = (place as f64 + 0.5) / count;
            let share = depth.filter(|_| at == 0).unwrap_or(evenly);
            Stated { field, sentence: format!("{before}{value}{behind}"), value, share }
        })
        .collect()
}

impl Task for Extraction {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let id = INFO.method.id;
        let questions = request.values.size("questions");
        // What is hidden in the user's own text stands between its sentences.
        let haystack = request.haystack.map(|_| Haystack::of(request)).transpose()?;
        fill(request, id, (0, ANY), |cell, mut random| {
            let stated = stated(cell.depth, &mut random);
            let asked = if cell.depth.is_some() { 1 } else { questions };
            let turns: Vec<Turn> = stated.iter().take(asked).map(turn).collect();
            let hidden: Vec<(f64, String)> =
                stated.iter().map(|one| (one.share, one.sentence.clone())).collect();
            let mut filler = Filler::new(random.clone());
            let mut hay = haystack.as_ref().map(|haystack| haystack.begin(random));
            Ok(move |units: usize| {
                let between = match &mut hay {
                    Some(hay) => hay.take(units),
                    None => filler.take(units),
                };
                let text = insert(between, &hidden);
                Ok(example(id, cell, format!("{HEAD}{}", text.trim_end()), turns.clone()))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let gold = turn.gold.first().map_or("", String::as_str);
        contained(&turn.gold, answer).and("f1", f1(answer, gold))
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        example.turns.iter().map(|turn| read(&example.context, &turn.question)).collect()
    }
}

fn turn(stated: &Stated) -> Turn {
    Turn {
        stop: vec!["\n".to_owned()],
        ..ask(
            format!("\n\nWhat is the {} of the device?\n", stated.field.asked),
            "Answer:".to_owned(),
            vec![stated.value.clone()],
            48,
            Some(stated.share),
        )
    }
}

/// The value that a text states of the field in a question.
fn read(text: &str, question: &str) -> Option<String> {
    let asked = question.split_once("What is the ")?.1.rsplit_once(" of the device?")?.0;
    let field = FIELDS.iter().find(|field| field.asked == asked)?;
    // The last sentence has lost its blank.
    let text = format!("{text} ");
    field.said.iter().find_map(|(before, behind)| {
        let rest = text.split_once(before)?.1;
        Some(rest.split_once(behind)?.0.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::tests::solved;
    use super::*;
    use crate::registry::parse;
    use crate::sizes::Words;

    fn made(spec: &str, lengths: &[usize], depths: &[f64], seed: u64) -> Vec<Example> {
        let (task, values) = parse(spec).unwrap();
        let request = Request { lengths, depths, n: 2, seed, ..Request::new(&values, &Words) };
        task.examples(&request).unwrap()
    }

    #[test]
    fn any_number_of_fields_is_solved() {
        solved("extraction:questions=1", &[300, 900]);
        solved("extraction:questions=9", &[300, 900]);
    }

    #[test]
    fn every_field_is_stated_once_and_no_value_twice() {
        for seed in 0..40 {
            for example in made("extraction", &[280, 1200], &[], seed) {
                let text = &example.context;
                assert_eq!(example.turns.len(), FIELDS.len());
                let values: BTreeSet<&String> = example.turns.iter().map(|turn| &turn.gold[0]).collect();
                assert_eq!(values.len(), FIELDS.len());
                for field in FIELDS {
                    let stated: usize =
                        field.said.iter().map(|(before, _)| text.matches(before).count()).sum();
                    assert_eq!(stated, 1, "{}: {text}", field.asked);
                }
                for value in values {
                    assert_eq!(text.matches(value.as_str()).count(), 1, "{value}: {text}");
                }
            }
        }
    }

    #[test]
    fn the_field_that_is_asked_for_stands_at_its_depth() {
        for depth in [0.0, 0.3, 1.0] {
            for example in made("extraction", &[3000], &[depth], 5) {
                let (question, gold) = (&example.turns[0], &example.turns[0].gold[0]);
                let share = example.context.find(gold).unwrap() as f64 / example.context.len() as f64;
                assert!((share - depth).abs() < 0.04, "{share} for {depth}");
                assert_eq!((example.turns.len(), question.depth), (1, Some(depth)));
            }
        }
    }

    #[test]
    fn another_value_of_the_same_text_is_wrong() {
        for example in made("extraction", &[400], &[], 11) {
            for (at, turn) in example.turns.iter().enumerate() {
                for (other, of_another) in example.turns.iter().enumerate() {
                    let score = Extraction.score(turn, &of_another.gold[0]).score;
                    assert_eq!(score, if at == other { 1.0 } else { 0.0 }, "{turn:?} {of_another:?}");
                }
            }
        }
        let turn = Turn { gold: vec!["K123456".to_owned()], ..Turn::default() };
        assert_eq!(Extraction.score(&turn, "It was filed as k123456.").score, 1.0);
        assert_eq!(Extraction.score(&turn, "K1234567").also["whole"], 0.0);
    }
}
