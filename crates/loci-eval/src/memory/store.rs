//! Histories in a governed memory: written by its own operations, at the times when they were told, and found by its own recall.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use loci_memory::gate::Verdict;
use loci_memory::{
    Content, Key, KeyKind, Kind, Memory, Policy, Query, Recall, Scope, Source, Surroundings, Time, Trust,
};
use loci_reading::{TextEncoder, expand};
use serde::Serialize;

use super::history::{Said, Session};
use crate::datasets::retrieval::Expansions;
use crate::error::EvalError;

/// Bytes of an item that the store of a measurement takes: a whole chat is longer than what the policy lets in otherwise.
const MOST_BYTES: usize = 16 << 20;

/// What becomes an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A chat: all messages of the user with a space between.
    Session,
    /// A round, by the message of the user.
    Round,
    /// Every message, of the assistant too.
    Message,
}

impl Unit {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Round => "round",
            Self::Message => "message",
        }
    }
}

/// By what an item is found besides its own words.
#[derive(Clone, Debug, Default)]
pub enum Keys {
    /// By nothing.
    #[default]
    Plain,
    /// By the facts in it and its words (LongMemEval's K = V + fact), facts by rule ([`loci_reading::expand::facts`]).
    Facts,
    /// The same with facts from a file, which a model may have written.
    Given(Arc<Expansions>),
}

impl Keys {
    /// Its word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Facts => "facts",
            Self::Given(_) => "given",
        }
    }

    /// The facts of messages that are one item, `text`; `None` where none are looked for. Given ones are those of the text,
    /// or else those of its messages.
    fn of(&self, text: &str, messages: &[&str]) -> Option<String> {
        match self {
            Self::Plain => None,
            Self::Facts => Some(expand::facts(text).join(" ")),
            Self::Given(given) => match given.of(text) {
                "" => {
                    let each =
                        messages.iter().map(|message| given.of(message)).filter(|facts| !facts.is_empty());
                    Some(each.collect::<Vec<_>>().join(" "))
                }
                facts => Some(facts.to_owned()),
            },
        }
    }
}

/// How histories are written.
#[derive(Clone, Debug)]
pub struct Writing {
    /// What becomes an item.
    pub unit: Unit,
    /// By what it is found besides its words.
    pub keys: Keys,
    /// Whether items are told what they are about, where that is known: without it nothing they say can be outdone.
    pub topics: bool,
    /// Items without facts are left out, as the code published with LongMemEval does: for comparison only.
    pub official_empty: bool,
}

/// What became of what was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Items that are there.
    pub items: usize,
    /// Of those, held back by the gate: nothing finds them.
    pub held: usize,
    /// What was there already, or only repeats it.
    pub repeated: usize,
    /// Items whose facts are none.
    pub without_facts: usize,
    /// Names of the items that were left out for that; they are no evidence either.
    #[serde(skip)]
    pub dropped: BTreeSet<String>,
}

/// A memory whose time and chance are those of a measurement.
#[derive(Debug)]
pub struct Store {
    memory: Memory,
    clock: Arc<AtomicI64>,
}

impl Store {
    /// A store in a file that is made; equal seeds make equal ids.
    ///
    /// # Errors
    /// [`EvalError::Memory`].
    pub fn open(path: &Path, seed: u64) -> Result<Self, EvalError> {
        let clock = Arc::new(AtomicI64::new(0));
        let (time, mut drawn) = (Arc::clone(&clock), 0_u64);
        let surroundings = Surroundings {
            clock: Box::new(move || Time::from_millis(time.load(Ordering::Relaxed))),
            random: Box::new(move |bytes| {
                for chunk in bytes.chunks_mut(32) {
                    drawn += 1;
                    let hash = blake3::hash(format!("{seed} {drawn}").as_bytes());
                    chunk.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
                }
                true
            }),
        };
        let memory = Memory::open(path, Scope::default(), "loci eval", surroundings)?;
        Ok(Self { memory, clock })
    }

    /// Writes the chats of a user, each true from its time on.
    ///
    /// # Errors
    /// [`EvalError::Memory`].
    pub fn write<'s>(
        &mut self,
        user: &str,
        sessions: impl IntoIterator<Item = &'s Session>,
        writing: &Writing,
    ) -> Result<Written, EvalError> {
        self.memory.turn_to(Scope::new("eval", user)?);
        let policy = Policy { most_bytes: MOST_BYTES, ..Policy::default() };
        self.memory.set_policy(&policy, Some("chats of a measurement"))?;
        let (mut written, mut all, mut last) = (Written::default(), Vec::new(), Time::default());
        for session in sessions {
            all.extend(contents(session, writing, &mut written));
            last = last.max(session.at);
        }
        // In one transaction, which is as many times quicker as there are chats: learned when the last was told, each true from
        // when it was told itself, and nothing is asked before that.
        self.clock.store(last.millis(), Ordering::Relaxed);
        for added in self.memory.add_all(&all)? {
            match added.verdict {
                Verdict::Duplicate { .. } | Verdict::Echo { .. } => written.repeated += 1,
                Verdict::Held { .. } => {
                    written.items += 1;
                    written.held += 1;
                }
                Verdict::Released | Verdict::Canary => written.items += 1,
            }
        }
        Ok(written)
    }

    /// What the memory of `user` has to say, asked at the query's time.
    ///
    /// # Errors
    /// [`EvalError::Memory`].
    pub fn recall(
        &mut self,
        user: &str,
        query: &Query,
        encoder: Option<&dyn TextEncoder>,
    ) -> Result<Recall, EvalError> {
        self.memory.turn_to(Scope::new("eval", user)?);
        if let Some(at) = query.at {
            self.clock.store(at.millis(), Ordering::Relaxed);
        }
        Ok(self.memory.recall(query, encoder)?)
    }
}

/// The name under which an item was written: that of its session or message.
pub fn name(found: &loci_memory::Found) -> &str {
    let content = found.item.content.as_ref();
    content.and_then(|content| content.source.uri.as_deref()).unwrap_or("")
}

/// The session of an item.
pub fn session_of(found: &loci_memory::Found) -> &str {
    let content = found.item.content.as_ref();
    content.and_then(|content| content.session.as_deref()).unwrap_or("")
}

/// The items of a session with their keys.
fn contents(session: &Session, writing: &Writing, written: &mut Written) -> Vec<(Content, Vec<Key>)> {
    let user = |said: &Said| said.speaker == "user";
    let mut all = Vec::new();
    let mut add = |name: String, speaker: &str, messages: &[&str], said: Option<&Said>| {
        let text = messages.join(" ");
        if text.trim().is_empty() {
            return;
        }
        let facts = writing.keys.of(&text, messages);
        if facts.as_ref().is_some_and(|facts| facts.trim().is_empty()) {
            written.without_facts += 1;
            if writing.official_empty {
                written.dropped.insert(name);
                return;
            }
        }
        let keys = facts.filter(|facts| !facts.trim().is_empty()).map(|facts| Key {
            kind: KeyKind::Fact,
            text: format!("{facts} {text}"),
            maker: writing.keys.name().to_owned(),
        });
        let topic = said.and_then(|said| said.stated.as_ref()?.topic.clone()).filter(|_| writing.topics);
        let content = Content {
            kind: Kind::Round,
            source: Source { uri: Some(name), ..Source::default() },
            session: Some(session.id.clone()),
            speaker: Some(speaker.to_owned()),
            topic,
            valid_from: Some(session.at),
            trust: Trust::of_speaker(Some(speaker), Kind::Round),
            ..Content::note(&text)
        };
        all.push((content, keys.into_iter().collect()));
    };
    match writing.unit {
        Unit::Session => {
            let texts: Vec<&str> =
                session.said.iter().filter(|said| user(said)).map(|said| said.text.as_str()).collect();
            add(session.id.clone(), "user", &texts, None);
        }
        Unit::Round | Unit::Message => {
            for (index, said) in session.said.iter().enumerate() {
                if user(said) || writing.unit == Unit::Message {
                    add(session.round(index), &said.speaker, &[&said.text], Some(said));
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::compile::{Plan, compile};
    use super::super::history::Asks;
    use super::*;

    fn writing(unit: Unit, keys: Keys) -> Writing {
        Writing { unit, keys, topics: false, official_empty: false }
    }

    #[test]
    fn units_and_keys_lead_back_to_their_session() {
        let history =
            compile(&Plan { sessions: 30, questions: 12, most_words: None, seed: 4 }).unwrap().remove(0);
        for (unit, items) in [(Unit::Session, 30), (Unit::Round, 60)] {
            let folder = tempfile::tempdir().unwrap();
            let mut store = Store::open(&folder.path().join("memory.db"), 1).unwrap();
            let written = store.write("a", &history.sessions, &writing(unit, Keys::Facts)).unwrap();
            assert_eq!((written.items + written.repeated, written.held), (items, 0));
            assert!(written.without_facts > 0 && written.dropped.is_empty());
            let asked = history.questions.iter().find(|asked| asked.asks == Asks::Told).unwrap();
            let query = Query { at: Some(history.asked_at), ..Query::new(&asked.text) };
            let found = store.recall("a", &query, None).unwrap().found;
            assert!(found.iter().any(|found| session_of(found) == asked.evidence[0]));
            assert!(found.iter().all(|found| name(found).starts_with(session_of(found))));
            // Another user's memory has none of it.
            assert!(store.recall("b", &query, None).unwrap().found.is_empty());
        }
    }

    #[test]
    fn a_session_has_the_given_facts_of_its_messages() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("facts.jsonl");
        let lines = [
            r#"{"key": "I swam.", "expansion": ["The user swims."]}"#,
            r#"{"key": "I ran.", "expansion": "The user runs."}"#,
            r#"{"key": "I ran. I rode.", "expansion": "The user does sports."}"#,
        ];
        std::fs::write(&path, lines.join("\n")).unwrap();
        let keys = Keys::Given(Arc::new(Expansions::open(&path).unwrap()));
        let of = |messages: &[&str]| keys.of(&messages.join(" "), messages).unwrap();
        assert_eq!(of(&["I swam.", "Hello.", "I ran."]), "The user swims. The user runs.");
        assert_eq!(of(&["I ran.", "I rode."]), "The user does sports.", "facts of the whole go first");
        assert_eq!(of(&["Hello."]), "");
    }

    #[test]
    fn what_has_no_facts_is_left_out_on_request_only() {
        let history =
            compile(&Plan { sessions: 30, questions: 12, most_words: None, seed: 4 }).unwrap().remove(0);
        let folder = tempfile::tempdir().unwrap();
        let official = Writing { official_empty: true, ..writing(Unit::Round, Keys::Facts) };
        let mut store = Store::open(&folder.path().join("memory.db"), 1).unwrap();
        let written = store.write("a", &history.sessions, &official).unwrap();
        assert_eq!(written.dropped.len(), written.without_facts);
        assert_eq!(written.items + written.repeated + written.dropped.len(), 60);
        assert!(written.items < 60);
    }

    #[test]
    fn with_topics_the_newer_value_outdoes_the_older_and_the_user_the_assistant() {
        let history =
            compile(&Plan { sessions: 40, questions: 12, most_words: None, seed: 9 }).unwrap().remove(0);
        let folder = tempfile::tempdir().unwrap();
        let told = Writing { topics: true, ..writing(Unit::Message, Keys::Plain) };
        let mut store = Store::open(&folder.path().join("memory.db"), 1).unwrap();
        store.write("a", &history.sessions, &told).unwrap();
        for asked in
            history.questions.iter().filter(|asked| matches!(asked.asks, Asks::Update | Asks::Conflict))
        {
            let query = Query { at: Some(history.asked_at), most: 50, ..Query::new(&asked.text) };
            let found = store.recall("a", &query, None).unwrap().found;
            let place =
                |value: &String| found.iter().position(|found| found.item.text().contains(value.as_str()));
            let wrong = asked.stale.first().or(asked.rivals.first()).unwrap();
            assert!(place(&asked.gold[0]).unwrap() < place(wrong).unwrap_or(usize::MAX), "{asked:?}");
        }
    }
}
