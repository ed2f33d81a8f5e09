//! Each method at each length.

use std::collections::BTreeMap;

use super::estimates::{by_depth, estimate, in_order, rising};
use super::{Cell, Cost};
use crate::run::Record;
use crate::statistics::mean;

/// Each method at each length, methods in the order in which they come.
pub fn cells(records: &[&Record]) -> Vec<Cell> {
    let methods = in_order(records.iter().map(|record| record.method.as_str()));
    let mut cells = Vec::new();
    for length in rising(records.iter().map(|record| record.length)) {
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
    let mut counted: BTreeMap<String, f64> = BTreeMap::new();
    for (name, count) in scored.iter().flat_map(|record| &record.counted) {
        *counted.entry(name.clone()).or_default() += count / scored.len() as f64;
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
        chance: chance(&scored),
        failed: records.len() - scored.len(),
        error: records.iter().find_map(|record| record.error.clone()),
        also: also.into_iter().filter_map(|(name, values)| Some((name, mean(&values)?))).collect(),
        counted,
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

/// The score of who draws among the choices, weighed as the score is: the mean over examples, each the mean of its
/// questions. Where some questions offer no choices, drawing has nothing to draw from there, and scores 0.
fn chance(records: &[&Record]) -> Option<f64> {
    records.iter().find(|record| record.chance.is_some())?;
    let mut examples: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for record in records {
        examples.entry(&record.example).or_default().push(record.chance.unwrap_or(0.0));
    }
    mean(&examples.into_values().filter_map(|chances| mean(&chances)).collect::<Vec<_>>())
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
    fn chance_is_weighed_as_the_score_is() {
        let with = |example: &str, chance| Record { chance, ..record("full", example, 0.5, 1.0) };
        let of = |records: &[Record]| cells(&records.iter().collect::<Vec<_>>())[0].chance;
        assert_eq!(of(&[with("a", None)]), None);
        assert_eq!(of(&[with("a", Some(0.25)), with("b", Some(0.5))]), Some(0.375));
        let more = [with("a", Some(0.5)), with("a", None), with("b", Some(0.25))];
        assert_eq!(of(&more), Some(0.25), "two questions of a, one without choices");
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
    fn what_was_counted_now_and_then_is_a_mean_over_all_questions() {
        let once = Record { counted: [("invented".to_owned(), 3.0)].into(), ..record("full", "b", 0.1, 0.0) };
        let records = [record("full", "a", 0.1, 1.0), once];
        let cells = cells(&records.iter().collect::<Vec<_>>());
        assert_eq!(cells[0].counted["invented"], 1.5);
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
