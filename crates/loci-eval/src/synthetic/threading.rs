//! Needles and threads among random pairs: one value, several, those of marked keys, and chains of keys to follow.

use std::collections::BTreeMap;

use loci_context::random::Random;
use loci_models::method::Parameter;
use serde_json::json;

use super::draw::{Form, Fresh, places, shuffled};
use super::make::{ANY, Declared, ask, example, fill, listed};
use super::pairs::{index_at, json as written, read_json};
use crate::declare::{choice, counted};
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// What is asked about the pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Single,
    Multi,
    Conditional,
    Thread,
    MultiThread,
    Branched,
}

/// One of the six tasks of Needle Threading.
#[derive(Clone, Copy, Debug)]
pub struct Threading {
    info: &'static TaskInfo,
    kind: Kind,
}

/// Stands in keys that are asked for by it.
const MARK: char = '*';
/// Stands between a value and the number of a branch that goes on from it.
const BRANCH: char = '#';

const KEYS: Parameter = choice(
    "keys",
    "what keys and values are: UUIDs, or two letters and two digits for small models",
    "uuid",
    &["uuid", "short"],
);
const PLACEMENT: Parameter = choice(
    "placement",
    "whether needles stand at random places or side by side, then at the depth asked for",
    "random",
    &["random", "clustered"],
);
const DIRECTION: Parameter = choice(
    "direction",
    "whether the next pair of a thread stands later in the text, earlier, or anywhere",
    "forward",
    &["forward", "backward", "random"],
);
const NEEDLES: Parameter = counted("needles", "how many values are asked for", "pairs", 3, (1, 25));
const LINKS: Parameter = counted("links", "how many pairs a thread goes through", "pairs", 3, (1, 25));

const fn declared(
    id: &'static str,
    title: &'static str,
    parameters: &'static [Parameter],
    (diffusion, scope): (Level, Level),
) -> TaskInfo {
    Declared {
        id,
        title,
        paper: "Roberts, Han and Albanie, Needle Threading: Can LLMs Follow Threads through \
                Near-Million-Scale Haystacks?, 2024",
        parameters,
        invariants: &[
            "A program that looks pairs up answers every question",
            "Outside threads no value is a key",
        ],
        description: "A JSON object of random pairs, one a line. Answers are searched for texts that look \
                      like values; keys that the question names do not count. One value: the first such \
                      text must be right, `last` looks at the last one instead, which is fairer to models \
                      that write the steps down. Lists: the score is the share of values that are right at \
                      their place (of marked keys: at any place), `all` wants all of them and no others. \
                      Branched threads are in a form of our own, which keeps the object valid: the value v \
                      goes on in the keys v#1, v#2, and so on, of which all but one end there. The paper \
                      counts length in characters; ours is in tokens.",
        diffusion,
        scope,
        metric: "values right",
    }
    .info()
}

const LOW: (Level, Level) = (Level::Low, Level::Low);
const SOME: (Level, Level) = (Level::LowMedium, Level::Medium);
const FAR: (Level, Level) = (Level::MediumHigh, Level::Medium);
const SINGLE: TaskInfo = declared("thread-single", "The value of one of many random keys.", &[KEYS], LOW);
const MULTI: TaskInfo =
    declared("thread-multi", "The values of several of many random keys.", &[KEYS, NEEDLES, PLACEMENT], SOME);
const CONDITIONAL: TaskInfo = declared(
    "thread-conditional",
    "The values of all keys that hold a mark.",
    &[KEYS, NEEDLES, PLACEMENT],
    SOME,
);
const THREAD: TaskInfo = declared(
    "thread",
    "The end of a thread, where each value is the next key.",
    &[KEYS, LINKS, DIRECTION],
    FAR,
);
const THREADS: Parameter = counted("threads", "how many threads are followed at once", "threads", 2, (1, 25));
const MULTI_THREAD: TaskInfo =
    declared("thread-multi-thread", "The ends of several threads.", &[KEYS, THREADS, LINKS, DIRECTION], FAR);
const BRANCHES: Parameter = counted("branches", "in how many keys a value goes on", "keys", 2, (1, 10));
const BRANCHED: TaskInfo = declared(
    "thread-branched",
    "The end of the longest thread where threads branch.",
    &[KEYS, BRANCHES, LINKS, DIRECTION],
    FAR,
);

/// `thread-single`.
pub const THREAD_SINGLE: Threading = Threading { info: &SINGLE, kind: Kind::Single };
/// `thread-multi`.
pub const THREAD_MULTI: Threading = Threading { info: &MULTI, kind: Kind::Multi };
/// `thread-conditional`.
pub const THREAD_CONDITIONAL: Threading = Threading { info: &CONDITIONAL, kind: Kind::Conditional };
/// `thread`.
pub const THREAD_ONE: Threading = Threading { info: &THREAD, kind: Kind::Thread };
/// `thread-multi-thread`.
pub const THREAD_MULTI_THREAD: Threading = Threading { info: &MULTI_THREAD, kind: Kind::MultiThread };
/// `thread-branched`.
pub const THREAD_BRANCHED: Threading = Threading { info: &BRANCHED, kind: Kind::Branched };

type Pair = (String, String);

/// What is hidden among other pairs, and what is asked about it.
struct Drawn {
    /// Pairs that must stand in an order to each other; those of different groups need not.
    groups: Vec<Vec<Pair>>,
    /// Keys that the question names.
    asked: Vec<String>,
    gold: Vec<String>,
}

impl Threading {
    fn draw(&self, request: &Request<'_>, random: &mut Random, fresh: &mut Fresh, form: Form) -> Drawn {
        let size = |name| request.values.size(name).max(1);
        let mut one = |random: &mut Random| fresh.draw(random, form);
        match self.kind {
            Kind::Single | Kind::Multi => {
                let count = if self.kind == Kind::Single { 1 } else { size("needles") };
                let pairs: Vec<Pair> = (0..count).map(|_| (one(random), one(random))).collect();
                let (asked, gold) = shuffled(random, &pairs).into_iter().unzip();
                Drawn { groups: pairs.into_iter().map(|pair| vec![pair]).collect(), asked, gold }
            }
            Kind::Conditional => {
                let mut pairs: Vec<Pair> = Vec::new();
                while pairs.len() < size("needles") {
                    let (key, value) = (one(random), one(random));
                    let marked = random.below(key.len()).unwrap_or(0);
                    let key: String = key
                        .chars()
                        .enumerate()
                        .map(|(at, character)| if at == marked { MARK } else { character })
                        .collect();
                    if pairs.iter().all(|(other, _)| *other != key) {
                        pairs.push((key, value));
                    }
                }
                let gold = pairs.iter().map(|(_, value)| value.clone()).collect();
                Drawn { groups: pairs.into_iter().map(|pair| vec![pair]).collect(), asked: Vec::new(), gold }
            }
            Kind::Thread | Kind::MultiThread => {
                let threads = if self.kind == Kind::Thread { 1 } else { size("threads") };
                let mut drawn = Drawn { groups: Vec::new(), asked: Vec::new(), gold: Vec::new() };
                for _ in 0..threads {
                    let mut key = one(random);
                    drawn.asked.push(key.clone());
                    let mut thread = Vec::new();
                    for _ in 0..size("links") {
                        let value = one(random);
                        thread.push((key, value.clone()));
                        key = value;
                    }
                    drawn.gold.push(key);
                    drawn.groups.push(thread);
                }
                drawn
            }
            Kind::Branched => {
                let (links, branches) = (size("links"), size("branches"));
                let (mut thread, mut ends) = (Vec::new(), Vec::new());
                let (root, mut value) = (one(random), one(random));
                thread.push((root.clone(), value.clone()));
                for link in 2..=links {
                    // The last link has no branches: two ends equally far would both be right.
                    let width = if link == links { 1 } else { branches };
                    let going_on = random.below(width).unwrap_or(0);
                    let mut next = String::new();
                    for branch in 0..width {
                        let pair = (format!("{value}{BRANCH}{}", branch + 1), one(random));
                        if branch == going_on {
                            next.clone_from(&pair.1);
                            thread.push(pair);
                        } else {
                            ends.push(vec![pair]);
                        }
                    }
                    value = next;
                }
                ends.push(thread);
                Drawn { groups: ends, asked: vec![root], gold: vec![value] }
            }
        }
    }

    fn question(&self, asked: &[String]) -> String {
        let keys = listed(&asked.iter().map(|key| format!("\"{key}\"")).collect::<Vec<_>>());
        let only = "Give only the value.";
        let list = "Give only the values, as a list in square brackets in this order.";
        match self.kind {
            Kind::Single => format!("The key is {keys}. What is its value in the JSON object? {only}"),
            Kind::Multi => format!("The keys are {keys}. What are their values in the JSON object? {list}"),
            Kind::Conditional => format!(
                "What are the values of all keys in the JSON object that contain the character {MARK}? Give \
                 only the values, as a list in square brackets."
            ),
            Kind::Thread => format!(
                "The start key is {keys}. Its value is a key again, which has a value, and so on. Follow \
                 this thread to its end: what is the last value, which is no key? {only}"
            ),
            Kind::MultiThread => format!(
                "The start keys are {keys}. The value of each is a key again, which has a value, and so on. \
                 Follow each thread to its end: what are the last values, which are no keys? {list}"
            ),
            Kind::Branched => format!(
                "The start key is {keys}. A value goes on in all keys that are the value with {BRANCH} and \
                 a number behind it. Most of these threads end soon. What is the last value of the longest \
                 one? {only}"
            ),
        }
    }
}

/// The pairs in their places among `others`, `all` together.
fn laid_out(
    groups: &[Vec<Pair>],
    others: &[Pair],
    random: &mut Random,
    direction: &str,
    first: Option<usize>,
) -> Vec<Pair> {
    let count: usize = groups.iter().map(Vec::len).sum();
    let all = others.len() + count;
    let chosen = match first {
        Some(first) => (first..first + count).collect(),
        None => places(random, count, all),
    };
    let mut drawn = shuffled(random, &chosen).into_iter();
    let mut placed: BTreeMap<usize, &Pair> = BTreeMap::new();
    for group in groups {
        let mut own: Vec<usize> = drawn.by_ref().take(group.len()).collect();
        match direction {
            "random" => {}
            "backward" => own.sort_unstable_by_key(|place| std::cmp::Reverse(*place)),
            _ => own.sort_unstable(),
        }
        placed.extend(own.into_iter().zip(group));
    }
    let mut left = others.iter();
    (0..all).filter_map(|place| placed.get(&place).copied().or_else(|| left.next()).cloned()).collect()
}

impl Task for Threading {
    fn info(&self) -> &'static TaskInfo {
        self.info
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let id = self.info.method.id;
        let (form, room) =
            if request.values.word("keys") == "short" { (Form::Short, 12) } else { (Form::Uuid, 50) };
        let direction = request.values.word("direction");
        let clustered = request.values.word("placement") == "clustered" || self.kind == Kind::Single;
        fill(request, id, (1, ANY), |cell, mut random| {
            let mut fresh = Fresh::new();
            let drawn = self.draw(request, &mut random, &mut fresh, form);
            let share = cell.depth.unwrap_or_else(|| random.unit());
            let order = Random::new((random.unit() * f64::from(u32::MAX)) as u64);
            let mut others: Vec<Pair> = Vec::new();
            let any_order = self.kind == Kind::Conditional;
            let one_value = !matches!(self.kind, Kind::Multi | Kind::Conditional | Kind::MultiThread);
            Ok(move |units: usize| {
                while others.len() < units {
                    others.push((fresh.draw(&mut random, form), fresh.draw(&mut random, form)));
                }
                let first = clustered.then(|| index_at(share, units + 1));
                let others = others.get(..units).unwrap_or(&[]);
                let pairs = laid_out(&drawn.groups, others, &mut order.clone(), direction, first);
                let context = format!("Here is a JSON object of keys and values.\n\n{}", written(&pairs));
                let start = if one_value { "The value is: \"" } else { "The values are: [" };
                let max_tokens = if one_value { 2 * room } else { room * drawn.gold.len() };
                let depth = if clustered { Some(share) } else { cell.depth };
                let turn = Turn {
                    data: json!({ "asked": drawn.asked, "list": !one_value, "any_order": any_order }),
                    ..ask(
                        format!("\n\n{}", self.question(&drawn.asked)),
                        start.to_owned(),
                        drawn.gold.clone(),
                        max_tokens,
                        depth,
                    )
                };
                Ok(example(id, cell, context, vec![turn]))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let flag = |name| turn.data.get(name).and_then(serde_json::Value::as_bool) == Some(true);
        let asked: Vec<&str> = turn
            .data
            .get("asked")
            .and_then(|asked| asked.as_array())
            .map(|asked| asked.iter().filter_map(|key| key.as_str()).collect())
            .unwrap_or_default();
        let like = turn.gold.first().map_or(String::new(), |gold| shape(gold));
        let given: Vec<&str> = answer
            .split(|character: char| !character.is_ascii_alphanumeric() && !"-*#".contains(character))
            .filter(|word| shape(word) == like && !asked.contains(word))
            .collect();
        let right = |yes: bool| f64::from(u8::from(yes));
        if !flag("list") {
            let gold = turn.gold.first().map(String::as_str);
            return Score::of(right(gold.is_some() && given.first().copied() == gold))
                .and("last", right(gold.is_some() && given.last().copied() == gold));
        }
        let found = if flag("any_order") {
            turn.gold.iter().filter(|gold| given.contains(&gold.as_str())).count()
        } else {
            turn.gold.iter().zip(&given).filter(|(gold, given)| gold == *given).count()
        };
        Score::of(found as f64 / turn.gold.len().max(1) as f64)
            .and("all", right(found == turn.gold.len() && given.len() == found && found > 0))
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let question = &example.turns.first()?.question;
        let asked: Vec<&str> = question.split('"').skip(1).step_by(2).collect();
        let pairs: BTreeMap<&str, &str> = read_json(&example.context).into_iter().collect();
        let end = |start: &str| {
            let mut key = start.to_owned();
            while let Some(value) = pairs.get(key.as_str()) {
                key = (*value).to_owned();
            }
            key
        };
        let values: Vec<String> = match self.kind {
            Kind::Conditional => pairs
                .iter()
                .filter(|(key, _)| key.contains(MARK))
                .map(|(_, value)| (*value).to_owned())
                .collect(),
            Kind::Branched => {
                let mut ends = vec![*pairs.get(asked.first()?)?];
                while let Some(next) = Some(
                    ends.iter()
                        .flat_map(|end| {
                            let begin = format!("{end}{BRANCH}");
                            pairs
                                .iter()
                                .filter(move |(key, _)| key.starts_with(&begin))
                                .map(|(_, value)| *value)
                        })
                        .collect::<Vec<_>>(),
                )
                .filter(|next| !next.is_empty())
                {
                    ends = next;
                }
                ends.first().map(|end| (*end).to_owned()).into_iter().collect()
            }
            _ => asked.into_iter().map(end).collect(),
        };
        Some(vec![format!("[{}]", values.join(", "))])
    }
}

/// What a value looks like: of long ones where dashes stand, of short ones where letters and digits do.
fn shape(text: &str) -> String {
    let short = text.len() < 12;
    text.chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' if short => 'a',
            '0'..='9' | 'a'..='z' | 'A'..='Z' => '0',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests;
