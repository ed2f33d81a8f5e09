//! Key-value retrieval: a JSON object of random pairs, one key asked.

use super::draw::Form;
use super::key_lines::{lines, read};
use super::make::{ANY, Declared, QUESTIONS, ask, example, fill};
use super::pairs::{Pairs, index_at, json, quoted, read_json};
use super::scores::contained;
use crate::declare::{choice, counted};
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::metrics::numbers;
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Asks for the value of one key among many.
#[derive(Clone, Copy, Debug)]
pub struct KeyValue;

pub(super) const INFO: TaskInfo = Declared {
    id: "key-value",
    title: "One value out of many random pairs.",
    paper: "Liu et al., Lost in the Middle: How Language Models Use Long Contexts, 2023",
    parameters: &[
        choice(
            "kind",
            "what keys and values are: UUIDs, adjective-noun pairs, or numbers of six digits",
            "uuid",
            &["uuid", "words", "numbers"],
        ),
        choice(
            "form",
            "how pairs stand: a JSON object, or lines (misty canyon: 4821) whose values are numbers of four digits",
            "json",
            &["json", "lines"],
        ),
        counted(
            "shots",
            "lines repeated behind the text before the one asked for; of interest with form=lines",
            "lines",
            5,
            (0, 50),
        ),
        counted(
            "pairs",
            "lines that stand in prose; 0: the text is nothing but lines; of interest with form=lines",
            "lines",
            0,
            (0, 100_000),
        ),
        QUESTIONS,
    ],
    invariants: &["A program that reads the text names the value", "No key or value occurs twice"],
    description: "A JSON object, one pair a line; the answer is begun with the key as it stands in the \
                  object, so that a small base model can go on by copying. Right is an answer that contains \
                  the value; `whole` wants it as a whole word or number, `first` as the first one. Every \
                  pair is like every other: nothing but the key says which is asked.",
    diffusion: Level::Low,
    scope: Level::Low,
    metric: "accuracy",
}
.info();

const HEAD: &str = "Below is a JSON object with random keys and values.\n\n";

impl Task for KeyValue {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let (form, max_tokens) = match request.values.word("kind") {
            "words" => (Form::Words, 12),
            "numbers" => (Form::Number(6), 12),
            _ => (Form::Uuid, 48),
        };
        if request.values.word("form") == "lines" {
            return lines(request, form);
        }
        fill(request, INFO.method.id, (2, ANY), |cell, mut random| {
            let share = cell.depth.unwrap_or_else(|| random.unit());
            let mut pairs = Pairs::new(random, form, form);
            Ok(move |count| {
                let pairs = pairs.take(count);
                let (key, value) = pairs.get(index_at(share, count)).cloned().unwrap_or_default();
                let turn = Turn {
                    stop: vec!["\",".to_owned()],
                    ..ask(
                        format!("\n\nWhat is the value of the key \"{key}\" in this JSON object?"),
                        format!("\"{key}\": \""),
                        vec![value],
                        max_tokens,
                        Some(share),
                    )
                };
                Ok(example(INFO.method.id, cell, format!("{HEAD}{}", json(pairs)), vec![turn]))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let gold = turn.gold.first().map_or("", String::as_str);
        let first = if gold.chars().all(|character| character.is_ascii_digit()) {
            numbers(answer).first() == Some(&gold)
        } else {
            answer.trim_start_matches(|character: char| !character.is_alphanumeric()).starts_with(gold)
        };
        contained(&turn.gold, answer).and("first", f64::from(u8::from(first)))
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let turn = example.turns.first()?;
        if let Some(key) = turn.answer_start.strip_suffix(':') {
            let keys = example.turns.iter().map(|turn| turn.answer_start.strip_suffix(':').unwrap_or(key));
            return keys.map(|key| read(&example.context, key)).collect();
        }
        let key = quoted(&turn.question)?;
        let (_, value) = read_json(&example.context).into_iter().find(|(other, _)| *other == key)?;
        Some(vec![value.to_owned()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Words;

    #[test]
    fn the_depth_is_a_pair_and_a_longer_number_is_not_whole() {
        let values = crate::registry::parse("key-value:kind=numbers").unwrap().1;
        let request = Request { lengths: &[400], depths: &[0.0, 0.5, 1.0], ..Request::new(&values, &Words) };
        for made in KeyValue.examples(&request).unwrap() {
            let pairs = read_json(&made.context);
            let at = pairs.iter().position(|(_, value)| *value == made.turns[0].gold[0]).unwrap();
            assert_eq!(at, index_at(made.turns[0].depth.unwrap(), pairs.len()));
            let longer = KeyValue.score(&made.turns[0], &format!("{}0", made.turns[0].gold[0]));
            assert_eq!((longer.score, longer.also["whole"], longer.also["first"]), (1.0, 0.0, 0.0));
        }
    }
}
