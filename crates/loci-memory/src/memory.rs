//! A user's memory: what can be done with it.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::elsewhere::Elsewhere;
use crate::error::MemoryError;
use crate::forget::finish;
use crate::gate::Verdict;
use crate::log::{Action, Body, Entry, Hash};
use crate::policy::Policy;
use crate::record::{Content, Item, Key, Scope, State};
use crate::rows::{Engine, Filter, Rows, ScopeRow};
use crate::search::Common;
use crate::sqlite::Sqlite;
use crate::time::Time;
use crate::vectors::Vectors;
use crate::writer::{Writer, change, named, owned};

/// The store's secret: what hashes of contents are made with.
const SECRET: &str = "secret";

/// How long another process that writes is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Fills with bytes that nobody can foretell; false where there are none.
pub type Chance = Box<dyn FnMut(&mut [u8]) -> bool + Send>;

/// Where time and chance come from.
pub struct Surroundings {
    /// What time it is.
    pub clock: Box<dyn Fn() -> Time + Send>,
    /// What ids and salts are made from.
    pub random: Chance,
}

impl Surroundings {
    /// Those of the system.
    pub fn of_the_system() -> Self {
        Self { clock: Box::new(Time::now), random: Box::new(|bytes| getrandom::fill(bytes).is_ok()) }
    }
}

impl Surroundings {
    /// Fills with bytes that nobody can foretell.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) -> Result<(), MemoryError> {
        match (self.random)(bytes) {
            true => Ok(()),
            false => {
                Err(MemoryError::Invalid("the system gives no random numbers, and ids need them".to_owned()))
            }
        }
    }
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Surroundings")
    }
}

/// What became of a text that was to be remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Added {
    /// The item; of a duplicate or an echo the one that is there already.
    pub id: String,
    /// What the gate said.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The log's entry about it.
    pub seq: u64,
}

/// A user's memory in a store.
pub struct Memory {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) scope: Scope,
    actor: String,
    surroundings: Surroundings,
    secret: [u8; 32],
    pub(crate) vectors: Option<Vectors>,
    pub(crate) common: Common,
    pub(crate) elsewhere: Vec<Box<dyn Elsewhere>>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "memory of {}/{} in {}", self.scope.tenant, self.scope.user, self.engine.place())
    }
}

impl Memory {
    /// The memory of `scope` in the file at `path`, which is made if it is not there; `actor` is who acts, for the log.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn open(
        path: &Path,
        scope: Scope,
        actor: &str,
        surroundings: Surroundings,
    ) -> Result<Self, MemoryError> {
        Self::over(Box::new(Sqlite::open(path, PATIENCE)?), scope, actor, surroundings)
    }

    /// The memory of `scope` in the store of `engine`.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn over(
        mut engine: Box<dyn Engine>,
        scope: Scope,
        actor: &str,
        mut surroundings: Surroundings,
    ) -> Result<Self, MemoryError> {
        let mut secret = None;
        engine.read(&mut |rows| {
            secret = rows.meta(SECRET)?;
            Ok(())
        })?;
        if secret.is_none() {
            let mut fresh = [0; 32];
            surroundings.fill(&mut fresh)?;
            engine.write(&mut |rows| {
                // Another process may have been sooner.
                if rows.meta(SECRET)?.is_none() {
                    rows.set_meta(SECRET, &fresh)?;
                }
                secret = rows.meta(SECRET)?;
                Ok(())
            })?;
        }
        match finish(engine.as_mut()) {
            // Somebody still reads: the next one will.
            Err(MemoryError::Busy { .. }) => {}
            finished => finished?,
        }
        let secret = secret.and_then(|secret| secret.try_into().ok());
        let secret =
            secret.ok_or_else(|| MemoryError::Damaged("its secret has another length".to_owned()))?;
        Ok(Self {
            engine,
            scope,
            actor: actor.to_owned(),
            surroundings,
            secret,
            vectors: None,
            common: Common::default(),
            elsewhere: Vec::new(),
        })
    }

    /// Whose it is.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The same store for another scope.
    pub fn turn_to(&mut self, scope: Scope) {
        self.scope = scope;
    }

    /// Another one acts, for the log.
    pub fn act_as(&mut self, actor: &str) {
        actor.clone_into(&mut self.actor);
    }

    /// Whose memories the store holds: for who serves them all, and nobody else.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn scopes(&mut self) -> Result<Vec<Scope>, MemoryError> {
        let mut scopes = Vec::new();
        self.engine.read(&mut |rows| {
            scopes = rows.scopes()?.into_iter().map(|(_, scope)| scope).collect();
            Ok(())
        })?;
        Ok(scopes)
    }

    pub(crate) fn actor(&self) -> &str {
        &self.actor
    }

    /// What time it is, by the clock that was passed in.
    pub fn now(&self) -> Time {
        (self.surroundings.clock)()
    }

    pub(crate) const fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Runs `work` over the scope's rows; not at all where the scope has never held anything.
    pub(crate) fn look<T: Default>(
        &mut self,
        mut work: impl FnMut(&dyn Rows, ScopeRow) -> Result<T, MemoryError>,
    ) -> Result<T, MemoryError> {
        let mut found = T::default();
        let scope = &self.scope;
        self.engine.read(&mut |rows| {
            if let Some(row) = rows.scope(scope)? {
                found = work(rows, row)?;
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Runs `work` in a transaction that may append to the log through its [`Writer`].
    pub(crate) fn change<T>(
        &mut self,
        mut work: impl FnMut(&mut Writer<'_>) -> Result<T, MemoryError>,
    ) -> Result<T, MemoryError> {
        let mut made = None;
        let now = self.now();
        let (scope, actor, surroundings) = (&self.scope, &self.actor, &mut self.surroundings);
        let secret = &self.secret;
        self.engine.write(&mut |rows| {
            let row = rows.make_scope(scope)?;
            let policy = Policy::of(rows, row)?;
            made = Some(work(&mut Writer { rows, row, scope, actor, now, policy, secret, surroundings })?);
            Ok(())
        })?;
        made.ok_or_else(|| MemoryError::Damaged("a transaction ended without a word".to_owned()))
    }

    /// Remembers: the gate decides whether and in which state. `keys` are ways to find it besides its own words.
    ///
    /// # Errors
    /// [`MemoryError::Invalid`] for what cannot be let in at all, [`MemoryError::NoItem`] for a parent that is not there, and what
    /// the store fails with.
    pub fn add(&mut self, content: &Content, keys: &[Key]) -> Result<Added, MemoryError> {
        self.change(|writer| writer.add(content, keys))
    }

    /// Remembers several in one transaction: all or none.
    ///
    /// # Errors
    /// As [`Memory::add`].
    pub fn add_all(&mut self, contents: &[(Content, Vec<Key>)]) -> Result<Vec<Added>, MemoryError> {
        self.change(|writer| contents.iter().map(|(content, keys)| writer.add(content, keys)).collect())
    }

    /// Remembers several in one transaction, with their vectors in `space`, the name of what made them: of each item the vector of
    /// its own words, then those of its keys.
    ///
    /// # Errors
    /// As [`Memory::add`], and [`MemoryError::Invalid`] when an item has not as many vectors as keys.
    pub fn add_embedded(
        &mut self,
        contents: &[(Content, Vec<Key>)],
        space: &str,
        vectors: &[Vec<Vec<f32>>],
    ) -> Result<Vec<Added>, MemoryError> {
        self.change(|writer| {
            let mut all = Vec::with_capacity(contents.len());
            for (index, (content, keys)) in contents.iter().enumerate() {
                let own = vectors.get(index).map_or(&[][..], Vec::as_slice);
                if own.len() != keys.len() + 1 {
                    return Err(MemoryError::Invalid(format!(
                        "item {index} comes with {} vectors, and needs one for its text and one for each of its {} keys",
                        own.len(),
                        keys.len()
                    )));
                }
                let added = writer.add(content, keys)?;
                if added.verdict.state().is_some() {
                    writer.embed(&added.id, space, own)?;
                }
                all.push(added);
            }
            Ok(all)
        })
    }

    /// Remembers `content` in the place of the item called `old`, which is found only where the past is asked for from then on.
    /// What the gate holds back takes no place.
    ///
    /// # Errors
    /// As [`Memory::add`], and [`MemoryError::State`] for an item that is not in use.
    pub fn supersede(
        &mut self,
        old: &str,
        content: &Content,
        keys: &[Key],
        reason: Option<&str>,
    ) -> Result<Added, MemoryError> {
        self.change(|writer| {
            let old = writer.one(old)?;
            let added = writer.add(content, keys)?;
            if added.verdict.state().is_some_and(|state| state != State::Proposed) && added.id != old.id {
                writer.supersede(&old, &added.id, reason)?;
            }
            Ok(added)
        })
    }

    /// Moves an item to another state: lets a held one in, takes one back.
    ///
    /// # Errors
    /// [`MemoryError::State`] where that is no way, [`MemoryError::NoItem`], and what the store fails with.
    pub fn decide(&mut self, id: &str, to: State, reason: Option<&str>) -> Result<Item, MemoryError> {
        self.change(|writer| {
            let item = writer.one(id)?;
            if !item.state.can_become(to) || to == State::Superseded {
                return Err(MemoryError::State {
                    id: item.id,
                    from: item.state.name(),
                    to: to.name(),
                    remedy: "held items are released or rolled back, canaries released, released ones rolled back",
                });
            }
            writer.rows.set_state(writer.row, item.row, to, None)?;
            let body = Body { changes: vec![change(&item, to, None)], reason: owned(reason), ..Body::default() };
            writer.log(Action::Decide, &body)?;
            Ok(Item { state: to, ..item })
        })
    }

    /// The item whose id begins with `id`.
    ///
    /// # Errors
    /// [`MemoryError::NoItem`] or [`MemoryError::Ambiguous`].
    pub fn item(&mut self, id: &str) -> Result<Item, MemoryError> {
        let found = self.look(|rows, scope| named(rows, scope, id).map(Some))?;
        found.ok_or_else(|| MemoryError::NoItem { id: id.to_owned() })
    }

    /// The keys of an item.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn keys(&mut self, item: &Item) -> Result<Vec<Key>, MemoryError> {
        self.look(|rows, scope| Ok(rows.keys(scope, item.row)?.into_iter().map(|(_, key)| key).collect()))
    }

    /// Items, learned first first.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn list(&mut self, filter: &Filter) -> Result<Vec<Item>, MemoryError> {
        self.look(|rows, scope| rows.items(scope, filter))
    }

    /// Items in the order of time: when they were true, or else learned.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn timeline(
        &mut self,
        filter: &Filter,
        from: Option<Time>,
        until: Option<Time>,
    ) -> Result<Vec<Item>, MemoryError> {
        let mut items = self.list(filter)?;
        items.retain(|item| item.content.is_some());
        items.retain(|item| {
            from.is_none_or(|from| from <= item.when()) && until.is_none_or(|until| item.when() < until)
        });
        items.sort_by_key(|item| (item.when(), item.row));
        Ok(items)
    }

    /// The rules.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn policy(&mut self) -> Result<Policy, MemoryError> {
        self.look(Policy::of)
    }

    /// Sets the rules; returns how many items they no longer keep, which [`Target::Expired`](crate::Target::Expired) forgets.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn set_policy(&mut self, policy: &Policy, reason: Option<&str>) -> Result<usize, MemoryError> {
        let text = policy.to_json()?;
        self.change(|writer| {
            writer.rows.set_policy(writer.row, &text)?;
            let due = policy.expired(writer.rows, writer.row, writer.now)?.len();
            let mut body = Body { reason: owned(reason), ..Body::default() };
            body.details.insert("policy".to_owned(), serde_json::Value::String(text.clone()));
            writer.log(Action::Policy, &body)?;
            Ok(due)
        })
    }

    /// The log's entries of this scope from number `from` on.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn log(&mut self, from: u64, most: usize) -> Result<Vec<Entry>, MemoryError> {
        self.look(|rows, scope| rows.log(Some(scope), from, most))
    }

    /// Number and hash of the last entry of the store's log: who keeps them can tell later whether anything before was changed.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn head(&mut self) -> Result<(u64, Hash), MemoryError> {
        let mut head = (0, crate::log::ROOT);
        self.engine.read(&mut |rows| {
            head = rows.head()?;
            Ok(())
        })?;
        Ok(head)
    }
}
