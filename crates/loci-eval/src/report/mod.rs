//! What a run came to: shares with intervals, methods against a baseline, cost beside accuracy.

mod build;
mod card;
mod cells;
mod compare;
mod estimates;
mod groups;
mod html;
mod lengths;
mod markdown;
mod numbers;
mod plots;
mod results;
mod tables;
#[cfg(test)]
mod tests;
mod text;

pub use build::build;
pub use card::Card;
pub use cells::cells;
pub use compare::{compare_files, compared};
pub(crate) use estimates::estimate_of;
pub use estimates::in_order;
pub use groups::{Average, Quadrant, Standing};
pub use html::html;
pub use lengths::{OverLengths, Worst};
pub use markdown::markdown;
pub use plots::figures;
pub use results::{PositionGap, Results};
pub(crate) use text::aligned;
pub use text::{comparison_table, text};

use std::collections::BTreeMap;

use serde::Serialize;

use crate::task::Level;

/// Everything about a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was run, for those who want to run it again.
    pub card: Card,
    /// Each method over all tasks, by what an evaluation card asks for.
    pub results: Vec<Results>,
    /// The four quadrants of diffusion and scope, those without a task too.
    pub quadrants: Vec<Quadrant>,
    /// Each method over lengths, with the mean over tasks as its score at each; empty unless two tasks or more were run
    /// at the same two lengths or more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over_tasks: Vec<OverLengths>,
    /// Each task.
    pub tasks: Vec<TaskReport>,
}

/// One task.
#[derive(Clone, Debug, Serialize)]
pub struct TaskReport {
    /// The task with all its parameters.
    pub task: String,
    /// Its id.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// How hard what is needed is to find.
    pub diffusion: Level,
    /// How much is needed.
    pub scope: Level,
    /// Name of the score.
    pub metric: String,
    /// Whether the score says how much was right; otherwise it goes into no mean over tasks.
    pub scores_rightness: bool,
    /// Each method at each length, in the order in which they were run.
    pub cells: Vec<Cell>,
    /// Each method over lengths; empty with fewer than two.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over_lengths: Vec<OverLengths>,
    /// Means in which each data set weighs the same; empty where examples are of fewer than two.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub averages: Vec<Average>,
    /// Every other method against one: all lengths together, then, where there are several, at each of them.
    pub comparisons: Vec<Comparison>,
}

/// A mean with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Units that the mean is over: examples, each the mean of its questions.
    pub n: usize,
    /// The mean.
    pub mean: f64,
    /// Lower end of the interval: Wilson for right and wrong, else a percentile bootstrap.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One method at one length.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// The method.
    pub method: String,
    /// Tokens asked for; 0 where texts come as they are.
    pub length: usize,
    /// The score; `None` when nothing could be scored.
    pub score: Option<Estimate>,
    /// Questions that were scored.
    pub questions: usize,
    /// The score of who draws among the choices; questions that offer none count as 0. `None` where no question does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// Questions without an answer, and why the first of them had none.
    pub failed: usize,
    /// See `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Means of further figures.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub also: BTreeMap<String, f64>,
    /// What reading strategies counted on the way, a question: figures, and what was wrong with replies.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counted: BTreeMap<String, f64>,
    /// By depth, shallow first; of drawn depths, tenths of the text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_depth: Vec<(f64, Estimate)>,
    /// By each label.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_label: BTreeMap<String, BTreeMap<String, Estimate>>,
    /// What it took.
    pub cost: Cost,
}

/// What answers took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cost {
    /// Mean tokens of a prompt.
    pub prompt_tokens: f64,
    /// Tokens read a second, over all answers.
    pub prefill_tokens_per_s: Option<f64>,
    /// Tokens written a second.
    pub decode_tokens_per_s: Option<f64>,
    /// Mean seconds from question to answer.
    pub seconds: f64,
    /// Largest contextual memory, in bytes of RAM.
    pub memory_bytes: usize,
}

/// One method against another on the same examples.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The method.
    pub method: String,
    /// The other one.
    pub against: String,
    /// Tokens asked for, where examples of one length alone are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Examples that both were scored on.
    pub n: usize,
    /// Mean of the differences of their scores.
    pub difference: f64,
    /// Its 95 % interval, a paired percentile bootstrap.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// Two-sided p of a paired permutation test.
    pub p: f64,
    /// The same by Holm over all comparisons of the report: the chance of one false finding among them.
    pub p_holm: f64,
    /// The same by Benjamini and Hochberg: the expected share of false ones among the findings.
    pub p_bh: f64,
    /// Cohen's d of the differences; `None` where they are all alike.
    pub cohens_d: Option<f64>,
    /// Cliff's delta.
    pub cliffs_delta: Option<f64>,
}
