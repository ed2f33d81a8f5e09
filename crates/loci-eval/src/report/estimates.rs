//! Means with their intervals.

use std::collections::{BTreeMap, BTreeSet};

use loci_context::random::Random;

use super::Estimate;
use crate::run::Record;
use crate::statistics::{Interval, RESAMPLES, bootstrap_mean, mean, wilson};

/// Depths up to which each stands for itself.
const OWN_DEPTHS: usize = 12;

/// Different texts in the order in which they first come.
pub fn in_order<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for text in texts {
        if !seen.iter().any(|known| known == text) {
            seen.push(text.to_owned());
        }
    }
    seen
}

/// Different lengths, shortest first.
pub(super) fn rising(lengths: impl Iterator<Item = usize>) -> Vec<usize> {
    lengths.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Score of each example.
pub(super) fn scores_by_example<'a>(records: &[&'a Record]) -> BTreeMap<&'a str, f64> {
    by_example(records.iter().filter_map(|record| Some((record.example.as_str(), record.score?))))
}

/// Figure of each example: the mean of those of its questions, which are not independent of each other.
pub(super) fn by_example<'a>(figures: impl Iterator<Item = (&'a str, f64)>) -> BTreeMap<&'a str, f64> {
    let mut found: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (example, figure) in figures {
        found.entry(example).or_default().push(figure);
    }
    found.into_iter().filter_map(|(example, figures)| Some((example, mean(&figures)?))).collect()
}

/// Mean over examples, with its interval.
pub(super) fn estimate(records: &[&Record]) -> Option<Estimate> {
    estimate_of(&scores_by_example(records).into_values().collect::<Vec<_>>())
}

/// Mean of scores that do not depend on each other, with its interval.
pub(crate) fn estimate_of(scores: &[f64]) -> Option<Estimate> {
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
pub(super) fn by_depth(records: &[&Record]) -> Vec<(f64, Estimate)> {
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
