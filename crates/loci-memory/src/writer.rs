//! Changes of a memory within one transaction.

use crate::error::MemoryError;
use crate::gate::{self, Verdict};
use crate::log::{Action, Body, Change, Entry, Hash, ROOT};
use crate::memory::{Added, Surroundings};
use crate::policy::Policy;
use crate::record::{Content, Item, Key, KeyKind, Scope, State, Trust, digest};
use crate::rows::{Filter, Rows, ScopeRow};
use crate::search::index_words;
use crate::time::Time;

/// Changes within one transaction.
pub(crate) struct Writer<'w> {
    pub(crate) rows: &'w mut dyn Rows,
    pub(crate) row: ScopeRow,
    pub(crate) scope: &'w Scope,
    pub(crate) actor: &'w str,
    pub(crate) now: Time,
    pub(crate) policy: Policy,
    pub(crate) secret: &'w [u8; 32],
    pub(crate) surroundings: &'w mut Surroundings,
}

impl Writer<'_> {
    /// The item whose id begins with `id`.
    pub(crate) fn one(&self, id: &str) -> Result<Item, MemoryError> {
        named(self.rows, self.row, id)
    }

    /// Appends to the log; returns the entry's number.
    pub(crate) fn log(&mut self, action: Action, body: &Body) -> Result<u64, MemoryError> {
        let text = serde_json::to_string(body).map_err(|error| {
            MemoryError::Invalid(format!("the log's entry cannot be written down: {error}"))
        })?;
        let (last, prev) = self.rows.head()?;
        let mut entry = Entry {
            seq: last + 1,
            at: self.now,
            actor: self.actor.to_owned(),
            action,
            scope: self.scope.clone(),
            body: text,
            prev,
            hash: ROOT,
        };
        entry.hash = entry.expected_hash();
        self.rows.append(self.row, &entry)?;
        Ok(entry.seq)
    }

    /// Lets `content` through the gate, and writes it down.
    pub(crate) fn add(&mut self, content: &Content, keys: &[Key]) -> Result<Added, MemoryError> {
        gate::check(content, &self.policy)?;
        let mut content = content.clone();
        for parent in &mut content.parents {
            let found = self.one(parent)?;
            let of = found.content.ok_or_else(|| MemoryError::NoItem { id: parent.clone() })?;
            content.trust = Trust::min(content.trust, of.trust);
            *parent = found.id;
        }
        let same = same(self.secret, &content.text);
        let verdict = gate::judge(self.rows, self.row, &content, same, &self.policy)?;
        let mut body = Body::default();
        body.details.insert("verdict".to_owned(), verdict.name().into());
        let id = match (&verdict, verdict.state()) {
            (Verdict::Duplicate { of } | Verdict::Echo { of }, _) => {
                body.details.insert("of".to_owned(), of.as_str().into());
                of.clone()
            }
            (verdict, state) => {
                let held_for = match verdict {
                    Verdict::Held { reasons } => reasons.clone(),
                    _ => Vec::new(),
                };
                let state = state.unwrap_or(State::Proposed);
                let item = self.keep(content, state, held_for, keys, same, &mut body)?;
                if !item.held_for.is_empty() {
                    body.details.insert("reasons".to_owned(), item.held_for.clone().into());
                }
                body.changes.push(Change { id: item.id.clone(), from: None, to: item.state, by: None });
                body.digests.insert(item.id.clone(), item.digest.clone());
                item.id
            }
        };
        let seq = self.log(Action::Add, &body)?;
        Ok(Added { id, verdict, seq })
    }

    /// Adds the vectors of an item's keys, in their order.
    pub(crate) fn embed(&mut self, id: &str, space: &str, vectors: &[Vec<f32>]) -> Result<(), MemoryError> {
        let item = self.one(id)?;
        for ((key, _), vector) in self.rows.keys(self.row, item.row)?.iter().zip(vectors) {
            self.rows.add_vector(self.row, *key, space, vector)?;
        }
        Ok(())
    }

    /// Adds key number `number` of an item, and its digest to what the log will say.
    pub(crate) fn add_key(
        &mut self,
        item: &Item,
        number: usize,
        key: &Key,
        body: &mut Body,
    ) -> Result<(), MemoryError> {
        self.rows.add_key(self.row, item.row, key, &index_words(&key.text))?;
        body.digests.insert(key_name(item, number), key_digest(item, key)?);
        Ok(())
    }

    /// Writes an item down with its keys.
    fn keep(
        &mut self,
        content: Content,
        state: State,
        held_for: Vec<String>,
        keys: &[Key],
        same: Hash,
        body: &mut Body,
    ) -> Result<Item, MemoryError> {
        let (mut id, mut salt) = ([0; 8], [0; 32]);
        self.surroundings.fill(&mut id)?;
        self.surroundings.fill(&mut salt)?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let own = Key { kind: KeyKind::Plain, text: content.text.clone(), maker: "text".to_owned() };
        let mut item = Item {
            digest: digest(&salt, &id, self.now, &content)?,
            id,
            row: 0,
            content: Some(content),
            learned: self.now,
            state,
            superseded_by: None,
            held_for,
            salt: Some(salt),
        };
        item.row = self.rows.add_item(self.row, &item, &same)?;
        for (number, key) in std::iter::once(&own).chain(keys).enumerate() {
            self.add_key(&item, number, key, body)?;
        }
        Ok(item)
    }

    /// Gives the place of `old` to the item called `by`.
    pub(crate) fn supersede(
        &mut self,
        old: &Item,
        by: &str,
        reason: Option<&str>,
    ) -> Result<(), MemoryError> {
        if !old.state.can_become(State::Superseded) {
            return Err(MemoryError::State {
                id: old.id.clone(),
                from: old.state.name(),
                to: State::Superseded.name(),
                remedy: "only a released item gives its place to another",
            });
        }
        self.rows.set_state(self.row, old.row, State::Superseded, Some(by))?;
        let body = Body {
            changes: vec![change(old, State::Superseded, Some(by))],
            reason: owned(reason),
            ..Body::default()
        };
        self.log(Action::Supersede, &body).map(drop)
    }
}

/// Hash of a text under the store's secret, the same for texts that differ in white space only.
pub(crate) fn same(secret: &[u8; 32], text: &str) -> Hash {
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    *blake3::keyed_hash(secret, plain.as_bytes()).as_bytes()
}

/// How the log calls key number `number` of an item.
pub(crate) fn key_name(item: &Item, number: usize) -> String {
    format!("{}/{number}", item.id)
}

/// The digest of a key: bound to its item's salt, so that it tells nothing once the item is forgotten.
pub(crate) fn key_digest(item: &Item, key: &Key) -> Result<String, MemoryError> {
    let text = serde_json::to_string(key)
        .map_err(|error| MemoryError::Invalid(format!("a key cannot be written down: {error}")))?;
    Ok(blake3::keyed_hash(&item.salt.unwrap_or_default(), text.as_bytes()).to_hex().to_string())
}

/// A change of an item's state.
pub(crate) fn change(item: &Item, to: State, by: Option<&str>) -> Change {
    Change { id: item.id.clone(), from: Some(item.state), to, by: owned(by) }
}

pub(crate) fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

/// The one item whose id begins with `id`.
pub(crate) fn named(rows: &dyn Rows, scope: ScopeRow, id: &str) -> Result<Item, MemoryError> {
    let filter = Filter { id: Some(id.to_owned()), newest: Some(3), ..Filter::default() };
    let mut found = if id.is_empty() { Vec::new() } else { rows.items(scope, &filter)? };
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(MemoryError::NoItem { id: id.to_owned() }),
        count => Err(MemoryError::Ambiguous { id: id.to_owned(), count }),
    }
}
