//! Ordered events: which of two things that a text tells happened first in it.

use super::hay::{Haystack, insert};
use super::make::{ANY, Declared, ask, example, fill};
use super::prose;
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Asks which of two events a text tells first.
#[derive(Clone, Copy, Debug)]
pub struct OrderedEvents;

const INFO: TaskInfo = Declared {
    id: "ordered-events",
    title: "Which of two events a text tells first.",
    paper: "After Pink et al., Assessing Episodic Memory in LLMs with Sequence Order Recall Tasks, 2024",
    parameters: &[counted(
        "events",
        "how many events are told, two of which are asked about",
        "events",
        6,
        (2, 100),
    )],
    invariants: &["A program that reads the text gives the order", "Half of an even number of answers is A"],
    description: "Sentences about one stranger stand in prose; the question names two of them as A and B. \
                  Both are told, so finding them is not enough. With a depth, the earlier one stands there; \
                  the label `distance` says in quarters how much of the text lies between them. Right is an \
                  answer whose first single letter is that of the earlier event; half is chance. Small \
                  models tend to one letter, therefore both are the answer equally often in each cell.",
    diffusion: Level::Medium,
    scope: Level::Low,
    metric: "accuracy",
}
.info();

const HEAD: &str = "Read the text below. A question about the order of its events follows.\n\n";

fn event(deed: &str) -> String {
    format!("The stranger {deed}. ")
}

impl Task for OrderedEvents {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let haystack = Haystack::of(request)?;
        let count = request.values.size("events").max(2);
        fill(request, INFO.method.id, (1, ANY), |cell, mut random| {
            let mut deeds: Vec<String> = Vec::new();
            while deeds.len() < count {
                let deed = prose::deed(&mut random);
                // No deed that is the beginning of another.
                if !deeds.iter().any(|other| other.starts_with(&deed) || deed.starts_with(other.as_str())) {
                    deeds.push(deed);
                }
            }
            let first = cell.depth.unwrap_or_else(|| 0.9 * random.unit());
            let second = first + (1.0 - first) * (0.05 + 0.95 * random.unit());
            let shares: Vec<f64> =
                [first, second].into_iter().chain((2..count).map(|_| random.unit())).collect();
            let cells = format!("{}/{}/{:?}", INFO.method.id, cell.length, cell.depth);
            let first_is_a = (cell.number % 2 == 0) == (request.random(&cells).unit() < 0.5);
            let mut hay = haystack.begin(random);
            Ok(move |units: usize| {
                let hidden: Vec<(f64, String)> =
                    shares.iter().copied().zip(deeds.iter().map(|deed| event(deed))).collect();
                let context = format!("{HEAD}{}", insert(hay.take(units), &hidden));
                let earlier = deeds.first().map_or("", String::as_str);
                let later = deeds.get(1).map_or("", String::as_str);
                let (a, b) = if first_is_a { (earlier, later) } else { (later, earlier) };
                let question = format!(
                    "\n\nWhich of these does the text tell first?\nA: The stranger {a}.\nB: The stranger \
                     {b}.\nAnswer with A or B."
                );
                let gold = if first_is_a { "A" } else { "B" };
                let turn = Turn {
                    choices: vec!["A".to_owned(), "B".to_owned()],
                    ..ask(question, "Answer:".to_owned(), vec![gold.to_owned()], 8, Some(first))
                };
                let mut example = example(INFO.method.id, cell, context, vec![turn]);
                let quarter = ((second - first) * 4.0).floor().clamp(0.0, 3.0);
                example.labels.insert("distance".to_owned(), format!("{}", quarter / 4.0));
                Ok(example)
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let letter = answer
            .split(|character: char| !character.is_alphanumeric())
            .find(|word| ["A", "B"].contains(word));
        Score::right(letter.is_some() && letter == turn.gold.first().map(String::as_str))
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let question = &example.turns.first()?.question;
        let told = |letter: &str| {
            let line = question.lines().find_map(|line| line.strip_prefix(letter))?;
            example.context.find(line)
        };
        Some(vec![if told("A: ")? < told("B: ")? { "A" } else { "B" }.to_owned()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Words;

    #[test]
    fn both_letters_are_the_answer_equally_often() {
        let values = crate::registry::parse("ordered-events").unwrap().1;
        let request =
            Request { lengths: &[500, 800], depths: &[0.0, 1.0], n: 8, ..Request::new(&values, &Words) };
        let made = OrderedEvents.examples(&request).unwrap();
        for (length, depth) in [(500, 0.0), (800, 1.0)] {
            let of_cell =
                made.iter().filter(|made| made.length == length && made.turns[0].depth == Some(depth));
            assert_eq!(of_cell.filter(|made| made.turns[0].gold[0] == "A").count(), 4);
        }
    }

    #[test]
    fn the_first_single_letter_counts() {
        let turn = Turn { gold: vec!["B".to_owned()], ..Turn::default() };
        assert_eq!(OrderedEvents.score(&turn, "**B**, not A").score, 1.0);
        assert_eq!(OrderedEvents.score(&turn, "A").score, 0.0);
        assert_eq!(OrderedEvents.score(&turn, "Both").score, 0.0);
    }
}
