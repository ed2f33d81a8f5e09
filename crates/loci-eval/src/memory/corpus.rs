//! What evidence is looked for in: histories with questions whose evidence is known.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use loci_memory::Time;

use super::history::{Asks, History, Said, Session};
use crate::datasets::files::Record;
use crate::datasets::long_mem_eval_retrieval::{self as long_mem_eval, answers};
use crate::error::EvalError;

/// Histories, and what is sought in them.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// Where it is from.
    pub label: String,
    /// What counts as evidence, and what cannot be seen with it.
    pub protocol: Vec<String>,
    /// Each with a memory of its own.
    pub histories: Vec<Searched>,
    /// Questions that are left out, with why.
    pub left_out: Vec<(&'static str, usize)>,
}

/// The chats of one user, and what is sought in them.
#[derive(Clone, Debug)]
pub struct Searched {
    /// Whose they are.
    pub user: String,
    /// Chats, oldest first.
    pub sessions: Vec<Session>,
    /// Questions.
    pub sought: Vec<Sought>,
}

/// A question whose evidence is known.
#[derive(Clone, Debug)]
pub struct Sought {
    /// Its name.
    pub id: String,
    /// Questions that are reported together.
    pub group: String,
    /// The question.
    pub text: String,
    /// When it is asked.
    pub at: Time,
    /// Names of the sessions that are evidence.
    pub sessions: BTreeSet<String>,
}

impl Corpus {
    /// Generated histories. Evidence is what the user said; questions that cannot be answered have none.
    pub fn generated(histories: &[History]) -> Self {
        let searched = |history: &History| Searched {
            user: history.user.clone(),
            sessions: history.sessions.clone(),
            sought: history
                .questions
                .iter()
                .filter(|question| question.asks != Asks::Unanswerable)
                .map(|question| Sought {
                    id: question.id.clone(),
                    group: question.asks.name().to_owned(),
                    text: question.text.clone(),
                    at: history.asked_at,
                    sessions: question
                        .evidence
                        .iter()
                        .filter(|id| history.session(id).is_some_and(Session::is_evidence))
                        .cloned()
                        .collect(),
                })
                .collect(),
        };
        let all = || histories.iter().flat_map(|history| &history.questions);
        Self {
            label: format!(
                "generated histories: {} users, {} chats each",
                histories.len(),
                histories.first().map_or(0, |history| history.sessions.len())
            ),
            protocol: vec![
                "each user has a memory of their own; evidence: chats in which the user said what is asked for".to_owned(),
            ],
            histories: histories.iter().map(searched).collect(),
            left_out: vec![(
                "that cannot be answered",
                all().filter(|question| question.asks == Asks::Unanswerable).count(),
            )],
        }
    }

    /// LongMemEval: each record of a part of the published form with a memory of its own; files of the sample form, which do not
    /// tell evidence, with the chats of all records in one memory.
    ///
    /// # Errors
    /// As [`long_mem_eval::measure`].
    pub fn long_mem_eval(root: &Path, subset: &str) -> Result<Self, EvalError> {
        let files = long_mem_eval::files(root, subset)?;
        let names: Vec<String> = files
            .iter()
            .map(|(path, _)| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
            .collect();
        let records: Vec<Record> = files.into_iter().flat_map(|(_, records)| records).collect();
        let label = format!("long-mem-eval, {}", names.join(", "));
        match records.iter().any(|record| record.has("conversation")) {
            true => pooled(label, &records),
            false => published(label, &records),
        }
    }
}

/// The chats of a record, named by `id` and their place where the file does not name them.
fn chats(record: &Record, id: &str) -> Result<Vec<Session>, EvalError> {
    let mut all = Vec::new();
    for (place, session) in long_mem_eval::sessions(record)?.into_iter().enumerate() {
        let at = session.date.parse::<Time>().map_err(|error| record.error(error.to_string()))?;
        let said = session.turns.into_iter().map(|said| Said {
            speaker: said.role,
            text: said.content,
            evidence: said.has_answer,
            stated: None,
        });
        let id = match session.id.is_empty() {
            true => format!("{id}/{}", place + 1),
            false => session.id,
        };
        all.push(Session { id, at, said: said.collect() });
    }
    all.sort_by_key(|session| session.at);
    Ok(all)
}

fn published(label: String, records: &[Record]) -> Result<Corpus, EvalError> {
    let (mut histories, mut unanswerable, mut without) = (Vec::new(), 0, 0);
    for record in records {
        let id = record.text("question_id")?;
        if id.ends_with("_abs") {
            unanswerable += 1;
            continue;
        }
        let sessions = chats(record, id)?;
        let user = |session: &&Session| {
            session.id.contains("answer")
                && session.said.iter().any(|said| said.evidence && said.speaker == "user")
        };
        let evidence: BTreeSet<String> =
            sessions.iter().filter(user).map(|session| session.id.clone()).collect();
        if evidence.is_empty() {
            without += 1;
            continue;
        }
        let at = record.text("question_date")?;
        histories.push(Searched {
            user: id.to_owned(),
            sought: vec![Sought {
                id: id.to_owned(),
                group: record.text("question_type")?.to_owned(),
                text: record.text("question")?.to_owned(),
                at: at.parse().map_err(|error: loci_memory::MemoryError| record.error(error.to_string()))?,
                sessions: evidence,
            }],
            sessions,
        });
    }
    Ok(Corpus {
        label,
        protocol: vec!["each question has a memory of its own; evidence as published".to_owned()],
        histories,
        left_out: vec![
            ("that cannot be answered", unanswerable),
            ("whose evidence the user did not say", without),
        ],
    })
}

fn pooled(label: String, records: &[Record]) -> Result<Corpus, EvalError> {
    let (mut sessions, mut sought, mut unanswerable): (BTreeMap<String, Session>, Vec<Sought>, usize) =
        (BTreeMap::new(), Vec::new(), 0);
    for record in records {
        let id = record.text("id")?;
        let own = chats(record, id)?;
        for question in record.records("questions")? {
            let name = question.text("id")?;
            if name.ends_with("_abs") || (question.has("is_abstention") && question.flag("is_abstention")?) {
                unanswerable += 1;
                continue;
            }
            let answer = question.written("answer")?;
            let of = |group: &str, sessions: BTreeSet<String>| Sought {
                id: format!("{id}/{name}"),
                group: group.to_owned(),
                text: question.text("question").unwrap_or("").to_owned(),
                at: Time::default(),
                sessions,
            };
            let holding =
                own.iter().filter(|session| holds(session, &answer)).map(|session| session.id.clone());
            let holding: BTreeSet<String> = holding.collect();
            sought.push(of("own record", own.iter().map(|session| session.id.clone()).collect()));
            if !holding.is_empty() {
                sought.push(of("answer", holding));
            }
        }
        sessions.extend(own.into_iter().map(|session| (session.id.clone(), session)));
    }
    let mut sessions: Vec<Session> = sessions.into_values().collect();
    sessions.sort_by_key(|session| session.at);
    // Nothing is told of when it was asked; when everything was told, everything can be found.
    let last = sessions.last().map_or_else(Time::default, |session| session.at).plus_days(1);
    sought.iter_mut().for_each(|one| one.at = last);
    Ok(Corpus {
        label,
        protocol: vec![
            "chats of all records in one memory; evidence: the chats of the question's own record, or those of them that hold \
             the answer (by string match or most of its words); not comparable with published figures"
                .to_owned(),
            "the files do not tell when a question was asked: it is asked a day after the last chat of all, so that what days \
             do cannot be seen here"
                .to_owned(),
        ],
        histories: vec![Searched { user: "pool".to_owned(), sessions, sought }],
        left_out: vec![("that cannot be answered", unanswerable)],
    })
}

/// Whether a round of a chat holds an answer.
fn holds(session: &Session, answer: &str) -> bool {
    let said = &session.said;
    said.iter().enumerate().filter(|(_, one)| one.speaker == "user").any(|(index, message)| {
        let replies = said.iter().skip(index + 1).take_while(|one| one.speaker != "user");
        let reply: Vec<&str> = replies.map(|one| one.text.as_str()).collect();
        answers(&message.text, &reply.join("\n"), answer)
    })
}
