//! Joint recall: what a key means depends on the context it stands in.

use loci_context::random::Random;

use super::draw::shuffled;
use super::make::{Declared, ask, example, fill};
use super::mqar::{at_their_places, of_sequence, read_sequence};
use crate::declare::{choice, counted};
use crate::error::EvalError;
use crate::example::{Example, Sequence, Turn};
use crate::metrics::numbers;
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Asks for the values of keys in contexts.
#[derive(Clone, Copy, Debug)]
pub struct JointRecall;

const INFO: TaskInfo = Declared {
    id: "joint-recall",
    title: "Values of keys that differ from context to context, as token ids or as lines.",
    paper: "Zhan et al., Overcoming Long-Context Limitations of State-Space Models via Context-Dependent \
            Sparse Attention (HAX), 2025",
    parameters: &[
        choice("as", "lines for language models, or a sequence of token ids", "text", &["text", "tokens"]),
        counted(
            "contexts",
            "contexts; 0: as many as the length holds, of ids at most 16",
            "contexts",
            0,
            (0, 10_000),
        ),
        counted("keys", "keys in each context", "keys", 5, (1, 16)),
        counted("queries", "of lines: how many keys in contexts are asked", "keys", 4, (1, 64)),
    ],
    invariants: &[
        "A program that reads the text names every value",
        "Every key has a value in every context",
    ],
    description: "As tokens: 1; each context in random order, followed by its keys in random order with \
                  their values; 4; all of it again in new orders. Ids are 10 + value, 26 + key and 42 + \
                  context, of 16 each. Only the keys behind the 4 count: the score is the share of them \
                  whose value is right. As lines: contexts with their keys and values, and questions asked \
                  apart. A key alone is ambiguous.",
    diffusion: Level::MediumHigh,
    scope: Level::LowMedium,
    metric: "values right",
}
.info();

const HEAD: &str =
    "Below are groups. In each group, keys have values; the same key has other values in other groups.\n";
const BEGIN: u32 = 1;
const SEPARATOR: u32 = 4;
const SIXTEEN: usize = 16;

/// Values of keys in contexts.
struct Table {
    keys: usize,
    values: Vec<Vec<u32>>,
}

impl Table {
    fn value(&self, context: usize, key: usize) -> u32 {
        self.values.get(context).and_then(|row| row.get(key)).copied().unwrap_or(0)
    }

    /// Contexts and in each its keys, in orders that were drawn.
    fn order(&self, random: &mut Random, contexts: usize) -> Vec<(usize, Vec<usize>)> {
        let all: Vec<usize> = (0..contexts).collect();
        let keys: Vec<usize> = (0..self.keys).collect();
        shuffled(random, &all).into_iter().map(|context| (context, shuffled(random, &keys))).collect()
    }

    fn sequence(&self, random: &mut Random, contexts: usize) -> Sequence {
        let (mut tokens, mut targets) = (vec![BEGIN], Vec::new());
        for asked in [false, true] {
            for (context, keys) in self.order(random, contexts) {
                tokens.push(42 + context as u32);
                for key in keys {
                    let value = 10 + self.value(context, key);
                    if asked {
                        targets.push((tokens.len(), value));
                    }
                    tokens.extend([26 + key as u32, value]);
                }
            }
            if !asked {
                tokens.push(SEPARATOR);
            }
        }
        Sequence { tokens, targets }
    }

    fn text(&self, random: &mut Random, contexts: usize) -> String {
        let mut text = HEAD.to_owned();
        for (context, keys) in self.order(random, contexts) {
            text.push_str(&format!("\nGroup {context}:\n"));
            keys.into_iter()
                .for_each(|key| text.push_str(&format!("key {key} = {}\n", self.value(context, key))));
        }
        text
    }
}

impl Task for JointRecall {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let id = INFO.method.id;
        let as_tokens = request.values.word("as") == "tokens";
        let most = if as_tokens { SIXTEEN } else { 10_000 };
        let limits = match request.values.size("contexts") {
            0 => (2, most),
            given if given > most => {
                return Err(EvalError::Unmakeable {
                    task: id,
                    message: format!(
                        "contexts={given} has no token ids beyond {most}; give at most {most}, or as=text"
                    ),
                });
            }
            given => (given, given),
        };
        let (keys, queries) = (request.values.size("keys").max(1), request.values.size("queries").max(1));
        fill(request, id, limits, |cell, mut random| {
            let mut drawing = Random::new((random.unit() * f64::from(u32::MAX)) as u64);
            let mut table = Table { keys, values: Vec::new() };
            Ok(move |contexts: usize| {
                while table.values.len() < contexts {
                    let row = (0..keys).map(|_| drawing.below(SIXTEEN).unwrap_or(0) as u32).collect();
                    table.values.push(row);
                }
                let mut random = random.clone();
                if as_tokens {
                    return Ok(of_sequence(id, cell, table.sequence(&mut random, contexts)));
                }
                let context = table.text(&mut random, contexts);
                let all: Vec<(usize, usize)> = (0..contexts.min(1000))
                    .map(|_| random.below(contexts).unwrap_or(0))
                    .flat_map(|context| (0..keys).map(move |key| (context, key)))
                    .collect::<std::collections::BTreeSet<_>>()
                    .into_iter()
                    .collect();
                let turns = random
                    .some_of(&all, queries)
                    .into_iter()
                    .map(|(group, key)| {
                        let place = context.find(&format!("\nGroup {group}:")).unwrap_or(0);
                        ask(
                            format!("\nWhat is the value of key {key} in group {group}?"),
                            format!("In group {group}, key {key} ="),
                            vec![table.value(group, key).to_string()],
                            8,
                            Some(place as f64 / context.len().max(1) as f64),
                        )
                    })
                    .collect();
                Ok(example(id, cell, context, turns))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        at_their_places(&turn.gold, answer)
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        if example.sequence.is_some() {
            let (tokens, asked) = read_sequence(example)?;
            let context_of = |place: usize| {
                tokens
                    .get(..place)?
                    .iter()
                    .rev()
                    .find(|token| token.parse().is_ok_and(|id: u32| id >= 42))
                    .copied()
            };
            let value = |place: usize| {
                let (key, context) = (tokens.get(place)?, context_of(place)?);
                let first = (0..place)
                    .find(|other| tokens.get(*other) == Some(key) && context_of(*other) == Some(context))?;
                tokens.get(first + 1).copied()
            };
            return Some(vec![asked.into_iter().map(value).collect::<Option<Vec<_>>>()?.join(" ")]);
        }
        example
            .turns
            .iter()
            .map(|turn| {
                let asked = numbers(&turn.question);
                let (key, group) = (asked.first()?, asked.get(1)?);
                let (_, behind) = example.context.split_once(&format!("\nGroup {group}:\n"))?;
                let line = behind.lines().find_map(|line| line.strip_prefix(&format!("key {key} = ")))?;
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
    fn sequences_have_the_papers_length_and_ids() {
        for (contexts, keys) in [(5, 5), (16, 16), (7, 12)] {
            let spec = format!("joint-recall:as=tokens,contexts={contexts},keys={keys}");
            crate::synthetic::tests::solved(&spec, &[1058]);
            let values = crate::registry::parse(&spec).unwrap().1;
            let request = Request { lengths: &[1058], ..Request::new(&values, &Words) };
            let sequence = JointRecall.examples(&request).unwrap().remove(0).sequence.unwrap();
            assert_eq!(sequence.tokens.len(), 2 * contexts * (2 * keys + 1) + 2);
            assert_eq!(sequence.targets.len(), contexts * keys);
            assert!(sequence.targets.iter().all(|(place, value)| {
                (26..42).contains(&sequence.tokens[*place])
                    && sequence.tokens[place + 1] == *value
                    && *value < 26
            }));
        }
    }

    #[test]
    fn as_many_contexts_as_fit() {
        crate::synthetic::tests::solved("joint-recall:as=tokens", &[100, 300]);
        let values = crate::registry::parse("joint-recall:as=tokens,contexts=17").unwrap().1;
        let request = Request { lengths: &[5000], ..Request::new(&values, &Words) };
        assert!(JointRecall.examples(&request).is_err());
    }
}
