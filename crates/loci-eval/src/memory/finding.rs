//! How well the memory finds evidence, by the choices of its design (LongMemEval, section B): what becomes an item, by which keys
//! it is found, whether the days that a question names go first, and what ranks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use loci_memory::Query;
use loci_reading::{By, TextEncoder};
use serde::Serialize;

mod compared;
mod table;

use super::corpus::{Corpus, Searched, Sought};
use super::history::Session;
use super::store::{Keys, Store, Unit, Writing, Written, session_of};
use crate::error::EvalError;
use crate::metrics::ranking::{Discount, ndcg_at, recall_all, recall_any, until_different};
use crate::report::Estimate;
pub use table::finding_table;

use self::compared::{differences, rows};

/// What is compared: every unit with all keys, both ways to treat days, and everything that ranks.
#[derive(Debug)]
pub struct Choices<'e> {
    /// What becomes an item.
    pub units: Vec<Unit>,
    /// By what it is found.
    pub keys: Vec<Keys>,
    /// What ranks.
    pub by: Vec<By>,
    /// What makes vectors, for those that need it.
    pub encoder: Option<&'e dyn TextEncoder>,
    /// How many of the first sessions count.
    pub top: BTreeSet<usize>,
    /// Items without facts are left out, for comparison with published figures only.
    pub official_empty: bool,
}

/// One of what is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What becomes an item.
    pub unit: &'static str,
    /// By what it is found besides its words.
    pub keys: &'static str,
    /// What ranks.
    pub by: &'static str,
    /// Whether the days that a question names go first.
    pub days: bool,
}

impl Choice {
    /// In a few words.
    pub fn named(&self) -> String {
        format!("{}, {}, {}, days {}", self.unit, self.keys, self.by, if self.days { "on" } else { "off" })
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct FindingReport {
    /// Where the histories are from.
    pub corpus: String,
    /// What was done, in words.
    pub protocol: Vec<String>,
    /// What each way of writing left in the store.
    pub written: Vec<(String, Written)>,
    /// Questions that count.
    pub questions: usize,
    /// Questions left out, with why.
    pub left_out: Vec<(&'static str, usize)>,
    /// The figures.
    pub rows: Vec<FindingRow>,
    /// Pairs of choices that differ in one thing.
    pub differences: Vec<ChoiceDifference>,
    /// What each choice gave for each question.
    pub outcomes: Vec<FindingOutcome>,
}

/// Figures of some questions by one choice at one k.
#[derive(Clone, Debug, Serialize)]
pub struct FindingRow {
    /// Which questions.
    pub group: String,
    /// The choice.
    #[serde(flatten)]
    pub choice: Choice,
    /// How many of the first sessions count.
    pub k: usize,
    /// Share of questions with all evidence among them.
    pub recall_all: Estimate,
    /// Share of questions with any of it.
    pub recall_any: Estimate,
    /// nDCG of them, places 1 and 2 weighing the same.
    pub ndcg: Estimate,
}

/// A choice against another that differs in one thing.
#[derive(Clone, Debug, Serialize)]
pub struct ChoiceDifference {
    /// In what they differ.
    pub of: &'static str,
    /// Which questions.
    pub group: String,
    /// The one.
    pub choice: String,
    /// The other.
    pub against: String,
    /// How many of the first sessions count.
    pub k: usize,
    /// Questions.
    pub n: usize,
    /// Mean difference of recall_all.
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

/// What one choice gave for one question.
#[derive(Clone, Debug, Serialize)]
pub struct FindingOutcome {
    /// The question.
    pub question: String,
    /// Questions that it is reported with.
    pub group: String,
    /// The choice, by number.
    pub choice: usize,
    /// Sessions that are evidence.
    pub evidence: usize,
    /// Places of the evidence among different sessions, from 1; what was not found has none.
    pub places: Vec<usize>,
    #[serde(skip)]
    scores: BTreeMap<usize, [f64; 3]>,
}

/// Writes a corpus in all ways, seeks all evidence in all ways. `folder` holds the stores meanwhile.
///
/// # Errors
/// [`EvalError::Nothing`] where nothing is compared, no question counts, or ranking by meaning lacks its encoder;
/// [`EvalError::Memory`].
pub fn find(corpus: &Corpus, choices: &Choices<'_>, folder: &Path) -> Result<FindingReport, EvalError> {
    if choices.units.is_empty()
        || choices.keys.is_empty()
        || choices.by.is_empty()
        || choices.top.first().is_none_or(|k| *k == 0)
    {
        return Err(EvalError::Nothing(
            "nothing is compared; name a unit, keys, what ranks, and each k as at least 1".to_owned(),
        ));
    }
    let mut report = FindingReport {
        corpus: corpus.label.clone(),
        protocol: protocol(corpus, choices),
        written: Vec::new(),
        questions: corpus.histories.iter().map(|history| history.sought.len()).sum(),
        left_out: corpus.left_out.clone(),
        rows: Vec::new(),
        differences: Vec::new(),
        outcomes: Vec::new(),
    };
    if report.questions == 0 {
        return Err(EvalError::Nothing(format!("{}: no question counts; take a larger part", corpus.label)));
    }
    let mut all = Vec::new();
    for unit in &choices.units {
        for keys in &choices.keys {
            let path = folder.join(format!("{}-{}.db", unit.name(), keys.name()));
            let mut store = Store::open(&path, 0)?;
            let writing = Writing {
                unit: *unit,
                keys: keys.clone(),
                topics: false,
                official_empty: choices.official_empty,
            };
            let mut sum = Written::default();
            for history in &corpus.histories {
                let written = store.write(&history.user, &history.sessions, &writing)?;
                sum.items += written.items;
                sum.held += written.held;
                sum.repeated += written.repeated;
                sum.without_facts += written.without_facts;
                sum.dropped.extend(written.dropped);
            }
            for by in &choices.by {
                for days in [false, true] {
                    let number = all.len();
                    all.push(Choice { unit: unit.name(), keys: keys.name(), by: by.name(), days });
                    for history in &corpus.histories {
                        let seek = Seek { history, by: *by, days, number, dropped: &sum.dropped };
                        report.outcomes.extend(seek.run(&mut store, choices)?);
                    }
                }
            }
            report.written.push((format!("{}, {}", unit.name(), keys.name()), sum));
        }
    }
    report.rows = rows(&report.outcomes, &all, &choices.top);
    report.differences = differences(&report.outcomes, &all, &choices.top);
    Ok(report)
}

fn protocol(corpus: &Corpus, choices: &Choices<'_>) -> Vec<String> {
    let mut lines = corpus.protocol.clone();
    lines.push(
        "written into the governed memory, each chat true from its time on, by its gate; found by its recall, at the time of the \
         question; rounds lead to their chats, and chats are counted; only what the user says is an item"
            .to_owned(),
    );
    if choices.keys.iter().any(|keys| matches!(keys, Keys::Facts)) {
        lines.push(
            "facts: by rule, not by a model; they and the text are a second key beside the text (K = V + fact)".to_owned(),
        );
    }
    if choices.official_empty {
        lines.push(
            "items without facts are left out of the store and of the evidence: only for comparison with the published code"
                .to_owned(),
        );
    }
    lines
}

/// All questions of a history in one way.
struct Seek<'s> {
    history: &'s Searched,
    by: By,
    days: bool,
    number: usize,
    dropped: &'s BTreeSet<String>,
}

impl Seek<'_> {
    fn run(&self, store: &mut Store, choices: &Choices<'_>) -> Result<Vec<FindingOutcome>, EvalError> {
        let messages: usize = self.history.sessions.iter().map(|session| session.said.len()).sum();
        let mut outcomes = Vec::with_capacity(self.history.sought.len());
        for sought in &self.history.sought {
            let query = Query {
                most: messages.max(1),
                by: self.by,
                at: Some(sought.at),
                days: self.days,
                ..Query::new(&sought.text)
            };
            let found = store.recall(&self.history.user, &query, choices.encoder)?.found;
            let sessions: Vec<&str> = found.iter().map(session_of).collect();
            if let Some(outcome) = self.outcome(sought, &sessions, &choices.top) {
                outcomes.push(outcome);
            }
        }
        Ok(outcomes)
    }

    /// What a ranking of sessions, some of them several times, gives; `None` where all evidence was left out of the store.
    fn outcome(&self, sought: &Sought, ranked: &[&str], top: &BTreeSet<usize>) -> Option<FindingOutcome> {
        // What only the assistant said is no item, and cannot be dropped.
        let there = |id: &&String| {
            let session = self.history.sessions.iter().find(|session| session.id == **id);
            let kept = |session: &Session| {
                let mut messages = session.said.iter().enumerate();
                messages.any(|(index, said)| {
                    said.speaker == "user" && !self.dropped.contains(&session.round(index))
                })
            };
            !self.dropped.contains(*id) && session.is_some_and(kept)
        };
        let evidence: Vec<&str> = sought.sessions.iter().filter(there).map(String::as_str).collect();
        if evidence.is_empty() {
            return None;
        }
        let mut different: Vec<&str> = Vec::new();
        for session in ranked {
            if !different.contains(session) {
                different.push(session);
            }
        }
        // What was not found stands behind everything that was.
        let missing = evidence.iter().filter(|id| !different.contains(id)).count();
        let mut gains: Vec<f64> =
            different.iter().map(|session| f64::from(u8::from(evidence.contains(session)))).collect();
        let share = |right: bool| f64::from(u8::from(right));
        let behind = gains.len() + top.last().copied().unwrap_or(0);
        gains.resize(behind, 0.0);
        gains.extend(std::iter::repeat_n(1.0, missing));
        let scores = top.iter().map(|k| {
            // Rounds are taken until k different chats are among them.
            let taken = until_different(ranked, *k);
            let scores = [
                share(recall_all(ranked, &evidence, taken)),
                share(recall_any(ranked, &evidence, taken)),
                ndcg_at(&gains, *k, Discount::FirstTwoAlike),
            ];
            (*k, scores)
        });
        let place = |id: &&str| different.iter().position(|session| session == id).map(|place| place + 1);
        Some(FindingOutcome {
            question: sought.id.clone(),
            group: sought.group.clone(),
            choice: self.number,
            evidence: evidence.len(),
            places: evidence.iter().filter_map(place).collect(),
            scores: scores.collect(),
        })
    }
}

#[cfg(test)]
mod tests;
