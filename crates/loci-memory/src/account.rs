//! What became of an item.

use serde::Serialize;

use crate::error::MemoryError;
use crate::log::Action;
use crate::memory::Memory;
use crate::record::{Item, Key, State};
use crate::time::Time;

/// An item with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The item.
    pub item: Item,
    /// The ways in which it is found.
    pub keys: Vec<Key>,
    /// What was decided about it, first first.
    pub way: Vec<Step>,
}

/// An entry of the log, as far as it is about an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The entry's number.
    pub seq: u64,
    /// When.
    pub at: Time,
    /// By whom.
    pub actor: String,
    /// What was done.
    pub action: Action,
    /// The state that it got.
    pub to: State,
    /// The item that took its place.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl Memory {
    /// The item whose id begins with `id`, with its keys and its way through the log.
    ///
    /// # Errors
    /// As [`Memory::item`].
    pub fn account(&mut self, id: &str) -> Result<Account, MemoryError> {
        let item = self.item(id)?;
        let keys = self.keys(&item)?;
        let mut way = Vec::new();
        for entry in self.log(1, usize::MAX)? {
            let body = entry.read();
            if let Some(change) = body.changes.into_iter().find(|change| change.id == item.id) {
                way.push(Step {
                    seq: entry.seq,
                    at: entry.at,
                    actor: entry.actor,
                    action: entry.action,
                    to: change.to,
                    by: change.by,
                    reason: body.reason,
                });
            }
        }
        Ok(Account { item, keys, way })
    }
}
