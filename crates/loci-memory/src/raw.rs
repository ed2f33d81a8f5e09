//! Rows as databases have them, and what they mean.

use crate::error::MemoryError;
use crate::log::{Action, Entry, Hash, ROOT};
use crate::record::{Content, Item, Key, KeyKind, Scope, State};
use crate::time::Time;

/// Names the value of a store that says how often anything was removed.
pub(crate) const REMOVED: &str = "removed";

/// An item as the database has it.
pub(crate) struct RawItem {
    pub(crate) row: i64,
    pub(crate) id: String,
    pub(crate) learned: i64,
    pub(crate) state: String,
    pub(crate) superseded_by: Option<String>,
    pub(crate) digest: String,
    pub(crate) content: Option<String>,
    pub(crate) salt: Option<Vec<u8>>,
    pub(crate) held_for: Option<String>,
}

impl RawItem {
    pub(crate) fn item(self) -> Result<Item, MemoryError> {
        let damaged = |what: &str| MemoryError::Damaged(format!("item {}: {what}", self.id));
        let state = State::of(&self.state).ok_or_else(|| damaged("its state is unknown"))?;
        let content = match &self.content {
            None => None,
            Some(text) => Some(serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))?),
        };
        let salt = match &self.salt {
            None => None,
            Some(salt) => {
                Some(salt.as_slice().try_into().map_err(|_| damaged("its salt has another length"))?)
            }
        };
        let held_for = match &self.held_for {
            None => Vec::new(),
            Some(text) => serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))?,
        };
        Ok(Item {
            id: self.id,
            row: self.row,
            content,
            learned: Time::from_millis(self.learned),
            state,
            superseded_by: self.superseded_by,
            held_for,
            digest: self.digest,
            salt,
        })
    }
}

/// What an item says, and why it is held back, as the database has it.
///
/// # Errors
/// [`MemoryError::Invalid`] when one of them cannot be written down.
pub(crate) fn written(item: &Item) -> Result<(Option<String>, Option<String>), MemoryError> {
    let json = |value: serde_json::Result<String>| {
        value.map_err(|error| MemoryError::Invalid(format!("the item cannot be written down: {error}")))
    };
    let content = item.content.as_ref().map(|content: &Content| json(serde_json::to_string(content)));
    let held = (!item.held_for.is_empty()).then(|| json(serde_json::to_string(&item.held_for)));
    Ok((content.transpose()?, held.transpose()?))
}

/// A key from its row, kind, text and maker.
///
/// # Errors
/// [`MemoryError::Damaged`] where the kind is none.
pub(crate) fn key(
    (row, kind, text, maker): (i64, String, String, String),
) -> Result<(i64, Key), MemoryError> {
    let kind =
        KeyKind::of(&kind).ok_or_else(|| MemoryError::Damaged(format!("key {row}: its kind is unknown")))?;
    Ok((row, Key { kind, text, maker }))
}

/// An entry of the log as the database has it.
pub(crate) struct RawEntry {
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) tenant: String,
    pub(crate) user: String,
    pub(crate) body: String,
    pub(crate) prev: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

impl RawEntry {
    pub(crate) fn entry(self) -> Result<Entry, MemoryError> {
        let seq = self.seq.unsigned_abs();
        let action = Action::of(&self.action).ok_or_else(|| {
            MemoryError::Damaged(format!("entry {seq} of the log has the unknown action {:?}", self.action))
        })?;
        let hash = |bytes: &[u8]| Hash::try_from(bytes).unwrap_or(ROOT);
        Ok(Entry {
            seq,
            at: Time::from_millis(self.at),
            actor: self.actor,
            action,
            scope: Scope { tenant: self.tenant, user: self.user },
            body: self.body,
            prev: hash(&self.prev),
            hash: hash(&self.hash),
        })
    }
}

/// The head of a log whose last entry has number and hash `last`.
///
/// # Errors
/// [`MemoryError::Damaged`] where the hash is none.
pub(crate) fn head(last: Option<(i64, Vec<u8>)>) -> Result<(u64, Hash), MemoryError> {
    let Some((seq, hash)) = last else { return Ok((0, ROOT)) };
    let hash = hash.as_slice().try_into();
    let hash = hash.map_err(|_| MemoryError::Damaged(format!("entry {seq} of the log has no hash")))?;
    Ok((seq.unsigned_abs(), hash))
}

/// A count as meta holds it.
pub(crate) fn count(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}
