//! Tasks: where examples come from and how answers are scored.

use std::collections::BTreeMap;
use std::path::Path;

use loci_context::random::Random;
use loci_models::method::{MethodInfo, Values};
use serde::Serialize;

use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::sizes::Tokens;

/// How much of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Little.
    Low,
    /// Between little and some, or either by example.
    LowMedium,
    /// Some.
    Medium,
    /// Between some and much, or either by example.
    MediumHigh,
    /// Much.
    High,
}

impl Level {
    /// As it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::LowMedium => "low-medium",
            Self::Medium => "medium",
            Self::MediumHigh => "medium-high",
            Self::High => "high",
        }
    }
}

/// The declaration of a task: that of a method (family `task`), and what reports group by.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TaskInfo {
    /// Id, title, paper, parameters, description. `cost` says what an example costs, `invariants` what its tests prove.
    pub method: MethodInfo,
    /// How hard what is needed is to find (Goldman et al. 2024).
    pub diffusion: Level,
    /// How much is needed (Goldman et al. 2024).
    pub scope: Level,
    /// Name of the score, as shown.
    pub metric: &'static str,
    /// Whether lengths and depths can be asked for; otherwise texts come as they are.
    pub sized: bool,
}

/// What examples are wanted.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The task's own parameters.
    pub values: &'a Values,
    /// Sizes of whole prompts with their longest answers, in tokens, for tasks that are sized.
    pub lengths: &'a [usize],
    /// Depths from 0 to 1 of what is asked for; empty: the task draws them.
    pub depths: &'a [f64],
    /// Examples in each cell (length and depth); of data sets, examples in all.
    pub n: usize,
    /// Seed: equal seeds make equal examples.
    pub seed: u64,
    /// Folder with the data sets.
    pub data: Option<&'a Path>,
    /// Text to hide things in; `None`: generated prose.
    pub haystack: Option<&'a str>,
    /// What a token is.
    pub tokens: &'a dyn Tokens,
}

impl<'a> Request<'a> {
    /// One example, at the task's own depths, from no data.
    pub const fn new(values: &'a Values, tokens: &'a dyn Tokens) -> Self {
        Self { values, lengths: &[], depths: &[], n: 1, seed: 0, data: None, haystack: None, tokens }
    }

    /// Random numbers of one example: they depend on the seed and on `cell` alone, so examples may be made in any order.
    pub fn random(&self, cell: &str) -> Random {
        let hash = blake3::hash(format!("{} {cell}", self.seed).as_bytes());
        let mut first = [0; 8];
        first.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
        Random::new(u64::from_le_bytes(first))
    }

    /// Every cell: length, depth if depths were asked for, number of the example; shortest first.
    ///
    /// # Errors
    /// [`EvalError::Nothing`] without a length or an example.
    pub fn cells(&self) -> Result<Vec<Cell>, EvalError> {
        let mut lengths = self.lengths.to_vec();
        lengths.sort_unstable();
        let depths: Vec<Option<f64>> =
            if self.depths.is_empty() { vec![None] } else { self.depths.iter().copied().map(Some).collect() };
        let mut cells = Vec::new();
        for length in lengths {
            for number in 0..self.n {
                cells.extend(depths.iter().map(|depth| Cell { length, depth: *depth, number }));
            }
        }
        if cells.is_empty() {
            return Err(EvalError::Nothing(
                "no examples: give at least one length and n of at least 1".to_owned(),
            ));
        }
        Ok(cells)
    }
}

/// Which example of a sized task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Tokens of the whole prompt with its longest answer.
    pub length: usize,
    /// Share of the text before what is asked for; `None`: the task draws it.
    pub depth: Option<f64>,
    /// Which one of those with this length and depth.
    pub number: usize,
}

impl Cell {
    /// The example's id.
    pub fn id(&self, task: &str) -> String {
        match self.depth {
            Some(depth) => format!("{task}/{}/{depth}/{}", self.length, self.number),
            None => format!("{task}/{}/{}", self.length, self.number),
        }
    }
}

/// How good an answer is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// The task's score, from 0 to 1.
    pub score: f64,
    /// Further figures.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub also: BTreeMap<&'static str, f64>,
}

impl Score {
    /// Only the score.
    pub const fn of(score: f64) -> Self {
        Self { score, also: BTreeMap::new() }
    }

    /// Right or wrong.
    pub fn right(right: bool) -> Self {
        Self::of(f64::from(u8::from(right)))
    }

    /// With one more figure.
    #[must_use]
    pub fn and(mut self, name: &'static str, value: f64) -> Self {
        self.also.insert(name, value);
        self
    }
}

/// A task.
pub trait Task: Send + Sync {
    /// Its declaration.
    fn info(&self) -> &'static TaskInfo;

    /// The examples of a request, in the order in which they are run: shortest first. The same request makes the same
    /// examples on every machine.
    ///
    /// # Errors
    /// [`EvalError`] for parameters that do not fit each other, lengths that are too short, and data that is missing or
    /// not of its format.
    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError>;

    /// Scores the answer to one question. Any text is an answer; the empty one too.
    fn score(&self, turn: &Turn, answer: &str) -> Score;

    /// Whether the score says how much was right. Where it does not, as with the likelihood of a text, it is averaged with
    /// that of no other task.
    fn scores_rightness(&self) -> bool {
        true
    }

    /// The answers of a program that reads only `context` and questions, never the gold: what a perfect reader would say.
    /// `None` where no program can.
    fn read(&self, _example: &Example) -> Option<Vec<String>> {
        None
    }
}

impl std::fmt::Debug for dyn Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.info().method.id)
    }
}
