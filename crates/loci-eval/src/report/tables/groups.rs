//! Tables over groups: labels, data sets, quadrants, and all tasks together.

use super::scores::scores;
use super::{Table, heading};
use crate::report::numbers::{dash, estimate, length, score};
use crate::report::{Estimate, Quadrant, Report, Results, TaskReport};

/// Rows of a table that a terminal shows.
const ROWS: usize = 40;

/// The quadrants without a task, as a sentence, for a report too small for the table of quadrants, whose note says it.
pub(in crate::report) fn untested(report: &Report) -> Option<String> {
    without_task(report).filter(|_| report.tasks.len() < 2)
}

fn without_task(report: &Report) -> Option<String> {
    let without = report.quadrants.iter().filter(|quadrant| quadrant.tasks.is_empty());
    let names: Vec<String> = without.map(Quadrant::name).collect();
    (!names.is_empty()).then(|| format!("Not tested: {}.", names.join("; ")))
}

pub(super) fn averages(task: &TaskReport) -> Table {
    let mut rows = vec![heading(&["method", "language", "group", "tokens", "mean", "of"])];
    rows.extend(task.averages.iter().map(|one| {
        let (group, of) = match &one.group {
            Some(group) => (group.clone(), "data sets"),
            None if task.averages.iter().any(|other| other.group.is_some()) => {
                ("all groups".to_owned(), "groups")
            }
            None => ("all".to_owned(), "data sets"),
        };
        let language = if one.language.is_empty() { dash() } else { one.language.to_owned() };
        let of = match one.parts {
            1 => format!("1 {}", of.trim_end_matches('s')),
            parts => format!("{parts} {of}"),
        };
        vec![one.method.clone(), language, group, length(one.length), score(Some(one.mean)), of]
    }));
    let mut table = Table {
        caption: "Averages in which each data set weighs the same".to_owned(),
        rows,
        words: 3,
        ..Table::default()
    };
    for column in [3, 1] {
        table.without_dashes(column);
    }
    table
}

/// Labels with more than one value.
pub(super) fn labels(task: &TaskReport) -> Vec<&str> {
    let known = task.cells.iter().flat_map(|cell| cell.by_label.keys().map(String::as_str));
    let mut found: Vec<&str> = known.filter(|name| values(task, name).len() > 1).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn values<'a>(task: &'a TaskReport, label: &str) -> Vec<&'a str> {
    let groups = task.cells.iter().filter_map(|cell| cell.by_label.get(label));
    let mut values: Vec<&str> = groups.flat_map(|groups| groups.keys().map(String::as_str)).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// Each value of a label with each method at each length.
pub(super) fn by_label(task: &TaskReport, label: &str) -> Table {
    let mut rows = Vec::new();
    for value in values(task, label) {
        let cells =
            task.cells.iter().filter_map(|cell| Some((cell, Some(cell.by_label.get(label)?.get(value)?))));
        let mut own = scores(cells, "mean");
        let names = std::iter::once(label).chain(std::iter::repeat(value));
        own.iter_mut().zip(names).for_each(|(row, name)| row.insert(0, name.to_owned()));
        let from = usize::from(!rows.is_empty());
        rows.extend(own.into_iter().skip(from));
    }
    let mut table =
        Table { caption: format!("By {label}"), long: rows.len() > ROWS, rows, words: 2, ..Table::default() };
    table.without_dashes(2);
    table
}

/// Each method by what an evaluation card asks for.
pub(super) fn results(report: &Report) -> Table {
    let names =
        ["method", "correctness", "n", "faithfulness", "position robustness", "timeliness", "refusal"];
    let mut rows = vec![heading(&names)];
    let shown = |one: &Option<Estimate>| match one {
        Some(one) => estimate(one),
        None => "not measured".to_owned(),
    };
    rows.extend(report.results.iter().map(|one| {
        let position = match &one.position {
            Some(gap) => format!("{:+.2} ({:+.2} to {:+.2})", gap.difference, gap.low, gap.high),
            None => "not measured".to_owned(),
        };
        vec![
            one.method.clone(),
            shown(&one.correctness),
            one.correctness.map_or(0, |one| one.n).to_string(),
            shown(&one.faithfulness),
            position,
            shown(&one.timeliness),
            shown(&one.refusal),
        ]
    }));
    let several = report.tasks.len() > 1;
    let over = if several { "Over the examples of all tasks" } else { "Over all examples" };
    let measured = |of: fn(&Results) -> bool, said: &str| match report.results.iter().any(of) {
        true => said.to_owned(),
        false => String::new(),
    };
    let task = if several { "; of several tasks, the one where depth matters most" } else { "" };
    let position = format!(" Position robustness: mean at the worst depth less that at the best{task}.");
    let note = [
        "Means with 95 % intervals.".to_owned(),
        measured(|one| one.position.is_some(), &position),
        measured(
            |one| one.faithfulness.is_some(),
            " Faithfulness: the share of right answers whose heaviest passage of evidence holds what is right.",
        ),
        measured(
            |one| one.timeliness.is_some(),
            " Timeliness: questions whose right answer changed within the text.",
        ),
        measured(
            |one| one.refusal.is_some(),
            " Refusal: the share declined of questions that the text does not answer; who always declines scores 1, so \
             read it beside correctness.",
        ),
    ];
    Table {
        caption: format!("{over}, by what an evaluation card asks for"),
        rows,
        words: 1,
        note: note.concat(),
        ..Table::default()
    }
}

/// A quadrant as the heading of a column.
fn short(quadrant: &Quadrant) -> String {
    let level = |high| if high { "high" } else { "low" };
    format!("{}, {}", level(quadrant.diffuse), level(quadrant.wide))
}

/// Each method over the tasks of each quadrant; empty with fewer than two tasks.
pub(super) fn quadrants(report: &Report) -> Table {
    if report.tasks.len() < 2 {
        return Table::default();
    }
    let methods: Vec<&str> = report.results.iter().map(|one| one.method.as_str()).collect();
    let mut rows = vec![heading(&["method"])];
    rows.extend(methods.iter().map(|method| heading(&[method])));
    for quadrant in &report.quadrants {
        let count = match quadrant.tasks.len() {
            0 => "not tested".to_owned(),
            1 => "1 task".to_owned(),
            count => format!("{count} tasks"),
        };
        let mean = |method: &&str| {
            let found = quadrant.methods.iter().find(|one| one.method == **method);
            score(found.and_then(|one| one.mean))
        };
        let values =
            std::iter::once(format!("{} ({count})", short(quadrant))).chain(methods.iter().map(mean));
        rows.iter_mut().zip(values).for_each(|(row, value)| row.push(value));
    }
    Table {
        caption: "By diffusion (how hard what is needed is to find) and scope (how much it is), each task weighing the same"
            .to_owned(),
        rows,
        words: 1,
        note: format!("Diffusion first, then scope; high: medium and more. {}", without_task(report).unwrap_or_default()).trim_end().to_owned(),
        ..Table::default()
    }
}
