//! What every generated task does alike: its declaration, filling lengths, examples with one question.

use loci_context::random::Random;
use loci_models::method::Parameter;

use crate::declare::{counted, task};
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Cell, Level, Request, TaskInfo};

/// Larger than any number of units that fits a model.
pub(super) const ANY: usize = 100_000_000;

/// What differs between declarations of generated tasks.
pub(super) struct Declared {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) paper: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) invariants: &'static [&'static str],
    pub(super) description: &'static str,
    pub(super) diffusion: Level,
    pub(super) scope: Level,
    pub(super) metric: &'static str,
}

impl Declared {
    /// The whole declaration.
    pub(super) const fn info(self) -> TaskInfo {
        TaskInfo {
            method: task(self.id, self.title, self.paper, self.parameters, self.invariants, self.description),
            diffusion: self.diffusion,
            scope: self.scope,
            metric: self.metric,
            sized: true,
        }
    }
}

/// The examples of all cells of a request, each with as many units as fit. `begin` draws what does not depend on their
/// number; what it returns makes the example of a number of units, the same one whenever it is asked.
pub(super) fn fill<M>(
    request: &Request<'_>,
    task: &'static str,
    limits: (usize, usize),
    mut begin: impl FnMut(Cell, Random) -> Result<M, EvalError>,
) -> Result<Vec<Example>, EvalError>
where
    M: FnMut(usize) -> Result<Example, EvalError>,
{
    request
        .cells()?
        .into_iter()
        .map(|cell| {
            let make = begin(cell, request.random(&cell.id(task)))?;
            request.largest(task, cell.length, limits, make)
        })
        .collect()
}

/// An example of a cell.
pub(super) fn example(task: &str, cell: Cell, context: String, turns: Vec<Turn>) -> Example {
    Example { id: cell.id(task), context, turns, length: cell.length, ..Example::default() }
}

/// A question with one or more right answers.
pub(super) fn ask(
    question: String,
    answer_start: String,
    gold: Vec<String>,
    max_tokens: usize,
    depth: Option<f64>,
) -> Turn {
    Turn { question, answer_start, gold, max_tokens, depth, ..Turn::default() }
}

/// Answers that are offered to choose among.
pub(super) const CHOICES: usize = 10;

/// `gold` and up to nine of its `rivals`, in an order that is drawn.
pub(super) fn choices(gold: String, mut rivals: Vec<String>, random: &mut Random) -> Vec<String> {
    rivals.retain(|rival| *rival != gold);
    let mut choices = vec![gold];
    choices.extend(random.some_of(&rivals, CHOICES - 1));
    random.some_of(&choices, CHOICES)
}

/// The parameter that [`depths`] takes its number from.
pub(super) const QUESTIONS: Parameter = counted(
    "questions",
    "questions about one text, which is read once, at evenly spaced depths; with depths given, one a text",
    "questions",
    1,
    (1, 100),
);

/// Where what is asked for stands: at the cell's depth, or at `questions` evenly spaced ones, or at a drawn one.
pub(super) fn depths(cell: Cell, questions: usize, random: &mut Random) -> Vec<f64> {
    match cell.depth {
        Some(depth) => vec![depth],
        None if questions <= 1 => vec![random.unit()],
        None => (0..questions).map(|index| (index as f64 + 0.5) / questions as f64).collect(),
    }
}

/// `a`, `a and b`, `a, b, and c`.
pub(crate) fn listed<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match items.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [one, other] => format!("{one} and {other}"),
        [before @ .., last] => format!("{}, and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn lists_read_as_one_writes_them() {
        assert_eq!(listed::<&str>(&[]), "");
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b"]), "a and b");
        assert_eq!(listed(&["a", "b", "c"]), "a, b, and c");
    }
}
