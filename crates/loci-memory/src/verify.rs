//! Verification: whether a store is what its log says.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::error::MemoryError;
use crate::log::{Entry, Hash, ROOT, hex};
use crate::memory::Memory;
use crate::record::{Item, Scope, State, digest};
use crate::rollback::{States, follow};
use crate::rows::{Filter, Rows, ScopeRow};
use crate::search::index_words;
use crate::writer::{key_digest, key_name, same};

const BATCH: usize = 1_024;
/// Faults that are told one by one.
const TOLD: usize = 50;

/// What verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Entries of the log.
    pub entries: u64,
    /// Items, forgotten ones included.
    pub items: usize,
    /// Keys.
    pub keys: usize,
    /// The last entry's hash, hexadecimal. Kept elsewhere, it shows later that nothing up to here was changed or cut off.
    pub head: String,
    /// What is wrong; empty for a store that is what its log says. At most 50, and how many more.
    pub faults: Vec<String>,
}

/// Collects what is wrong.
#[derive(Default)]
struct Faults {
    told: Vec<String>,
    more: usize,
}

impl Faults {
    fn add(&mut self, fault: String) {
        if self.told.len() < TOLD {
            self.told.push(fault);
        } else {
            self.more += 1;
        }
    }

    fn all(mut self) -> Vec<String> {
        if self.more > 0 {
            self.told.push(format!("and {} more", self.more));
        }
        self.told
    }
}

/// What the log says.
#[derive(Default)]
struct Told {
    entries: u64,
    head: Hash,
    states: BTreeMap<Scope, States>,
    digests: BTreeMap<Scope, BTreeMap<String, String>>,
    /// Why items were held back.
    reasons: BTreeMap<String, serde_json::Value>,
    policies: BTreeMap<Scope, String>,
    /// The hash of the entry that was asked for.
    asked: Option<Hash>,
}

impl Memory {
    /// Compares the whole store, all scopes, with its log: the chain of hashes, every item's and key's digest, every state, and
    /// the database's own structures. `head` is number and hash of an entry that was kept elsewhere: without one, entries cut
    /// off the log's end with all their traces cannot be missed.
    ///
    /// # Errors
    /// What the store fails with; a store that is damaged but can be read is no error.
    pub fn verify(&mut self, head: Option<(u64, Hash)>) -> Result<Verified, MemoryError> {
        let mut faults = Faults::default();
        self.engine.check()?.into_iter().for_each(|fault| faults.add(fault));
        let (mut told, mut items, mut keys) = (Told::default(), 0, 0);
        let secret = *self.secret();
        self.engine.read(&mut |rows| {
            told = chain(rows, head.map(|(seq, _)| seq), &mut faults)?;
            (items, keys) = (0, 0);
            for (row, scope) in rows.scopes()? {
                if rows.policy(row)?.as_ref() != told.policies.get(&scope) {
                    faults.add(format!(
                        "the policy of {}/{} is not the one in the log",
                        scope.tenant, scope.user
                    ));
                }
                let (own_items, own_keys) = contents(rows, (row, &scope), &secret, &mut told, &mut faults)?;
                items += own_items;
                keys += own_keys;
            }
            Ok(())
        })?;
        for (scope, states) in &told.states {
            for id in states.keys() {
                faults.add(format!(
                    "item {id} of {}/{} is in the log and not in the store",
                    scope.tenant, scope.user
                ));
            }
        }
        if let Some((seq, hash)) = head
            && told.asked != Some(hash)
        {
            faults.add(format!("entry {seq} of the log is not the one that was kept elsewhere"));
        }
        Ok(Verified { entries: told.entries, items, keys, head: hex(told.head), faults: faults.all() })
    }
}

/// Follows the log from its first entry on.
fn chain(rows: &dyn Rows, asked: Option<u64>, faults: &mut Faults) -> Result<Told, MemoryError> {
    let mut told = Told { head: ROOT, asked: (asked == Some(0)).then_some(ROOT), ..Told::default() };
    let mut from = 0;
    loop {
        let entries = rows.log(None, from, BATCH)?;
        let Some(last) = entries.last() else { return Ok(told) };
        from = last.seq + 1;
        for entry in &entries {
            link(entry, &mut told, faults);
            if asked == Some(entry.seq) {
                told.asked = Some(entry.hash);
            }
        }
    }
}

/// Checks one entry against the one before it, and takes up what it says.
fn link(entry: &Entry, told: &mut Told, faults: &mut Faults) {
    if entry.seq != told.entries + 1 {
        faults.add(format!("the log goes from entry {} to entry {}", told.entries, entry.seq));
    }
    if entry.prev != told.head {
        faults.add(format!("entry {} of the log does not follow the one before it", entry.seq));
    }
    if entry.hash != entry.expected_hash() {
        faults.add(format!("entry {} of the log was changed", entry.seq));
    }
    (told.entries, told.head) = (entry.seq, entry.hash);
    follow(told.states.entry(entry.scope.clone()).or_default(), entry);
    let mut body = entry.read();
    if let Some(serde_json::Value::String(policy)) = body.details.remove("policy") {
        told.policies.insert(entry.scope.clone(), policy);
    }
    if let (Some(reasons), Some(change)) = (body.details.remove("reasons"), body.changes.first()) {
        told.reasons.insert(change.id.clone(), reasons);
    }
    told.digests.entry(entry.scope.clone()).or_default().extend(body.digests);
}

/// Checks the items and keys of a scope, and takes those that are there from what the log says.
fn contents(
    rows: &dyn Rows,
    (row, scope): (ScopeRow, &Scope),
    secret: &[u8; 32],
    told: &mut Told,
    faults: &mut Faults,
) -> Result<(usize, usize), MemoryError> {
    let none = BTreeMap::new();
    let mut states = told.states.remove(scope).unwrap_or_default();
    let digests = told.digests.get(scope).unwrap_or(&none);
    let (mut keys, mut words) = (0_u64, 0_u64);
    let items = rows.items(row, &Filter::default())?;
    let ids: BTreeSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
    for item in &items {
        let mut fault = |what: &str| faults.add(format!("item {}: {what}", item.id));
        match states.remove(&item.id) {
            None => fault("it is in the store and not in the log"),
            Some((state, by)) if (state, &by) != (item.state, &item.superseded_by) => {
                fault(&format!("it is {}, and the log says {state}", item.state));
            }
            Some(_) => {}
        }
        if digests.get(&item.id) != Some(&item.digest) {
            fault("its digest is not the one in the log");
        }
        if item.superseded_by.as_deref().is_some_and(|by| !ids.contains(by)) {
            fault("what took its place is not there");
        }
        let found = rows.keys(row, item.row)?;
        match &item.content {
            None if item.state != State::Forgotten => fault("what it says is gone, and it was not forgotten"),
            None if !found.is_empty() => fault("it was forgotten, and keys of it are there"),
            None => {}
            Some(_) if item.state == State::Forgotten => fault("it was forgotten, and what it says is there"),
            Some(content) => {
                if digest(&item.salt.unwrap_or_default(), &item.id, item.learned, content)? != item.digest {
                    fault("what it says was changed");
                }
                let filter = Filter {
                    id: Some(item.id.clone()),
                    same_as: Some(same(secret, &content.text)),
                    ..Filter::default()
                };
                if rows.items(row, &filter)?.is_empty() {
                    fault("the hash by which it is known again was changed");
                }
                let held = serde_json::json!(item.held_for);
                if told.reasons.get(&item.id).unwrap_or(&serde_json::json!([])) != &held {
                    fault("why it was held back is not what the log says");
                }
            }
        }
        keys_of(item, &found, digests, faults)?;
        keys += found.len() as u64;
        for (number, key) in &found {
            let own = index_words(&key.text);
            words += own.len() as u64;
            if !rows.has_words(row, *number, &own)? {
                faults
                    .add(format!("item {}: the index of words does not have a key of it as it is", item.id));
            }
        }
    }
    let size = rows.size(row)?;
    if (size.keys, size.words) != (keys, words) {
        faults.add(format!(
            "{}/{}: the counts of keys and words are not those of its keys",
            scope.tenant, scope.user
        ));
    }
    if !states.is_empty() {
        told.states.insert(scope.clone(), states);
    }
    Ok((items.len(), usize::try_from(keys).unwrap_or(usize::MAX)))
}

/// Checks the keys of an item: each one is in the log, and none is missing.
fn keys_of(
    item: &Item,
    found: &[(i64, crate::record::Key)],
    digests: &BTreeMap<String, String>,
    faults: &mut Faults,
) -> Result<(), MemoryError> {
    for (number, (_, key)) in found.iter().enumerate() {
        if digests.get(&key_name(item, number)) != Some(&key_digest(item, key)?) {
            faults.add(format!("item {}: key {number} is not the one in the log", item.id));
        }
    }
    let next = key_name(item, found.len());
    if item.content.is_some() && digests.contains_key(&next) {
        faults.add(format!("item {}: keys of it are missing", item.id));
    }
    Ok(())
}
