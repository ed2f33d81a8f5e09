//! Multi-query associative recall: pairs of symbols, then keys whose values are wanted again.

use loci_context::random::Random;
use loci_models::method::{Domain, Parameter, Value};

use super::draw::{between, places, shuffled};
use super::make::{ANY, Declared, ask, example, fill};
use crate::declare::{choice, counted};
use crate::error::EvalError;
use crate::example::{Example, Sequence, Turn};
use crate::metrics::numbers;
use crate::task::{Cell, Level, Request, Score, Task, TaskInfo};

/// Asks for the values of several keys.
#[derive(Clone, Copy, Debug)]
pub struct Mqar;

const INFO: TaskInfo = Declared {
    id: "mqar",
    title: "Values of several keys, as token ids for trained models or as lines.",
    paper: "Arora et al., Zoology: Measuring and Improving Recall in Efficient Language Models, 2023",
    parameters: &[
        choice(
            "as",
            "lines of numbers for language models, or a sequence of token ids",
            "text",
            &["text", "tokens"],
        ),
        counted("pairs", "pairs of key and value", "pairs", 4, (1, 100_000)),
        counted("passes", "how often all pairs are given before keys are asked", "times", 1, (1, 10)),
        counted(
            "vocabulary",
            "token ids; keys are the lower half, values the upper",
            "ids",
            8192,
            (16, 1_000_000),
        ),
        counted("queries", "of lines: how many keys are asked", "keys", 4, (1, 64)),
        Parameter {
            name: "alpha",
            meaning: "of ids: how near to the pairs keys are asked; place g is as likely as g^(alpha-1)",
            unit: "",
            default: Value::Number(0.01),
            domain: Domain::Numbers(0.001, 10.0),
        },
    ],
    invariants: &[
        "A program that reads the text names every value",
        "Only places of keys that were given count",
    ],
    description: "As tokens: the pairs one after the other, then places of two tokens of which one for each \
                  pair holds its key, all other tokens being random; right is the value behind the key. The \
                  score is the share of keys whose value is right. The text shows the ids as numbers. As \
                  lines: the pairs as `key -> value`, then lines of numbers that mean nothing until the \
                  length is filled, and questions asked apart.",
    diffusion: Level::Low,
    scope: Level::LowMedium,
    metric: "values right",
}
.info();

const HEAD: &str = "Below, an arrow leads from each of some numbers to another number.\n\n";

/// Pairs of ids, and more random ids.
struct Drawn {
    keys: Vec<u32>,
    values: Vec<u32>,
    vocabulary: u32,
    passes: usize,
    random: Random,
}

impl Drawn {
    fn pairs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.keys.iter().copied().zip(self.values.iter().copied())
    }

    fn any(&self, random: &mut Random) -> u32 {
        between(random, 1, u64::from(self.vocabulary) - 1) as u32
    }

    /// The sequence of so many tokens.
    fn sequence(&self, length: usize, alpha: f64) -> Sequence {
        let mut random = self.random.clone();
        let mut tokens: Vec<u32> =
            (0..self.passes).flat_map(|_| self.pairs().flat_map(|(key, value)| [key, value])).collect();
        let given = tokens.len();
        let slots = length.saturating_sub(given) / 2;
        tokens.resize_with(given + 2 * slots, || self.any(&mut random));
        let mut weights: Vec<f32> = (1..=slots).map(|slot| (slot as f64).powf(alpha - 1.0) as f32).collect();
        let mut targets = Vec::new();
        for (key, value) in self.pairs() {
            let slot = random.weighted(&weights).unwrap_or(0);
            let place = given + 2 * slot;
            if let (Some(weight), Some(token)) = (weights.get_mut(slot), tokens.get_mut(place)) {
                *weight = 0.0;
                *token = key;
                targets.push((place, value));
            }
        }
        targets.sort_unstable();
        Sequence { tokens, targets }
    }

    /// The text with so many lines that mean nothing.
    fn text(&self, lines: usize) -> String {
        let mut random = self.random.clone();
        let mut text = HEAD.to_owned();
        for _ in 0..self.passes {
            self.pairs().for_each(|(key, value)| text.push_str(&format!("{key} -> {value}\n")));
        }
        for _ in 0..lines {
            let one = between(&mut random, u64::from(self.vocabulary / 2), u64::from(self.vocabulary) - 1);
            text.push_str(&format!("{one} {}\n", self.any(&mut random)));
        }
        text
    }
}

/// An example of a sequence, with its ids as text.
pub(super) fn of_sequence(task: &str, cell: Cell, sequence: Sequence) -> Example {
    let text: Vec<String> = sequence.tokens.iter().map(u32::to_string).collect();
    let at: Vec<String> = sequence.targets.iter().map(|(place, _)| place.to_string()).collect();
    let gold: Vec<String> = sequence.targets.iter().map(|(_, token)| token.to_string()).collect();
    let question =
        format!("\n\nWhich number belongs behind each of the numbers at the places {}?", at.join(" "));
    let max_tokens = gold.len();
    let mut example =
        example(task, cell, text.join(" "), vec![ask(question, String::new(), gold, max_tokens, None)]);
    example.sequence = Some(sequence);
    example
}

/// The ids of an example's text, and the places that are asked about.
pub(super) fn read_sequence(example: &Example) -> Option<(Vec<&str>, Vec<usize>)> {
    let question = &example.turns.first()?.question;
    let asked = numbers(question).into_iter().map(|place| place.parse().ok()).collect::<Option<_>>()?;
    Some((example.context.split(' ').collect(), asked))
}

/// The share of the gold numbers that stand at their place among the answer's.
pub(super) fn at_their_places(gold: &[String], answer: &str) -> Score {
    let right = gold.iter().zip(numbers(answer)).filter(|(gold, given)| gold.as_str() == *given).count();
    Score::of(right as f64 / gold.len().max(1) as f64)
}

impl Task for Mqar {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let id = INFO.method.id;
        let size = |name| request.values.size(name).max(1);
        let (pairs, passes, vocabulary) = (size("pairs"), size("passes"), size("vocabulary"));
        let half = vocabulary / 2;
        if pairs > half - 1 {
            return Err(EvalError::Unmakeable {
                task: id,
                message: format!(
                    "pairs={pairs} is more than the {} keys of vocabulary={vocabulary}; give a larger vocabulary",
                    half - 1
                ),
            });
        }
        let as_tokens = request.values.word("as") == "tokens";
        let least = if as_tokens { 2 * pairs * (passes + 1) } else { 0 };
        // A sequence has as many tokens as were asked for; lines are filled up.
        let most =
            if as_tokens { least.max(request.lengths.iter().copied().max().unwrap_or(0)) } else { ANY };
        fill(request, id, (least, most), |cell, mut random| {
            let chosen = places(&mut random, pairs, half - 1);
            let drawn = Drawn {
                keys: shuffled(&mut random, &chosen).into_iter().map(|key| key as u32 + 1).collect(),
                values: (0..pairs)
                    .map(|_| between(&mut random, half as u64, vocabulary as u64 - 1) as u32)
                    .collect(),
                vocabulary: vocabulary as u32,
                passes,
                random: random.clone(),
            };
            let asked = random.some_of(&drawn.pairs().collect::<Vec<_>>(), size("queries"));
            Ok(move |units: usize| {
                if as_tokens {
                    return Ok(of_sequence(id, cell, drawn.sequence(units, request.values.number("alpha"))));
                }
                let turns = asked
                    .iter()
                    .map(|(key, value)| {
                        let question = format!("\nTo which number does the arrow from {key} lead?");
                        ask(question, format!("{key} ->"), vec![value.to_string()], 10, Some(0.0))
                    })
                    .collect();
                Ok(example(id, cell, drawn.text(units), turns))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        at_their_places(&turn.gold, answer)
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        if example.sequence.is_some() {
            let (tokens, asked) = read_sequence(example)?;
            let value = |place: usize| {
                let key = tokens.get(place)?;
                let first = tokens.iter().step_by(2).position(|token| token == key)?;
                tokens.get(2 * first + 1).copied()
            };
            return Some(vec![asked.into_iter().map(value).collect::<Option<Vec<_>>>()?.join(" ")]);
        }
        example
            .turns
            .iter()
            .map(|turn| {
                let key = numbers(&turn.question).into_iter().next()?;
                let line =
                    example.context.lines().find_map(|line| line.strip_prefix(&format!("{key} -> ")))?;
                Some(line.to_owned())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Words;

    #[test]
    fn sequences_have_their_length_and_every_key_is_asked_once() {
        for (length, pairs, passes) in [(64, 4, 1), (64, 16, 1), (257, 32, 2), (1024, 256, 1)] {
            let spec = format!("mqar:as=tokens,pairs={pairs},passes={passes}");
            crate::synthetic::tests::solved(&spec, &[length]);
            let values = crate::registry::parse(&spec).unwrap().1;
            let request = Request { lengths: &[length], ..Request::new(&values, &Words) };
            let sequence = Mqar.examples(&request).unwrap().remove(0).sequence.unwrap();
            assert_eq!((sequence.tokens.len(), sequence.targets.len()), (length / 2 * 2, pairs));
            let mut asked: Vec<u32> =
                sequence.targets.iter().map(|(place, _)| sequence.tokens[*place]).collect();
            asked.sort_unstable();
            asked.dedup();
            assert_eq!(asked.len(), pairs);
            assert!(
                sequence.targets.iter().all(|(place, value)| *place >= 2 * pairs * passes && *value >= 4096)
            );
        }
    }

    #[test]
    fn too_many_pairs_are_refused() {
        for spec in ["mqar:pairs=20,vocabulary=16", "mqar:pairs=20,as=tokens"] {
            let values = crate::registry::parse(spec).unwrap().1;
            let request = Request { lengths: &[79], ..Request::new(&values, &Words) };
            assert!(matches!(Mqar.examples(&request), Err(EvalError::Unmakeable { .. })), "{spec}");
        }
    }
}
