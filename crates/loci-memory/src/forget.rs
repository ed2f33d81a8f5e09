//! Forgetting: what an item says goes from everywhere in the store, and a certificate stays.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::elsewhere::{Elsewhere, Removed, Said};
use crate::error::MemoryError;
use crate::log::{Action, Body, Change, hex};
use crate::memory::Memory;
use crate::policy::Policy;
use crate::record::{Item, State};
use crate::rows::{Engine, Filter, Rows, ScopeRow};
use crate::search::index_words;
use crate::time::Time;
use crate::vectors::remove_files;
use crate::writer::{change, named, owned};

/// Tells that items were forgotten whose bytes may still be in files: how often anything had been removed, or a single zero.
const UNFINISHED: &str = "forgetting unfinished";
/// How far forgetting was when another place failed.
const NOTHING: &str = "nothing was forgotten";
const STORE: &str = "the store has forgotten it, and another place may still hold it";

/// What was forgotten, or would be. It names what was removed and never says what that said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The items, those made from them behind them.
    pub items: Vec<Forgotten>,
    /// Keys that were removed with their words.
    pub keys: usize,
    /// Vectors that were removed.
    pub vectors: usize,
    /// What was removed outside the store, by place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Removed>,
    /// When.
    pub at: Time,
    /// By whom.
    pub actor: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Nothing was done: what would be.
    pub dry_run: bool,
    /// The log's entry; 0 for a dry run.
    pub seq: u64,
    /// The entry's hash, hexadecimal: `loci memory verify --head SEQ:HASH` tells whether the log still holds it.
    pub hash: String,
}

/// An item that was forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    /// Its id.
    pub id: String,
    /// Its digest, which whoever kept the item can compare.
    pub digest: String,
    /// Its state before.
    pub was: State,
    /// It was made from an item that was to be forgotten.
    pub derived: bool,
}

/// What is to be forgotten.
#[derive(Clone, Debug)]
pub enum Target {
    /// These items, by the beginnings of their ids.
    Ids(Vec<String>),
    /// Items that have all words of this, in their text or a key.
    Matching(String),
    /// What the policy no longer keeps.
    Expired,
}

impl Memory {
    /// Forgets items and all that was made from them: text, source, keys, words, vectors. Digests stay, in the items and the log.
    ///
    /// When this returns, no byte of it is left in the store's files, nor in the places that were named with [`Memory::also_in`];
    /// a [`MemoryError::Busy`] says that another process still reads an older state, whose bytes stay until it ends: whoever
    /// opens the store or forgets next finishes the work.
    ///
    /// # Errors
    /// [`MemoryError::NoItem`], [`MemoryError::Elsewhere`] when another place does not let go of it (then nothing is forgotten),
    /// and what the store fails with.
    pub fn forget(
        &mut self,
        target: &Target,
        reason: Option<&str>,
        dry_run: bool,
    ) -> Result<Certificate, MemoryError> {
        let now = self.now();
        if dry_run {
            let items = self.look(|rows, scope| chosen(rows, scope, target, now))?;
            let elsewhere = self.sweep(&Said::of(items.iter().map(|(item, _)| item)), true, NOTHING)?;
            return Ok(Certificate { elsewhere, ..self.certificate(items, reason, now) });
        }
        // Other places first: a process that is killed on the way leaves items that can be forgotten again, and with them what
        // to look for.
        let items = self.look(|rows, scope| chosen(rows, scope, target, now))?;
        let mut elsewhere = self.sweep(&Said::of(items.iter().map(|(item, _)| item)), false, NOTHING)?;
        let (mut certificate, said) = self.change(|writer| {
            let items = chosen(writer.rows, writer.row, target, writer.now)?;
            let (mut keys, mut vectors) = (0, 0);
            let mut changes: Vec<Change> = Vec::with_capacity(items.len());
            for (item, _) in &items {
                let (own_keys, own_vectors) = writer.rows.blank(writer.row, item.row)?;
                writer.rows.set_state(writer.row, item.row, State::Forgotten, None)?;
                keys += own_keys;
                vectors += own_vectors;
                changes.push(change(item, State::Forgotten, None));
            }
            let mut body = Body { changes, reason: owned(reason), ..Body::default() };
            body.details.insert("keys".to_owned(), keys.into());
            body.details.insert("vectors".to_owned(), vectors.into());
            let seq = match items.is_empty() {
                true => 0,
                false => {
                    // Whoever opens the store next finishes what may be broken off behind this transaction.
                    let removed = writer.rows.removed()?;
                    writer.rows.set_meta(UNFINISHED, &removed.to_le_bytes())?;
                    writer.log(Action::Forget, &body)?
                }
            };
            let (_, hash) = writer.rows.head()?;
            let said = Said::of(items.iter().map(|(item, _)| item));
            let certificate = Certificate {
                items: items.into_iter().map(forgotten).collect(),
                keys,
                vectors,
                elsewhere: Vec::new(),
                at: writer.now,
                actor: writer.actor.to_owned(),
                reason: owned(reason),
                dry_run: false,
                seq,
                hash: hex(hash),
            };
            Ok((certificate, said))
        })?;
        self.vectors = None;
        finish(self.engine.as_mut())?;
        // What was made while the store was written.
        for (first, second) in elsewhere.iter_mut().zip(self.sweep(&said, false, STORE)?) {
            first.removed += second.removed;
        }
        elsewhere.retain(|place| place.removed > 0);
        certificate.elsewhere = elsewhere;
        certificate.items.sort_by_key(|item| item.derived);
        Ok(certificate)
    }

    /// Removes what other places hold of what was `said`, or only counts it.
    fn sweep(
        &mut self,
        said: &Said,
        dry_run: bool,
        so_far: &'static str,
    ) -> Result<Vec<Removed>, MemoryError> {
        if said.is_empty() {
            return Ok(Vec::new());
        }
        let sweep = |place: &mut Box<dyn Elsewhere>| match place.remove(said, dry_run) {
            Ok(removed) => Ok(Removed { place: place.name().to_owned(), removed }),
            Err(message) => Err(MemoryError::Elsewhere { so_far, place: place.name().to_owned(), message }),
        };
        self.elsewhere.iter_mut().map(sweep).collect()
    }

    /// What would be forgotten.
    fn certificate(&self, items: Vec<(Item, bool)>, reason: Option<&str>, at: Time) -> Certificate {
        Certificate {
            items: items.into_iter().map(forgotten).collect(),
            keys: 0,
            vectors: 0,
            elsewhere: Vec::new(),
            at,
            actor: self.actor().to_owned(),
            reason: owned(reason),
            dry_run: true,
            seq: 0,
            hash: String::new(),
        }
    }
}

/// Removes what forgetting leaves in files, if there is anything.
///
/// # Errors
/// [`MemoryError::Busy`] while another process reads an older state, and what the store fails with.
pub(crate) fn finish(engine: &mut dyn Engine) -> Result<(), MemoryError> {
    let mut unfinished = None;
    engine.read(&mut |rows| {
        unfinished = rows.meta(UNFINISHED)?.filter(|value| value != &[0]);
        Ok(())
    })?;
    let Some(unfinished) = unfinished else { return Ok(()) };
    remove_files(engine.folder())?;
    engine.scrub()?;
    engine.write(&mut |rows| match rows.meta(UNFINISHED)? {
        // What another process has forgotten in the meantime is still to be done.
        Some(value) if value != unfinished => Ok(()),
        _ => rows.set_meta(UNFINISHED, &[0]),
    })
}

fn forgotten((item, derived): (Item, bool)) -> Forgotten {
    Forgotten { id: item.id, digest: item.digest, was: item.state, derived }
}

/// The items meant, each once, and with `true` those made from them, whatever way that was.
fn chosen(
    rows: &dyn Rows,
    scope: ScopeRow,
    target: &Target,
    now: Time,
) -> Result<Vec<(Item, bool)>, MemoryError> {
    let meant = match target {
        Target::Ids(ids) => ids.iter().map(|id| named(rows, scope, id)).collect::<Result<Vec<_>, _>>()?,
        Target::Matching(words) => matching(rows, scope, words)?,
        Target::Expired => Policy::of(rows, scope)?.expired(rows, scope, now)?,
    };
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut items: Vec<(Item, bool)> = Vec::new();
    for item in meant.into_iter().filter(|item| item.state != State::Forgotten) {
        if taken.insert(item.id.clone()) {
            items.push((item, false));
        }
    }
    if items.is_empty() {
        return Ok(items);
    }
    let mut made_from: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for item in rows.items(scope, &Filter::default())? {
        for parent in item.content.as_ref().map(|content| content.parents.clone()).unwrap_or_default() {
            made_from.entry(parent).or_default().push(item.clone());
        }
    }
    let mut next = 0;
    while let Some(id) = items.get(next).map(|(item, _)| item.id.clone()) {
        for child in made_from.remove(&id).unwrap_or_default() {
            if taken.insert(child.id.clone()) {
                items.push((child, true));
            }
        }
        next += 1;
    }
    Ok(items)
}

/// Items with a key that has all words of `query`.
fn matching(rows: &dyn Rows, scope: ScopeRow, query: &str) -> Result<Vec<Item>, MemoryError> {
    let words: BTreeSet<String> = index_words(query).into_iter().collect();
    if words.is_empty() {
        return Err(MemoryError::Invalid(format!(
            "{query:?} has no word, and would mean everything; give words"
        )));
    }
    let mut keys: Option<BTreeMap<i64, i64>> = None;
    for word in &words {
        let with: BTreeMap<i64, i64> =
            rows.postings(scope, word)?.into_iter().map(|posting| (posting.key, posting.item)).collect();
        keys = Some(match keys {
            None => with,
            Some(mut keys) => {
                keys.retain(|key, _| with.contains_key(key));
                keys
            }
        });
    }
    let mut items: Vec<i64> = keys.unwrap_or_default().into_values().collect();
    items.sort_unstable();
    items.dedup();
    rows.items_at(scope, &items)
}
