//! What rows of SQLite say, and how words and vectors are written in them.

use rusqlite::Row;

use crate::error::MemoryError;
use crate::log::{Action, Entry, Hash, ROOT};
use crate::record::{Item, Scope, State};
use crate::rows::ScopeRow;
use crate::time::Time;

/// An item as the database has it.
pub(super) struct RawItem {
    row: i64,
    id: String,
    learned: i64,
    state: String,
    superseded_by: Option<String>,
    digest: String,
    content: Option<String>,
    salt: Option<Vec<u8>>,
    held_for: Option<String>,
}

pub(super) fn item(row: &Row<'_>) -> rusqlite::Result<RawItem> {
    Ok(RawItem {
        row: row.get(0)?,
        id: row.get(1)?,
        learned: row.get(2)?,
        state: row.get(3)?,
        superseded_by: row.get(4)?,
        digest: row.get(5)?,
        content: row.get(6)?,
        salt: row.get(7)?,
        held_for: row.get(8)?,
    })
}

impl RawItem {
    pub(super) fn item(self) -> Result<Item, MemoryError> {
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

pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<(Entry, String)> {
    let action: String = row.get(3)?;
    let hash = |bytes: Vec<u8>| Hash::try_from(bytes.as_slice()).unwrap_or(ROOT);
    let entry = Entry {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        at: Time::from_millis(row.get(1)?),
        actor: row.get(2)?,
        action: Action::of(&action).unwrap_or(Action::Add),
        scope: Scope { tenant: row.get(4)?, user: row.get(5)? },
        body: row.get(6)?,
        prev: hash(row.get(7)?),
        hash: hash(row.get(8)?),
    };
    Ok((entry, action))
}

/// A word as the index has it: behind the number of its scope, so that it is no word of any other.
pub(super) fn token(scope: ScopeRow, word: &str) -> String {
    // What SQLite would cut is written in hexadecimal.
    if word.chars().all(char::is_alphanumeric) {
        return format!("{}x{word}", scope.0);
    }
    let hex: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{}y{hex}", scope.0)
}

/// The words of a key as the index has them.
pub(super) fn tokens(scope: ScopeRow, words: &[String]) -> String {
    words.iter().map(|word| token(scope, word)).collect::<Vec<_>>().join(" ")
}

pub(super) fn numbers(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub(super) fn vector(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

/// A count as meta holds it.
pub(super) fn count(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}
