//! How well the evidence of LongMemEval is found (Wu et al., LongMemEval: Benchmarking Chat Assistants on Long-Term
//! Interactive Memory, 2024): retrieval without a model that reads.
//!
//! The figures are those of the published scorer. Items are indexed by what the user says in them; a session counts as
//! evidence if its id holds `answer` and a message of the user in it is marked, a round if its own message is. Questions that
//! cannot be answered (`_abs`) are left out, and those whose evidence only the assistant gave. What the scorer leaves to
//! chance is fixed here: of equal scores the newer item stands first. Beside its BM25, other retrievers and expansions of keys
//! can be compared; of an item that has several entries the best place counts, while the published code keeps them all in its
//! ranking.
//!
//! Files of the sample form, which tell neither sessions nor evidence, are measured by a protocol of our own: see `pooled`.

mod figures;
mod pooled;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use figures::Figures;

use super::files::{Record, records};
use super::long_mem_eval::{NAMES, SET};
use super::long_mem_eval_sessions::Session;
#[cfg(feature = "memory")]
pub(crate) use super::long_mem_eval_sessions::sessions;
#[cfg(not(feature = "memory"))]
use super::long_mem_eval_sessions::sessions;
#[cfg(feature = "memory")]
pub(crate) use pooled::answers;

use super::retrieval::{FoundReport, Search, Searcher, Setting, found_table};
use crate::error::EvalError;
use crate::report::{Estimate, aligned};

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

/// The figures of some questions by one retriever at one k.
#[derive(Clone, Debug, Serialize)]
pub struct RetrievalRow {
    /// `question_type` of the data; `all` of all.
    pub question_type: String,
    /// What ranked.
    pub by: &'static str,
    /// What keys were expanded by, and how the expansion was joined.
    pub expansion: String,
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

/// What was measured.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Measured {
    /// Files of the published form.
    Published(RetrievalReport),
    /// Files of the sample form.
    Pooled(FoundReport),
}

/// What `subset` may be; `all` is for files of the sample form, which are pooled.
pub const SUBSETS: &[&str] = &["oracle", "s", "m", "all"];

/// Expansions that chats have.
const SOURCES: &[&str] = &["none", "facts", "keyphrases", "given"];

/// Ranks the sessions or rounds of every question as `search` says, and says how well the evidence is found among the first k,
/// for each of `top`.
///
/// `root` is the folder of all data sets, `subset` one of [`SUBSETS`]. Where rounds are ranked, the figures for rounds and for
/// the sessions they lead to are given; for sessions k grows until so many different ones are among the rounds.
///
/// # Errors
/// [`EvalError::Nothing`] for an unknown subset, a file that is not there, without a k of at least 1, for a search that lacks
/// something, or where no question counts; [`EvalError::Line`] for what is neither of the published form, which tells sessions
/// and evidence apart, nor of the sample form; and what the encoder fails with.
pub fn measure(
    root: &Path,
    subset: &str,
    granularity: Granularity,
    top: &[usize],
    search: &Search,
) -> Result<Measured, EvalError> {
    let top: BTreeSet<usize> = top.iter().copied().collect();
    if top.first().is_none_or(|k| *k == 0) {
        return Err(EvalError::Nothing(
            "nothing is found among the first 0; give each k as at least 1".to_owned(),
        ));
    }
    let settings = search.settings(SET.id, SOURCES)?;
    let files = files(root, subset)?;
    let sample =
        files.iter().any(|(_, records)| records.first().is_some_and(|first| first.has("conversation")));
    if sample {
        return pooled::measure(&files, granularity, &top, search, &settings).map(Measured::Pooled);
    }
    match files.as_slice() {
        [(path, records)] if subset != "all" => {
            published_report(path, records, granularity, &top, search, &settings).map(Measured::Published)
        }
        _ => Err(EvalError::Nothing(format!(
            "the files are of the published form, whose parts are measured one at a time; name one of {}",
            NAMES.get(1..).unwrap_or(&[]).join(", ")
        ))),
    }
}

/// The files of a subset with their records.
pub(crate) fn files(root: &Path, subset: &str) -> Result<Vec<(PathBuf, Vec<Record>)>, EvalError> {
    let parts =
        || NAMES.iter().skip(1).zip(SET.files).filter(|(name, _)| subset == "all" || **name == subset);
    let mut found = Vec::new();
    for (_, file) in parts() {
        match SET.file(root, file.names) {
            Some(path) => found.push((path.clone(), records(&path)?)),
            None if subset == "all" => {}
            None => return Err(SET.missing(root, &file.names.join(" or "))),
        }
    }
    match (found.is_empty(), parts().next().is_some()) {
        (false, _) => Ok(found),
        (true, true) => {
            let names: Vec<&str> = parts().flat_map(|(_, file)| file.names).copied().collect();
            Err(SET.missing(root, &names.join(" or ")))
        }
        (true, false) => Err(EvalError::Nothing(format!(
            "there is no part {subset:?}; name one of {}",
            SUBSETS.join(", ")
        ))),
    }
}

fn published_report(
    path: &Path,
    records: &[Record],
    granularity: Granularity,
    top: &BTreeSet<usize>,
    search: &Search,
    settings: &[Setting],
) -> Result<RetrievalReport, EvalError> {
    let mut report = RetrievalReport {
        data_set: SET.id,
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        retriever: search.described(settings, &[], 0).join("; "),
        granularity,
        questions: 0,
        unanswerable: 0,
        without_evidence: 0,
        rows: Vec::new(),
    };
    let searcher = Searcher::new(search);
    let mut figures = Figures::default();
    let mut marks = 0;
    for record in records {
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
        let (question_type, question) = (record.text("question_type")?, record.text("question")?);
        for (number, setting) in settings.iter().enumerate() {
            let ranked = ranked(&searcher, setting, &items, question)?;
            // Only where items were dropped for want of an expansion can evidence be missing.
            if ranked.iter().any(|id| is_evidence(id)) {
                figures.add(question_type, number, &ranked, granularity, top);
            }
        }
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
    report.rows = figures.rows(settings);
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

/// Ids of all items that can be found, best first.
fn ranked<'a>(
    searcher: &Searcher,
    setting: &Setting,
    items: &'a [Item],
    question: &str,
) -> Result<Vec<&'a str>, EvalError> {
    let keys: Vec<&str> = items.iter().map(|item| item.key.as_str()).collect();
    let ranking = searcher.index(setting, &keys, &[])?.rank(question)?.into_iter();
    Ok(ranking.filter_map(|place| items.get(place)).map(|item| item.id.as_str()).collect())
}

/// The session of a round's id, with what its label says of evidence.
fn session_of(id: &str) -> &str {
    id.rsplit_once('_').map_or(id, |(session, _)| session)
}

/// What was measured, as plain text.
pub fn table(measured: &Measured) -> String {
    match measured {
        Measured::Published(report) => published_table(report),
        Measured::Pooled(report) => found_table(report),
    }
}

fn published_table(report: &RetrievalReport) -> String {
    let several = report
        .rows
        .iter()
        .any(|row| report.rows.iter().any(|other| (other.by, &other.expansion) != (row.by, &row.expansion)));
    let mut header = vec!["type"];
    header.extend(several.then_some(["by", "expansion"]).into_iter().flatten());
    header.extend(["found", "k", "n", "recall_all", "95 %", "recall_any", "95 %", "nDCG", "95 %"]);
    let mut rows = vec![header.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for row in &report.rows {
        let mut cells = vec![row.question_type.clone()];
        if several {
            cells.extend([row.by.to_owned(), row.expansion.clone()]);
        }
        cells.extend([row.found.name().to_owned(), row.k.to_string(), row.recall_all.n.to_string()]);
        for estimate in [row.recall_all, row.recall_any, row.ndcg_any] {
            cells.push(format!("{:.3}", estimate.mean));
            cells.push(format!("{:.2} to {:.2}", estimate.low, estimate.high));
        }
        rows.push(cells);
    }
    format!(
        "{}, {}: {}; one item a {}\n{}{} questions; left out: {} that cannot be answered, {} whose evidence the user did not \
         say\n",
        report.data_set,
        report.file,
        report.retriever,
        report.granularity.name(),
        aligned(&rows, if several { 3 } else { 1 }),
        report.questions,
        report.unanswerable,
        report.without_evidence
    )
}

#[cfg(test)]
mod tests;
