//! What rows of SQLite say, and how words and vectors are written in them.

use rusqlite::Row;

use crate::raw::{RawEntry, RawItem};
use crate::rows::ScopeRow;

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

pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<RawEntry> {
    Ok(RawEntry {
        seq: row.get(0)?,
        at: row.get(1)?,
        actor: row.get(2)?,
        action: row.get(3)?,
        tenant: row.get(4)?,
        user: row.get(5)?,
        body: row.get(6)?,
        prev: row.get(7)?,
        hash: row.get(8)?,
    })
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
