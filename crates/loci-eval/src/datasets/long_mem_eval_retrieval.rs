//! How well the evidence of LongMemEval is found (Wu et al., LongMemEval: Benchmarking Chat Assistants on Long-Term
//! Interactive Memory, 2024): retrieval without a model that reads.
//!
//! The figures are those of the published scorer. Items are indexed by what the user says in them; a session counts as
//! evidence if its id holds `answer` and a message of the user in it is marked, a round if its own message is. Questions that
//! cannot be answered (`_abs`) are left out, and those whose evidence only the assistant gave. What the scorer leaves to
//! chance is fixed here: of equal scores the newer item stands first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use loci_reading::Bm25;
use loci_reading::bm25::Weights;
use loci_reading::tokens::between_spaces;
use serde::Serialize;

use super::files::{Record, records};
use super::long_mem_eval::{NAMES, SET};
use super::long_mem_eval_sessions::{Session, sessions};
use crate::error::EvalError;
use crate::metrics::ranking::{Discount, ndcg_at, recall_all, recall_any, until_different};
use crate::report::{Estimate, aligned, estimate_of};

/// The published scorer takes the defaults of the package `rank_bm25`.
const WEIGHTS: Weights = Weights { k1: 1.5, b: 0.75 };

/// What is searched, and handed to a reader, as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Granularity {
    /// A whole chat; its key is all messages of the user, with a space between.
    Session,
    /// A message of the user and the reply; its key is the message.
    Round,
}

impl Granularity {
    /// As it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Round => "round",
        }
    }
}

/// How well evidence was found.
#[derive(Clone, Debug, Serialize)]
pub struct RetrievalReport {
    /// The data set's id.
    pub data_set: &'static str,
    /// Name of the file.
    pub file: String,
    /// What ranked.
    pub retriever: String,
    /// What was ranked.
    pub granularity: Granularity,
    /// Questions that count.
    pub questions: usize,
    /// Questions left out because they cannot be answered.
    pub unanswerable: usize,
    /// Questions left out because no message of the user is evidence.
    pub without_evidence: usize,
    /// The figures: types in the order of their names, then all questions together.
    pub rows: Vec<RetrievalRow>,
}

/// The figures of some questions at one k.
#[derive(Clone, Debug, Serialize)]
pub struct RetrievalRow {
    /// `question_type` of the data; `all` of all.
    pub question_type: String,
    /// What counts as found: rounds, or the sessions that rounds lead to.
    pub found: Granularity,
    /// How many different items of the ranking count.
    pub k: usize,
    /// Share of questions with all evidence among the first k: the published headline.
    pub recall_all: Estimate,
    /// Share of questions with any evidence among the first k.
    pub recall_any: Estimate,
    /// Normalised discounted cumulative gain of the first k, places 1 and 2 weighing the same.
    pub ndcg_any: Estimate,
}

/// What `subset` may be.
pub const SUBSETS: &[&str] = &["oracle", "s", "m"];

/// Ranks the sessions or rounds of every question by BM25 over the pieces between spaces (k1 1.5, b 0.75), and says how well
/// the evidence is found among the first k, for each of `top`.
///
/// `root` is the folder of all data sets, `subset` one of [`SUBSETS`]. Where rounds are ranked, the figures for rounds and for
/// the sessions they lead to are given; for sessions k grows until so many different ones are among the rounds.
///
/// # Errors
/// [`EvalError::Nothing`] for an unknown subset, a file that is not there, without a k of at least 1, or where no question
/// counts; [`EvalError::Line`] for what is not of the published form, which tells sessions and evidence apart.
pub fn measure(
    root: &Path,
    subset: &str,
    granularity: Granularity,
    top: &[usize],
) -> Result<RetrievalReport, EvalError> {
    let top: BTreeSet<usize> = top.iter().copied().collect();
    if top.first().is_none_or(|k| *k == 0) {
        return Err(EvalError::Nothing(
            "nothing is found among the first 0; give each k as at least 1".to_owned(),
        ));
    }
    let parts = NAMES.iter().skip(1).zip(SET.files);
    let Some((_, file)) = parts.into_iter().find(|(name, _)| **name == subset) else {
        return Err(EvalError::Nothing(format!(
            "there is no part {subset:?}; name one of {}",
            SUBSETS.join(", ")
        )));
    };
    let path = SET.path(root, file.names)?;
    let records = records(&path)?;
    let mut report = RetrievalReport {
        data_set: SET.id,
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        retriever: format!("BM25 (k1 {}, b {}) over pieces between spaces", WEIGHTS.k1, WEIGHTS.b),
        granularity,
        questions: 0,
        unanswerable: 0,
        without_evidence: 0,
        rows: Vec::new(),
    };
    let mut figures = Figures::default();
    let mut marks = 0;
    for record in &records {
        let sessions = published(record)?;
        marks += sessions.iter().flat_map(|session| &session.turns).filter(|said| said.has_answer).count();
        if record.text("question_id")?.ends_with("_abs") {
            report.unanswerable += 1;
            continue;
        }
        let items = items(&sessions, granularity);
        if !items.iter().any(|item| is_evidence(&item.id)) {
            report.without_evidence += 1;
            continue;
        }
        report.questions += 1;
        figures.add(
            record.text("question_type")?,
            &ranked(&items, record.text("question")?),
            granularity,
            &top,
        );
    }
    if let Some(first) = records.first().filter(|_| marks == 0) {
        return Err(first.error(format!(
            "no message of the whole file is marked has_answer, so there is no evidence to find; take the file from {}",
            SET.published
        )));
    }
    if report.questions == 0 {
        return Err(EvalError::Nothing(format!(
            "{}: no question counts: {} cannot be answered, {} have no evidence said by the user; take a larger part",
            path.display(),
            report.unanswerable,
            report.without_evidence
        )));
    }
    report.rows = figures.rows();
    Ok(report)
}

/// The sessions of a record of the published form.
fn published(record: &Record) -> Result<Vec<Session>, EvalError> {
    if record.has("conversation") {
        return Err(record.error(format!(
            "field \"conversation\" tells neither sessions by their ids nor evidence (has_answer); take the file from {}",
            SET.published
        )));
    }
    let sessions = sessions(record)?;
    match sessions.iter().find(|session| session.id.is_empty() || session.date.is_empty()) {
        None => Ok(sessions),
        Some(session) => Err(record.error(format!(
            "each session needs an id and a date, and one has id {:?} and date {:?}",
            session.id, session.date
        ))),
    }
}

/// What is ranked.
struct Item {
    id: String,
    key: String,
}

/// Whether an item's id says that it is evidence.
fn is_evidence(id: &str) -> bool {
    id.contains("answer")
}

/// `id`, changed where it says evidence and there is none: sessions are sometimes named so for what the assistant said.
fn labelled(id: String, has_answer: bool) -> String {
    if has_answer { id } else { id.replace("answer", "noans") }
}

/// The items of all sessions, newest first.
fn items(sessions: &[Session], granularity: Granularity) -> Vec<Item> {
    let mut items = Vec::new();
    for session in sessions {
        let of_user = || session.turns.iter().enumerate().filter(|(_, said)| said.role == "user");
        match granularity {
            Granularity::Session => {
                let key: Vec<&str> = of_user().map(|(_, said)| said.content.as_str()).collect();
                let has_answer = of_user().any(|(_, said)| said.has_answer);
                items.push(Item { id: labelled(session.id.clone(), has_answer), key: key.join(" ") });
            }
            Granularity::Round => items.extend(of_user().map(|(index, said)| Item {
                id: labelled(format!("{}_{}", session.id, index + 1), said.has_answer),
                key: said.content.clone(),
            })),
        }
    }
    items.reverse();
    items
}

/// Ids of all items, best first.
fn ranked<'a>(items: &'a [Item], question: &str) -> Vec<&'a str> {
    let index = Bm25::new(items.iter().map(|item| between_spaces(&item.key)), WEIGHTS);
    let ranking = index.rank(between_spaces(question)).into_iter();
    ranking.filter_map(|(place, _)| items.get(place)).map(|item| item.id.as_str()).collect()
}

/// The session of a round's id, with what its label says of evidence.
fn session_of(id: &str) -> &str {
    id.rsplit_once('_').map_or(id, |(session, _)| session)
}

/// recall_all, recall_any and nDCG of one question each.
type Scores = [Vec<f64>; 3];

/// Scores by k, by what is found (rounds before sessions), by type.
#[derive(Default)]
struct Figures {
    by_type: BTreeMap<String, BTreeMap<(bool, usize), Scores>>,
}

impl Figures {
    fn add(&mut self, question_type: &str, ranked: &[&str], granularity: Granularity, top: &BTreeSet<usize>) {
        let sessions: Vec<&str> = ranked.iter().map(|id| session_of(id)).collect();
        for k in top {
            let mut add = |of_sessions: bool, scores: [f64; 3]| {
                let cells = self.by_type.entry(question_type.to_owned()).or_default();
                let cell = cells.entry((of_sessions, *k)).or_default();
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

    fn rows(self) -> Vec<RetrievalRow> {
        let mut all: BTreeMap<(bool, usize), Scores> = BTreeMap::new();
        for (cell, scores) in self.by_type.values().flatten() {
            let sum = all.entry(*cell).or_default();
            sum.iter_mut().zip(scores).for_each(|(sum, scores)| sum.extend(scores));
        }
        let groups = self.by_type.into_iter().chain([("all".to_owned(), all)]);
        let mut rows = Vec::new();
        for (question_type, cells) in groups {
            for ((of_sessions, k), [recall_all, recall_any, ndcg_any]) in cells {
                let estimates = (estimate_of(&recall_all), estimate_of(&recall_any), estimate_of(&ndcg_any));
                let (Some(recall_all), Some(recall_any), Some(ndcg_any)) = estimates else { continue };
                rows.push(RetrievalRow {
                    question_type: question_type.clone(),
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

/// The report as plain text.
pub fn table(report: &RetrievalReport) -> String {
    let mut rows = vec![
        ["type", "found", "k", "n", "recall_all", "95 %", "recall_any", "95 %", "nDCG", "95 %"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in &report.rows {
        let mut cells = vec![
            row.question_type.clone(),
            row.found.name().to_owned(),
            row.k.to_string(),
            row.recall_all.n.to_string(),
        ];
        for estimate in [row.recall_all, row.recall_any, row.ndcg_any] {
            cells.push(format!("{:.3}", estimate.mean));
            cells.push(format!("{:.2} to {:.2}", estimate.low, estimate.high));
        }
        rows.push(cells);
    }
    format!(
        "{}, {}: {}, one item a {}\n{}{} questions; left out: {} that cannot be answered, {} whose evidence the user did not \
         say\n",
        report.data_set,
        report.file,
        report.retriever,
        report.granularity.name(),
        aligned(&rows, 1),
        report.questions,
        report.unanswerable,
        report.without_evidence
    )
}

#[cfg(test)]
mod tests;
