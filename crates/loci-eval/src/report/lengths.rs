//! Each method over lengths.

use serde::Serialize;

use super::estimates::{in_order, rising};
use super::{Cell, TaskReport};
use crate::statistics::mean;
use crate::statistics::trend::{effective_length, line, weighted_average};

/// The mean score from which on a length counts as effective: that of Llama 2 7B at 4,096 tokens over RULER's tasks
/// (Hsieh et al., RULER, 2024).
pub(super) const THRESHOLD: f64 = 0.856;

/// A method over lengths.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverLengths {
    /// The method.
    pub method: String,
    /// Lengths that any method was run at, in tokens, shortest first.
    pub lengths: Vec<usize>,
    /// Those at which this one has a score.
    pub scored: Vec<usize>,
    /// Mean over lengths; `None` unless it has a score at each: fewer would not compare with the others.
    pub mean: Option<f64>,
    /// The same with weights 1, 2, 3, … from the shortest length on, as if long use were likelier (RULER).
    pub longer_weigh_more: Option<f64>,
    /// The same with the weights the other way round.
    pub shorter_weigh_more: Option<f64>,
    /// The score that a length needs to be effective.
    pub threshold: f64,
    /// The largest length with a mean of at least `threshold`, in tokens; 0 when there is none.
    pub effective_length: usize,
    /// Change of the score for twice the length: the line of least squares over the logarithm of the length.
    pub per_doubling: Option<f64>,
    /// Where the score is lowest.
    pub worst: Option<Worst>,
}

/// The lowest mean score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Worst {
    /// Its length, in tokens.
    pub length: usize,
    /// Its depth, where depths are told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<f64>,
    /// The mean there.
    pub mean: f64,
    /// Examples (over tasks: tasks) that it is a mean of.
    pub n: usize,
}

impl OverLengths {
    /// Lengths below the effective one that this method has no score at: whether it holds up there is not known.
    pub fn unknown(&self) -> Vec<usize> {
        let missing = |length: &usize| *length < self.effective_length && !self.scored.contains(length);
        self.lengths.iter().copied().filter(missing).collect()
    }
}

/// Each method of a task over lengths; empty with fewer than two lengths.
pub(super) fn over_lengths(cells: &[Cell]) -> Vec<OverLengths> {
    let lengths = lengths_of(cells);
    if lengths.len() < 2 {
        return Vec::new();
    }
    let of = |method: &String| {
        let own = || cells.iter().filter(|cell| cell.method == *method);
        let curve = own().filter_map(|cell| Some((cell.length, cell.score?.mean))).collect();
        let places = own().flat_map(places);
        summary(method, &lengths, curve, places.min_by(|a, b| a.mean.total_cmp(&b.mean)))
    };
    in_order(cells.iter().map(|cell| cell.method.as_str())).iter().map(of).collect()
}

/// Means of a cell, by depth where there are several depths.
fn places(cell: &Cell) -> Vec<Worst> {
    let place = |depth, n, mean| Worst { length: cell.length, depth, mean, n };
    if cell.by_depth.len() > 1 {
        return cell.by_depth.iter().map(|(depth, one)| place(Some(*depth), one.n, one.mean)).collect();
    }
    cell.score.iter().map(|score| place(None, score.n, score.mean)).collect()
}

/// Each method over the lengths that all sized tasks have, its score at each the mean over tasks that score how much was right.
/// Empty unless two tasks or more have the same two lengths or more.
pub(super) fn over_tasks(tasks: &[TaskReport]) -> Vec<OverLengths> {
    let sized: Vec<&TaskReport> =
        tasks.iter().filter(|task| task.scores_rightness && !task.over_lengths.is_empty()).collect();
    let mut lengths = sized.first().map_or_else(Vec::new, |task| lengths_of(&task.cells));
    lengths.retain(|length| sized.iter().all(|task| task.cells.iter().any(|cell| cell.length == *length)));
    if sized.len() < 2 || lengths.len() < 2 {
        return Vec::new();
    }
    let of = |method: &String| {
        let at = |length: usize| {
            let score = |task: &&TaskReport| {
                let mut own =
                    task.cells.iter().filter(|cell| cell.method == *method && cell.length == length);
                Some(own.next()?.score?.mean)
            };
            mean(&sized.iter().map(score).collect::<Option<Vec<f64>>>()?)
        };
        let curve: Vec<(usize, f64)> =
            lengths.iter().filter_map(|length| Some((*length, at(*length)?))).collect();
        let worst = curve.iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(length, mean)| Worst {
            length: *length,
            depth: None,
            mean: *mean,
            n: sized.len(),
        });
        summary(method, &lengths, curve, worst)
    };
    let methods = sized.iter().flat_map(|task| task.cells.iter().map(|cell| cell.method.as_str()));
    in_order(methods).iter().map(of).collect()
}

/// The lengths of cells.
pub(super) fn lengths_of(cells: &[Cell]) -> Vec<usize> {
    rising(cells.iter().map(|cell| cell.length))
}

/// `curve` holds the lengths that were scored, shortest first, each with its mean.
fn summary(method: &str, lengths: &[usize], curve: Vec<(usize, f64)>, worst: Option<Worst>) -> OverLengths {
    let scores: Vec<f64> = curve.iter().map(|(_, score)| *score).collect();
    let whole = scores.len() == lengths.len();
    let doublings: Vec<(f64, f64)> =
        curve.iter().map(|(length, score)| ((*length as f64).log2(), *score)).collect();
    OverLengths {
        method: method.to_owned(),
        lengths: lengths.to_vec(),
        scored: curve.iter().map(|(length, _)| *length).collect(),
        mean: mean(&scores).filter(|_| whole),
        longer_weigh_more: weighted_average(&scores, true).filter(|_| whole),
        shorter_weigh_more: weighted_average(&scores, false).filter(|_| whole),
        threshold: THRESHOLD,
        effective_length: effective_length(&curve, THRESHOLD),
        per_doubling: line(&doublings).map(|line| line.slope),
        worst,
    }
}

#[cfg(test)]
mod tests {
    use super::super::cells;
    use super::*;
    use crate::run::Record;

    fn records(method: &str, length: usize, scores: &[(f64, Option<f64>)]) -> Vec<Record> {
        let one = |(index, (depth, score)): (usize, &(f64, Option<f64>))| Record {
            method: method.to_owned(),
            length,
            example: format!("{length}/{index}"),
            depth: Some(*depth),
            score: *score,
            ..Record::default()
        };
        scores.iter().enumerate().map(one).collect()
    }

    fn close(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() < 1e-12)
    }

    #[test]
    fn a_falling_score_by_hand() {
        let all = [
            records("full", 1000, &[(0.1, Some(1.0)), (0.9, Some(1.0))]),
            records("full", 2000, &[(0.1, Some(0.8)), (0.9, Some(1.0))]),
            records("full", 4000, &[(0.1, Some(0.0)), (0.9, Some(0.5))]),
        ];
        let found = over_lengths(&cells(&all.iter().flatten().collect::<Vec<_>>()));
        assert_eq!((found.len(), found[0].effective_length, found[0].unknown().len()), (1, 2000, 0));
        let means = [1.0, 0.9, 0.25];
        assert!(close(found[0].mean, means.iter().sum::<f64>() / 3.0));
        assert!(close(found[0].longer_weigh_more, (1.0 + 1.8 + 0.75) / 6.0));
        assert!(close(found[0].shorter_weigh_more, (3.0 + 1.8 + 0.25) / 6.0));
        // Through three even steps the line's slope is half the difference of the ends.
        assert!(close(found[0].per_doubling, (0.25 - 1.0) / 2.0));
        assert_eq!(found[0].worst, Some(Worst { length: 4000, depth: Some(0.1), mean: 0.0, n: 1 }));
    }

    #[test]
    fn missing_lengths_are_said_and_not_averaged_over() {
        let all = [
            records("full", 1000, &[(0.5, Some(1.0))]),
            records("full", 2000, &[(0.5, Some(1.0))]),
            records("other", 1000, &[(0.5, None)]),
            records("other", 2000, &[(0.5, Some(0.9))]),
        ];
        let found = over_lengths(&cells(&all.iter().flatten().collect::<Vec<_>>()));
        assert_eq!((found[1].effective_length, found[1].unknown()), (2000, vec![1000]));
        assert_eq!((found[1].mean, found[1].per_doubling), (None, None));
        assert_eq!(found[1].worst.unwrap().depth, None);
        let one: Vec<&Record> = all[0].iter().collect();
        assert!(over_lengths(&cells(&one)).is_empty(), "one length has no trend");
    }
}
