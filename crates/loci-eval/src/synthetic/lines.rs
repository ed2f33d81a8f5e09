//! Line retrieval: many lines that each name a number, one asked.

use loci_context::random::Random;

use super::draw::{Form, Fresh, between};
use super::make::{ANY, CHOICES, Declared, QUESTIONS, ask, choices, depths, example, fill};
use super::pairs::index_at;
use crate::declare::choice;
use crate::error::EvalError;
use crate::example::{Example, Turn, Wrap};
use crate::metrics::numbers;
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Asks for the number of one line among many.
#[derive(Clone, Copy, Debug)]
pub struct Lines;

const INFO: TaskInfo = Declared {
    id: "lines",
    title: "The number of one line among many alike.",
    paper: "Li et al., How Long Can Open-Source LLMs Truly Promise on Context Length? (LongChat), 2023",
    parameters: &[
        QUESTIONS,
        choice(
            "form",
            "what is asked: a question, or that the model goes on with the line, written again behind the text without a chat template",
            "question",
            &["question", "line"],
        ),
    ],
    invariants: &["A program that reads the text names the number", "No line's name occurs twice"],
    description: "Each line has a name of two words and a number from 1 to 50,000. Right is an answer whose \
                  last whole number is that of the line asked for; `first` looks at the first number \
                  instead, as Giraffe does (Pal et al. 2023). Names have no digits. With --choose the likeliest of \
                  ten numbers is taken, those of other lines with as many digits: small models that can say none \
                  may still know it when they see it, and with form=line they do in texts that are not too long.",
    diffusion: Level::Low,
    scope: Level::Low,
    metric: "accuracy",
}
.info();

const HEAD: &str = "Below is a record of lines. Each has a name and, as its REGISTER_CONTENT, a number. \
                    Remember the numbers: I will ask for one of them by the name of its line.\n\n";

/// Asks for a line of `lines`, at a share of them.
fn turn(lines: &[(String, u64)], share: f64, again: bool, order: &mut Random) -> Turn {
    let asked = index_at(share, lines.len());
    let (name, number) = lines.get(asked).cloned().unwrap_or_default();
    let answer = |number: &u64| format!("{number}>");
    let others = || lines.iter().map(|(_, other)| other).filter(|other| **other != number);
    // A short number is likelier than a long one, whichever stands in the text.
    let mut rivals: Vec<u64> =
        others().filter(|other| other.checked_ilog10() == number.checked_ilog10()).copied().collect();
    if rivals.len() < CHOICES - 1 {
        rivals = others().copied().collect();
    }
    let (question, start) = match again {
        true => ("\nAgain:\n".to_owned(), beginning(&name)),
        false => (
            format!("\nWhat is the <REGISTER_CONTENT> in line {name}? Answer with the number."),
            format!("The <REGISTER_CONTENT> in line {name} is <"),
        ),
    };
    Turn {
        stop: vec!["\nline".to_owned()],
        choices: choices(answer(&number), rivals.iter().map(answer).collect(), order),
        ..ask(question, start, vec![number.to_string()], 12, Some(share))
    }
}

/// How a line begins.
fn beginning(name: &str) -> String {
    format!("line {name}: REGISTER_CONTENT is <")
}

impl Task for Lines {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        fill(request, INFO.method.id, (2, ANY), |cell, mut random| {
            let asked = depths(cell, request.values.size("questions"), &mut random);
            let again = request.values.word("form") == "line";
            let order = random.clone();
            let (mut fresh, mut made) = (Fresh::new(), Vec::new());
            Ok(move |count| {
                while made.len() < count {
                    made.push((fresh.draw(&mut random, Form::Words), between(&mut random, 1, 50_000)));
                }
                let mut context = HEAD.to_owned();
                for (name, number) in made.iter().take(count) {
                    context.push_str(&format!("{}{number}>\n", beginning(name)));
                }
                let (lines, mut order) = (made.get(..count).unwrap_or(&[]), order.clone());
                let turns = asked.iter().map(|share| turn(lines, *share, again, &mut order));
                let wrap = if again { Wrap::Plain } else { Wrap::Chat };
                Ok(Example { wrap, ..example(INFO.method.id, cell, context, turns.collect()) })
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let (given, gold) = (numbers(answer), turn.gold.first().map(String::as_str));
        Score::right(gold.is_some() && given.last().copied() == gold)
            .and("first", f64::from(u8::from(gold.is_some() && given.first().copied() == gold)))
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let answer = |turn: &Turn| {
            let start = match turn.question.split_once("in line ") {
                Some((_, name)) => beginning(name.split_once('?')?.0),
                None => turn.answer_start.clone(),
            };
            let (_, behind) = example.context.split_once(&start)?;
            Some(behind.split_once('>')?.0.to_owned())
        };
        example.turns.iter().map(answer).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::sizes::Words;

    #[test]
    fn what_is_chosen_among_stands_in_the_text() {
        for (spec, wrap) in [("lines:questions=3", Wrap::Chat), ("lines:questions=3,form=line", Wrap::Plain)]
        {
            let values = crate::registry::parse(spec).unwrap().1;
            let request = Request { lengths: &[900], ..Request::new(&values, &Words) };
            let made = Lines.examples(&request).unwrap().remove(0);
            assert_eq!(made.wrap, wrap);
            let read = Lines.read(&made).unwrap();
            for (turn, read) in made.turns.iter().zip(&read) {
                assert_eq!(turn.gold, [read.as_str()]);
                let gold = format!("{read}>");
                assert!(
                    wrap == Wrap::Chat || made.context.contains(&format!("\n{}{gold}\n", turn.answer_start))
                );
                assert_eq!(turn.choices.len(), CHOICES);
                assert_eq!(turn.choices.iter().filter(|choice| **choice == gold).count(), 1);
                assert!(turn.choices.iter().all(|choice| made.context.contains(&format!("<{choice}"))));
                assert!(turn.choices.iter().all(|choice| choice.len() == gold.len() || gold.len() < 6));
            }
            assert_ne!(made.turns[0].choices, made.turns[1].choices);
        }
    }

    #[test]
    fn the_last_number_counts_and_only_as_a_whole() {
        let turn = Turn { gold: vec!["12".to_owned()], ..Turn::default() };
        assert_eq!(Lines.score(&turn, "line 7 has <12>").score, 1.0);
        assert_eq!(Lines.score(&turn, "12, or 120").score, 0.0);
        assert_eq!(Lines.score(&turn, "12, or 120").also["first"], 1.0);
        assert_eq!(Lines.score(&turn, "").score, 0.0);
    }
}
