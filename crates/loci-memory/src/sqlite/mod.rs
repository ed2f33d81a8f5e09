//! The embedded engine: SQLite, one file, a write-ahead log, FTS5 for words.

mod read;
mod rows;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::error::MemoryError;
use crate::rows::{Engine, Rows};
use rows::SqliteRows;

/// Marks a file as a memory of Loci: the letters `Loci`.
const APPLICATION: i32 = 0x4c6f_6369;

/// Bytes of a store up to which its copy is made in memory when it is written anew; of a larger one in a temporary file.
const COPIED_IN_MEMORY: i64 = 64 << 20;

/// What makes each version of the store from the one before; the first makes it from nothing. Versions only go forward.
const VERSIONS: &[&str] = &[include_str!("schema-1.sql")];

/// A memory in a file of SQLite.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    path: PathBuf,
    /// For files that can be made again.
    folder: PathBuf,
    patience: Duration,
}

impl Sqlite {
    /// Opens the memory in `path`, which is made if it is not there. Another process that writes is waited for up to `patience`.
    ///
    /// # Errors
    /// [`MemoryError::NotAMemory`] for a file that is something else or of a later version, [`MemoryError::File`] and
    /// [`MemoryError::Store`] when it cannot be opened or made.
    pub fn open(path: &Path, patience: Duration) -> Result<Self, MemoryError> {
        Self::open_as(path, patience, VERSIONS)
    }

    /// The same for a program that knows `versions` of the store.
    fn open_as(path: &Path, patience: Duration, versions: &[&str]) -> Result<Self, MemoryError> {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            make_private(parent)?;
        }
        let new = !path.exists();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let failed = |error: rusqlite::Error| store_error(path, patience, &error);
        if new {
            // Nobody else may read what is remembered.
            make_file_private(path)?;
        }
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(patience).map_err(failed)?;
        let mut folder = path.as_os_str().to_owned();
        folder.push(".derived");
        let mut store = Self { connection, path: path.to_owned(), folder: PathBuf::from(folder), patience };
        store.prepare(versions)?;
        Ok(store)
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> MemoryError + '_ {
        |error| store_error(&self.path, self.patience, &error)
    }

    /// Settings of the connection, and the newest version of the store.
    fn prepare(&mut self, versions: &[&str]) -> Result<(), MemoryError> {
        let number = |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let not = |reason: String| MemoryError::NotAMemory { path: self.path.clone(), reason };
        let application = number("application_id").map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => not("it is no SQLite database".to_owned()),
            _ => store_error(&self.path, self.patience, &error),
        })?;
        let tables =
            self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
        let tables = tables.map_err(self.failed())?;
        if application != i64::from(APPLICATION) && (tables > 0 || application != 0) {
            return Err(not("it is a database of another program".to_owned()));
        }
        let version = number("user_version").map_err(self.failed())?;
        let newest = versions.len();
        if version > newest as i64 {
            return Err(not(format!(
                "it has version {version} of the store, and this program knows up to {newest}"
            )));
        }
        for (name, value) in [
            ("journal_mode", "WAL"),
            ("synchronous", "FULL"),
            ("secure_delete", "ON"),
            ("foreign_keys", "ON"),
        ] {
            self.connection.pragma_update(None, name, value).map_err(self.failed())?;
        }
        // What a transaction sorts stays out of files; what a damaged file says cannot run functions.
        for (name, value) in [("temp_store", "MEMORY"), ("trusted_schema", "OFF")] {
            self.connection.pragma_update(None, name, value).map_err(self.failed())?;
        }
        self.connection.set_prepared_statement_cache_capacity(64);
        self.migrate(versions)
    }

    /// Makes the newest version of the store; each step is a transaction, so that a crash leaves one version or the next.
    fn migrate(&mut self, versions: &[&str]) -> Result<(), MemoryError> {
        for (version, step) in versions.iter().enumerate() {
            let failed = |error: rusqlite::Error| store_error(&self.path, self.patience, &error);
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
            // Asked within the transaction: another process may have made the step in the meantime.
            let found: i64 =
                transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
            if found <= version as i64 {
                transaction.execute_batch(step).map_err(failed)?;
                transaction.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
                transaction.pragma_update(None, "user_version", version as i64 + 1).map_err(failed)?;
                transaction.commit().map_err(failed)?;
            }
        }
        Ok(())
    }
}

impl Engine for Sqlite {
    fn read(
        &mut self,
        work: &mut dyn FnMut(&dyn Rows) -> Result<(), MemoryError>,
    ) -> Result<(), MemoryError> {
        let failed = |error: rusqlite::Error| store_error(&self.path, self.patience, &error);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Deferred).map_err(failed)?;
        work(&SqliteRows::new(&transaction, &self.path, self.patience))
    }

    fn write(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Rows) -> Result<(), MemoryError>,
    ) -> Result<(), MemoryError> {
        let failed = |error: rusqlite::Error| store_error(&self.path, self.patience, &error);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        work(&mut SqliteRows::new(&transaction, &self.path, self.patience))?;
        transaction.commit().map_err(failed)
    }

    fn scrub(&mut self) -> Result<(), MemoryError> {
        // SQLite overwrites what is deleted, not what it moves: rows that a full page handed on to another one leave their bytes
        // in the part of the page that nothing uses, and nobody knows them any more when the row is deleted. So the file is
        // written anew, from what there is.
        let size = |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let bytes =
            size("page_count").and_then(|pages| Ok(pages * size("page_size")?)).map_err(self.failed())?;
        let large = bytes > COPIED_IN_MEMORY;
        let copied_in =
            |place: &str| self.connection.pragma_update(None, "temp_store", place).map_err(self.failed());
        if large {
            copied_in("FILE")?;
        }
        let written = self.connection.execute_batch("VACUUM").map_err(self.failed());
        if large {
            copied_in("MEMORY")?;
        }
        written?;
        let (busy, _, _) = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
            })
            .map_err(self.failed())?;
        if busy != 0 {
            return Err(MemoryError::Busy { path: self.path.clone(), seconds: self.patience.as_secs() });
        }
        Ok(())
    }

    fn check(&mut self) -> Result<Vec<String>, MemoryError> {
        let mut wrong = Vec::new();
        {
            let mut statement = self.connection.prepare("PRAGMA integrity_check").map_err(self.failed())?;
            let lines = statement.query_map([], |row| row.get::<_, String>(0)).map_err(self.failed())?;
            for line in lines {
                let line = line.map_err(self.failed())?;
                if line != "ok" {
                    wrong.push(line);
                }
            }
        }
        // Keys and vectors belong to the items, and to the scopes, that they name.
        for (what, sql) in [
            ("rows that name what is not there", "SELECT count(*) FROM pragma_foreign_key_check"),
            (
                "keys of items of other scopes",
                "SELECT count(*) FROM key JOIN item ON item.row = key.item WHERE item.scope <> key.scope",
            ),
            (
                "vectors of other items or scopes than their keys",
                "SELECT count(*) FROM vector JOIN key ON key.row = vector.key \
                 WHERE key.item <> vector.item OR key.scope <> vector.scope",
            ),
            ("words without a key", "SELECT count(*) FROM word WHERE rowid NOT IN (SELECT row FROM key)"),
        ] {
            let count: i64 = self.connection.query_row(sql, [], |row| row.get(0)).map_err(self.failed())?;
            if count > 0 {
                wrong.push(format!("{count} {what}"));
            }
        }
        let words =
            self.connection.execute("INSERT INTO word (word, rank) VALUES ('integrity-check', 1)", []);
        if let Err(error) = words {
            wrong.push(format!("the index of words: {error}"));
        }
        Ok(wrong)
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.folder)
    }
}

/// What the database said, as an error of the memory.
fn store_error(path: &Path, patience: Duration, error: &rusqlite::Error) -> MemoryError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            MemoryError::Busy { path: path.to_owned(), seconds: patience.as_secs() }
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            MemoryError::Damaged(format!("{}: {error}", path.display()))
        }
        _ => MemoryError::Store { path: path.to_owned(), message: error.to_string() },
    }
}

/// A folder that nobody else may look into, if it has to be made.
fn make_private(folder: &Path) -> Result<(), MemoryError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|source| MemoryError::File { path: folder.to_owned(), source })
}

/// An empty file that nobody else may read.
fn make_file_private(path: &Path) -> Result<(), MemoryError> {
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|source| MemoryError::File { path: path.to_owned(), source })
}
