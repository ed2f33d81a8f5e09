//! The history compiler: dated chats in which a user tells facts and events, among chats that are about other things.
//!
//! After section A of LongMemEval's construction (Wu et al., LongMemEval: Benchmarking Chat Assistants on Long-Term Interactive
//! Memory, 2024) with texts of our own: half of the other chats tell facts that nobody asks for, the rest are about subjects; an
//! old value always stands before the new one; a cap drops other chats, never evidence. Unlike there one history carries several
//! questions, and dates are drawn over the whole time of it.

mod chats;
mod events;

use std::collections::BTreeMap;

use loci_context::random::Random;
use loci_memory::Time;

use self::events::Event;
use super::history::{Asks, History, Question, Stated};
use super::told::{HAPPENINGS, Happening, RELATIONS, Relation};
use crate::error::EvalError;

/// Milliseconds of a minute and of a day.
const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
/// The first of June 2023: questions are asked on one of the 200 days from then on.
const FIRST_DAY: i64 = 1_685_577_600_000;
/// Days from the first possible chat to the question.
const DAYS: i64 = 240;
/// Share of the time after which the frozen store of the offline settings ends.
const SNAPSHOT: f64 = 0.6;
/// What is asked of a history, over and over until there are questions enough.
const MIX: &[Asks] = &[
    Asks::Told,
    Asks::Update,
    Asks::Temporal,
    Asks::Unanswerable,
    Asks::Update,
    Asks::Conflict,
    Asks::Told,
    Asks::Order,
    Asks::Temporal,
    Asks::Update,
    Asks::Unanswerable,
    Asks::Conflict,
];
/// Questions of one history: more would leave it no things to tell of that nobody asks for.
pub const QUESTIONS: usize = 12;

/// What histories are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Chats of each history.
    pub sessions: usize,
    /// Questions of all histories together; a history has [`QUESTIONS`] at most.
    pub questions: usize,
    /// Chats that are no evidence are dropped until a history has at most so many words; none: nothing is dropped.
    pub most_words: Option<usize>,
    /// Equal seeds make equal histories.
    pub seed: u64,
}

const NAME: &str = "history";

fn unmakeable(message: String) -> EvalError {
    EvalError::Unmakeable { task: NAME, message }
}

/// The histories of a plan.
///
/// # Errors
/// [`EvalError::Unmakeable`] without a question, where the chats that questions need are more than `sessions`, and where
/// evidence alone has more than `most_words`.
pub fn compile(plan: &Plan) -> Result<Vec<History>, EvalError> {
    if plan.questions == 0 {
        return Err(unmakeable("no question is asked; ask at least one".to_owned()));
    }
    let count = plan.questions.div_ceil(QUESTIONS);
    (0..count)
        .map(|number| {
            // As evenly as possible.
            let questions = plan.questions / count + usize::from(number < plan.questions % count);
            let hash = blake3::hash(format!("{NAME} {} {number}", plan.seed).as_bytes());
            let mut first = [0; 8];
            first.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
            let mut random = Random::new(u64::from_le_bytes(first));
            let mut history = Compiler::new(number, &mut random).history(plan.sessions, questions)?;
            if let Some(most) = plan.most_words {
                cap(&mut history, most, &mut random)?;
            }
            Ok(history)
        })
        .collect()
}

/// Drops random chats that no question needs until the history has at most `most` words; returns how many.
///
/// # Errors
/// [`EvalError::Unmakeable`] where the chats that are needed have more.
pub fn cap(history: &mut History, most: usize, random: &mut Random) -> Result<usize, EvalError> {
    let mut dropped = 0;
    while history.words() > most {
        let needed: Vec<&String> = history.questions.iter().flat_map(|question| &question.evidence).collect();
        let others: Vec<usize> = (0..history.sessions.len())
            .filter(|index| {
                history.sessions.get(*index).is_some_and(|session| !needed.contains(&&session.id))
            })
            .collect();
        let Some(drawn) = random.below(others.len()).and_then(|at| others.get(at)) else {
            return Err(unmakeable(format!(
                "{} words of evidence are more than {most}; allow more words, or ask less",
                history.words()
            )));
        };
        history.sessions.remove(*drawn);
        dropped += 1;
    }
    Ok(dropped)
}

/// What a chat is to carry.
struct Carried {
    at: i64,
    speaker: &'static str,
    stated: Stated,
    /// Questions that need it, by number.
    needed_by: Vec<usize>,
}

struct Compiler<'r> {
    number: usize,
    random: &'r mut Random,
    /// When the questions are asked, in milliseconds.
    asked_at: i64,
    /// Facts that are free to be told: a relation and a thing.
    free: Vec<(&'static Relation, &'static str)>,
    /// Kinds of events that are free.
    happenings: Vec<&'static Happening>,
    /// Like events with those that no question asks for yet.
    waiting: Vec<(Event, Vec<Event>)>,
    carried: Vec<Carried>,
    questions: Vec<Question>,
}

impl<'r> Compiler<'r> {
    fn new(number: usize, random: &'r mut Random) -> Self {
        let all: Vec<_> = RELATIONS
            .iter()
            .flat_map(|relation| relation.things.iter().map(move |thing| (relation, *thing)))
            .collect();
        let count = all.len();
        let free = random.some_of(&all, count);
        let happenings = random.some_of(&HAPPENINGS.iter().collect::<Vec<_>>(), HAPPENINGS.len());
        let asked_at = FIRST_DAY + (random.unit() * 200.0) as i64 * DAY + 18 * 60 * MINUTE;
        Self {
            number,
            random,
            asked_at,
            free,
            happenings,
            waiting: Vec::new(),
            carried: Vec::new(),
            questions: Vec::new(),
        }
    }

    fn history(mut self, sessions: usize, questions: usize) -> Result<History, EvalError> {
        for asks in MIX.iter().cycle().take(questions) {
            match asks {
                Asks::Told => self.told(),
                Asks::Update => self.update(),
                Asks::Temporal => self.temporal(),
                Asks::Order => self.order(),
                Asks::Conflict => self.conflict(),
                Asks::Unanswerable => self.unanswerable(),
            }
        }
        let needed = self.carried.len();
        if needed > sessions {
            return Err(unmakeable(format!(
                "{questions} questions need {needed} chats, and a history has {sessions}; ask for {needed} or more"
            )));
        }
        for index in needed..sessions {
            self.other_chat(index % 2 == 0);
        }
        let mut order: Vec<usize> = (0..self.carried.len()).collect();
        order.sort_by_key(|index| self.carried.get(*index).map_or(0, |carried| carried.at));
        let mut names = BTreeMap::new();
        let mut chats = Vec::with_capacity(sessions);
        let carried = std::mem::take(&mut self.carried);
        for (place, index) in order.into_iter().enumerate() {
            let Some(carried) = carried.get(index) else { continue };
            let id = format!("h{}s{:03}", self.number, place + 1);
            for question in &carried.needed_by {
                names.entry(*question).or_insert_with(Vec::new).push(id.clone());
            }
            chats.push(self.chat(id, carried));
        }
        for (number, evidence) in names {
            if let Some(question) = self.questions.get_mut(number) {
                question.evidence = evidence;
            }
        }
        Ok(History {
            user: format!("user-{}", self.number),
            sessions: chats,
            questions: self.questions,
            asked_at: Time::from_millis(self.asked_at),
            snapshot: Time::from_millis(self.asked_at - ((1.0 - SNAPSHOT) * DAYS as f64) as i64 * DAY),
        })
    }

    /// A moment between two shares of the time, at a minute of its own.
    fn moment(&mut self, from: f64, until: f64) -> i64 {
        let start = self.asked_at - DAYS * DAY;
        let minutes = (DAYS * DAY / MINUTE) as f64;
        loop {
            let drawn = start + ((from + self.random.unit() * (until - from)) * minutes) as i64 * MINUTE;
            if drawn < self.asked_at - DAY && self.carried.iter().all(|carried| carried.at != drawn) {
                return drawn;
            }
        }
    }

    /// A relation and a thing of which nothing has been told. There are many times more than a history can ask for.
    fn fact(&mut self) -> Option<(&'static Relation, &'static str)> {
        self.free.pop()
    }

    fn carry(&mut self, at: i64, speaker: &'static str, stated: Stated, needed_by: Option<usize>) -> usize {
        self.carried.push(Carried { at, speaker, stated, needed_by: needed_by.into_iter().collect() });
        self.carried.len() - 1
    }

    fn ask(
        &mut self,
        asks: Asks,
        [text, again]: [String; 2],
        gold: &[&str],
        stale: &[&str],
        rivals: &[&str],
    ) {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        self.questions.push(Question {
            id: format!("h{}q{:02}", self.number, self.questions.len() + 1),
            asks,
            text,
            again,
            gold: owned(gold),
            stale: owned(stale),
            rivals: owned(rivals),
            evidence: Vec::new(),
        });
    }

    /// Tells `value` of a thing in way `way`.
    fn state(&self, (relation, thing): (&Relation, &str), way: usize, value: &str, at: i64) -> Stated {
        let sentence = relation.told.get(way % relation.told.len()).copied().unwrap_or("");
        Stated {
            topic: Some(format!("{} of {thing}", relation.name)),
            sentence: filled(sentence, &[("t", thing), ("v", value)]),
            value: value.to_owned(),
            at: Time::from_millis(at),
        }
    }

    /// So many values of a relation, and a way to tell the first of them.
    fn drawn(&mut self, relation: &Relation, count: usize) -> (Vec<&'static str>, usize) {
        let way = self.random.below(relation.told.len()).unwrap_or(0);
        (self.random.some_of(relation.values, count), way)
    }

    fn told(&mut self) {
        let Some(fact) = self.fact() else { return };
        let (values, way) = self.drawn(fact.0, 1);
        let value = values.first().copied().unwrap_or("");
        let at = self.moment(0.0, 1.0);
        let stated = self.state(fact, way, value, at);
        self.carry(at, "user", stated, Some(self.questions.len()));
        self.ask(Asks::Told, asked(fact), &[value], &[], &[]);
    }

    fn update(&mut self) {
        let Some(fact) = self.fact() else { return };
        let (values, way) = self.drawn(fact.0, 2);
        let (old, new) = (values.first().copied().unwrap_or(""), values.get(1).copied().unwrap_or(""));
        // A place to split the time at: the old value stands before it, the new one behind.
        let split = 0.2 + 0.6 * self.random.unit();
        let (before, behind) = (self.moment(0.0, split), self.moment(split, 1.0));
        let first = self.state(fact, way, old, before);
        let second = self.state(fact, way + 1, new, behind);
        let number = self.questions.len();
        self.carry(before, "user", first, Some(number));
        self.carry(behind, "user", second, Some(number));
        self.ask(Asks::Update, asked(fact), &[new], &[old], &[]);
    }

    fn conflict(&mut self) {
        let Some(fact) = self.fact() else { return };
        let (values, way) = self.drawn(fact.0, 2);
        let (right, wrong) = (values.first().copied().unwrap_or(""), values.get(1).copied().unwrap_or(""));
        let split = 0.2 + 0.6 * self.random.unit();
        let (before, behind) = (self.moment(0.0, split), self.moment(split, 1.0));
        let told = self.state(fact, way, right, before);
        let sentence = filled(fact.0.claimed, &[("t", fact.1), ("v", wrong)]);
        let claimed =
            Stated { sentence, value: wrong.to_owned(), at: Time::from_millis(behind), ..told.clone() };
        let number = self.questions.len();
        self.carry(before, "user", told, Some(number));
        self.carry(behind, "assistant", claimed, Some(number));
        self.ask(Asks::Conflict, asked(fact), &[right], &[], &[wrong]);
    }

    fn unanswerable(&mut self) {
        let Some(fact) = self.fact() else { return };
        self.ask(Asks::Unanswerable, asked(fact), &[], &[], &[]);
    }
}

fn asked((relation, thing): (&Relation, &str)) -> [String; 2] {
    relation.asked.map(|asked| filled(asked, &[("t", thing)]))
}

/// A template with its slots filled.
fn filled(template: &str, slots: &[(&str, &str)]) -> String {
    slots.iter().fold(template.to_owned(), |text, (slot, word)| text.replace(&format!("{{{slot}}}"), word))
}

#[cfg(test)]
mod tests;
