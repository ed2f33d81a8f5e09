//! Rows of Postgres.

use std::cell::{Cell, RefCell};

use postgres::Row;
use postgres::types::ToSql;

use super::address::Search;
use super::filter::conditions;
use super::near;
use super::read::{ITEM, Numbers, counted, entry, item, kept, most};
use super::session::{Session, Values};
use crate::error::MemoryError;
use crate::log::{Entry, Hash};
use crate::raw::{REMOVED, RawEntry, RawItem, count, head, key, written};
use crate::record::{Item, Key, Scope, State};
use crate::rows::{Filter, Posting, Rows, ScopeRow, Size, StoredVector};
use crate::time::Time;

/// Rows within a transaction.
pub(super) struct PostgresRows<'t> {
    session: RefCell<&'t mut Session>,
    search: Search,
    /// A statement failed: the server will keep nothing of the transaction, even where whoever asked for it took no notice.
    broken: Cell<bool>,
    /// The space whose index was seen to be there.
    indexed: RefCell<Option<String>>,
}

impl<'t> PostgresRows<'t> {
    pub(super) fn new(session: &'t mut Session, search: Search) -> Self {
        Self { session: RefCell::new(session), search, broken: Cell::new(false), indexed: RefCell::new(None) }
    }

    /// Whether everything went well.
    pub(super) fn unbroken(&self) -> Result<(), MemoryError> {
        match self.broken.get() {
            false => Ok(()),
            true => Err(self.session.borrow().about.message("a part of the change failed".to_owned())),
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Session) -> Result<T, MemoryError>) -> Result<T, MemoryError> {
        let done = work(&mut self.session.borrow_mut());
        self.broken.set(self.broken.get() || done.is_err());
        done
    }

    /// Runs a statement; returns how many rows it changed.
    fn run(&self, sql: &str, values: Values<'_>) -> Result<u64, MemoryError> {
        self.with(|session| session.run(sql, values))
    }

    /// All rows of a query, as `read` makes them.
    fn all<T>(
        &self,
        sql: &str,
        values: Values<'_>,
        read: impl Fn(&Row) -> Result<T, postgres::Error>,
    ) -> Result<Vec<T>, MemoryError> {
        self.with(|session| {
            let rows = session.all(sql, values)?;
            let read = rows.iter().map(read).collect::<Result<Vec<T>, _>>();
            read.map_err(|error| session.about.failed(&error))
        })
    }

    /// The first row of a query.
    fn one<T>(
        &self,
        sql: &str,
        values: Values<'_>,
        read: impl Fn(&Row) -> Result<T, postgres::Error>,
    ) -> Result<Option<T>, MemoryError> {
        Ok(self.all(sql, values, read)?.into_iter().next())
    }

    /// A number that is returned.
    fn number(&self, sql: &str, values: Values<'_>) -> Result<i64, MemoryError> {
        Ok(self.one(sql, values, |row| row.try_get(0))?.unwrap_or(0))
    }
}

/// Items by rows that were read.
fn made(rows: Vec<RawItem>) -> Result<Vec<Item>, MemoryError> {
    rows.into_iter().map(RawItem::item).collect()
}

impl Rows for PostgresRows<'_> {
    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, MemoryError> {
        self.one("SELECT value FROM meta WHERE name = $1", &[&name], |row| row.try_get(0))
    }

    fn set_meta(&mut self, name: &str, value: &[u8]) -> Result<(), MemoryError> {
        let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.run(sql, &[&name, &value]).map(drop)
    }

    fn scope(&self, scope: &Scope) -> Result<Option<ScopeRow>, MemoryError> {
        let sql = "SELECT row FROM scope WHERE tenant = $1 AND \"user\" = $2";
        self.one(sql, &[&scope.tenant, &scope.user], |row| row.try_get(0).map(ScopeRow))
    }

    fn make_scope(&mut self, scope: &Scope) -> Result<ScopeRow, MemoryError> {
        if let Some(found) = self.scope(scope)? {
            return Ok(found);
        }
        let sql = "INSERT INTO scope (tenant, \"user\") VALUES ($1, $2) RETURNING row";
        self.number(sql, &[&scope.tenant, &scope.user]).map(ScopeRow)
    }

    fn scopes(&self) -> Result<Vec<(ScopeRow, Scope)>, MemoryError> {
        self.all("SELECT row, tenant, \"user\" FROM scope ORDER BY row", &[], |row| {
            Ok((ScopeRow(row.try_get(0)?), Scope { tenant: row.try_get(1)?, user: row.try_get(2)? }))
        })
    }

    fn add_item(&mut self, scope: ScopeRow, item: &Item, same: &Hash) -> Result<i64, MemoryError> {
        let (content, held) = written(item)?;
        let sql = "INSERT INTO item (scope, id, learned, state, superseded_by, digest, content, salt, same, held_for) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING row";
        let salt = item.salt.as_ref().map(<[u8; 32]>::as_slice);
        let (learned, same) = (item.learned.millis(), same.as_slice());
        let state = item.state.name();
        self.number(
            sql,
            &[
                &scope.0,
                &item.id,
                &learned,
                &state,
                &item.superseded_by,
                &item.digest,
                &content,
                &salt,
                &same,
                &held,
            ],
        )
    }

    fn items(&self, scope: ScopeRow, filter: &Filter) -> Result<Vec<Item>, MemoryError> {
        let (conditions, values) = conditions(scope, filter);
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value).collect();
        made(self.all(&format!("SELECT {ITEM} FROM item {conditions}"), &values, item)?)
    }

    fn items_at(&self, scope: ScopeRow, rows: &[i64]) -> Result<Vec<Item>, MemoryError> {
        let sql = format!("SELECT {ITEM} FROM item WHERE row = ANY($1) AND scope = $2");
        made(self.all(&sql, &[&rows, &scope.0], item)?)
    }

    fn set_state(
        &mut self,
        scope: ScopeRow,
        item: i64,
        state: State,
        by: Option<&str>,
    ) -> Result<(), MemoryError> {
        let sql = "UPDATE item SET state = $3, superseded_by = $4 WHERE row = $1 AND scope = $2";
        self.run(sql, &[&item, &scope.0, &state.name(), &by]).map(drop)
    }

    fn blank(&mut self, scope: ScopeRow, item: i64) -> Result<(usize, usize), MemoryError> {
        let values: Values<'_> = &[&item, &scope.0];
        let vectors = self.run("DELETE FROM embedding WHERE item = $1 AND scope = $2", values)?;
        let removed = self.removed()? + 1;
        self.set_meta(REMOVED, &removed.to_le_bytes())?;
        self.run("DELETE FROM extraction WHERE item = $1 AND scope = $2", values)?;
        self.run(
            "DELETE FROM posting WHERE key IN (SELECT row FROM key WHERE item = $1 AND scope = $2)",
            values,
        )?;
        let keys = self.number(
            "WITH gone AS (DELETE FROM key WHERE item = $1 AND scope = $2 RETURNING words), \
             counted AS (SELECT count(*) AS keys, coalesce(sum(words), 0)::bigint AS words FROM gone), \
             less AS (UPDATE scope SET keys = scope.keys - counted.keys, words = scope.words - counted.words FROM counted WHERE row = $2) \
             SELECT keys FROM counted",
            values,
        )?;
        self.run(
            "UPDATE item SET content = NULL, salt = NULL, same = NULL, held_for = NULL WHERE row = $1 AND scope = $2",
            values,
        )?;
        let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Ok((size(keys.unsigned_abs()), size(vectors)))
    }

    fn add_key(
        &mut self,
        scope: ScopeRow,
        item: i64,
        key: &Key,
        words: &[String],
    ) -> Result<i64, MemoryError> {
        let count = i32::try_from(words.len()).unwrap_or(i32::MAX);
        let (words, counts): (Vec<String>, Vec<i32>) = counted(words).into_iter().unzip();
        // One statement: each one more is a way to the server and back.
        let sql = "WITH made AS (INSERT INTO key (scope, item, kind, text, maker, words) VALUES ($1, $2, $3, $4, $5, $6) RETURNING row), \
                   listed AS (INSERT INTO posting (scope, word, key, count) \
                   SELECT $1, word, row, count FROM made, unnest($7::text[], $8::int[]) AS own (word, count)), \
                   more AS (UPDATE scope SET keys = keys + 1, words = words + $6 WHERE row = $1) SELECT row FROM made";
        self.number(sql, &[&scope.0, &item, &key.kind.name(), &key.text, &key.maker, &count, &words, &counts])
    }

    fn keys(&self, scope: ScopeRow, item: i64) -> Result<Vec<(i64, Key)>, MemoryError> {
        let sql = "SELECT row, kind, text, maker FROM key WHERE item = $1 AND scope = $2 ORDER BY row";
        let rows = self.all(sql, &[&item, &scope.0], |row| {
            Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, String>(1)?, row.try_get(2)?, row.try_get(3)?))
        })?;
        rows.into_iter().map(key).collect()
    }

    fn has_words(&self, scope: ScopeRow, key: i64, words: &[String]) -> Result<bool, MemoryError> {
        let count = i32::try_from(words.len()).unwrap_or(i32::MAX);
        let told =
            self.one("SELECT words FROM key WHERE row = $1", &[&key], |row| row.try_get::<_, i32>(0))?;
        let own = self.all(
            "SELECT scope, word, count FROM posting WHERE key = $1 ORDER BY word",
            &[&key],
            |row| Ok((row.try_get::<_, i64>(0)?, (row.try_get::<_, String>(1)?, row.try_get::<_, i32>(2)?))),
        )?;
        let of_the_scope = own.iter().all(|(of, _)| *of == scope.0);
        Ok(told == Some(count) && of_the_scope && own.into_iter().map(|(_, word)| word).eq(counted(words)))
    }

    fn size(&self, scope: ScopeRow) -> Result<Size, MemoryError> {
        let size = self.one("SELECT keys, words FROM scope WHERE row = $1", &[&scope.0], |row| {
            Ok(Size {
                keys: row.try_get::<_, i64>(0)?.unsigned_abs(),
                words: row.try_get::<_, i64>(1)?.unsigned_abs(),
            })
        })?;
        Ok(size.unwrap_or_default())
    }

    fn frequency(&self, scope: ScopeRow, word: &str) -> Result<u64, MemoryError> {
        let sql = "SELECT count(*) FROM posting WHERE scope = $1 AND word = $2";
        self.number(sql, &[&scope.0, &kept(word)]).map(i64::unsigned_abs)
    }

    fn postings(&self, scope: ScopeRow, word: &str) -> Result<Vec<Posting>, MemoryError> {
        // Words have no statistics, and a planner that does not know how rare they are joins by reading all keys. The offset keeps
        // it to one look for each posting.
        let sql = "SELECT own.row, own.item, posting.count, own.words FROM posting CROSS JOIN LATERAL \
                   (SELECT row, item, words FROM key WHERE key.row = posting.key AND key.scope = $1 OFFSET 0) AS own \
                   WHERE posting.scope = $1 AND posting.word = $2 ORDER BY posting.key";
        self.all(sql, &[&scope.0, &kept(word)], |row| {
            let (count, words): (i32, i32) = (row.try_get(2)?, row.try_get(3)?);
            let (count, words) = (count.unsigned_abs(), words.unsigned_abs());
            Ok(Posting { key: row.try_get(0)?, item: row.try_get(1)?, count, words })
        })
    }

    fn add_vector(
        &mut self,
        scope: ScopeRow,
        key: i64,
        space: &str,
        vector: &[f32],
    ) -> Result<(), MemoryError> {
        if self.search == Search::Hnsw && self.indexed.borrow().as_deref() != Some(space) {
            self.with(|session| near::make_index(session, space, vector.len()))?;
            *self.indexed.borrow_mut() = Some(space.to_owned());
        }
        let sql = "INSERT INTO embedding (space, key, scope, item, numbers) \
                   SELECT $1::text, row, scope, item, $4::vector FROM key WHERE row = $2 AND scope = $3 ON CONFLICT (key, space) DO NOTHING";
        self.run(sql, &[&space, &key, &scope.0, &Numbers(vector.to_vec())]).map(drop)
    }

    fn vectors(&self, space: &str, after: i64, at_most: usize) -> Result<Vec<StoredVector>, MemoryError> {
        let sql = "SELECT row, item, scope, numbers FROM embedding WHERE space = $1 AND row > $2 ORDER BY row LIMIT $3";
        self.all(sql, &[&space, &after, &most(at_most)], |row| {
            let Numbers(numbers) = row.try_get(3)?;
            Ok(StoredVector {
                row: row.try_get(0)?,
                item: row.try_get(1)?,
                scope: ScopeRow(row.try_get(2)?),
                numbers,
            })
        })
    }

    fn newest_vector(&self, space: &str) -> Result<i64, MemoryError> {
        self.number("SELECT coalesce(max(row), 0) FROM embedding WHERE space = $1", &[&space])
    }

    fn nearest(
        &self,
        scope: ScopeRow,
        space: &str,
        query: &[f32],
        at_most: usize,
    ) -> Result<Option<Vec<(i64, f64)>>, MemoryError> {
        let indexed = self.search == Search::Hnsw && self.size(scope)?.keys / 4 > at_most as u64;
        self.with(|session| {
            let found = match indexed {
                true => near::by_index(session, scope, space, query, at_most)?,
                false => None,
            };
            match found {
                Some(found) => Ok(Some(found)),
                None => near::exact(session, scope, space, query, most(at_most)).map(Some),
            }
        })
    }

    fn removed(&self) -> Result<u64, MemoryError> {
        Ok(self.meta(REMOVED)?.map_or(0, |bytes| count(&bytes)))
    }

    fn without_vector(
        &self,
        scope: ScopeRow,
        space: &str,
        after: i64,
        at_most: usize,
    ) -> Result<Vec<(i64, String)>, MemoryError> {
        let sql = "SELECT row, text FROM key WHERE scope = $1 AND row > $3 AND NOT EXISTS \
                   (SELECT 1 FROM embedding WHERE embedding.space = $2 AND embedding.key = key.row) ORDER BY row LIMIT $4";
        self.all(sql, &[&scope.0, &space, &after, &most(at_most)], |row| {
            Ok((row.try_get(0)?, row.try_get(1)?))
        })
    }

    fn newest_key(&self, scope: ScopeRow) -> Result<i64, MemoryError> {
        self.number("SELECT row FROM key WHERE scope = $1 ORDER BY row DESC LIMIT 1", &[&scope.0])
    }

    fn pending(
        &self,
        scope: ScopeRow,
        now: Time,
        tries: u32,
        at_most: usize,
    ) -> Result<Vec<Item>, MemoryError> {
        let sql = format!(
            "SELECT {ITEM} FROM item WHERE scope = $1 AND state = 'released' AND kind IN ('note', 'round', 'document') AND NOT EXISTS \
             (SELECT 1 FROM extraction WHERE extraction.item = item.row AND (due IS NULL OR due > $2 OR tries >= $3)) \
             ORDER BY row LIMIT $4"
        );
        let tries = i32::try_from(tries).unwrap_or(i32::MAX);
        made(self.all(&sql, &[&scope.0, &now.millis(), &tries, &most(at_most)], item)?)
    }

    fn tries(&self, scope: ScopeRow, item: i64) -> Result<u32, MemoryError> {
        let sql = "SELECT tries::bigint FROM extraction WHERE item = $1 AND scope = $2";
        Ok(u32::try_from(self.number(sql, &[&item, &scope.0])?).unwrap_or(0))
    }

    fn note_extraction(
        &mut self,
        scope: ScopeRow,
        item: i64,
        tries: u32,
        due: Option<Time>,
        error: Option<&str>,
    ) -> Result<(), MemoryError> {
        let sql = "INSERT INTO extraction (item, scope, tries, due, error) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (item) \
                   DO UPDATE SET scope = excluded.scope, tries = excluded.tries, due = excluded.due, error = excluded.error";
        let tries = i32::try_from(tries).unwrap_or(i32::MAX);
        self.run(sql, &[&item, &scope.0, &tries, &due.map(Time::millis), &error]).map(drop)
    }

    fn head(&self) -> Result<(u64, Hash), MemoryError> {
        let sql = "SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1";
        head(self.one(sql, &[], |row| Ok((row.try_get(0)?, row.try_get(1)?)))?)
    }

    fn append(&mut self, scope: ScopeRow, entry: &Entry) -> Result<(), MemoryError> {
        let sql = "INSERT INTO log (seq, at, actor, action, scope, body, prev, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let seq = i64::try_from(entry.seq).unwrap_or(i64::MAX);
        let (prev, hash) = (entry.prev.as_slice(), entry.hash.as_slice());
        let action = entry.action.name();
        self.run(sql, &[&seq, &entry.at.millis(), &entry.actor, &action, &scope.0, &entry.body, &prev, &hash])
            .map(drop)
    }

    fn log(&self, scope: Option<ScopeRow>, from: u64, at_most: usize) -> Result<Vec<Entry>, MemoryError> {
        let sql = "SELECT seq, at, actor, action, tenant, \"user\", body, prev, hash FROM log JOIN scope ON scope.row = log.scope \
                   WHERE seq >= $1 AND ($2::bigint IS NULL OR log.scope = $2) ORDER BY seq LIMIT $3";
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let entries = self.all(sql, &[&from, &scope.map(|scope| scope.0), &most(at_most)], entry)?;
        entries.into_iter().map(RawEntry::entry).collect()
    }

    fn policy(&self, scope: ScopeRow) -> Result<Option<String>, MemoryError> {
        Ok(self.one("SELECT policy FROM scope WHERE row = $1", &[&scope.0], |row| row.try_get(0))?.flatten())
    }

    fn set_policy(&mut self, scope: ScopeRow, policy: &str) -> Result<(), MemoryError> {
        self.run("UPDATE scope SET policy = $2 WHERE row = $1", &[&scope.0, &policy]).map(drop)
    }
}
