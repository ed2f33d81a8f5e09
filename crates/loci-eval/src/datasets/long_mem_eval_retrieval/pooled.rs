//! Retrieval over files of the sample form of LongMemEval: lists of dated turns that tell neither sessions by their ids nor
//! which messages are evidence.
//!
//! The rounds of all records are one haystack. What a question seeks is, generously, any round of its own record (a record of
//! the oracle form holds evidence sessions alone, yet not every round of them is evidence), and, strictly, those of them that
//! hold the answer. Figures of this protocol, which is ours, cannot be compared with published ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::super::files::Record;
use super::super::long_mem_eval::{SET, acceptable};
use super::super::long_mem_eval_sessions::sessions;
use super::super::retrieval::{FoundReport, LeftOut, Outcome, Search, Searcher, Setting, Tally};
use super::super::scoring::{holds, words};
use super::Granularity;
use crate::error::EvalError;

/// Any round of the question's record.
const OWN_RECORD: &str = "own record";
/// Rounds of it that hold the answer.
const ANSWER: &str = "answer";
/// So much of the answer's content words make a round one that holds it.
const SHARE_OF_WORDS: f64 = 0.6;

/// Words that say little by themselves, as they stand in answers.
const FUNCTION_WORDS: &[&str] = &[
    "and", "or", "but", "of", "to", "in", "on", "at", "for", "from", "with", "by", "as", "is", "are", "was",
    "were", "be", "been", "it", "its", "this", "that", "these", "those", "i", "you", "he", "she", "they",
    "we", "my", "your", "his", "her", "their", "our", "me", "him", "them", "us", "not", "no", "do", "did",
    "does", "have", "has", "had", "will", "would", "also", "about", "than", "then", "so", "if", "there",
    "which", "who", "what", "when", "where", "how",
];

/// A message of the user and the replies up to the next one.
struct Round {
    message: String,
    reply: String,
    date: String,
    /// Records that have it: fillers stand in several.
    records: BTreeSet<usize>,
}

/// A question that counts.
struct Question {
    id: String,
    text: String,
    answer: String,
    record: usize,
}

/// The figures over all `files` together.
///
/// # Errors
/// [`EvalError::Line`] for records of another form; [`EvalError::Nothing`] for sessions, which these files do not tell, and
/// where no question counts.
pub(super) fn measure(
    files: &[(PathBuf, Vec<Record>)],
    granularity: Granularity,
    top: &BTreeSet<usize>,
    search: &Search,
    settings: &[Setting],
) -> Result<FoundReport, EvalError> {
    if granularity == Granularity::Session {
        return Err(EvalError::Nothing(format!(
            "files of the sample form (conversation) do not tell sessions by ids, so there are none to rank; rank rounds, or \
             take the file from {}",
            SET.published
        )));
    }
    let mut rounds = Vec::new();
    let (mut questions, mut unanswerable) = (Vec::new(), 0);
    for (number, record) in files.iter().flat_map(|(_, records)| records).enumerate() {
        if !record.has("conversation") {
            return Err(record.error(
                "no field \"conversation\": files of the sample form and of the published one are not pooled; name one part",
            ));
        }
        add_rounds(record, number, &mut rounds)?;
        let asked = record.records("questions")?;
        if asked.is_empty() {
            return Err(record.error("field \"questions\" is empty"));
        }
        for of in asked {
            let id = of.text("id")?;
            if id.ends_with("_abs") || (of.has("is_abstention") && of.flag("is_abstention")?) {
                unanswerable += 1;
                continue;
            }
            questions.push(Question {
                id: format!("{}/{id}", record.text_or_empty("id")?),
                text: of.text("question")?.to_owned(),
                answer: of.written("answer")?,
                record: number,
            });
        }
    }
    let rounds = pooled(rounds);
    if questions.is_empty() {
        return Err(EvalError::Nothing(format!(
            "no question counts: {unanswerable} cannot be answered; search all files together (all), or take one with others"
        )));
    }
    let mut tally = Tally::default();
    let searcher = Searcher::new(search);
    let keys: Vec<&str> = rounds.iter().map(|round| round.message.as_str()).collect();
    let mut without = Vec::new();
    for (number, setting) in settings.iter().enumerate() {
        let index = searcher.index(setting, &keys, &[])?;
        without.push(index.without_expansion);
        for question in &questions {
            let ranked = index.rank(&question.text)?;
            let own =
                |item: usize| rounds.get(item).is_some_and(|round| round.records.contains(&question.record));
            let answers = |item: usize| {
                own(item)
                    && rounds
                        .get(item)
                        .is_some_and(|round| answers(&round.message, &round.reply, &question.answer))
            };
            let groups = ["all".to_owned()];
            tally.outcomes.extend(Outcome::of(&groups, OWN_RECORD, &question.id, number, &ranked, own));
            tally.outcomes.extend(Outcome::of(&groups, ANSWER, &question.id, number, &ranked, answers));
        }
    }
    Ok(FoundReport {
        data_set: SET.id,
        files: files
            .iter()
            .map(|(path, _)| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
            .collect(),
        protocol: protocol(),
        settings: search.described(settings, &without, rounds.len()),
        discount: "1 / log2(place + 1)",
        questions: questions.len(),
        left_out: vec![LeftOut { reason: "that cannot be answered", questions: unanswerable }],
        items: rounds.len(),
        rows: tally.rows(settings, top),
        differences: tally.differences(settings, top.last().copied().unwrap_or(1)),
        places: tally.places(settings),
    })
}

fn protocol() -> Vec<String> {
    vec![
        "pooled: rounds of all records are one haystack; evidence = rounds of the question's own record; not comparable with \
         published figures"
            .to_owned(),
        format!(
            "sought {OWN_RECORD:?}: any round of the question's record; {ANSWER:?}: those of them that hold the answer, by \
             string match or by {:.0} % of its content words, for questions where there is one",
            100.0 * SHARE_OF_WORDS
        ),
        "one item a round; its key is what the user says; of equal scores the newer stands first".to_owned(),
    ]
}

/// Adds the rounds of a record. What an assistant says before any user has no key and is in no round.
fn add_rounds(record: &Record, number: usize, rounds: &mut Vec<Round>) -> Result<(), EvalError> {
    for session in sessions(record)? {
        let mut own: Vec<Round> = Vec::new();
        for said in session.turns {
            if said.role == "user" {
                own.push(Round {
                    message: said.content,
                    reply: String::new(),
                    date: session.date.clone(),
                    records: BTreeSet::from([number]),
                });
            } else if let Some(last) = own.last_mut() {
                last.reply.push_str(if last.reply.is_empty() { "" } else { "\n" });
                last.reply.push_str(&said.content);
            }
        }
        rounds.extend(own);
    }
    Ok(())
}

/// Different rounds, newest first: a round that stands in several records is one.
fn pooled(rounds: Vec<Round>) -> Vec<Round> {
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut all: Vec<Round> = Vec::new();
    for round in rounds {
        let place = *places.entry((round.message.clone(), round.reply.clone())).or_insert(all.len());
        match all.get_mut(place) {
            Some(known) => known.records.extend(round.records),
            None => all.push(round),
        }
    }
    all.reverse();
    all.sort_by(|one, other| other.date.cmp(&one.date));
    all
}

/// Whether a round holds an answer: one of the acceptable ones word by word, or enough of its content words. A bare number is
/// looked for in the user's message only, for replies number their lists.
pub(crate) fn answers(message: &str, reply: &str, answer: &str) -> bool {
    if words(answer).iter().all(|word| word.chars().all(char::is_numeric)) {
        return holds(message, answer);
    }
    let text = format!("{message}\n{reply}");
    if acceptable(answer).iter().any(|answer| holds(&text, answer)) {
        return true;
    }
    let content: BTreeSet<String> =
        words(answer).into_iter().filter(|word| !FUNCTION_WORDS.contains(&word.as_str())).collect();
    let said: BTreeSet<String> = words(&text).into_iter().collect();
    let held = content.intersection(&said).count();
    // One word alone was looked for above.
    content.len() > 1 && held as f64 >= SHARE_OF_WORDS * content.len() as f64
}

#[cfg(test)]
mod tests;
