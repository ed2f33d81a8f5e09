//! The log: every change of a memory, each entry bound to the one before it.
//!
//! An entry names items by id and digest and never holds what they say, so it can stay when they are forgotten.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::MemoryError;
use crate::record::{Scope, State};
use crate::time::Time;

/// Begins what is hashed, so that no hash of another kind can be taken for one of the log.
const MARK: &[u8] = b"loci-memory log 1";

/// A hash of the log: 32 bytes.
pub type Hash = [u8; 32];

/// What is before the first entry.
pub const ROOT: Hash = [0; 32];

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// An item came, or was refused at the gate.
    Add,
    /// An item got another state by a decision.
    Decide,
    /// An item took the place of another.
    Supersede,
    /// Items were forgotten.
    Forget,
    /// The states of an earlier time were taken up again.
    Rollback,
    /// Keys were added to an item.
    Key,
    /// A rule was set.
    Policy,
}

impl Action {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Add, "add"),
        (Self::Decide, "decide"),
        (Self::Supersede, "supersede"),
        (Self::Forget, "forget"),
        (Self::Rollback, "rollback"),
        (Self::Key, "key"),
        (Self::Policy, "policy"),
    ];

    /// Its word.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, name)| name)
    }

    /// What `word` names.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(one, _)| *one)
    }
}

/// An item's way from one state to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The item.
    pub id: String,
    /// Its state before; none for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<State>,
    /// Its state behind.
    pub to: State,
    /// The item that takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What an entry says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Items whose states changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Digests of new items, by id, and of new keys, by item and number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digests: BTreeMap<String, String>,
    /// Why, in the words of whoever did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What else is known: verdicts of the gate, counts, certificates. Never what an item says.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When.
    pub at: Time,
    /// Who.
    pub actor: String,
    /// What.
    pub action: Action,
    /// In whose memory.
    #[serde(flatten)]
    pub scope: Scope,
    /// The [`Body`] as JSON, byte for byte as it was hashed.
    #[serde(skip)]
    pub body: String,
    /// Hash of the entry before.
    #[serde(serialize_with = "as_hex")]
    pub prev: Hash,
    /// Hash of this one.
    #[serde(serialize_with = "as_hex")]
    pub hash: Hash,
}

/// A hash in hexadecimal.
pub(crate) fn hex(hash: Hash) -> String {
    blake3::Hash::from_bytes(hash).to_hex().to_string()
}

fn as_hex<S: serde::Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex(*hash))
}

impl Entry {
    /// What the hash of this entry has to be.
    pub fn expected_hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(MARK);
        hasher.update(&self.prev);
        hasher.update(&self.seq.to_le_bytes());
        hasher.update(&self.at.millis().to_le_bytes());
        for text in [&self.actor, self.action.name(), &self.scope.tenant, &self.scope.user, &self.body] {
            // With its length, so that no byte can wander from one field to the next.
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// What it says; an empty body where it cannot be read, which [`Entry::expected_hash`] tells too.
    pub fn read(&self) -> Body {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Number and hash of an entry, as `loci memory verify` and certificates give them: `12:9f86d0…`.
///
/// # Errors
/// [`MemoryError::Invalid`] for anything else.
pub fn parse_head(text: &str) -> Result<(u64, Hash), MemoryError> {
    let parsed = text
        .split_once(':')
        .and_then(|(seq, hash)| Some((seq.parse().ok()?, *blake3::Hash::from_hex(hash).ok()?.as_bytes())));
    parsed.ok_or_else(|| {
        MemoryError::Invalid(format!(
            "{text:?} is no number and hash; give them as `loci memory verify` prints them: 12:9f86d0…"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            seq: 3,
            at: Time::from_millis(5),
            actor: "me".to_owned(),
            action: Action::Add,
            scope: Scope::default(),
            body: "{}".to_owned(),
            prev: ROOT,
            hash: ROOT,
        }
    }

    #[test]
    fn every_field_is_bound() {
        let hash = entry().expected_hash();
        let scope = |tenant: &str, user: &str| Scope { tenant: tenant.to_owned(), user: user.to_owned() };
        let others = [
            Entry { seq: 4, ..entry() },
            Entry { at: Time::from_millis(6), ..entry() },
            Entry { actor: "m".to_owned(), ..entry() },
            Entry { action: Action::Key, ..entry() },
            Entry { scope: scope("localm", "e"), ..entry() },
            Entry { body: "{} ".to_owned(), ..entry() },
            Entry { prev: [1; 32], ..entry() },
        ];
        assert!(others.iter().all(|other| other.expected_hash() != hash));
        assert_eq!(entry().expected_hash(), hash);
    }

    #[test]
    fn actions_have_one_word_each() {
        for (action, name) in Action::ALL {
            assert_eq!((action.name(), Action::of(name)), (name, Some(action)));
            assert_eq!(serde_json::to_value(action).unwrap(), name);
        }
    }
}
