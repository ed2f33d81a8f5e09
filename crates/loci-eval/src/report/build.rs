//! From records to figures.

use super::card::filled;
use super::cells::cells;
use super::compare::{compared, correct};
use super::estimates::in_order;
use super::groups::{averages, quadrants};
use super::lengths::{over_lengths, over_tasks};
use super::results::results;
use super::{Card, Report, TaskReport};
use crate::run::Record;
use crate::task::Task;

/// A report of `tasks`: each with its full name and its records. Methods are compared with `card.against`; what the card
/// does not say yet and the records show is filled in.
pub fn build(mut card: Card, tasks: &[(&dyn Task, &str, Vec<&Record>)]) -> Report {
    let mut reports: Vec<TaskReport> = tasks
        .iter()
        .map(|(task, named, records)| {
            let info = task.info();
            let cells = cells(records);
            TaskReport {
                task: (*named).to_owned(),
                id: info.method.id.to_owned(),
                title: info.method.title.to_owned(),
                diffusion: info.diffusion,
                scope: info.scope,
                metric: info.metric.to_owned(),
                scores_rightness: task.scores_rightness(),
                over_lengths: over_lengths(&cells),
                cells,
                averages: averages(records),
                comparisons: compared(records, &card.against),
            }
        })
        .collect();
    let by_length = reports.iter().flat_map(|task| &task.comparisons).any(|one| one.length.is_some());
    let among = if by_length { ", those at single lengths among them" } else { "" };
    let count = correct(reports.iter_mut().flat_map(|report| &mut report.comparisons).collect());
    if count > 0 {
        card.correction = format!("Holm, and Benjamini and Hochberg, over all {count} comparisons{among}");
    }
    card.models =
        in_order(tasks.iter().flat_map(|(_, _, records)| records.iter().map(|record| record.model.as_str())));
    filled(&mut card, tasks);
    Report {
        results: results(tasks),
        quadrants: quadrants(&reports),
        over_tasks: over_tasks(&reports),
        tasks: reports,
        card,
    }
}
