//! Rows of SQLite.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::read::{entry, item, numbers, token, tokens, vector};
use super::store_error;
use crate::error::MemoryError;
use crate::log::{Entry, Hash};
use crate::raw::{REMOVED, RawEntry, RawItem, count, head, key, written};
use crate::record::{Item, Key, Scope, State};
use crate::rows::{Filter, Posting, Rows, ScopeRow, Size, StoredVector};
use crate::time::Time;

/// The columns that [`item`] reads.
const ITEM: &str = "row, id, learned, state, superseded_by, digest, content, salt, held_for";

/// Rows within a transaction.
pub(super) struct SqliteRows<'t> {
    connection: &'t Connection,
    path: &'t Path,
    patience: Duration,
}

impl<'t> SqliteRows<'t> {
    pub(super) const fn new(connection: &'t Connection, path: &'t Path, patience: Duration) -> Self {
        Self { connection, path, patience }
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> MemoryError + '_ {
        |error| store_error(self.path, self.patience, &error)
    }

    /// Runs a statement; returns how many rows it changed.
    fn run(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize, MemoryError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(self.failed())?;
        statement.execute(values).map_err(self.failed())
    }

    /// All rows of a query, as `read` makes them.
    fn all<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, MemoryError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(self.failed())?;
        let rows = statement.query_map(values, read).map_err(self.failed())?;
        rows.collect::<rusqlite::Result<Vec<T>>>().map_err(self.failed())
    }

    /// The first row of a query, if there is one.
    fn one<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, MemoryError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(self.failed())?;
        statement.query_row(values, read).optional().map_err(self.failed())
    }

    /// Items by rows that were read.
    fn made(rows: Vec<RawItem>) -> Result<Vec<Item>, MemoryError> {
        rows.into_iter().map(RawItem::item).collect()
    }
}

impl Rows for SqliteRows<'_> {
    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, MemoryError> {
        self.one("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
    }

    fn set_meta(&mut self, name: &str, value: &[u8]) -> Result<(), MemoryError> {
        self.run("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)", params![name, value]).map(drop)
    }

    fn scope(&self, scope: &Scope) -> Result<Option<ScopeRow>, MemoryError> {
        let sql = "SELECT row FROM scope WHERE tenant = ?1 AND user = ?2";
        self.one(sql, params![scope.tenant, scope.user], |row| row.get(0).map(ScopeRow))
    }

    fn make_scope(&mut self, scope: &Scope) -> Result<ScopeRow, MemoryError> {
        if let Some(found) = self.scope(scope)? {
            return Ok(found);
        }
        self.run("INSERT INTO scope (tenant, user) VALUES (?1, ?2)", params![scope.tenant, scope.user])?;
        Ok(ScopeRow(self.connection.last_insert_rowid()))
    }

    fn scopes(&self) -> Result<Vec<(ScopeRow, Scope)>, MemoryError> {
        self.all("SELECT row, tenant, user FROM scope ORDER BY row", [], |row| {
            Ok((ScopeRow(row.get(0)?), Scope { tenant: row.get(1)?, user: row.get(2)? }))
        })
    }

    fn add_item(&mut self, scope: ScopeRow, item: &Item, same: &Hash) -> Result<i64, MemoryError> {
        let (content, held) = written(item)?;
        self.run(
            "INSERT INTO item (scope, id, learned, state, superseded_by, digest, content, salt, same, held_for) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                scope.0,
                item.id,
                item.learned.millis(),
                item.state.name(),
                item.superseded_by,
                item.digest,
                content,
                item.salt.as_ref().map(<[u8; 32]>::as_slice),
                same.as_slice(),
                held,
            ],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    fn items(&self, scope: ScopeRow, filter: &Filter) -> Result<Vec<Item>, MemoryError> {
        // Ids are hexadecimal: those that begin so lie side by side, and are found among all without a walk through the scope.
        let mut sql = match &filter.id {
            Some(_) => format!("SELECT {ITEM} FROM item WHERE +scope = ? AND id >= ? AND id < ?"),
            None => format!("SELECT {ITEM} FROM item WHERE scope = ?"),
        };
        let mut values = vec![Value::from(scope.0)];
        values.extend(filter.id.iter().flat_map(|id| [id.clone(), format!("{id}g")]).map(Value::from));
        let mut also = |condition: &str, value: Option<Value>| {
            if let Some(value) = value {
                sql.push_str(condition);
                values.push(value);
            }
        };
        also(" AND kind = ?", filter.kind.map(|kind| kind.name().to_owned().into()));
        also(" AND session = ?", filter.session.clone().map(Value::from));
        also(" AND topic = ?", filter.topic.clone().map(Value::from));
        also(" AND same = ?", filter.same_as.map(|hash| hash.to_vec().into()));
        also(" AND learned <= ?", filter.learned_by.map(|time| time.millis().into()));
        if let Some(states) = &filter.states {
            // Words of our own, no text from outside.
            let list: Vec<String> = states.iter().map(|state| format!("'{}'", state.name())).collect();
            sql.push_str(&format!(" AND state IN ({})", list.join(", ")));
        }
        match filter.newest {
            Some(most) => sql.push_str(&format!(" ORDER BY row DESC LIMIT {most}")),
            None => sql.push_str(" ORDER BY row"),
        }
        Self::made(self.all(&sql, params_from_iter(values), item)?)
    }

    fn items_at(&self, scope: ScopeRow, rows: &[i64]) -> Result<Vec<Item>, MemoryError> {
        let mut found = Vec::with_capacity(rows.len());
        let sql = format!("SELECT {ITEM} FROM item WHERE row = ?1 AND scope = ?2");
        for row in rows {
            found.extend(self.one(&sql, params![row, scope.0], item)?);
        }
        Self::made(found)
    }

    fn set_state(
        &mut self,
        scope: ScopeRow,
        item: i64,
        state: State,
        by: Option<&str>,
    ) -> Result<(), MemoryError> {
        let sql = "UPDATE item SET state = ?3, superseded_by = ?4 WHERE row = ?1 AND scope = ?2";
        self.run(sql, params![item, scope.0, state.name(), by]).map(drop)
    }

    fn blank(&mut self, scope: ScopeRow, item: i64) -> Result<(usize, usize), MemoryError> {
        let vectors =
            self.run("DELETE FROM vector WHERE item = ?1 AND scope = ?2", params![item, scope.0])?;
        let removed = self.removed()? + 1;
        self.set_meta(REMOVED, &removed.to_le_bytes())?;
        self.run("DELETE FROM extraction WHERE item = ?1 AND scope = ?2", params![item, scope.0])?;
        let keys = self.all(
            "SELECT row, words FROM key WHERE item = ?1 AND scope = ?2",
            params![item, scope.0],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
        )?;
        for (key, words) in &keys {
            self.run("DELETE FROM word WHERE rowid = ?1", [key])?;
            self.run("DELETE FROM key WHERE row = ?1", [key])?;
            self.run(
                "UPDATE scope SET keys = keys - 1, words = words - ?2 WHERE row = ?1",
                params![scope.0, words],
            )?;
        }
        self.run(
            "UPDATE item SET content = NULL, salt = NULL, same = NULL, held_for = NULL WHERE row = ?1 AND scope = ?2",
            params![item, scope.0],
        )?;
        Ok((keys.len(), vectors))
    }

    fn add_key(
        &mut self,
        scope: ScopeRow,
        item: i64,
        key: &Key,
        words: &[String],
    ) -> Result<i64, MemoryError> {
        let count = i64::try_from(words.len()).unwrap_or(i64::MAX);
        self.run(
            "INSERT INTO key (scope, item, kind, text, maker, words) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![scope.0, item, key.kind.name(), key.text, key.maker, count],
        )?;
        let row = self.connection.last_insert_rowid();
        self.run("INSERT INTO word (rowid, words) VALUES (?1, ?2)", params![row, tokens(scope, words)])?;
        self.run(
            "UPDATE scope SET keys = keys + 1, words = words + ?2 WHERE row = ?1",
            params![scope.0, count],
        )?;
        Ok(row)
    }

    fn keys(&self, scope: ScopeRow, item: i64) -> Result<Vec<(i64, Key)>, MemoryError> {
        let sql = "SELECT row, kind, text, maker FROM key WHERE item = ?1 AND scope = ?2 ORDER BY row";
        let rows = self.all(sql, params![item, scope.0], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?))
        })?;
        rows.into_iter().map(key).collect()
    }

    fn has_words(&self, scope: ScopeRow, key: i64, words: &[String]) -> Result<bool, MemoryError> {
        let sql =
            "SELECT word.words, key.words FROM word JOIN key ON key.row = word.rowid WHERE word.rowid = ?1";
        let found = self.one(sql, [key], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        Ok(found.is_some_and(|(found, count)| {
            found == tokens(scope, words) && usize::try_from(count).is_ok_and(|count| count == words.len())
        }))
    }

    fn size(&self, scope: ScopeRow) -> Result<Size, MemoryError> {
        let size = self.one("SELECT keys, words FROM scope WHERE row = ?1", [scope.0], |row| {
            Ok(Size {
                keys: row.get::<_, i64>(0)?.unsigned_abs(),
                words: row.get::<_, i64>(1)?.unsigned_abs(),
            })
        })?;
        Ok(size.unwrap_or_default())
    }

    fn frequency(&self, scope: ScopeRow, word: &str) -> Result<u64, MemoryError> {
        let found = self.one("SELECT doc FROM word_in WHERE term = ?1", [token(scope, word)], |row| {
            row.get::<_, i64>(0)
        })?;
        Ok(found.unwrap_or(0).unsigned_abs())
    }

    fn postings(&self, scope: ScopeRow, word: &str) -> Result<Vec<Posting>, MemoryError> {
        let sql = "SELECT key.row, key.item, count(*), key.words FROM word_at JOIN key ON key.row = word_at.doc \
                   WHERE word_at.term = ?1 AND key.scope = ?2 GROUP BY word_at.doc";
        self.all(sql, params![token(scope, word), scope.0], |row| {
            Ok(Posting { key: row.get(0)?, item: row.get(1)?, count: row.get(2)?, words: row.get(3)? })
        })
    }

    fn add_vector(
        &mut self,
        scope: ScopeRow,
        key: i64,
        space: &str,
        vector: &[f32],
    ) -> Result<(), MemoryError> {
        let sql = "INSERT OR IGNORE INTO vector (space, key, scope, item, numbers) \
                   SELECT ?1, row, scope, item, ?4 FROM key WHERE row = ?2 AND scope = ?3";
        self.run(sql, params![space, key, scope.0, numbers(vector)]).map(drop)
    }

    fn vectors(&self, space: &str, after: i64, most: usize) -> Result<Vec<StoredVector>, MemoryError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let sql = "SELECT row, item, scope, numbers FROM vector WHERE space = ?1 AND row > ?2 ORDER BY row LIMIT ?3";
        self.all(sql, params![space, after, most], |row| {
            let numbers = vector(&row.get::<_, Vec<u8>>(3)?);
            Ok(StoredVector { row: row.get(0)?, item: row.get(1)?, scope: ScopeRow(row.get(2)?), numbers })
        })
    }

    fn newest_vector(&self, space: &str) -> Result<i64, MemoryError> {
        let sql = "SELECT row FROM vector WHERE space = ?1 ORDER BY row DESC LIMIT 1";
        Ok(self.one(sql, [space], |row| row.get(0))?.unwrap_or(0))
    }

    fn removed(&self) -> Result<u64, MemoryError> {
        Ok(self.meta(REMOVED)?.map_or(0, |bytes| count(&bytes)))
    }

    fn without_vector(
        &self,
        scope: ScopeRow,
        space: &str,
        after: i64,
        most: usize,
    ) -> Result<Vec<(i64, String)>, MemoryError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let sql = "SELECT row, text FROM key WHERE scope = ?1 AND row > ?3 AND NOT EXISTS \
                   (SELECT 1 FROM vector WHERE vector.space = ?2 AND vector.key = key.row) ORDER BY row LIMIT ?4";
        self.all(sql, params![scope.0, space, after, most], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn newest_key(&self, scope: ScopeRow) -> Result<i64, MemoryError> {
        let sql = "SELECT row FROM key WHERE scope = ?1 ORDER BY row DESC LIMIT 1";
        Ok(self.one(sql, [scope.0], |row| row.get(0))?.unwrap_or(0))
    }

    fn pending(&self, scope: ScopeRow, now: Time, tries: u32, most: usize) -> Result<Vec<Item>, MemoryError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let sql = format!(
            "SELECT {ITEM} FROM item WHERE scope = ?1 AND state = 'released' AND kind IN ('note', 'round', 'document') AND NOT EXISTS \
             (SELECT 1 FROM extraction WHERE extraction.item = item.row AND (due IS NULL OR due > ?2 OR tries >= ?3)) \
             ORDER BY row LIMIT ?4"
        );
        Self::made(self.all(&sql, params![scope.0, now.millis(), tries, most], item)?)
    }

    fn tries(&self, scope: ScopeRow, item: i64) -> Result<u32, MemoryError> {
        let sql = "SELECT tries FROM extraction WHERE item = ?1 AND scope = ?2";
        Ok(self.one(sql, params![item, scope.0], |row| row.get(0))?.unwrap_or(0))
    }

    fn note_extraction(
        &mut self,
        scope: ScopeRow,
        item: i64,
        tries: u32,
        due: Option<Time>,
        error: Option<&str>,
    ) -> Result<(), MemoryError> {
        let sql =
            "INSERT OR REPLACE INTO extraction (item, scope, tries, due, error) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.run(sql, params![item, scope.0, tries, due.map(Time::millis), error]).map(drop)
    }

    fn head(&self) -> Result<(u64, Hash), MemoryError> {
        let last = self.one("SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        head(last)
    }

    fn append(&mut self, scope: ScopeRow, entry: &Entry) -> Result<(), MemoryError> {
        self.run(
            "INSERT INTO log (seq, at, actor, action, scope, body, prev, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                i64::try_from(entry.seq).unwrap_or(i64::MAX),
                entry.at.millis(),
                entry.actor,
                entry.action.name(),
                scope.0,
                entry.body,
                entry.prev.as_slice(),
                entry.hash.as_slice(),
            ],
        )
        .map(drop)
    }

    fn log(&self, scope: Option<ScopeRow>, from: u64, most: usize) -> Result<Vec<Entry>, MemoryError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let sql = "SELECT seq, at, actor, action, tenant, user, body, prev, hash FROM log JOIN scope ON scope.row = log.scope \
                   WHERE seq >= ?1 AND (?2 IS NULL OR log.scope = ?2) ORDER BY seq LIMIT ?3";
        let entries = self.all(sql, params![from, scope.map(|scope| scope.0), most], entry)?;
        entries.into_iter().map(RawEntry::entry).collect()
    }

    fn policy(&self, scope: ScopeRow) -> Result<Option<String>, MemoryError> {
        Ok(self.one("SELECT policy FROM scope WHERE row = ?1", [scope.0], |row| row.get(0))?.flatten())
    }

    fn set_policy(&mut self, scope: ScopeRow, policy: &str) -> Result<(), MemoryError> {
        self.run("UPDATE scope SET policy = ?2 WHERE row = ?1", params![scope.0, policy]).map(drop)
    }
}
