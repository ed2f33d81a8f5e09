//! Each method at each length: scores, further figures, cost.

use super::{Table, heading};
use crate::report::numbers::{column, dash, length, score};
use crate::report::{Cell, Estimate, TaskReport};

/// Further figures that stand beside the score; more have a table of their own.
const BESIDE: usize = 4;

/// Each method at each length, with what it took.
pub(super) fn main(task: &TaskReport) -> Table {
    let mut rows = scores(task.cells.iter().map(|cell| (cell, cell.score.as_ref())), &task.metric);
    let mut extend = |name: String, values: Vec<String>| {
        rows.iter_mut().zip(std::iter::once(name).chain(values)).for_each(|(row, value)| row.push(value));
    };
    if task.cells.iter().any(|cell| cell.chance.is_some()) {
        extend("chance".to_owned(), task.cells.iter().map(|cell| score(cell.chance)).collect());
    }
    let names = further_names(task);
    if names.len() <= BESIDE {
        for name in names {
            extend(name.to_owned(), further_column(task, name));
        }
    }
    let depths = depths(task);
    if depths.len() > 1 {
        for depth in depths {
            extend(format!("at {depth:.2}"), task.cells.iter().map(|cell| at_depth(cell, depth)).collect());
        }
    }
    let each = |of: fn(&Cell) -> String| task.cells.iter().map(of).collect::<Vec<_>>();
    if task.cells.iter().any(|cell| cell.failed > 0) {
        extend("failed".to_owned(), each(|cell| cell.failed.to_string()));
    }
    let speed = |speed: Option<f64>| speed.map_or_else(dash, |speed| format!("{speed:.0}"));
    let read = task.cells.iter().map(|cell| speed(cell.cost.prefill_tokens_per_s)).collect();
    let written = task.cells.iter().map(|cell| speed(cell.cost.decode_tokens_per_s)).collect();
    extend("read/s".to_owned(), read);
    extend("write/s".to_owned(), written);
    extend("s each".to_owned(), each(|cell| format!("{:.1}", cell.cost.seconds)));
    extend("memory".to_owned(), each(|cell| memory(cell.cost.memory_bytes)));
    let chance = task.cells.iter().any(|cell| cell.chance.is_some());
    let mut table = Table {
        caption: "Scores, and what they took".to_owned(),
        rows,
        words: 1,
        note: if chance { "Chance: the score of who draws among the choices." } else { "" }.to_owned(),
        ..Table::default()
    };
    table.without_dashes(1);
    table
}

fn memory(bytes: usize) -> String {
    match bytes as f64 / 1_048_576.0 {
        0.0 => dash(),
        small if small < 10.0 => format!("{small:.1} MiB"),
        mebibytes => format!("{mebibytes:.0} MiB"),
    }
}

/// Method, length, score, interval and n.
pub(super) fn scores<'a>(
    cells: impl Iterator<Item = (&'a Cell, Option<&'a Estimate>)>,
    metric: &str,
) -> Vec<Vec<String>> {
    let mut rows = vec![heading(&["method", "tokens", metric, "95 %", "n"])];
    rows.extend(cells.map(|(cell, score)| {
        let mut row = vec![cell.method.clone(), length(cell.length)];
        row.extend(match score {
            Some(score) => [
                format!("{:.3}", score.mean),
                format!("{:.2} to {:.2}", score.low, score.high),
                score.n.to_string(),
            ],
            None => [dash(), dash(), "0".to_owned()],
        });
        row
    }));
    rows
}

fn further_names(task: &TaskReport) -> Vec<&str> {
    let mut names: Vec<&str> =
        task.cells.iter().flat_map(|cell| cell.also.keys().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn further_column(task: &TaskReport, name: &str) -> Vec<String> {
    column(&task.cells.iter().map(|cell| cell.also.get(name).copied()).collect::<Vec<_>>())
}

/// Further figures, where they are too many to stand beside the score.
pub(super) fn further(task: &TaskReport) -> Table {
    let names = further_names(task);
    if names.len() <= BESIDE {
        return Table::default();
    }
    let mut rows = vec![heading(&["method", "tokens"])];
    rows.extend(task.cells.iter().map(|cell| vec![cell.method.clone(), length(cell.length)]));
    for name in names {
        let values = std::iter::once(name.to_owned()).chain(further_column(task, name));
        rows.iter_mut().zip(values).for_each(|(row, value)| row.push(value));
    }
    Table { caption: "Further figures, means over questions".to_owned(), rows, words: 1, ..Table::default() }
}

/// What reading strategies counted on the way to their answers.
pub(super) fn counted(task: &TaskReport) -> Table {
    let mut rows = vec![heading(&["method", "counted", "tokens", "a question"])];
    for cell in &task.cells {
        rows.extend(cell.counted.iter().map(|(name, mean)| {
            vec![cell.method.clone(), name.clone(), length(cell.length), format!("{mean:.2}")]
        }));
    }
    Table {
        caption: "Counted on the way, means over questions".to_owned(),
        rows,
        words: 2,
        long: true,
        ..Table::default()
    }
}

/// Depths that any method was asked at.
pub(in crate::report) fn depths(task: &TaskReport) -> Vec<f64> {
    let mut depths: Vec<f64> =
        task.cells.iter().flat_map(|cell| cell.by_depth.iter().map(|(depth, _)| *depth)).collect();
    depths.sort_by(f64::total_cmp);
    depths.dedup();
    depths
}

fn at_depth(cell: &Cell, wanted: f64) -> String {
    let found = cell.by_depth.iter().find(|(depth, _)| *depth == wanted);
    found.map_or_else(dash, |(_, estimate)| format!("{:.2}", estimate.mean))
}
