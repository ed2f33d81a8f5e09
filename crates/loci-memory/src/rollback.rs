//! Going back: the states of an earlier time are taken up again.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::MemoryError;
use crate::log::{Action, Body, Change, Entry};
use crate::memory::Memory;
use crate::record::State;
use crate::rows::{Filter, Rows, ScopeRow};
use crate::writer::owned;

/// Entries that are read at once.
const BATCH: usize = 1_024;

/// What a rollback did, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RolledBack {
    /// The number of the last entry whose states hold again.
    pub to: u64,
    /// Items whose states changed.
    pub changes: Vec<Change>,
    /// Items that were forgotten since: nothing brings them back.
    pub gone: Vec<String>,
    /// Nothing was done.
    pub dry_run: bool,
    /// The log's entry; 0 for a dry run, and where nothing had to change.
    pub seq: u64,
}

/// State and successor of each item after a number of entries.
pub(crate) type States = BTreeMap<String, (State, Option<String>)>;

/// Takes up what an entry says.
pub(crate) fn follow(states: &mut States, entry: &Entry) {
    for Change { id, to, by, .. } in entry.read().changes {
        states.insert(id, (to, by));
    }
}

/// The states of a scope's items behind entry `to`.
fn states_at(rows: &dyn Rows, scope: ScopeRow, to: u64) -> Result<States, MemoryError> {
    let (mut states, mut from) = (States::new(), 1);
    loop {
        let entries = rows.log(Some(scope), from, BATCH)?;
        let Some(last) = entries.last() else { return Ok(states) };
        from = last.seq + 1;
        for entry in &entries {
            if entry.seq > to {
                return Ok(states);
            }
            follow(&mut states, entry);
        }
    }
}

impl Memory {
    /// Takes up the states that items had behind the log's entry number `to`: items that came later are taken back, and what was
    /// taken back, replaced or let in since stands where it stood. The log goes on: going forward again is another rollback. What
    /// was forgotten stays forgotten. The rules stay as they are.
    ///
    /// # Errors
    /// [`MemoryError::Invalid`] for a number that the log has not reached, and what the store fails with.
    pub fn rollback(
        &mut self,
        to: u64,
        reason: Option<&str>,
        dry_run: bool,
    ) -> Result<RolledBack, MemoryError> {
        let (last, _) = self.head()?;
        if to > last {
            return Err(MemoryError::Invalid(format!(
                "the log has {last} entries, so nothing can go back to number {to}; `loci memory log` lists them"
            )));
        }
        if dry_run {
            let (changes, gone) = self.look(|rows, scope| differences(rows, scope, to))?;
            let changes = changes.into_iter().map(|(_, change)| change).collect();
            return Ok(RolledBack { to, changes, gone, dry_run, seq: 0 });
        }
        self.change(|writer| {
            let (changes, gone) = differences(writer.rows, writer.row, to)?;
            for (item, change) in &changes {
                writer.rows.set_state(writer.row, *item, change.to, change.by.as_deref())?;
            }
            let changes: Vec<Change> = changes.into_iter().map(|(_, change)| change).collect();
            let mut body = Body { changes: changes.clone(), reason: owned(reason), ..Body::default() };
            body.details.insert("to".to_owned(), to.into());
            let seq = match changes.is_empty() {
                true => 0,
                false => writer.log(Action::Rollback, &body)?,
            };
            Ok(RolledBack { to, changes, gone, dry_run, seq })
        })
    }
}

/// Changes with the numbers of their items, and ids of items that were forgotten.
type Differences = (Vec<(i64, Change)>, Vec<String>);

/// What has to change so that the states behind entry `to` hold, with the items' numbers, and what has been forgotten since.
fn differences(rows: &dyn Rows, scope: ScopeRow, to: u64) -> Result<Differences, MemoryError> {
    let wanted = states_at(rows, scope, to)?;
    let (mut changes, mut gone) = (Vec::new(), Vec::new());
    for item in rows.items(scope, &Filter::default())? {
        let (state, by) = wanted.get(&item.id).cloned().unwrap_or((State::RolledBack, None));
        if item.state == State::Forgotten {
            if !matches!(state, State::Forgotten | State::RolledBack) {
                gone.push(item.id);
            }
            continue;
        }
        if (item.state, &item.superseded_by) != (state, &by) {
            changes.push((item.row, Change { id: item.id, from: Some(item.state), to: state, by }));
        }
    }
    Ok((changes, gone))
}
