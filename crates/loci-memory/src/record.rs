//! What a memory holds: items that never change, whose states do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::MemoryError;
use crate::time::Time;

/// Whose memory it is. Nothing is read, written, counted or weighed across scopes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// The organisation, or whoever keeps memories for several users.
    pub tenant: String,
    /// The user.
    pub user: String,
}

impl Scope {
    /// Names may be long, but not endless.
    const LONGEST: usize = 256;

    /// The memory of `user` at `tenant`.
    ///
    /// # Errors
    /// [`MemoryError::Invalid`] for an empty or very long name, and for one with control characters.
    pub fn new(tenant: &str, user: &str) -> Result<Self, MemoryError> {
        for (what, name) in [("tenant", tenant), ("user", user)] {
            if name.trim().is_empty() || name.len() > Self::LONGEST || name.chars().any(char::is_control) {
                return Err(MemoryError::Invalid(format!(
                    "{name:?} is no name of a {what}: give 1 to {} bytes without control characters",
                    Self::LONGEST
                )));
            }
        }
        Ok(Self { tenant: tenant.to_owned(), user: user.to_owned() })
    }
}

/// The memory of one person on a machine of their own.
impl Default for Scope {
    fn default() -> Self {
        Self { tenant: "local".to_owned(), user: "me".to_owned() }
    }
}

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$of])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its word.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What `word` names.
            pub fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

words! {
    /// What an item is.
    Kind {
        /// Something that was told, alone.
        Note = "note",
        /// A turn of a conversation with its reply.
        Round = "round",
        /// A part of a document.
        Document = "document",
        /// One statement that stands by itself.
        Fact = "fact",
        /// Something that happened.
        Event = "event",
        /// Other items in fewer words.
        Summary = "summary",
    }
}

words! {
    /// Where an item stands on its way (memory governance, DMM-Gov).
    State {
        /// Held back: somebody has to look at it.
        Proposed = "proposed",
        /// Let in, not yet in use.
        Admitted = "admitted",
        /// In use where canaries are wanted.
        Canary = "canary",
        /// In use.
        Released = "released",
        /// Taken back.
        RolledBack = "rolled-back",
        /// Another item has taken its place; found where the past is asked for.
        Superseded = "superseded",
        /// Content, keys and vectors are gone; that it was there is not.
        Forgotten = "forgotten",
    }
}

impl State {
    /// Whether an item in this state can get into `to` by a decision of its own; rollbacks and forgetting have their own ways.
    pub const fn can_become(self, to: Self) -> bool {
        use State::{Admitted, Canary, Proposed, Released, RolledBack, Superseded};
        matches!(
            (self, to),
            (Proposed, Admitted | Canary | Released | RolledBack)
                | (Admitted, Canary | Released | RolledBack)
                | (Canary, Released | RolledBack)
                | (Released, Superseded | RolledBack)
        )
    }
}

words! {
    /// What a key says of its item.
    KeyKind {
        /// The text itself.
        Plain = "plain",
        /// What the text tells of the user.
        Fact = "fact",
        /// The text in fewer words.
        Summary = "summary",
        /// Words that tell it from others.
        Keyphrase = "keyphrase",
        /// What its parts are about.
        Outline = "outline",
    }
}

/// How far an item is believed, from 0 (not at all) to 100. An item is believed no more than the least of those it was made
/// from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Trust(u8);

impl Trust {
    /// Not at all.
    pub const NONE: Self = Self(0);

    /// What speakers are believed unless something else is said: the user 80, documents 60, tools 50, models and unknown ones 40.
    pub fn of_speaker(speaker: Option<&str>, kind: Kind) -> Self {
        Self(match (speaker, kind) {
            (Some("user"), _) => 80,
            (Some("tool"), _) => 50,
            (Some(_), _) => 40,
            (None, Kind::Document) => 60,
            (None, _) => 80,
        })
    }

    /// From 0 to 100.
    pub const fn value(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Trust {
    type Error = MemoryError;

    fn try_from(value: u8) -> Result<Self, MemoryError> {
        if value > 100 {
            return Err(MemoryError::Invalid(format!("{value} is no trust; give a number from 0 to 100")));
        }
        Ok(Self(value))
    }
}

impl From<Trust> for u8 {
    fn from(trust: Trust) -> Self {
        trust.0
    }
}

/// Where an item comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// A file, an address, or whatever names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Its bytes there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<(u64, u64)>,
    /// BLAKE3 of the whole source, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// What is to be remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// What it says.
    pub text: String,
    /// What it is.
    pub kind: Kind,
    /// Where it comes from.
    #[serde(default)]
    pub source: Source,
    /// The conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// What it is about: of several items about one thing the conflict rule chooses. Unlike things have unlike topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Since when it is true; unknown: since ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Time>,
    /// Until when it is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Time>,
    /// How far it is believed.
    pub trust: Trust,
    /// Ids of the items that it was made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
}

impl Content {
    /// A note of the user.
    pub fn note(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            kind: Kind::Note,
            source: Source::default(),
            session: None,
            speaker: None,
            topic: None,
            valid_from: None,
            valid_until: None,
            trust: Trust::of_speaker(None, Kind::Note),
            parents: Vec::new(),
        }
    }

    /// Whether it is true at `at`, as far as is known.
    pub fn is_valid(&self, at: Time) -> bool {
        self.valid_from.is_none_or(|from| from <= at) && self.valid_until.is_none_or(|until| at < until)
    }
}

/// An item as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// How it is called.
    pub id: String,
    /// Its number in the store; none outside.
    #[serde(skip)]
    pub row: i64,
    /// What it says and where from; of forgotten items nothing is left.
    #[serde(flatten)]
    pub content: Option<Content>,
    /// When it was learned.
    pub learned: Time,
    /// Where it stands.
    pub state: State,
    /// The item that took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// Why it is held back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_for: Vec<String>,
    /// BLAKE3 of salt and content, hexadecimal: it stays when the content goes.
    pub digest: String,
    /// Makes that nobody can guess a forgotten content by its digest; goes with the content.
    #[serde(skip)]
    pub salt: Option<[u8; 32]>,
}

impl Item {
    /// What it says; empty for a forgotten one.
    pub fn text(&self) -> &str {
        self.content.as_ref().map_or("", |content| content.text.as_str())
    }

    /// When it was true, or else learned: where it stands in time.
    pub fn when(&self) -> Time {
        self.content.as_ref().and_then(|content| content.valid_from).unwrap_or(self.learned)
    }
}

/// The digest of an item.
///
/// # Errors
/// [`MemoryError::Invalid`] when the content cannot be written down.
pub(crate) fn digest(
    salt: &[u8; 32],
    id: &str,
    learned: Time,
    content: &Content,
) -> Result<String, MemoryError> {
    let text = serde_json::to_string(&(id, learned, content))
        .map_err(|error| MemoryError::Invalid(format!("the item cannot be written down: {error}")))?;
    Ok(blake3::keyed_hash(salt, text.as_bytes()).to_hex().to_string())
}

/// A way in which an item is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// What it says of its item.
    pub kind: KeyKind,
    /// What is searched.
    pub text: String,
    /// What made it, with its version; `text` for the item's own words.
    pub maker: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_states() {
        for state in State::ALL {
            assert_eq!(State::of(state.name()), Some(*state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
            assert!(!State::Forgotten.can_become(*state) && !state.can_become(State::Forgotten));
        }
        assert!(
            State::Proposed.can_become(State::Released) && !State::Superseded.can_become(State::Released)
        );
        assert_eq!(State::of("nonsense"), None);
    }

    #[test]
    fn names_and_trust_are_checked() {
        assert!(
            Scope::new("", "me").is_err()
                && Scope::new("a", "\n").is_err()
                && Scope::new("a", &"x".repeat(257)).is_err()
        );
        assert!(Trust::try_from(101).is_err());
        assert!(serde_json::from_str::<Trust>("101").is_err());
        assert!(
            Trust::of_speaker(Some("user"), Kind::Round) > Trust::of_speaker(Some("assistant"), Kind::Round)
        );
    }

    #[test]
    fn what_is_true_when() {
        let at = |text: &str| text.parse::<Time>().unwrap();
        let content = Content {
            valid_from: Some(at("2023-01-01")),
            valid_until: Some(at("2023-02-01")),
            ..Content::note("x")
        };
        assert!(
            content.is_valid(at("2023-01-01"))
                && !content.is_valid(at("2023-02-01"))
                && !content.is_valid(at("2022-12-31"))
        );
        assert!(Content::note("x").is_valid(at("1970-01-01")));
    }

    #[test]
    fn digests_depend_on_everything() {
        let salt = [7; 32];
        let note = Content::note("x");
        let one = digest(&salt, "a", Time::from_millis(1), &note).unwrap();
        assert_eq!(one, digest(&salt, "a", Time::from_millis(1), &note).unwrap());
        let others = [
            digest(&[8; 32], "a", Time::from_millis(1), &note),
            digest(&salt, "b", Time::from_millis(1), &note),
            digest(&salt, "a", Time::from_millis(2), &note),
            digest(
                &salt,
                "a",
                Time::from_millis(1),
                &Content { session: Some(String::new()), ..note.clone() },
            ),
            digest(&salt, "a", Time::from_millis(1), &Content::note("y")),
        ];
        assert!(others.into_iter().all(|other| other.unwrap() != one));
    }
}
