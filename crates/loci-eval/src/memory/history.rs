//! Dated histories of chats with one user, and what is asked about them.

use loci_memory::Time;
use serde::Serialize;

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Said {
    /// `user` or `assistant`.
    pub speaker: String,
    /// What was said.
    pub text: String,
    /// Whether a question is answered by it.
    pub evidence: bool,
    /// What it states, where it states something that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated: Option<Stated>,
}

/// A fact or an event as a message states it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stated {
    /// What it is about: two statements about one thing have one topic. Events have none: they do not replace each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The sentence alone.
    pub sentence: String,
    /// What it says of the topic.
    pub value: String,
    /// When it became true or happened.
    pub at: Time,
}

/// One chat.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Session {
    /// Its name, unlike that of any other of the history.
    pub id: String,
    /// When it took place.
    pub at: Time,
    /// What was said.
    pub said: Vec<Said>,
}

impl Session {
    /// The name of message number `index`, counted from 0: `<session>_<place from 1>`, as LongMemEval names rounds by the user's
    /// message.
    pub fn round(&self, index: usize) -> String {
        format!("{}_{}", self.id, index + 1)
    }

    /// Whether the user said evidence in it.
    pub fn is_evidence(&self) -> bool {
        self.said.iter().any(|said| said.evidence)
    }
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asks {
    /// Something that was told once.
    Told,
    /// Something that was told anew later: the newest value is right.
    Update,
    /// Which of several like events took place on the days that the question names.
    Temporal,
    /// In which order three events took place.
    Order,
    /// Something that the user and, later, the assistant said unlike things of: the user is believed.
    Conflict,
    /// Something that was never told.
    Unanswerable,
}

impl Asks {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Told, Self::Update, Self::Temporal, Self::Order, Self::Conflict, Self::Unanswerable];

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Update => "update",
            Self::Temporal => "temporal",
            Self::Order => "order",
            Self::Conflict => "conflict",
            Self::Unanswerable => "unanswerable",
        }
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Question {
    /// Its name, unlike that of any other of the history.
    pub id: String,
    /// What it is about.
    pub asks: Asks,
    /// The question.
    pub text: String,
    /// The same in other words; asked where it counts whether one choice holds.
    pub again: String,
    /// The answer; of [`Asks::Order`] all parts in their order, of [`Asks::Unanswerable`] none.
    pub gold: Vec<String>,
    /// Values that were right before.
    pub stale: Vec<String>,
    /// Values of the like that are wrong.
    pub rivals: Vec<String>,
    /// Names of the sessions that are needed.
    pub evidence: Vec<String>,
}

/// A user's history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    /// Whose it is.
    pub user: String,
    /// Chats, oldest first.
    pub sessions: Vec<Session>,
    /// What is asked about them.
    pub questions: Vec<Question>,
    /// When it is asked: after the last chat.
    pub asked_at: Time,
    /// Where the frozen store of the offline settings ends.
    pub snapshot: Time,
}

impl History {
    /// The session called `id`.
    pub fn session(&self, id: &str) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    /// The newest session that a question needs; `None` where none is needed.
    pub fn newest_evidence(&self, question: &Question) -> Option<&Session> {
        question.evidence.iter().filter_map(|id| self.session(id)).max_by_key(|session| session.at)
    }

    /// Words of all sessions.
    pub fn words(&self) -> usize {
        let said = self.sessions.iter().flat_map(|session| &session.said);
        said.map(|said| said.text.split_whitespace().count()).sum()
    }
}
