//! The tables of a report, the same in each form.

mod groups;
mod lengths;
mod scores;

pub(super) use groups::untested;
pub(super) use scores::depths;

use super::numbers::{dash, length, p};
use super::{Comparison, Report, TaskReport};
use groups::{averages, by_label, labels, quadrants, results};
use lengths::over_lengths;
use scores::{counted, further, main};

/// A table: its first row is the heading.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// What it shows.
    pub(super) caption: String,
    /// Rows of equal length.
    pub(super) rows: Vec<Vec<String>>,
    /// Columns of words, which begin at the left; those behind them end at the right.
    pub(super) words: usize,
    /// What has to be said below it.
    pub(super) note: String,
    /// Too much for a terminal, and folded on a page.
    pub(super) long: bool,
}

impl Table {
    /// Leaves a column out that says nothing.
    fn without_dashes(&mut self, column: usize) {
        if self.rows.iter().skip(1).all(|row| row.get(column).is_none_or(|cell| *cell == dash())) {
            self.rows.iter_mut().filter(|row| column < row.len()).for_each(|row| drop(row.remove(column)));
            self.words -= usize::from(column < self.words);
        }
    }
}

/// The tables of a task, the main one first.
pub(super) fn of_task(task: &TaskReport) -> Vec<Table> {
    let (all, by_length): (Vec<_>, Vec<_>) = task.comparisons.iter().partition(|one| one.length.is_none());
    let together = if by_length.is_empty() { "" } else { ", all lengths together" };
    let all_compared = Table {
        caption: format!("Compared on the same examples{together}"),
        rows: comparison_rows(all),
        words: 2,
        ..Table::default()
    };
    let each_compared = Table {
        caption: "Compared on the same examples, at each length".to_owned(),
        rows: comparison_rows(by_length),
        words: 2,
        long: true,
        ..Table::default()
    };
    let mut tables = vec![main(task), further(task), over_lengths("Over lengths", &task.over_lengths)];
    tables.extend([all_compared, each_compared, averages(task), counted(task)]);
    tables.extend(labels(task).into_iter().map(|label| by_label(task, label)));
    tables.retain(|table| table.rows.len() > 1);
    tables
}

/// The tables over all tasks.
pub(super) fn of_all(report: &Report) -> Vec<Table> {
    let tasks = report.tasks.iter().filter(|task| !task.over_lengths.is_empty()).count();
    let mut tables = vec![results(report), quadrants(report)];
    tables
        .push(over_lengths(&format!("Over lengths, the mean of {tasks} tasks at each"), &report.over_tasks));
    tables.retain(|table| table.rows.len() > 1);
    tables
}

/// What could not be answered, a sentence for each method and length.
pub(super) fn failures(task: &TaskReport) -> Vec<String> {
    let failed = task.cells.iter().filter(|cell| cell.failed > 0);
    let said = failed.map(|cell| {
        let first = cell.error.as_deref().unwrap_or("unknown");
        let at = if cell.length == 0 { String::new() } else { format!(" at {}", length(cell.length)) };
        format!("{}{at}: {} without an answer, the first: {first}", cell.method, cell.failed)
    });
    said.collect()
}

fn heading(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Heading and rows of comparisons.
pub(super) fn comparison_rows<'a>(comparisons: impl IntoIterator<Item = &'a Comparison>) -> Vec<Vec<String>> {
    let comparisons: Vec<&Comparison> = comparisons.into_iter().collect();
    let with_length = comparisons.iter().any(|one| one.length.is_some());
    let effect = |value: Option<f64>| value.map_or_else(dash, |value| format!("{value:+.2}"));
    let names = [
        "method",
        "against",
        "n",
        "difference",
        "95 %",
        "p",
        "p (Holm)",
        "p (BH)",
        "Cohen's d",
        "Cliff's delta",
    ];
    let mut rows = vec![heading(&names)];
    rows.extend(comparisons.iter().map(|one| {
        vec![
            one.method.clone(),
            one.against.clone(),
            one.n.to_string(),
            format!("{:+.3}", one.difference),
            format!("{:+.3} to {:+.3}", one.low, one.high),
            p(one.p),
            p(one.p_holm),
            p(one.p_bh),
            effect(one.cohens_d),
            effect(one.cliffs_delta),
        ]
    }));
    if with_length {
        let lengths = comparisons.iter().map(|one| length(one.length.unwrap_or(0)));
        let lengths = std::iter::once("tokens".to_owned()).chain(lengths);
        rows.iter_mut().zip(lengths).for_each(|(row, length)| row.insert(2, length));
    }
    rows
}
