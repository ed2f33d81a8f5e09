//! The figures of the published scorer, by type of question.

use std::collections::{BTreeMap, BTreeSet};

use super::super::retrieval::Setting;
use super::{Granularity, RetrievalRow, is_evidence, session_of};
use crate::metrics::ranking::{Discount, ndcg_at, recall_all, recall_any, until_different};
use crate::report::estimate_of;

/// recall_all, recall_any and nDCG of one question each.
type Scores = [Vec<f64>; 3];

/// Scores by setting, by what is found (rounds before sessions), by k, by type.
#[derive(Default)]
pub(super) struct Figures {
    by_type: BTreeMap<String, BTreeMap<(usize, bool, usize), Scores>>,
}

impl Figures {
    pub(super) fn add(
        &mut self,
        question_type: &str,
        setting: usize,
        ranked: &[&str],
        granularity: Granularity,
        top: &BTreeSet<usize>,
    ) {
        let sessions: Vec<&str> = ranked.iter().map(|id| session_of(id)).collect();
        for k in top {
            let mut add = |of_sessions: bool, scores: [f64; 3]| {
                let cells = self.by_type.entry(question_type.to_owned()).or_default();
                let cell = cells.entry((setting, of_sessions, *k)).or_default();
                cell.iter_mut().zip(scores).for_each(|(column, score)| column.push(score));
            };
            match granularity {
                Granularity::Session => add(true, scores(ranked, *k)),
                Granularity::Round => {
                    add(false, scores(ranked, *k));
                    add(true, scores(&sessions, until_different(&sessions, *k)));
                }
            }
        }
    }

    pub(super) fn rows(self, settings: &[Setting]) -> Vec<RetrievalRow> {
        let mut all: BTreeMap<(usize, bool, usize), Scores> = BTreeMap::new();
        for (cell, scores) in self.by_type.values().flatten() {
            let sum = all.entry(*cell).or_default();
            sum.iter_mut().zip(scores).for_each(|(sum, scores)| sum.extend(scores));
        }
        let groups = self.by_type.into_iter().chain([("all".to_owned(), all)]);
        let mut rows = Vec::new();
        for (question_type, cells) in groups {
            for ((setting, of_sessions, k), [recall_all, recall_any, ndcg_any]) in cells {
                let estimates = (estimate_of(&recall_all), estimate_of(&recall_any), estimate_of(&ndcg_any));
                let (Some(recall_all), Some(recall_any), Some(ndcg_any)) = estimates else { continue };
                let Some(setting) = settings.get(setting) else { continue };
                rows.push(RetrievalRow {
                    question_type: question_type.clone(),
                    by: setting.by.name(),
                    expansion: setting.expansion(),
                    found: if of_sessions { Granularity::Session } else { Granularity::Round },
                    k,
                    recall_all,
                    recall_any,
                    ndcg_any,
                });
            }
        }
        rows
    }
}

/// recall_all, recall_any and nDCG of the first `k` of a ranking of ids.
fn scores(ranked: &[&str], k: usize) -> [f64; 3] {
    let gains: Vec<f64> = ranked.iter().map(|id| f64::from(u8::from(is_evidence(id)))).collect();
    let sought: BTreeSet<&str> = ranked.iter().copied().filter(|id| is_evidence(id)).collect();
    let sought: Vec<&str> = sought.into_iter().collect();
    let share = |right: bool| f64::from(u8::from(right));
    [
        share(recall_all(ranked, &sought, k)),
        share(recall_any(ranked, &sought, k)),
        ndcg_at(&gains, k, Discount::FirstTwoAlike),
    ]
}
