//! Each method over all tasks, by what an evaluation card asks for: correctness, faithfulness, position robustness,
//! timeliness, refusal (Zhang et al., Memory in Large Language Models, 2025).

use serde::Serialize;

use super::Estimate;
use super::estimates::{by_depth, by_example, estimate_of, in_order};
use crate::run::{EVIDENCE, Record};
use crate::task::Task;

/// Tasks that ask for the newest of several values.
const NEWEST_VALUE: [&str; 2] = ["pi-updates", "pi-llm"];
/// The label of questions by kind, its value for facts that changed, and its value for what nobody can know.
const KIND: &str = "type";
const UPDATED: &str = "knowledge-update";
const UNANSWERABLE: &str = "abstention";

/// What was measured of a method, over all tasks; `None`: not measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// The method.
    pub method: String,
    /// Mean over the examples of all tasks that score how much was right.
    pub correctness: Option<Estimate>,
    /// Of right answers, the share whose heaviest passage of evidence holds what is right; measured where passages were asked
    /// for and what is right stands in the text.
    pub faithfulness: Option<Estimate>,
    /// Of the task in which depth matters most.
    pub position: Option<PositionGap>,
    /// Over questions whose right answer changed within the text.
    pub timeliness: Option<Estimate>,
    /// Share of the questions without an answer that were declined. Who always declines scores 1: to be read beside
    /// correctness.
    pub refusal: Option<Estimate>,
}

/// The worst depth against the best, all lengths of a task together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PositionGap {
    /// The task.
    pub task: String,
    /// The depth with the lowest mean.
    pub worst: f64,
    /// The depth with the highest.
    pub best: f64,
    /// Mean at the worst depth less that at the best: at most 0.
    pub difference: f64,
    /// Its 95 % interval from those of the two means (Newcombe 1998), as if no example stood at both and the depths had
    /// been named before.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

/// Each method over `tasks`.
pub(super) fn results(tasks: &[(&dyn Task, &str, Vec<&Record>)]) -> Vec<Results> {
    let methods = in_order(
        tasks.iter().flat_map(|(_, _, records)| records.iter().map(|record| record.method.as_str())),
    );
    let tasks: Vec<_> = tasks.iter().filter(|(task, ..)| task.scores_rightness()).collect();
    let of = |method: &String| {
        // Ids of examples are unlike within a task only.
        let mean_of = |figure: &dyn Fn(&str, &Record) -> Option<f64>| {
            let own = |(task, _, records): &&(&dyn Task, &str, Vec<&Record>)| -> Vec<f64> {
                let of_method = records.iter().filter(|record| record.method == *method);
                let figures = of_method.filter_map(|record| {
                    Some((record.example.as_str(), figure(task.info().method.id, record)?))
                });
                by_example(figures).into_values().collect()
            };
            estimate_of(&tasks.iter().flat_map(own).collect::<Vec<_>>())
        };
        let over = |wanted: &dyn Fn(&str, &Record) -> bool| {
            mean_of(&|id, record| record.score.filter(|_| wanted(id, record)))
        };
        let supported =
            |record: &Record| record.also.get(EVIDENCE).copied().filter(|_| record.score == Some(1.0));
        let kind = |record: &Record, value: &str| record.labels.get(KIND).is_some_and(|kind| kind == value);
        let gaps = tasks.iter().filter_map(|(_, named, records)| gap(named, method, records));
        Results {
            method: method.clone(),
            correctness: over(&|_, _| true),
            faithfulness: mean_of(&|_, record| supported(record)),
            position: gaps.min_by(|one, other| one.difference.total_cmp(&other.difference)),
            timeliness: over(&|id, record| NEWEST_VALUE.contains(&id) || kind(record, UPDATED)),
            refusal: over(&|_, record| kind(record, UNANSWERABLE)),
        }
    };
    methods.iter().map(of).collect()
}

/// The worst depth of a method against its best; `None` with fewer than two depths.
fn gap(task: &str, method: &str, records: &[&Record]) -> Option<PositionGap> {
    let own: Vec<&Record> = records.iter().copied().filter(|record| record.method == method).collect();
    let depths = by_depth(&own);
    let by_mean = |one: &&(f64, Estimate), other: &&(f64, Estimate)| one.1.mean.total_cmp(&other.1.mean);
    let (worst, low) = depths.iter().min_by(by_mean)?;
    // Of equal ones the first, as of the worst.
    let (best, high) = depths.iter().rev().max_by(by_mean)?;
    let difference = low.mean - high.mean;
    let apart = |down: f64, up: f64| down.hypot(up);
    (depths.len() > 1).then(|| PositionGap {
        task: task.to_owned(),
        worst: *worst,
        best: *best,
        difference,
        low: (difference - apart(low.mean - low.low, high.high - high.mean)).max(-1.0),
        high: (difference + apart(low.high - low.mean, high.mean - high.low)).min(1.0),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::tests::{record, report_of};
    use super::*;

    #[test]
    fn the_worst_depth_against_the_best_by_hand() {
        let at = |depth: f64, index: usize, score: f64| Record {
            depth: Some(depth),
            ..record("passkey", "full", &format!("{depth}/{index}"), score)
        };
        // 56 of 70 and 48 of 80: Newcombe's own example has 0.0524 to 0.3339 for the difference 0.2.
        let mut records: Vec<Record> =
            (0..70).map(|index| at(0.1, index, f64::from(u8::from(index < 56)))).collect();
        records.extend((0..80).map(|index| at(0.5, index, f64::from(u8::from(index < 48)))));
        let found = gap("passkey", "full", &records.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!((found.worst, found.best), (0.5, 0.1));
        assert!((found.difference + 0.2).abs() < 1e-12, "{found:?}");
        assert!((found.low + 0.3339).abs() < 5e-5 && (found.high + 0.0524).abs() < 5e-5, "{found:?}");
        let one: Vec<&Record> = records.iter().take(70).collect();
        assert_eq!(gap("passkey", "full", &one), None);
    }

    #[test]
    fn blocks_are_of_the_questions_that_test_them() {
        let of = |kind: &str, index: usize, score: f64| Record {
            labels: BTreeMap::from([("type".to_owned(), kind.to_owned())]),
            ..record("long-mem-eval", "full", &format!("{kind}/{index}"), score)
        };
        let chats = [
            of("knowledge-update", 0, 1.0),
            of("knowledge-update", 1, 0.0),
            of("abstention", 0, 1.0),
            of("multi-session", 0, 0.0),
        ];
        let plain = [record("passkey", "full", "a", 1.0), record("passkey", "other", "a", 1.0)];
        let updates = [record("pi-updates", "full", "a", 1.0)];
        let report = report_of(&[("long-mem-eval", &chats), ("passkey", &plain), ("pi-updates", &updates)]);
        let full = &report.results[0];
        let n_and_mean = |one: Option<Estimate>| one.map(|one| (one.n, one.mean));
        assert_eq!(
            n_and_mean(full.correctness),
            Some((6, 4.0 / 6.0)),
            "equal ids in two tasks are two examples"
        );
        assert_eq!(n_and_mean(full.timeliness), Some((3, 2.0 / 3.0)));
        assert_eq!(n_and_mean(full.refusal), Some((1, 1.0)));
        let other = &report.results[1];
        assert_eq!((other.timeliness, other.refusal, other.faithfulness), (None, None, None));
        assert_eq!(n_and_mean(other.correctness), Some((1, 1.0)));
    }

    #[test]
    fn faithful_is_who_is_right_and_shows_where_it_stands() {
        let of = |example: &str, turn: usize, score: f64, shown: Option<f64>| Record {
            turn,
            also: shown.map(|shown| (EVIDENCE.to_owned(), shown)).into_iter().collect(),
            ..record("passkey", "full", example, score)
        };
        // What is wrong has nothing to show, and one text with two questions is one example.
        let keys = [
            of("a", 0, 1.0, Some(1.0)),
            of("a", 1, 1.0, Some(0.0)),
            of("b", 0, 1.0, Some(1.0)),
            of("c", 0, 0.0, Some(0.0)),
            of("d", 0, 1.0, None),
        ];
        let found = report_of(&[("passkey", &keys)]).results[0].faithfulness.unwrap();
        assert_eq!((found.n, found.mean), (2, 0.75));
    }

    #[test]
    fn likelihoods_are_averaged_with_no_other_score() {
        let keys = [record("passkey", "full", "a", 1.0)];
        let texts = [record("perplexity", "full", "a", 0.03), record("perplexity", "other", "a", 0.02)];
        let report = report_of(&[("passkey", &keys), ("perplexity", &texts)]);
        let correct: Vec<_> =
            report.results.iter().map(|one| one.correctness.map(|one| (one.n, one.mean))).collect();
        assert_eq!(correct, [Some((1, 1.0)), None]);
        assert_eq!(report.quadrants[0].tasks.len(), 1);
    }
}
