//! Variable tracking: names that are given a value through other names.

use loci_context::random::Random;

use super::super::draw::{Form, Fresh, number, places};
use super::super::make::{ANY, Declared, ask, example, fill};
use super::{NOISE, PAPER, all_contained};
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Asks for all names that have a value in the end.
#[derive(Clone, Copy, Debug)]
pub struct VariableTracking;

const INFO: TaskInfo = Declared {
    id: "vt",
    title: "All variables that have one value, each set from another.",
    paper: PAPER,
    parameters: &[
        counted(
            "chains",
            "how many chains of assignments there are; one is asked about",
            "chains",
            1,
            (1, 20),
        ),
        counted("hops", "assignments from one variable to the next in each chain", "assignments", 4, (1, 30)),
    ],
    invariants: &[
        "A program that follows the assignments names the variables",
        "Lines of a chain stay in their order",
    ],
    description: "Lines `VAR A = 12345`, `VAR B = VAR A` stand at random places in one line of filler that \
                  is said again and again; the question names the value. A solved example with shorter \
                  names stands in front, as long as an eighth of the text and at most about 500 tokens. The \
                  score is the share of names that the answer contains, `whole` wants them as whole words. \
                  With a depth, chains begin there and go on to the end.",
    diffusion: Level::MediumHigh,
    scope: Level::LowMedium,
    metric: "names found",
}
.info();

const HEAD: &str = "Remember the chain of variable assignments that is hidden in the following text.\n\n";

/// A value and the names that have it, in the order of their lines.
#[derive(Clone, Debug)]
struct Chain {
    value: u64,
    names: Vec<String>,
}

impl Chain {
    fn draw(random: &mut Random, fresh: &mut Fresh, hops: usize, letters: usize) -> Self {
        let value = loop {
            let value = number(random, 5);
            if fresh.take(&value.to_string()) {
                break value;
            }
        };
        let names = (0..=hops).map(|_| fresh.draw(random, Form::Capitals(letters))).collect();
        Self { value, names }
    }

    fn line(&self, at: usize) -> String {
        let name = self.names.get(at).map_or("", String::as_str);
        match at.checked_sub(1).and_then(|before| self.names.get(before)) {
            Some(before) => format!("VAR {name} = VAR {before}\n"),
            None => format!("VAR {name} = {}\n", self.value),
        }
    }

    fn question(&self) -> String {
        format!("\nFind all variables that are assigned the value {} in the text above.\n", self.value)
    }

    fn answer_start(&self) -> String {
        format!("By the assignments, {} variables have the value {}. They are:", self.names.len(), self.value)
    }
}

/// Filler with the chains' lines at random places, those of each chain in order.
fn text(chains: &[Chain], random: &mut Random, filler: usize, depth: f64) -> String {
    let lines: usize = chains.iter().map(|chain| chain.names.len()).sum();
    let all = filler + lines;
    let first = (depth.clamp(0.0, 1.0) * filler as f64) as usize;
    let places = places(random, lines, all - first).into_iter().map(|place| place + first);
    // Which chain goes on at each place is drawn among those that have lines left.
    let mut said = vec![0; chains.len()];
    let mut text = String::new();
    let mut next = places.peekable();
    for line in 0..all {
        if next.next_if_eq(&line).is_none() {
            text.push_str(NOISE);
            continue;
        }
        let left: Vec<f32> =
            chains.iter().zip(&said).map(|(chain, said)| (chain.names.len() - said) as f32).collect();
        let which = random.weighted(&left).unwrap_or(0);
        if let (Some(chain), Some(said)) = (chains.get(which), said.get_mut(which)) {
            text.push_str(&chain.line(*said));
            *said += 1;
        }
    }
    text
}

impl Task for VariableTracking {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let (count, hops) = (request.values.size("chains").max(1), request.values.size("hops").max(1));
        let noise = request.tokens.count(NOISE)?.max(1);
        fill(request, INFO.method.id, (0, ANY), |cell, mut random| {
            let mut fresh = Fresh::new();
            let shown: Vec<Chain> =
                (0..count).map(|_| Chain::draw(&mut random, &mut fresh, hops, 3)).collect();
            let chains: Vec<Chain> =
                (0..count).map(|_| Chain::draw(&mut random, &mut fresh, hops, 5)).collect();
            let filler = (cell.length / 8).min(500) / noise;
            let mut solved = format!("{HEAD}{}", text(&shown, &mut random, filler.saturating_sub(2), 0.0));
            if let Some(chain) = shown.first() {
                solved.push_str(&format!(
                    "{}{} {}\n\n",
                    chain.question(),
                    chain.answer_start(),
                    chain.names.join(" ")
                ));
            }
            Ok(move |filler| {
                let mut random = random.clone();
                let body = text(&chains, &mut random, filler, cell.depth.unwrap_or(0.0));
                let turns = chains
                    .first()
                    .map(|chain| {
                        ask(
                            chain.question(),
                            chain.answer_start(),
                            chain.names.clone(),
                            6 * chain.names.len(),
                            cell.depth,
                        )
                    })
                    .into_iter()
                    .collect();
                Ok(example(INFO.method.id, cell, format!("{solved}{HEAD}{body}"), turns))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        all_contained(turn, answer)
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let (_, text) = example.context.rsplit_once(HEAD)?;
        let (_, value) = example.turns.first()?.question.split_once("the value ")?;
        let mut names: Vec<&str> = Vec::new();
        for line in text.lines() {
            let Some((name, from)) = line.strip_prefix("VAR ").and_then(|line| line.split_once(" = ")) else {
                continue;
            };
            let has = match from.strip_prefix("VAR ") {
                Some(other) => names.contains(&other),
                None => value.split_whitespace().next() == Some(from),
            };
            if has {
                names.push(name);
            }
        }
        Some(vec![names.join(" ")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Words;

    #[test]
    fn several_chains_do_not_mix() {
        let values = crate::registry::parse("vt:chains=4,hops=6").unwrap().1;
        let request = Request { lengths: &[600, 2000], n: 3, ..Request::new(&values, &Words) };
        for made in VariableTracking.examples(&request).unwrap() {
            let read = VariableTracking.read(&made).unwrap();
            assert_eq!(read[0].split(' ').count(), 7);
            assert_eq!(VariableTracking.score(&made.turns[0], &read[0]).score, 1.0);
            assert_eq!(made.context.matches("VAR ").count(), 2 * 4 * (7 + 6));
        }
    }

    #[test]
    fn with_a_depth_nothing_stands_before_it() {
        let values = crate::registry::parse("vt").unwrap().1;
        let request = Request { lengths: &[3000], depths: &[0.5], ..Request::new(&values, &Words) };
        let made = VariableTracking.examples(&request).unwrap().remove(0);
        let (_, text) = made.context.rsplit_once(HEAD).unwrap();
        assert!(text.find("VAR").unwrap() * 10 > text.len() * 4);
    }
}
