//! A connection to Postgres with its prepared statements.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use postgres::error::{DbError, Severity, SqlState};
use postgres::types::ToSql;
use postgres::{Client, NoTls, Row, Statement};

use super::address::{Address, Search};
use super::tls::Encrypt;
use crate::error::MemoryError;

/// Values of a statement.
pub(super) type Values<'v> = &'v [&'v (dyn ToSql + Sync)];

/// Statements that are kept prepared; there are some fifty, and those made of filters.
const PREPARED: usize = 128;

/// What errors tell of a store, and how long it is waited for.
#[derive(Clone, Debug)]
pub(super) struct About {
    /// Its address without a password, where errors about files have a path.
    pub(super) place: PathBuf,
    /// How long others that write are waited for.
    pub(super) patience: Duration,
}

impl About {
    /// What the database said, as an error of the memory.
    pub(super) fn failed(&self, error: &postgres::Error) -> MemoryError {
        let Some(said) = error.as_db_error() else {
            let cause = std::error::Error::source(error);
            return match error.is_closed() || cause.is_some_and(|cause| cause.is::<std::io::Error>()) {
                true => self.lost(),
                false => self.unreached(error),
            };
        };
        match said.code() {
            // A lock was waited for in vain; or others, which are not of Loci, work on the same rows.
            &SqlState::LOCK_NOT_AVAILABLE
            | &SqlState::T_R_SERIALIZATION_FAILURE
            | &SqlState::T_R_DEADLOCK_DETECTED => self.busy(),
            &SqlState::CHARACTER_NOT_IN_REPERTOIRE | &SqlState::UNTRANSLATABLE_CHARACTER => {
                MemoryError::Invalid(format!(
                    "{}: a text holds a NUL, which Postgres does not keep",
                    self.place.display()
                ))
            }
            &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN => self.lost(),
            &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => {
                MemoryError::Damaged(format!("{}: {}", self.place.display(), said.message()))
            }
            // Not its detail, which may repeat rows.
            _ => self.message(match said.hint() {
                Some(hint) => format!("{} ({hint})", said.message()),
                None => said.message().to_owned(),
            }),
        }
    }

    /// Why no connection could be made.
    fn unreached(&self, error: &postgres::Error) -> MemoryError {
        let said = error.to_string();
        let remedy = match said.contains("TLS") {
            true => "; sslrootcert=FILE in the address names certificates to believe",
            false => "",
        };
        // Some errors tell their cause themselves.
        let cause = std::error::Error::source(error).map(ToString::to_string);
        let cause = cause.filter(|cause| !said.contains(cause.as_str())).map(|cause| format!(": {cause}"));
        self.message(format!("{said}{}{remedy}", cause.unwrap_or_default()))
    }

    pub(super) fn message(&self, message: String) -> MemoryError {
        MemoryError::Store { path: self.place.clone(), message }
    }

    pub(super) fn busy(&self) -> MemoryError {
        MemoryError::Busy { path: self.place.clone(), seconds: self.patience.as_secs() }
    }

    pub(super) fn lost(&self) -> MemoryError {
        self.message(
            "the connection was lost; what was being written was not kept, and can be written again"
                .to_owned(),
        )
    }
}

/// A connection.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) about: About,
    /// What the schema is called in which pgvector's type is.
    vectors_in: String,
    prepared: HashMap<String, Statement>,
    /// The connection was lost.
    pub(super) gone: bool,
    /// A transaction has begun and not ended. Where it is found so at the beginning of another, a panic broke it off.
    pub(super) within: bool,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// [`MemoryError::Store`] where the server cannot be reached, or has no pgvector and does not let it be installed.
    pub(super) fn open(address: &Address, about: &About) -> Result<Self, MemoryError> {
        let failed = |error: postgres::Error| about.failed(&error);
        let mut client = match address.may_encrypt() {
            true => address.config.connect(Encrypt::new(address.certificates.as_deref())?),
            false => address.config.connect(NoTls),
        }
        .map_err(|error| match error.as_db_error() {
            Some(_) => about.failed(&error),
            None => about.unreached(&error),
        })?;
        let row = client
            .query_one(
                "SELECT current_setting('server_version_num')::int, current_setting('server_encoding')",
                &[],
            )
            .map_err(failed)?;
        let (version, encoding): (i32, String) = (row.get(0), row.get(1));
        if version < 150_000 || encoding != "UTF8" {
            return Err(about.message(format!(
                "it needs a server from version 15 on and a database in UTF8; this is {} in {encoding}",
                version / 10_000
            )));
        }
        let (vectors_in, pgvector) = extension(&mut client, about)?;
        if address.search == Search::Hnsw && !filters_while_searching(&pgvector) {
            return Err(about.message(format!(
                "vectors=hnsw needs pgvector from 0.8 on, and the server has {pgvector}; before, an index found too little of one \
                 user's vectors. Leave vectors=hnsw out, or have pgvector renewed (ALTER EXTENSION vector UPDATE)"
            )));
        }
        let mut session = Self {
            client,
            about: about.clone(),
            vectors_in,
            prepared: HashMap::new(),
            gone: false,
            within: false,
        };
        session.settle(address)?;
        Ok(session)
    }

    /// Settings of the connection.
    fn settle(&mut self, address: &Address) -> Result<(), MemoryError> {
        let mut settings = format!(
            // Names of schemas: ours is plain, the other is quoted.
            "SET search_path = {}, \"{}\"; SET lock_timeout = {}; SET client_min_messages = error; \
             SET standard_conforming_strings = on; \
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
             SET jit = off;",
            address.schema,
            self.vectors_in.replace('"', "\"\""),
            self.about.patience.as_millis(),
        );
        if address.search == Search::Hnsw {
            // Its plan depends on which vectors are asked for.
            settings += "SET hnsw.iterative_scan = strict_order; SET hnsw.ef_search = 400; SET plan_cache_mode = force_custom_plan;";
        }
        self.batch(&settings)
    }

    /// What the database said, as an error of the memory; takes note of a lost connection.
    pub(super) fn failed(&mut self, error: postgres::Error) -> MemoryError {
        // Whatever is no answer to a statement leaves the connection in an unknown state.
        let answer = error.as_db_error().and_then(DbError::parsed_severity);
        self.gone |= answer != Some(Severity::Error);
        self.about.failed(&error)
    }

    /// Statements without values or results.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), MemoryError> {
        self.client.batch_execute(sql).map_err(|error| self.failed(error))
    }

    fn prepare(&mut self, sql: &str) -> Result<Statement, MemoryError> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).map_err(|error| self.failed(error))?;
        if self.prepared.len() >= PREPARED {
            self.prepared.clear();
        }
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Runs a statement; returns how many rows it changed.
    pub(super) fn run(&mut self, sql: &str, values: Values<'_>) -> Result<u64, MemoryError> {
        let statement = self.prepare(sql)?;
        self.client.execute(&statement, values).map_err(|error| self.failed(error))
    }

    /// All rows of a query.
    pub(super) fn all(&mut self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, MemoryError> {
        let statement = self.prepare(sql)?;
        self.client.query(&statement, values).map_err(|error| self.failed(error))
    }

    /// Forgets prepared statements: what they refer to was made anew.
    pub(super) fn forget_prepared(&mut self) {
        self.prepared.clear();
    }
}

/// The schema and version of pgvector, which is installed where that is allowed.
fn extension(client: &mut Client, about: &About) -> Result<(String, String), MemoryError> {
    let failed = |error: postgres::Error| about.failed(&error);
    let sql = "SELECT nspname::text, extversion FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace \
               WHERE extname = 'vector'";
    if let Some(row) = client.query_opt(sql, &[]).map_err(failed)? {
        return Ok((row.get(0), row.get(1)));
    }
    // One after the other: of two that install it at once, one would fail.
    let install = "BEGIN; SELECT pg_advisory_xact_lock(4913); CREATE EXTENSION IF NOT EXISTS vector; COMMIT";
    if let Err(error) = client.batch_execute(install) {
        let said = error.as_db_error().map_or_else(|| error.to_string(), |said| said.message().to_owned());
        return Err(about.message(format!(
            "the database lacks pgvector, and it cannot be installed from here ({said}); on the server, install its package \
             (Debian: postgresql-NN-pgvector), then have an administrator run CREATE EXTENSION vector in this database"
        )));
    }
    let row = client.query_one(sql, &[]).map_err(failed)?;
    Ok((row.get(0), row.get(1)))
}

/// Whether this version of pgvector goes on where a filter leaves too little of what its index found.
fn filters_while_searching(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (0, 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_pgvector() {
        assert!(filters_while_searching("0.8.0") && filters_while_searching("1.0"));
        assert!(!filters_while_searching("0.7.4") && !filters_while_searching("x"));
    }
}
