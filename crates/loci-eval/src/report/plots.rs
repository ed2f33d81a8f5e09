//! Figures of a task: heat map over length and depth, score over length, score over depth.

use loci_engine::figures::{Curves, Grid, Panel, Point, Series};

use super::estimates::in_order;
use super::lengths::lengths_of;
use super::numbers::length;
use super::tables::depths;
use super::{Cell, Estimate, TaskReport};

/// The figures that a task's scores allow, as SVG, each with its name.
pub fn figures(task: &TaskReport) -> Vec<(&'static str, String)> {
    let all = [("heat-map", heat_map(task)), ("by-length", by_length(task)), ("by-depth", by_depth(task))];
    all.into_iter().filter_map(|(name, figure)| Some((name, figure?))).collect()
}

fn methods(task: &TaskReport) -> Vec<String> {
    in_order(task.cells.iter().map(|cell| cell.method.as_str()))
}

fn find<'a>(task: &'a TaskReport, method: &str, length: usize) -> Option<&'a Cell> {
    task.cells.iter().find(|cell| cell.method == method && cell.length == length)
}

/// Chance at a length: the same for all methods, which answer the same questions.
fn chance(task: &TaskReport, length: usize) -> Option<f64> {
    task.cells.iter().filter(|cell| cell.length == length).find_map(|cell| cell.chance)
}

fn point(estimate: Estimate) -> Point {
    Point { value: estimate.mean, low: estimate.low, high: estimate.high }
}

fn below(task: &TaskReport, series: &[Series], n: usize) -> String {
    let intervals = if series.is_empty() { "" } else { ", 95\u{a0}% intervals" };
    format!("{}, {n} examples a point{intervals}", task.metric)
}

/// Examples of the estimates that a figure shows: the most that one of them has.
fn most<'a>(estimates: impl Iterator<Item = &'a Estimate>) -> usize {
    estimates.map(|estimate| estimate.n).max().unwrap_or(0)
}

/// One panel for each method, a column for each length, a row for each depth; `None` where depths were not asked for.
fn heat_map(task: &TaskReport) -> Option<String> {
    let (depths, lengths) = (depths(task), lengths_of(&task.cells));
    if depths.len() < 2 {
        return None;
    }
    let panels: Vec<Panel> = methods(task)
        .into_iter()
        .map(|method| {
            let at = |depth: f64, length: usize| {
                let cell = find(task, &method, length)?;
                cell.by_depth.iter().find(|(known, _)| *known == depth).map(|(_, estimate)| estimate.mean)
            };
            let cells = depths
                .iter()
                .map(|depth| lengths.iter().map(|length| at(*depth, *length)).collect())
                .collect();
            Panel { name: method, cells }
        })
        .collect();
    let n: usize =
        task.cells.iter().flat_map(|cell| &cell.by_depth).map(|(_, score)| score.n).max().unwrap_or(0);
    let columns: Vec<String> = lengths.iter().map(|tokens| length(*tokens)).collect();
    let rows: Vec<String> = depths.iter().map(|depth| format!("{depth:.2}")).collect();
    let grid = Grid {
        title: &task.task,
        below: &format!("{} by length and depth, {n} examples a cell", task.metric),
        panels: &panels,
        columns: &columns,
        rows: &rows,
        x: "tokens of the prompt",
        y: "share of the text before what is asked for",
        colours: &task.metric,
    };
    Some(grid.svg())
}

/// Score over length, a curve for each method; `None` with fewer than two lengths.
fn by_length(task: &TaskReport) -> Option<String> {
    let lengths = lengths_of(&task.cells);
    if lengths.len() < 2 {
        return None;
    }
    let series: Vec<Series> = methods(task)
        .into_iter()
        .map(|method| {
            let at = |length: &usize| find(task, &method, *length).and_then(|cell| cell.score).map(point);
            Series { points: lengths.iter().map(at).collect(), name: method }
        })
        .collect();
    let columns: Vec<String> = lengths.iter().map(|tokens| length(*tokens)).collect();
    let n = most(task.cells.iter().filter_map(|cell| cell.score.as_ref()));
    let chance: Vec<Option<f64>> = lengths.iter().map(|length| chance(task, *length)).collect();
    Some(curves(task, ("over length", n), &series, &columns, &chance, "tokens of the prompt"))
}

/// Score over depth at the longest length, a curve for each method; `None` where depths were not asked for.
fn by_depth(task: &TaskReport) -> Option<String> {
    let (depths, longest) = (depths(task), lengths_of(&task.cells).last().copied().unwrap_or(0));
    if depths.len() < 2 {
        return None;
    }
    let series: Vec<Series> = methods(task)
        .into_iter()
        .map(|method| {
            let at = |depth: &f64| {
                let cell = find(task, &method, longest)?;
                cell.by_depth.iter().find(|(known, _)| known == depth).map(|(_, estimate)| point(*estimate))
            };
            Series { points: depths.iter().map(at).collect(), name: method }
        })
        .collect();
    let columns: Vec<String> = depths.iter().map(|depth| format!("{depth:.2}")).collect();
    let over = match longest {
        0 => "over depth".to_owned(),
        tokens => format!("over depth at {} tokens", length(tokens)),
    };
    let n = most(task.cells.iter().flat_map(|cell| &cell.by_depth).map(|(_, estimate)| estimate));
    let chance = vec![chance(task, longest); columns.len()];
    Some(curves(task, (&over, n), &series, &columns, &chance, "share of the text before what is asked for"))
}

fn curves(
    task: &TaskReport,
    (over, n): (&str, usize),
    series: &[Series],
    columns: &[String],
    chance: &[Option<f64>],
    x: &str,
) -> String {
    Curves {
        title: &format!("{} {over}", task.task),
        below: &below(task, series, n),
        series,
        columns,
        x,
        y: &task.metric,
        range: 0.0..1.0,
        chance,
    }
    .svg()
}
