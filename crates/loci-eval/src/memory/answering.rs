//! Questions answered from a memory in three settings (Zhang et al., Memory in Large Language Models, 2025): without any memory
//! (PO); from a frozen one (offline), as the chats themselves (LC-off) or as what is recalled of them (SR-off); and from the
//! live one (online).

use std::path::Path;
use std::time::Instant;

use loci_memory::Query;
use loci_reading::{By, TextEncoder, expand};
use serde::Serialize;

use super::compile::{Plan, compile};
use super::history::{Asks, History, Question, Session};
use super::judged::{Answered, Replayed, claims, is_out_of_date, is_right, order, refuses};
use super::panels::TakenDown;
use super::readers::{Given, Reader, Reply};
use super::store::{Keys, Store, Unit, Writing, session_of};
use crate::error::EvalError;

/// Where the memory is when a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// Nowhere: what answers knows is in its weights, or is not known.
    Po,
    /// The chats up to the snapshot stand in the prompt.
    LcOff,
    /// What is recalled of a store that ends at the snapshot is replayed.
    SrOff,
    /// What is recalled of the store as it is now is replayed.
    Online,
    /// The same, with as many chats again about other things in the store.
    OnlineNoise,
}

impl Setting {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Po => "po",
            Self::LcOff => "lc-off",
            Self::SrOff => "sr-off",
            Self::Online => "online",
            Self::OnlineNoise => "online, noise",
        }
    }

    /// Which of the stores of a user it asks, if any.
    const fn store(self) -> Option<&'static str> {
        match self {
            Self::Po | Self::LcOff => None,
            Self::SrOff => Some("frozen"),
            Self::Online => Some("live"),
            Self::OnlineNoise => Some("noisy"),
        }
    }
}

/// How it is asked.
#[derive(Debug)]
pub struct Asking<'e> {
    /// Items that are replayed at most.
    pub k: usize,
    /// What ranks them.
    pub by: By,
    /// What makes vectors, where that needs it.
    pub encoder: Option<&'e dyn TextEncoder>,
    /// Seed of the histories; the further chats follow from it.
    pub seed: u64,
}

/// The answers of one reader in one setting.
#[derive(Clone, Debug, Serialize)]
pub struct Arm {
    /// Who answered.
    pub reader: String,
    /// Where the memory was.
    pub setting: Setting,
    /// Whether items were told what they are about, so that the conflict rule had something to decide; none without a store.
    pub topics: Option<bool>,
    /// Chats that did not fit the model's window, over all histories.
    pub left_out: usize,
    /// The answers, in the order of the questions.
    pub answers: Vec<Answered>,
}

impl Arm {
    /// Setting, and whether there were topics.
    pub fn named(&self) -> String {
        match self.topics {
            Some(true) => format!("{} + topics", self.setting.name()),
            _ => self.setting.name().to_owned(),
        }
    }
}

/// What is said of a store before questions are asked.
#[derive(Clone, Debug, Serialize)]
pub struct Answering {
    /// The answers.
    pub arms: Vec<Arm>,
    /// What the live store took down.
    pub taken: TakenDown,
}

/// Writes histories into stores and has all readers answer all questions in all settings. `folder` holds the stores meanwhile;
/// `on_step` is told how many of how many questions are done.
///
/// # Errors
/// [`EvalError::Memory`] and [`EvalError::Engine`]; [`EvalError::Nothing`] without a reader or without anything to replay.
pub fn answer(
    histories: &[History],
    readers: &mut [Box<dyn Reader + '_>],
    asking: &Asking<'_>,
    folder: &Path,
    on_step: &mut dyn FnMut(usize, usize),
) -> Result<Answering, EvalError> {
    if readers.is_empty() || asking.k == 0 {
        return Err(EvalError::Nothing(
            "nobody answers; name a reader, and replay at least one item".to_owned(),
        ));
    }
    let frozen: Vec<History> = histories.iter().map(until_snapshot).collect();
    let mut stores = [false, true].map(|topics| (topics, folder.join(format!("topics-{topics}.db"))));
    let mut open = Vec::new();
    for (topics, path) in &mut stores {
        open.push((*topics, filled(histories, *topics, path, asking.seed)?));
    }
    let mut plan: Vec<(Setting, Option<bool>)> = vec![(Setting::Po, None), (Setting::LcOff, None)];
    for topics in [false, true] {
        plan.extend(
            [Setting::SrOff, Setting::Online, Setting::OnlineNoise].map(|setting| (setting, Some(topics))),
        );
    }
    let questions: usize = histories.iter().map(|history| history.questions.len()).sum();
    let chats = |reader: &dyn Reader| if reader.reads_chats() { 0 } else { 1 };
    let total = readers.iter().map(|reader| (plan.len() - chats(reader.as_ref())) * questions).sum();
    let (mut arms, mut done) = (Vec::new(), 0);
    for reader in readers {
        for (setting, topics) in &plan {
            if *setting == Setting::LcOff && !reader.reads_chats() {
                continue;
            }
            let mut arm = Arm {
                reader: reader.name(),
                setting: *setting,
                topics: *topics,
                left_out: 0,
                answers: Vec::new(),
            };
            for (history, frozen) in histories.iter().zip(&frozen) {
                let mut left_out = 0;
                for question in &history.questions {
                    let store = open.iter_mut().find(|(of, _)| Some(*of) == *topics).map(|(_, store)| store);
                    let mut seat =
                        Seat { history, frozen, setting: *setting, store, asking, reader: reader.as_mut() };
                    let (answered, missing) = seat.ask(question)?;
                    left_out = missing;
                    arm.answers.push(answered);
                    done += 1;
                    on_step(done, total);
                }
                arm.left_out += left_out;
            }
            arms.push(arm);
        }
    }
    Ok(Answering { arms, taken: taken_down(histories) })
}

/// What was told by the snapshot.
fn until_snapshot(history: &History) -> History {
    let mut frozen = history.clone();
    frozen.sessions.retain(|session| session.at <= history.snapshot);
    frozen
}

/// A store with the frozen, the live and the noisy memory of every user.
fn filled(histories: &[History], topics: bool, path: &Path, seed: u64) -> Result<Store, EvalError> {
    let writing = Writing { unit: Unit::Message, keys: Keys::Facts, topics, official_empty: false };
    let mut store = Store::open(path, seed)?;
    for (number, history) in histories.iter().enumerate() {
        let frozen = history.sessions.iter().filter(|session| session.at <= history.snapshot);
        store.write(&format!("frozen {}", history.user), frozen, &writing)?;
        store.write(&format!("live {}", history.user), &history.sessions, &writing)?;
        let mut noisy = history.sessions.clone();
        noisy.extend(talk(history, seed.wrapping_add(1 + number as u64))?);
        noisy.sort_by_key(|session| session.at);
        store.write(&format!("noisy {}", history.user), &noisy, &writing)?;
    }
    Ok(store)
}

/// As many chats as a history has, in its time, in which nothing is told.
fn talk(history: &History, seed: u64) -> Result<Vec<Session>, EvalError> {
    let plan = Plan { sessions: 3 * history.sessions.len() + 3, questions: 1, most_words: None, seed };
    let other = compile(&plan)?.remove(0);
    let days = (history.asked_at.millis() - other.asked_at.millis()) / 86_400_000;
    let silent = |session: &&Session| session.said.iter().all(|said| said.stated.is_none());
    let moved = other.sessions.iter().filter(silent).take(history.sessions.len()).map(|session| Session {
        id: format!("noise-{}", session.id),
        at: session.at.plus_days(days),
        said: session.said.clone(),
    });
    Ok(moved.filter(|session| session.at < history.asked_at).collect())
}

/// What the store takes down of what users say, against what they said.
fn taken_down(histories: &[History]) -> TakenDown {
    let mut taken = TakenDown { maker: "sentences in the first person, by rule", ..TakenDown::default() };
    let mut days = 0.0;
    for history in histories {
        let first = history.sessions.first().map_or(history.asked_at, |session| session.at);
        days += (history.asked_at.millis() - first.millis()) as f64 / 86_400_000.0;
        for session in &history.sessions {
            let (mut right, mut all, mut made) = (0, 0, 0);
            for said in session.said.iter().filter(|said| said.speaker == "user") {
                let facts = expand::facts(&said.text);
                all += facts.len();
                let Some(stated) = &said.stated else { continue };
                made += 1;
                let same = |fact: &&str| fact.to_lowercase() == stated.sentence.to_lowercase();
                if facts.iter().any(same) {
                    right += 1;
                    if stated.topic.is_none() {
                        taken
                            .days_off
                            .push((session.at.millis() - stated.at.millis()).abs() as f64 / 86_400_000.0);
                    }
                }
            }
            taken.chats.push((right, all, made));
        }
    }
    taken.window = days / histories.len().max(1) as f64;
    taken
}

/// One question before one reader.
struct Seat<'s, 'e> {
    history: &'s History,
    frozen: &'s History,
    setting: Setting,
    store: Option<&'s mut Store>,
    asking: &'s Asking<'e>,
    reader: &'s mut (dyn Reader + 's),
}

impl Seat<'_, '_> {
    /// The answer, and how many chats did not fit.
    fn ask(&mut self, question: &Question) -> Result<(Answered, usize), EvalError> {
        let (reply, mut answered) = self.once(question, &question.text)?;
        if question.asks == Asks::Conflict {
            let (again, _) = self.once(question, &question.again)?;
            answered.right_again = Some(is_right(question, &again.text));
        }
        Ok((answered, reply.left_out))
    }

    fn once(&mut self, question: &Question, text: &str) -> Result<(Reply, Answered), EvalError> {
        let begin = Instant::now();
        let history = self.history;
        let recall = match (self.setting.store(), self.store.as_mut()) {
            (Some(part), Some(store)) => {
                let query = Query {
                    most: self.asking.k,
                    by: self.asking.by,
                    at: Some(history.asked_at),
                    ..Query::new(text)
                };
                Some(store.recall(&format!("{part} {}", history.user), &query, self.asking.encoder)?)
            }
            _ => None,
        };
        let recall_s = begin.elapsed().as_secs_f64();
        let given = match (&recall, self.setting) {
            (Some(recall), _) => Given::Items(recall),
            (None, Setting::LcOff) => Given::Chats(self.frozen),
            (None, _) => Given::Nothing,
        };
        let reply = self.reader.answer(text, history.asked_at, given)?;
        let evidence = |id: &str| {
            history.session(id).is_some_and(Session::is_evidence)
                && question.evidence.iter().any(|own| own == id)
        };
        let texts: Vec<&str> =
            recall.iter().flat_map(|recall| &recall.found).map(|found| found.item.text()).collect();
        let (claims, unsupported) = if recall.is_some() { claims(&reply.text, &texts) } else { (0, 0) };
        let newest = history.newest_evidence(question).map(|session| session.at);
        let before = newest.map(|at| history.sessions.iter().filter(|session| session.at < at).count());
        let refused = refuses(&reply.text);
        let answered = Answered {
            question: question.id.clone(),
            asks: question.asks.name(),
            refused,
            right: is_right(question, &reply.text),
            out_of_date: is_out_of_date(question, &reply.text),
            right_again: None,
            order: (question.asks == Asks::Order)
                .then(|| if refused { 0.0 } else { order(&question.gold, &reply.text) }),
            confidence: reply.confidence,
            replayed: recall.as_ref().map(|recall| {
                let replayed = recall.found.iter().map(|found| Replayed {
                    session: session_of(found).to_owned(),
                    evidence: evidence(session_of(found)),
                    supports: found.supports,
                });
                replayed.collect()
            }),
            claims,
            unsupported,
            evidence: question.evidence.iter().filter(|id| evidence(id)).count(),
            age: before.map(|before| history.sessions.len() - before - 1),
            position: before.map(|before| before as f64 / history.sessions.len() as f64),
            recall_s,
            seconds: begin.elapsed().as_secs_f64(),
            prompt_tokens: reply.tokens.map(|tokens| tokens.0),
            answer_tokens: reply.tokens.map(|tokens| tokens.1),
            answer: reply.text.clone(),
        };
        Ok((reply, answered))
    }
}

#[cfg(test)]
mod tests;
