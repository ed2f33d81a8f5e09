//! The seam between what a memory does and the database that keeps it.
//!
//! An engine gives transactions; in a transaction it gives [`Rows`], operations that know nothing of gates, rules and forgetting.
//! Everything but the log's chain is asked for within one scope.

use crate::error::MemoryError;
use crate::log::{Entry, Hash};
use crate::record::{Item, Key, Kind, Scope, State};
use crate::time::Time;

/// The number of a scope in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeRow(pub i64);

/// Which items are wanted; of what is `None` all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In one of these states.
    pub states: Option<Vec<State>>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Of this conversation.
    pub session: Option<String>,
    /// About this.
    pub topic: Option<String>,
    /// Whose id begins so.
    pub id: Option<String>,
    /// With this hash of what they say.
    pub same_as: Option<Hash>,
    /// Learned then or before.
    pub learned_by: Option<Time>,
    /// At most so many, learned last first; otherwise all, learned first first.
    pub newest: Option<usize>,
}

/// A key that was found by a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The key.
    pub key: i64,
    /// Its item.
    pub item: i64,
    /// How often the word stands in it.
    pub count: u32,
    /// How many words it has.
    pub words: u32,
}

/// A key's vector as the store has it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredVector {
    /// Its number: later ones have larger ones.
    pub row: i64,
    /// The item.
    pub item: i64,
    /// The scope.
    pub scope: ScopeRow,
    /// The vector.
    pub numbers: Vec<f32>,
}

/// How much a scope holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Keys.
    pub keys: u64,
    /// Words of all keys.
    pub words: u64,
}

/// Operations within a transaction.
pub trait Rows {
    /// A value of the store itself.
    ///
    /// # Errors
    /// What the database fails with, as for all of these.
    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, MemoryError>;

    /// Sets a value of the store itself.
    fn set_meta(&mut self, name: &str, value: &[u8]) -> Result<(), MemoryError>;

    /// The number of a scope, if it has ever held anything.
    fn scope(&self, scope: &Scope) -> Result<Option<ScopeRow>, MemoryError>;

    /// The number of a scope, which is made if it is new.
    fn make_scope(&mut self, scope: &Scope) -> Result<ScopeRow, MemoryError>;

    /// All scopes, for verification and for who serves them all.
    fn scopes(&self) -> Result<Vec<(ScopeRow, Scope)>, MemoryError>;

    /// Adds an item; its `row` is ignored, and the new one returned. `same` is the hash of what it says under the store's secret,
    /// equal for equal texts.
    fn add_item(&mut self, scope: ScopeRow, item: &Item, same: &Hash) -> Result<i64, MemoryError>;

    /// Items of a scope.
    fn items(&self, scope: ScopeRow, filter: &Filter) -> Result<Vec<Item>, MemoryError>;

    /// Items by their numbers, in no certain order; those of other scopes and unknown ones are left out.
    fn items_at(&self, scope: ScopeRow, rows: &[i64]) -> Result<Vec<Item>, MemoryError>;

    /// Sets state and successor of an item.
    fn set_state(
        &mut self,
        scope: ScopeRow,
        item: i64,
        state: State,
        by: Option<&str>,
    ) -> Result<(), MemoryError>;

    /// Removes what an item says, where it comes from, and its keys with their words and vectors; returns how many keys and
    /// vectors that were.
    fn blank(&mut self, scope: ScopeRow, item: i64) -> Result<(usize, usize), MemoryError>;

    /// Adds a key with the words it is found by.
    fn add_key(
        &mut self,
        scope: ScopeRow,
        item: i64,
        key: &Key,
        words: &[String],
    ) -> Result<i64, MemoryError>;

    /// The keys of an item, in the order in which they came.
    fn keys(&self, scope: ScopeRow, item: i64) -> Result<Vec<(i64, Key)>, MemoryError>;

    /// Whether the index of words holds a key under exactly these words.
    fn has_words(&self, scope: ScopeRow, key: i64, words: &[String]) -> Result<bool, MemoryError>;

    /// How much a scope holds.
    fn size(&self, scope: ScopeRow) -> Result<Size, MemoryError>;

    /// In how many keys of the scope a word stands.
    fn frequency(&self, scope: ScopeRow, word: &str) -> Result<u64, MemoryError>;

    /// The keys of the scope in which a word stands.
    fn postings(&self, scope: ScopeRow, word: &str) -> Result<Vec<Posting>, MemoryError>;

    /// Adds the vector of a key, unless it has one in this space; `space` names the encoder.
    fn add_vector(
        &mut self,
        scope: ScopeRow,
        key: i64,
        space: &str,
        vector: &[f32],
    ) -> Result<(), MemoryError>;

    /// Vectors of a space that came behind number `after`, of all scopes, at most `most`, first ones first.
    fn vectors(&self, space: &str, after: i64, most: usize) -> Result<Vec<StoredVector>, MemoryError>;

    /// The number of the newest vector of a space; 0 without any.
    fn newest_vector(&self, space: &str) -> Result<i64, MemoryError>;

    /// The best `most` items of a scope by the inner product of their best key's vector in `space` with `query`, best first and of
    /// equal ones the newer first, where the database compares vectors itself. `None`: it does not, and whoever asks looks through
    /// [`Rows::vectors`].
    fn nearest(
        &self,
        _scope: ScopeRow,
        _space: &str,
        _query: &[f32],
        _most: usize,
    ) -> Result<Option<Vec<(i64, f64)>>, MemoryError> {
        Ok(None)
    }

    /// How often anything was removed, of whatever scope: what was learned of the store before may no longer hold.
    fn removed(&self) -> Result<u64, MemoryError>;

    /// Keys of a scope behind number `after` without a vector in a space, with their texts, at most `most`, first ones first.
    fn without_vector(
        &self,
        scope: ScopeRow,
        space: &str,
        after: i64,
        most: usize,
    ) -> Result<Vec<(i64, String)>, MemoryError>;

    /// The number of the newest key of a scope; 0 without any.
    fn newest_key(&self, scope: ScopeRow) -> Result<i64, MemoryError>;

    /// Items in use that can tell something (notes, rounds, documents) and that a model has not looked at: never, or with less than
    /// `tries` failures of which the last is long enough ago. At most `most`, first ones first.
    fn pending(&self, scope: ScopeRow, now: Time, tries: u32, most: usize) -> Result<Vec<Item>, MemoryError>;

    /// How often a model has failed with an item.
    fn tries(&self, scope: ScopeRow, item: i64) -> Result<u32, MemoryError>;

    /// Notes that a model has looked at an item (`due` is `None`), or failed and when it may try again.
    fn note_extraction(
        &mut self,
        scope: ScopeRow,
        item: i64,
        tries: u32,
        due: Option<Time>,
        error: Option<&str>,
    ) -> Result<(), MemoryError>;

    /// The last entry's number and hash.
    fn head(&self) -> Result<(u64, Hash), MemoryError>;

    /// Appends to the log.
    fn append(&mut self, scope: ScopeRow, entry: &Entry) -> Result<(), MemoryError>;

    /// Entries from number `from` on, at most `most`; of one scope, or of all for verification.
    fn log(&self, scope: Option<ScopeRow>, from: u64, most: usize) -> Result<Vec<Entry>, MemoryError>;

    /// A rule of a scope.
    fn policy(&self, scope: ScopeRow) -> Result<Option<String>, MemoryError>;

    /// Sets the rule of a scope.
    fn set_policy(&mut self, scope: ScopeRow, policy: &str) -> Result<(), MemoryError>;
}

/// A database that keeps memories.
pub trait Engine: Send {
    /// Runs `work` in a transaction that sees one state of the store and changes nothing.
    ///
    /// # Errors
    /// What `work` returns, and what the database fails with.
    fn read(&mut self, work: &mut dyn FnMut(&dyn Rows) -> Result<(), MemoryError>)
    -> Result<(), MemoryError>;

    /// Runs `work` in a transaction: all of it is kept and safe on the disk when this returns, or nothing. Writers, in this
    /// process and others, come one after the other.
    ///
    /// # Errors
    /// As [`Engine::read`]; then nothing was changed.
    fn write(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Rows) -> Result<(), MemoryError>,
    ) -> Result<(), MemoryError>;

    /// Makes that no byte of what was removed is left in the store's files.
    ///
    /// # Errors
    /// What the database fails with.
    fn scrub(&mut self) -> Result<(), MemoryError>;

    /// Checks the database's own structures; what is wrong, if anything.
    ///
    /// # Errors
    /// What the database fails with.
    fn check(&mut self) -> Result<Vec<String>, MemoryError>;

    /// Where it is, for people.
    fn place(&self) -> String;

    /// A folder of its own for files that can be made again; `None` where the store has none.
    fn folder(&self) -> Option<&std::path::Path>;
}
