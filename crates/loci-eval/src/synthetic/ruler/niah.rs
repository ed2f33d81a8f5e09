//! Needles that say what the value of a key is, in noise, prose, or needles of the same kind.

use loci_context::random::Random;
use loci_models::method::{Parameter, Values};

use super::super::draw::{Form, Fresh, places};
use super::super::hay::{Haystack, insert, shares};
use super::super::make::{ANY, Declared, ask, example, fill, listed};
use super::super::pairs::index_at;
use super::super::scores::holds_whole;
use super::{NOISE, PAPER, all_contained};
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// What needles are hidden in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hidden {
    /// One line again and again.
    InNoise,
    /// Sentences of the haystack.
    InProse,
    /// Other needles.
    AmongNeedles,
}

/// One of RULER's eight needle tasks.
#[derive(Clone, Copy, Debug)]
pub struct Niah {
    info: &'static TaskInfo,
    hidden: Hidden,
    key: Form,
    value: Form,
    keys: usize,
    values: usize,
    asked: usize,
}

const fn declared(
    id: &'static str,
    title: &'static str,
    parameters: &'static [Parameter],
    diffusion: Level,
    scope: Level,
) -> TaskInfo {
    Declared {
        id,
        title,
        paper: PAPER,
        parameters,
        invariants: &["A program that reads the text names the values", "No key or value occurs twice"],
        description: "Lines say what the special magic number (or UUID) for a key is; the question names \
                      one key or more. The score is the share of values that the answer contains; `whole` \
                      wants them as whole numbers. Needles stand at different ones of forty evenly spaced \
                      depths, or at the depth asked for. Prose is the user's text or generated.",
        diffusion,
        scope,
        metric: "values found",
    }
    .info()
}

const KEYS: &[Parameter] = &[counted(
    "keys",
    "keys in the text, the one asked for among them: the others are distractors that look like it; RULER has four",
    "keys",
    4,
    (1, 200),
)];

const SINGLE_1: TaskInfo = declared(
    "niah-single-1",
    "One key's number, in one line said again and again.",
    &[],
    Level::Low,
    Level::Low,
);
const SINGLE_2: TaskInfo =
    declared("niah-single-2", "One key's number, in prose.", &[], Level::Low, Level::Low);
const SINGLE_3: TaskInfo =
    declared("niah-single-3", "One key's UUID, in prose.", &[], Level::Low, Level::Low);
const MULTIKEY_1: TaskInfo = declared(
    "niah-multikey-1",
    "One of several keys' numbers, in prose.",
    KEYS,
    Level::LowMedium,
    Level::Low,
);
const MULTIKEY_2: TaskInfo = declared(
    "niah-multikey-2",
    "One key's number among nothing but other keys.",
    &[],
    Level::LowMedium,
    Level::Low,
);
const MULTIKEY_3: TaskInfo = declared(
    "niah-multikey-3",
    "One UUID's UUID among nothing but other UUIDs.",
    &[],
    Level::LowMedium,
    Level::Low,
);
const MULTIVALUE: TaskInfo = declared(
    "niah-multivalue",
    "All four numbers of one key, in prose.",
    &[],
    Level::LowMedium,
    Level::Medium,
);
const MULTIQUERY: TaskInfo = declared(
    "niah-multiquery",
    "The numbers of four keys at once, in prose.",
    &[],
    Level::LowMedium,
    Level::Medium,
);

const SIMPLE: Niah = Niah {
    info: &SINGLE_1,
    hidden: Hidden::InProse,
    key: Form::Words,
    value: Form::Number(7),
    keys: 1,
    values: 1,
    asked: 1,
};
/// `niah-single-1`.
pub const NIAH_SINGLE_1: Niah = Niah { hidden: Hidden::InNoise, ..SIMPLE };
/// `niah-single-2`.
pub const NIAH_SINGLE_2: Niah = Niah { info: &SINGLE_2, ..SIMPLE };
/// `niah-single-3`.
pub const NIAH_SINGLE_3: Niah = Niah { info: &SINGLE_3, value: Form::Uuid, ..SIMPLE };
/// `niah-multikey-1`.
pub const NIAH_MULTIKEY_1: Niah = Niah { info: &MULTIKEY_1, keys: 4, ..SIMPLE };
/// `niah-multikey-2`.
pub const NIAH_MULTIKEY_2: Niah = Niah { info: &MULTIKEY_2, hidden: Hidden::AmongNeedles, ..SIMPLE };
/// `niah-multikey-3`.
pub const NIAH_MULTIKEY_3: Niah =
    Niah { info: &MULTIKEY_3, hidden: Hidden::AmongNeedles, key: Form::Uuid, value: Form::Uuid, ..SIMPLE };
/// `niah-multivalue`.
pub const NIAH_MULTIVALUE: Niah = Niah { info: &MULTIVALUE, values: 4, ..SIMPLE };
/// `niah-multiquery`.
pub const NIAH_MULTIQUERY: Niah = Niah { info: &MULTIQUERY, keys: 4, asked: 4, ..SIMPLE };

/// A drawn key and its values.
type Entry = (String, Vec<String>);

impl Niah {
    fn kind(&self) -> &'static str {
        if self.value == Form::Uuid { "uuid" } else { "number" }
    }

    fn needle(&self, key: &str, value: &str) -> String {
        format!("One of the special magic {}s for {key} is: {value}.", self.kind())
    }

    /// With the parameters that were typed.
    fn with(mut self, values: &Values) -> Self {
        if !self.info.method.parameters.is_empty() {
            self.keys = values.size("keys");
        }
        self
    }

    fn turn(&self, entries: &[Entry], share: Option<f64>) -> Turn {
        let asked: Vec<&Entry> = entries.iter().take(self.asked).collect();
        let keys = listed(&asked.iter().map(|(key, _)| key).collect::<Vec<_>>());
        let gold: Vec<String> = asked.iter().flat_map(|(_, values)| values.clone()).collect();
        let kind = self.kind();
        let (question, start) = if gold.len() == 1 {
            (
                format!("\n\nWhich special magic {kind} does the text give for {keys}?"),
                format!("The special magic {kind} that the text gives for {keys} is"),
            )
        } else {
            (
                format!("\n\nWhich special magic {kind}s does the text give for {keys}? Name all of them."),
                format!("The special magic {kind}s that the text gives for {keys} are"),
            )
        };
        // The likeliest of all keys' numbers, for --choose.
        let mut choices: Vec<String> = match gold.len() {
            1 if entries.len() > 1 => {
                entries.iter().flat_map(|(_, values)| values).map(|value| format!(" {value}")).collect()
            }
            _ => Vec::new(),
        };
        choices.sort_unstable();
        Turn { choices, ..ask(question, start, gold, 128, share) }
    }

    fn head(&self) -> String {
        let kind = self.kind();
        let one = self.asked * self.values == 1;
        let (what, it) = if one {
            (format!("A special magic {kind} is"), "it")
        } else {
            (format!("Some special magic {kind}s are"), "them")
        };
        format!("{what} hidden in the text below. Remember {it} well: I will ask about {it} afterwards.\n")
    }
}

impl Task for Niah {
    fn info(&self) -> &'static TaskInfo {
        self.info
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let haystack = Haystack::of(request)?;
        let this = self.with(request.values);
        fill(request, this.info.method.id, (1, ANY), |cell, mut random| {
            let mut fresh = Fresh::new();
            let mut draw =
                |random: &mut Random, form| fresh.draw_if(random, form, |drawn| !haystack.holds(drawn));
            let entries: Vec<Entry> = (0..this.keys)
                .map(|_| {
                    let key = draw(&mut random, this.key);
                    (key, (0..this.values).map(|_| draw(&mut random, this.value)).collect())
                })
                .collect();
            let needles: Vec<String> = entries
                .iter()
                .flat_map(|(key, values)| values.iter().map(|value| this.needle(key, value)))
                .collect();
            let mut at = shares(&mut random, needles.len());
            if let (Some(depth), Some(first)) = (cell.depth, at.first_mut()) {
                *first = depth;
            }
            let asked_at =
                if needles.len() == 1 || cell.depth.is_some() { at.first().copied() } else { None };
            // One generator for each, so that how much is made of the one does not change the other.
            let order = Random::new((random.unit() * f64::from(u32::MAX)) as u64);
            let mut hay = haystack.begin(random.clone());
            let mut others: Vec<String> = Vec::new();
            Ok(move |units: usize| {
                let body = if this.hidden == Hidden::InProse {
                    let hidden: Vec<(f64, String)> =
                        at.iter().copied().zip(needles.iter().map(|needle| format!("{needle} "))).collect();
                    insert(hay.take(units), &hidden)
                } else {
                    if this.hidden == Hidden::AmongNeedles {
                        while others.len() < units {
                            let (key, value) =
                                (fresh.draw(&mut random, this.key), fresh.draw(&mut random, this.value));
                            others.push(this.needle(&key, &value) + "\n");
                        }
                    }
                    let all = units + needles.len();
                    let mut chosen = places(&mut order.clone(), needles.len(), all);
                    if let (Some(depth), Some(first)) = (cell.depth, chosen.first_mut()) {
                        *first = index_at(depth, all);
                    }
                    let mut left = others.iter().map(String::as_str);
                    let mut waiting = needles.iter();
                    let mut body = String::new();
                    for line in 0..all {
                        match chosen.contains(&line).then(|| waiting.next()).flatten() {
                            Some(needle) => body.push_str(&format!("{needle}\n")),
                            None => body.push_str(left.next().unwrap_or(NOISE)),
                        }
                    }
                    body
                };
                let context = format!("{}{}", this.head(), body.trim_end());
                Ok(example(this.info.method.id, cell, context, vec![this.turn(&entries, asked_at)]))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        all_contained(turn, answer)
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let question = &example.turns.first()?.question;
        let values: Vec<&str> = example
            .context
            .split("One of the special magic ")
            .filter_map(|line| {
                let (key, behind) = line.split_once(" for ")?.1.split_once(" is: ")?;
                let (value, _) = behind.split_once('.')?;
                holds_whole(question, key).then_some(value)
            })
            .collect();
        Some(vec![values.join(", ")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Words;

    #[test]
    fn the_asked_needle_stands_at_its_depth() {
        for task in [NIAH_SINGLE_1, NIAH_SINGLE_2, NIAH_MULTIKEY_1, NIAH_MULTIKEY_3] {
            let values = Values::defaults(&task.info.method);
            let request =
                Request { lengths: &[3000], depths: &[0.0, 0.3, 1.0], ..Request::new(&values, &Words) };
            for made in task.examples(&request).unwrap() {
                let at =
                    made.context.find(&made.turns[0].gold[0]).unwrap() as f64 / made.context.len() as f64;
                assert!((at - made.turns[0].depth.unwrap()).abs() < 0.04, "{}: {at}", made.id);
            }
        }
    }

    #[test]
    fn distractors_are_as_many_as_wanted() {
        let (task, values) = crate::registry::parse("niah-multikey-1:keys=9").unwrap();
        let made =
            task.examples(&Request { lengths: &[1000], ..Request::new(&values, &Words) }).unwrap().remove(0);
        assert_eq!((made.context.matches(" is: ").count(), made.turns[0].choices.len()), (9, 9));
    }

    #[test]
    fn there_are_as_many_needles_as_the_task_says() {
        for (task, needles, gold) in
            [(NIAH_MULTIKEY_1, 4, 1), (NIAH_MULTIVALUE, 4, 4), (NIAH_MULTIQUERY, 4, 4)]
        {
            let values = Values::defaults(&task.info.method);
            let request = Request { lengths: &[1000], ..Request::new(&values, &Words) };
            let made = task.examples(&request).unwrap().remove(0);
            assert_eq!(made.context.matches(" is: ").count(), needles);
            assert_eq!(made.turns[0].gold.len(), gold);
            let choices = if gold == 1 { needles } else { 0 };
            assert_eq!(made.turns[0].choices.len(), choices);
            assert!(choices == 0 || made.turns[0].choices.contains(&format!(" {}", made.turns[0].gold[0])));
            let half = made.turns[0].gold[..gold.div_ceil(2)].join(" ");
            assert_eq!(task.score(&made.turns[0], &half).score, gold.div_ceil(2) as f64 / gold as f64);
        }
    }
}
