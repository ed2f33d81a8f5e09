//! Updates that make earlier ones out of date: the last value of every key counts.

use loci_context::random::Random;

use super::draw::shuffled;
use super::make::{Declared, ask, example, fill, listed};
use super::scores::small;
use super::words::{NOUNS, VERBS, words};
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Asks for the last values of keys that are set again and again.
#[derive(Clone, Copy, Debug)]
pub struct PiUpdates;

const INFO: TaskInfo = Declared {
    id: "pi-updates",
    title: "The current values of keys that were set many times.",
    paper: "Wang and Sun, Unable to Forget: Proactive Interference Reveals Working Memory Limits in LLMs \
            Beyond Context Length (PI-LLM), 2025",
    parameters: &[
        counted(
            "keys",
            "how many keys there are; fewer where the length does not hold them",
            "keys",
            46,
            (1, 46),
        ),
        counted(
            "updates",
            "how often each key is set; 0: as often as the length holds",
            "times",
            0,
            (0, 10_000),
        ),
    ],
    invariants: &[
        "A program that reads the text names every last value",
        "No key is set to its last value before",
    ],
    description: "Lines `key: value` in random order, each key set equally often; the question asks for the \
                  current value of every key. The score is the share of keys whose value in the answer is \
                  the last one; `other` is the share that got another value. Below 40 tokens a key there \
                  are fewer keys. Everything needed stands near the end, and everything else is like it: \
                  what fails is not finding but forgetting. Labels say how many keys and updates there are.",
    diffusion: Level::Medium,
    scope: Level::Medium,
    metric: "keys right",
}
.info();

const KEYS: &str = "colour fruit metal river tool song planet fabric spice vehicle game flower insect \
                    weapon drink building profession instrument vegetable gemstone mineral dessert \
                    furniture sport shape emotion holiday language currency material weather disease \
                    machine container garment mammal reptile fish bird tree country dialect ritual chemical \
                    monument sandwich";
const HEAD: &str = "Below is a stream of updates, one a line: each sets a key to a new value and makes its \
                    earlier values out of date. Keep track of the current value of every key.\n\n";
/// Tokens that a key takes at least: two lines, and its line in the answer.
const ROOM: usize = 40;
/// Tokens of a key's line in the answer.
const LINE: usize = 10;

/// For every key its values in order.
struct Stream {
    keys: Vec<&'static str>,
    vocabulary: Vec<&'static str>,
    last: Vec<&'static str>,
}

impl Stream {
    /// The lines of so many updates, each round of keys shuffled into the whole.
    fn lines(&self, random: &mut Random, updates: usize) -> String {
        let all: Vec<usize> =
            (0..self.keys.len()).flat_map(|key| std::iter::repeat_n(key, updates)).collect();
        let mut left = vec![updates; self.keys.len()];
        let mut text = String::new();
        for at in shuffled(random, &all) {
            let (Some(key), Some(last), Some(left)) =
                (self.keys.get(at), self.last.get(at), left.get_mut(at))
            else {
                continue;
            };
            *left -= 1;
            let value = if *left == 0 {
                last
            } else {
                // Never what will be its last value, so that no update but the last is right.
                let mut value = random.one_of(&self.vocabulary);
                while value == *last {
                    value = random.one_of(&self.vocabulary);
                }
                value
            };
            text.push_str(&format!("{key}: {value}\n"));
        }
        text
    }
}

/// The value that an answer gives a key: the word behind its last mention with `:` or `is`.
fn given<'a>(answer: &'a str, key: &str) -> Option<&'a str> {
    let behind = answer.match_indices(key).filter_map(|(at, _)| answer.get(at + key.len()..));
    behind
        .filter_map(|behind| {
            let behind = behind.trim_start_matches(['"', '\'', '*', '`', ' ']);
            let value = behind.strip_prefix(':').or_else(|| behind.strip_prefix("is "))?;
            value.split(|character: char| !character.is_alphanumeric()).find(|word| !word.is_empty())
        })
        .last()
}

impl Task for PiUpdates {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let fixed = request.values.size("updates");
        let limits = if fixed > 0 { (fixed, fixed) } else { (2, 1_000_000) };
        fill(request, INFO.method.id, limits, |cell, mut random| {
            let count = request.values.size("keys").min(cell.length / ROOM).max(1);
            let vocabulary: Vec<&str> =
                [NOUNS, VERBS].into_iter().flat_map(words).filter(|word| !KEYS.contains(word)).collect();
            let keys: Vec<&str> = random.some_of(&words(KEYS), count);
            let last: Vec<&str> = (0..count).map(|_| random.one_of(&vocabulary)).collect();
            let stream = Stream { keys, vocabulary, last };
            Ok(move |updates: usize| {
                let context = format!("{HEAD}{}", stream.lines(&mut random.clone(), updates));
                let gold: Vec<String> = stream
                    .keys
                    .iter()
                    .zip(&stream.last)
                    .map(|(key, value)| format!("{key}: {value}"))
                    .collect();
                let question = format!(
                    "\nWhat is the current value of each of these keys: {}? Answer with one line `key: \
                     value` for each and nothing else.",
                    listed(&stream.keys)
                );
                let turn = ask(question, String::new(), gold, LINE * stream.keys.len(), None);
                let mut example = example(INFO.method.id, cell, context, vec![turn]);
                example.labels.insert("keys".to_owned(), stream.keys.len().to_string());
                example.labels.insert("updates".to_owned(), updates.to_string());
                Ok(example)
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let answer = small(answer);
        let (mut right, mut other) = (0, 0);
        for (key, value) in turn.gold.iter().filter_map(|gold| gold.split_once(": ")) {
            match given(&answer, key) {
                Some(given) if given == value => right += 1,
                Some(_) => other += 1,
                None => {}
            }
        }
        let share = |count: i32| f64::from(count) / turn.gold.len().max(1) as f64;
        Score::of(share(right)).and("other", share(other))
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let lines: std::collections::BTreeMap<&str, &str> =
            example.context.strip_prefix(HEAD)?.lines().filter_map(|line| line.split_once(": ")).collect();
        Some(vec![lines.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Words;

    #[test]
    fn every_key_is_set_equally_often_and_to_its_last_value_once() {
        let values = crate::registry::parse("pi-updates:updates=7").unwrap().1;
        let request = Request { lengths: &[2500], ..Request::new(&values, &Words) };
        let made = PiUpdates.examples(&request).unwrap().remove(0);
        assert_eq!((made.labels["keys"].as_str(), made.labels["updates"].as_str()), ("46", "7"));
        for gold in &made.turns[0].gold {
            let key = gold.split_once(": ").unwrap().0;
            assert_eq!(made.context.matches(&format!("\n{key}: ")).count(), 7, "{key}");
            assert_eq!(made.context.lines().filter(|line| line == gold).count(), 1, "{gold}");
        }
    }

    #[test]
    fn an_earlier_value_is_wrong() {
        let turn = Turn { gold: vec!["fruit: lamp".to_owned(), "tool: oar".to_owned()], ..Turn::default() };
        let score = PiUpdates.score(&turn, "The current value of Fruit is lamp.\n**tool**: nest");
        assert_eq!((score.score, score.also["other"]), (0.5, 0.5));
        assert_eq!(PiUpdates.score(&turn, "").also["other"], 0.0);
    }
}
