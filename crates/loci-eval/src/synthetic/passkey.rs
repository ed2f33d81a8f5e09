//! Pass key: one line with a number, hidden in filler that says nothing.

use super::make::{ANY, Declared, fill};
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn, Wrap};
use crate::metrics::numbers;
use crate::task::{Cell, Level, Request, Score, Task, TaskInfo};

/// Hides a number in filler and asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Passkey;

pub(super) const INFO: TaskInfo = Declared {
    id: "passkey",
    title: "One number hidden in filler is found again.",
    paper: "Mohtashami and Jaggi, Landmark Attention: Random-Access Infinite Context Length for Transformers, 2023",
    parameters: &[counted(
        "digits",
        "digits of the key; 0 draws a number from 1 to 50,000 as the paper does",
        "digits",
        5,
        (0, 12),
    )],
    invariants: &["A program that reads the text names the key"],
    description: "Five short sentences are repeated and cut by characters; one line says a number twice. Right is an \
                  answer whose first number is the key. The filler is periodic and the key is the only thing of its \
                  kind: success shows that a text is read at all, no more.",
    diffusion: Level::Low,
    scope: Level::Low,
    metric: "accuracy",
}
.info();

const HEAD: &str = "There is important information hidden inside a lot of irrelevant text. Find it and memorize it. I will \
                    quiz you about the important information there.\n";
const FILLER: &str =
    "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. ";
const QUESTION: &str = "\nWhat is the pass key? ";

/// The first `characters` of the filler, repeated.
fn filler(characters: usize) -> String {
    FILLER.chars().cycle().take(characters).collect()
}

fn example(cell: Cell, key: &str, share: f64, characters: usize) -> Example {
    let before = (characters as f64 * share).round() as usize;
    let context = format!(
        "{HEAD}{}\nThe pass key is {key}. Remember it. {key} is the pass key.\n{}",
        filler(before),
        filler(characters - before.min(characters)),
    );
    Example {
        id: cell.id(INFO.method.id),
        context,
        turns: vec![Turn {
            question: QUESTION.to_owned(),
            answer_start: "The pass key is".to_owned(),
            gold: vec![key.to_owned()],
            max_tokens: 16,
            depth: Some(share),
            ..Turn::default()
        }],
        length: cell.length,
        // As published: the text is gone on with. A chat template makes small models explain what a pass key is.
        wrap: Wrap::Plain,
        ..Example::default()
    }
}

impl Task for Passkey {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let digits = request.values.size("digits") as u32;
        fill(request, INFO.method.id, (0, ANY), |cell, mut random| {
            let (low, high) =
                if digits == 0 { (1, 50_001) } else { (10_u64.pow(digits - 1), 10_u64.pow(digits)) };
            let key = (low + (random.unit() * (high - low) as f64) as u64).to_string();
            let share = cell.depth.unwrap_or_else(|| random.unit());
            Ok(move |characters| Ok(example(cell, &key, share, characters)))
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let given = numbers(answer);
        let key = turn.gold.first().map_or("", String::as_str);
        Score::right(given.first().is_some_and(|first| *first == key))
            .and("somewhere", f64::from(u8::from(given.contains(&key))))
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let (_, behind) = example.context.split_once("The pass key is ")?;
        Some(vec![behind.split_once('.')?.0.to_owned()])
    }
}
