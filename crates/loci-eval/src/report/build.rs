//! From records to figures.

use std::collections::BTreeMap;

use loci_context::random::Random;

use super::compare::{compared, correct};
use super::{Card, Cell, Cost, Estimate, Report, TaskReport};
use crate::run::Record;
use crate::statistics::{Interval, bootstrap_mean, mean, wilson};
use crate::task::Task;

/// Samples of a bootstrap.
pub(super) const RESAMPLES: usize = 10_000;
/// Depths up to which each stands for itself.
const OWN_DEPTHS: usize = 12;

/// A report of `tasks`: each with its full name and its records. Methods are compared with `card.against`.
pub fn build(mut card: Card, tasks: &[(&dyn Task, &str, Vec<&Record>)]) -> Report {
    let mut reports: Vec<TaskReport> = tasks
        .iter()
        .map(|(task, named, records)| {
            let info = task.info();
            TaskReport {
                task: (*named).to_owned(),
                id: info.method.id.to_owned(),
                title: info.method.title.to_owned(),
                diffusion: info.diffusion,
                scope: info.scope,
                metric: info.metric.to_owned(),
                cells: cells(records),
                comparisons: compared(records, &card.against),
            }
        })
        .collect();
    let count = correct(reports.iter_mut().flat_map(|report| &mut report.comparisons).collect());
    card.correction = format!("Holm, and Benjamini and Hochberg, over {count} comparisons");
    card.models =
        in_order(tasks.iter().flat_map(|(_, _, records)| records.iter().map(|record| record.model.as_str())));
    Report { card, tasks: reports }
}

/// Different texts in the order in which they first come.
pub(super) fn in_order<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for text in texts {
        if !seen.iter().any(|known| known == text) {
            seen.push(text.to_owned());
        }
    }
    seen
}

/// Each method at each length, methods in the order in which they come.
pub fn cells(records: &[&Record]) -> Vec<Cell> {
    let methods = in_order(records.iter().map(|record| record.method.as_str()));
    let mut lengths: Vec<usize> = records.iter().map(|record| record.length).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let mut cells = Vec::new();
    for length in lengths {
        for method in &methods {
            let own: Vec<&Record> = records
                .iter()
                .copied()
                .filter(|record| record.length == length && record.method == *method)
                .collect();
            if !own.is_empty() {
                cells.push(cell(method, length, &own));
            }
        }
    }
    cells
}

fn cell(method: &str, length: usize, records: &[&Record]) -> Cell {
    let scored: Vec<&Record> = records.iter().copied().filter(|record| record.score.is_some()).collect();
    let mut also: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, value) in scored.iter().flat_map(|record| &record.also) {
        also.entry(name.clone()).or_default().push(*value);
    }
    let mut by_label: BTreeMap<String, BTreeMap<String, Vec<&Record>>> = BTreeMap::new();
    for record in &scored {
        for (name, value) in &record.labels {
            by_label.entry(name.clone()).or_default().entry(value.clone()).or_default().push(record);
        }
    }
    Cell {
        method: method.to_owned(),
        length,
        score: estimate(&scored),
        questions: scored.len(),
        failed: records.len() - scored.len(),
        error: records.iter().find_map(|record| record.error.clone()),
        also: also.into_iter().filter_map(|(name, values)| Some((name, mean(&values)?))).collect(),
        by_depth: by_depth(&scored),
        by_label: by_label
            .into_iter()
            .map(|(name, groups)| {
                let estimates =
                    groups.into_iter().filter_map(|(value, group)| Some((value, estimate(&group)?)));
                (name, estimates.collect())
            })
            .collect(),
        cost: cost(&scored),
    }
}

/// Score of each example: the mean of its questions, which are not independent of each other.
pub(super) fn by_example<'a>(records: &[&'a Record]) -> BTreeMap<&'a str, f64> {
    let mut scores: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for record in records {
        if let Some(score) = record.score {
            scores.entry(&record.example).or_default().push(score);
        }
    }
    scores.into_iter().filter_map(|(example, scores)| Some((example, mean(&scores)?))).collect()
}

/// Mean over examples, with its interval.
fn estimate(records: &[&Record]) -> Option<Estimate> {
    estimated(&by_example(records).into_values().collect::<Vec<f64>>())
}

/// Mean of independent `scores` from 0 to 1 with its 95 % interval: Wilson's where all are right or wrong, else a percentile
/// bootstrap; `None` of nothing.
pub(crate) fn estimated(scores: &[f64]) -> Option<Estimate> {
    let mean = mean(scores)?;
    let n = scores.len();
    let interval = if scores.iter().all(|score| *score == 0.0 || *score == 1.0) {
        wilson(scores.iter().filter(|score| **score == 1.0).count(), n)
    } else if n == 1 {
        // One example says nothing of others.
        Interval { low: 0.0, high: 1.0 }
    } else {
        bootstrap_mean(scores, RESAMPLES, &mut Random::new(n as u64))?
    };
    Some(Estimate { n, mean, low: interval.low, high: interval.high })
}

/// Estimates by depth; depths that were drawn are put together by tenths.
fn by_depth(records: &[&Record]) -> Vec<(f64, Estimate)> {
    let mut depths: Vec<f64> = records.iter().filter_map(|record| record.depth).collect();
    depths.sort_by(f64::total_cmp);
    depths.dedup();
    let own = depths.len() <= OWN_DEPTHS;
    let place = |depth: f64| if own { depth } else { (depth * 10.0).floor().min(9.0) / 10.0 + 0.05 };
    let mut places: Vec<f64> = depths.iter().map(|depth| place(*depth)).collect();
    places.dedup();
    places
        .into_iter()
        .filter_map(|wanted| {
            let at = |record: &&Record| record.depth.is_some_and(|depth| place(depth) == wanted);
            let group: Vec<&Record> = records.iter().copied().filter(at).collect();
            Some((wanted, estimate(&group)?))
        })
        .collect()
}

fn cost(records: &[&Record]) -> Cost {
    let count = records.len().max(1) as f64;
    let sum = |of: fn(&Record) -> f64| records.iter().map(|record| of(record)).sum::<f64>();
    let speed = |tokens: f64, seconds: f64| (seconds > 0.0).then_some(tokens / seconds);
    let (prefill, decode) = (sum(|record| record.prefill_s), sum(|record| record.decode_s));
    Cost {
        prompt_tokens: sum(|record| record.prompt_tokens as f64) / count,
        prefill_tokens_per_s: speed(sum(|record| record.read_tokens as f64), prefill),
        decode_tokens_per_s: speed(sum(|record| record.answer_tokens as f64), decode),
        seconds: (prefill + decode) / count,
        memory_bytes: records.iter().map(|record| record.memory_bytes).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(method: &str, example: &str, depth: f64, score: f64) -> Record {
        Record {
            method: method.to_owned(),
            example: example.to_owned(),
            depth: Some(depth),
            score: Some(score),
            length: 1000,
            prompt_tokens: 990,
            read_tokens: 990,
            prefill_s: 2.0,
            ..Record::default()
        }
    }

    #[test]
    fn questions_of_one_example_count_as_one() {
        let records =
            [record("full", "a", 0.1, 1.0), record("full", "a", 0.9, 0.0), record("full", "b", 0.1, 1.0)];
        let alone = estimate(&records.iter().take(2).collect::<Vec<_>>()).unwrap();
        assert_eq!((alone.n, alone.mean, alone.low, alone.high), (1, 0.5, 0.0, 1.0));
        let cells = cells(&records.iter().collect::<Vec<_>>());
        let score = cells[0].score.unwrap();
        assert_eq!((score.n, score.mean, cells[0].questions), (2, 0.75, 3));
        assert!(score.low < 0.75 && score.high > 0.75);
        assert_eq!(cells[0].by_depth.len(), 2);
        assert_eq!(cells[0].by_depth[0].1.n, 2);
        assert_eq!(cells[0].cost.prefill_tokens_per_s, Some(495.0));
    }

    #[test]
    fn what_failed_is_counted_and_not_scored_as_wrong() {
        let failed =
            Record { score: None, error: Some("timed out".to_owned()), ..record("full", "b", 0.1, 0.0) };
        let records = [record("full", "a", 0.1, 1.0), failed];
        let cells = cells(&records.iter().collect::<Vec<_>>());
        assert_eq!(cells[0].score.unwrap().mean, 1.0);
        assert_eq!((cells[0].failed, cells[0].error.as_deref()), (1, Some("timed out")));
    }

    #[test]
    fn many_depths_are_put_together() {
        let records: Vec<Record> =
            (0..100).map(|index| record("full", &index.to_string(), f64::from(index) / 99.0, 1.0)).collect();
        let cells = cells(&records.iter().collect::<Vec<_>>());
        assert_eq!(cells[0].by_depth.len(), 10);
        assert_eq!(cells[0].by_depth.iter().map(|(_, estimate)| estimate.n).sum::<usize>(), 100);
    }
}
