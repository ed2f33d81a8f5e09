//! How well what is sought was found, by each setting, and how settings differ.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Setting;
use crate::metrics::ranking::{Discount, ndcg_at};
use crate::report::{Estimate, estimate_of, in_order};
use crate::statistics::{Interval, PairedTest, holm, mean, paired_test};

/// How well evidence was found where a data set does not come with a published scorer.
#[derive(Clone, Debug, Serialize)]
pub struct FoundReport {
    /// The data set's id.
    pub data_set: &'static str,
    /// Names of the files.
    pub files: Vec<String>,
    /// What is searched, and what counts as found: how these figures may be read.
    pub protocol: Vec<String>,
    /// What retrievers and expansions are.
    pub settings: Vec<String>,
    /// Discount of nDCG.
    pub discount: &'static str,
    /// Questions that count.
    pub questions: usize,
    /// Questions left out, and why.
    pub left_out: Vec<LeftOut>,
    /// Items that are searched: in all haystacks together.
    pub items: usize,
    /// The figures.
    pub rows: Vec<FoundRow>,
    /// Each retriever against the first one, and expanded keys against the keys as they are, on the same questions.
    pub differences: Vec<Difference>,
    /// Where what is sought stood, question by question.
    pub places: Vec<Places>,
}

/// Questions that are left out.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// Why.
    pub reason: &'static str,
    /// How many.
    pub questions: usize,
}

/// The figures of some questions by one setting at one k.
#[derive(Clone, Debug, Serialize)]
pub struct FoundRow {
    /// Which questions.
    pub group: String,
    /// What is sought.
    pub sought: &'static str,
    /// What ranked.
    pub by: &'static str,
    /// What keys were expanded by, and how the expansion was joined.
    pub expansion: String,
    /// How many of the first items count.
    pub k: usize,
    /// Share of questions with something sought among the first k.
    pub recall_any: Estimate,
    /// Share of questions with all that is sought among the first k, over those that seek at most k items; none where no
    /// question does.
    pub recall_all: Option<Estimate>,
    /// Share of what is sought among the first k.
    pub share: Estimate,
    /// Normalised discounted cumulative gain of the first k, binary gains.
    pub ndcg: Estimate,
    /// What `recall_any` would be on average if items stood in random order.
    pub chance: f64,
}

/// A setting against another one.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Which questions.
    pub group: String,
    /// What is sought.
    pub sought: &'static str,
    /// What ranked.
    pub by: &'static str,
    /// What keys were expanded by.
    pub expansion: String,
    /// What it is compared with.
    pub against: String,
    /// Questions that both count.
    pub n: usize,
    /// nDCG is that of the first so many.
    pub k: usize,
    /// Mean difference of nDCG.
    pub difference: f64,
    /// Lower end of its 95 % interval, by resampling questions.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Two-sided p of a paired permutation test.
    pub p: f64,
    /// p corrected over all differences of the report (Holm).
    pub p_holm: f64,
}

/// Where what is sought stood.
#[derive(Clone, Debug, Serialize)]
pub struct Places {
    /// The question.
    pub question: String,
    /// What is sought.
    pub sought: &'static str,
    /// What ranked.
    pub by: &'static str,
    /// What keys were expanded by.
    pub expansion: String,
    /// Items ranked.
    pub items: usize,
    /// Places of what is sought, from 1.
    pub places: Vec<usize>,
}

/// What one setting gave for one question.
#[derive(Clone, Debug)]
pub(in super::super) struct Outcome {
    /// Groups that the question belongs to.
    pub(in super::super) groups: Vec<String>,
    pub(in super::super) sought: &'static str,
    pub(in super::super) question: String,
    /// Its place among the settings.
    pub(in super::super) setting: usize,
    /// Places of what is sought, from 1, rising.
    pub(in super::super) places: Vec<usize>,
    /// Items that were ranked.
    pub(in super::super) items: usize,
}

impl Outcome {
    /// What an order of items says, of which `is_sought` says whether they are; `None` where none is.
    pub(in super::super) fn of(
        groups: &[String],
        sought: &'static str,
        question: &str,
        setting: usize,
        ranked: &[usize],
        is_sought: impl Fn(usize) -> bool,
    ) -> Option<Self> {
        let places: Vec<usize> = ranked
            .iter()
            .enumerate()
            .filter(|(_, item)| is_sought(**item))
            .map(|(place, _)| place + 1)
            .collect();
        (!places.is_empty()).then(|| Self {
            groups: groups.to_vec(),
            sought,
            question: question.to_owned(),
            setting,
            places,
            items: ranked.len(),
        })
    }

    fn found(&self, k: usize) -> usize {
        self.places.iter().filter(|place| **place <= k).count()
    }

    fn ndcg(&self, k: usize) -> f64 {
        let gains: Vec<f64> = (1..=self.items)
            .map(|place| f64::from(u8::from(self.places.binary_search(&place).is_ok())))
            .collect();
        ndcg_at(&gains, k, Discount::Usual)
    }

    /// Probability that a random order has something sought among the first `k`.
    fn chance(&self, k: usize) -> f64 {
        let others = self.items.saturating_sub(self.places.len());
        let none: f64 = (0..k.min(self.items))
            .map(|drawn| others.saturating_sub(drawn) as f64 / (self.items - drawn) as f64)
            .product();
        1.0 - none
    }
}

/// All outcomes of a measurement.
#[derive(Default)]
pub(in super::super) struct Tally {
    pub(in super::super) outcomes: Vec<Outcome>,
}

impl Tally {
    /// The figures by group, what is sought, setting and k, in the order in which they came.
    pub(in super::super) fn rows(&self, settings: &[Setting], top: &BTreeSet<usize>) -> Vec<FoundRow> {
        let mut rows = Vec::new();
        for (group, sought) in self.groups() {
            for (number, setting) in settings.iter().enumerate() {
                let own: Vec<&Outcome> = self.own(&group, sought, number).collect();
                rows.extend(top.iter().filter_map(|k| row(&group, sought, setting, *k, &own)));
            }
        }
        rows
    }

    /// nDCG of the first `k` by each retriever against that by the first one, and by expanded keys against that by the keys
    /// as the same retriever has them first.
    pub(in super::super) fn differences(&self, settings: &[Setting], k: usize) -> Vec<Difference> {
        let mut all = Vec::new();
        for (group, sought) in self.groups() {
            for (number, setting) in settings.iter().enumerate().skip(1) {
                let same = settings.iter().position(|other| other.by == setting.by).unwrap_or(0);
                let base = if same < number { same } else { 0 };
                let Some(against) = settings.get(base) else { continue };
                let pairs = self.own(&group, sought, number).filter_map(|outcome| {
                    let mut others = self.own(&group, sought, base);
                    let other = others.find(|other| other.question == outcome.question)?;
                    Some(outcome.ndcg(k) - other.ndcg(k))
                });
                let differences: Vec<f64> = pairs.collect();
                let Some(PairedTest { difference, interval, p }) = paired_test(&differences) else {
                    continue;
                };
                // One question says nothing of others.
                let interval = match differences.len() {
                    1 => Interval { low: -1.0, high: 1.0 },
                    _ => interval,
                };
                all.push(Difference {
                    group: group.clone(),
                    sought,
                    by: setting.by.name(),
                    expansion: setting.expansion(),
                    against: format!("{}, {}", against.by.name(), against.expansion()),
                    n: differences.len(),
                    k,
                    difference,
                    low: interval.low,
                    high: interval.high,
                    p,
                    p_holm: p,
                });
            }
        }
        let ps: Vec<f64> = all.iter().map(|one| one.p).collect();
        all.iter_mut().zip(holm(&ps)).for_each(|(one, p)| one.p_holm = p);
        all
    }

    /// Where what is sought stood.
    pub(in super::super) fn places(&self, settings: &[Setting]) -> Vec<Places> {
        let of = |outcome: &Outcome| {
            let setting = settings.get(outcome.setting)?;
            Some(Places {
                question: outcome.question.clone(),
                sought: outcome.sought,
                by: setting.by.name(),
                expansion: setting.expansion(),
                items: outcome.items,
                places: outcome.places.clone(),
            })
        };
        self.outcomes.iter().filter_map(of).collect()
    }

    /// Groups with what is sought in them.
    fn groups(&self) -> Vec<(String, &'static str)> {
        let mut found = Vec::new();
        for group in
            in_order(self.outcomes.iter().flat_map(|outcome| outcome.groups.iter().map(String::as_str)))
        {
            let mut sought: Vec<&'static str> = Vec::new();
            for outcome in self.outcomes.iter().filter(|outcome| outcome.groups.contains(&group)) {
                if !sought.contains(&outcome.sought) {
                    sought.push(outcome.sought);
                }
            }
            found.extend(sought.into_iter().map(|sought| (group.clone(), sought)));
        }
        found
    }

    fn own<'t>(&'t self, group: &str, sought: &str, setting: usize) -> impl Iterator<Item = &'t Outcome> {
        self.outcomes.iter().filter(move |outcome| {
            outcome.setting == setting
                && outcome.sought == sought
                && outcome.groups.iter().any(|own| own == group)
        })
    }
}

fn row(group: &str, sought: &'static str, setting: &Setting, k: usize, own: &[&Outcome]) -> Option<FoundRow> {
    let share = |right: bool| f64::from(u8::from(right));
    let all =
        |score: &dyn Fn(&Outcome) -> f64| -> Vec<f64> { own.iter().map(|outcome| score(outcome)).collect() };
    let complete: Vec<f64> = own
        .iter()
        .filter(|outcome| outcome.places.len() <= k)
        .map(|outcome| share(outcome.found(k) == outcome.places.len()))
        .collect();
    Some(FoundRow {
        group: group.to_owned(),
        sought,
        by: setting.by.name(),
        expansion: setting.expansion(),
        k,
        recall_any: estimate_of(&all(&|outcome| share(outcome.found(k) > 0)))?,
        recall_all: estimate_of(&complete),
        share: estimate_of(&all(&|outcome| outcome.found(k) as f64 / outcome.places.len() as f64))?,
        ndcg: estimate_of(&all(&|outcome| outcome.ndcg(k)))?,
        chance: mean(&all(&|outcome| outcome.chance(k)))?,
    })
}
