//! The engine for many machines: a Postgres server (from version 15 on) with pgvector, by an address.
//!
//! A memory is a schema of a database. Its tables are those of SQLite's engine, but for words, which lie in a table of their own, and
//! vectors, which the database compares itself. Writers come one after the other by an advisory lock; a reader sees one snapshot. A
//! session of its own is needed: a pooler that shares sessions between transactions loses what is set for them.
//!
//! The client waits, so that it cannot be used from within an asynchronous task; a thread that may wait has to.

mod address;
mod filter;
mod near;
mod read;
mod rows;
mod scrub;
mod session;
mod tls;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use address::Address;
use rows::PostgresRows;
use session::{About, Session};

use crate::error::MemoryError;
use crate::rows::{Engine, Rows};

/// What makes each version of the store from the one before; the first makes it from nothing. Versions only go forward.
const VERSIONS: &[&str] = &[include_str!("schema-1.sql")];

/// How often something is looked at that is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// A memory in a database of Postgres.
pub struct Postgres {
    address: Address,
    about: About,
    /// The number of the lock by which writers of this memory come one after the other.
    lock: i64,
    /// None after it was lost.
    session: Option<Session>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Postgres({})", self.about.place.display())
    }
}

impl Postgres {
    /// Opens the memory at `address`, such as `postgres://user@host/database`, which is made if it is not there; `password` is used
    /// where the address has none. Others that write are waited for up to `patience`.
    ///
    /// # Errors
    /// [`MemoryError::Invalid`] for an address that cannot be understood, [`MemoryError::NotAMemory`] for a schema that holds
    /// something else or a later version, [`MemoryError::Store`] when the server cannot be reached or used.
    pub fn open(address: &str, password: Option<&str>, patience: Duration) -> Result<Self, MemoryError> {
        let address = Address::parse(address, password)?;
        let about = About { place: PathBuf::from(address.shown()), patience };
        let mark = blake3::hash(format!("loci memory {}", address.schema).as_bytes());
        let mut lock = [0; 8];
        lock.iter_mut().zip(mark.as_bytes()).for_each(|(to, from)| *to = *from);
        let mut session = Session::open(&address, &about)?;
        migrate(&mut session, &address.schema, i64::from_le_bytes(lock), VERSIONS)?;
        Ok(Self { address, about, lock: i64::from_le_bytes(lock), session: Some(session) })
    }

    /// The connection, made anew where it was lost.
    fn session(&mut self) -> Result<&mut Session, MemoryError> {
        // One that a panic left in the middle of a transaction is of no use.
        let usable = self.session.as_ref().is_some_and(|session| !session.within && !session.gone);
        if !usable {
            self.session = None;
            self.session = Some(Session::open(&self.address, &self.about)?);
        }
        self.session.as_mut().ok_or_else(|| self.about.lost())
    }

    /// Begins a transaction with `sql`. A connection that went away while nothing was done is made anew once.
    fn begin(&mut self, sql: &str) -> Result<&mut Session, MemoryError> {
        let first = self.session()?;
        if let Err(error) = first.batch(sql) {
            if !first.gone {
                return Err(error);
            }
            self.session()?.batch(sql)?;
        }
        let session = self.session.as_mut().ok_or_else(|| self.about.lost())?;
        session.within = true;
        Ok(session)
    }

    /// Ends a transaction in which something failed; if that fails too, its connection goes.
    fn roll_back(&mut self) {
        if let Some(session) = &mut self.session {
            session.within = session.batch("ROLLBACK").is_err();
        }
    }

    /// What became of transaction `number`, whose connection was lost while it was told to end.
    fn fate(&mut self, number: &str) -> Result<(), MemoryError> {
        let unknown = self.about.message(
            "the connection was lost at the very end of a change, and whether it was kept could not be found out; \
             `loci memory log` tells"
                .to_owned(),
        );
        let until = Instant::now() + self.about.patience;
        loop {
            let status = self.session().and_then(|session| {
                let rows = session.all("SELECT pg_xact_status($1::text::xid8)", &[&number])?;
                Ok(rows.first().and_then(|row| row.get::<_, Option<String>>(0)))
            });
            match status.as_ref().map(Option::as_deref) {
                Ok(Some("committed")) => return Ok(()),
                Ok(Some("aborted")) => return Err(self.about.lost()),
                // The server has not noticed yet, or is not back yet.
                Ok(Some("in progress")) | Err(_) if Instant::now() < until => std::thread::sleep(LOOK),
                _ => return Err(unknown),
            }
        }
    }
}

/// Makes the newest version of the store; each step is a transaction, so that a crash leaves one version or the next.
fn migrate(session: &mut Session, schema: &str, lock: i64, versions: &[&str]) -> Result<(), MemoryError> {
    let newest = versions.len();
    let not = |session: &Session, reason: String| MemoryError::NotAMemory {
        path: session.about.place.clone(),
        reason,
    };
    if version(session, schema)? == Some(newest) {
        return Ok(());
    }
    for (at, step) in versions.iter().enumerate() {
        session.batch("BEGIN")?;
        let made = (|| {
            session.all("SELECT pg_advisory_xact_lock($1)", &[&lock])?;
            // Asked within the transaction: another process may have made the step in the meantime.
            match version(session, schema)? {
                Some(found) if found > newest => {
                    return Err(not(
                        session,
                        format!("it has version {found} of the store, and this program knows up to {newest}"),
                    ));
                }
                Some(found) if found > at => return Ok(()),
                Some(_) => {}
                None => {
                    let tables = session.all(
                        "SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = $1 LIMIT 1",
                        &[&schema],
                    )?;
                    if !tables.is_empty() {
                        return Err(not(session, format!("the schema {schema} holds something else")));
                    }
                    session.batch(&format!(
                        "CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE {schema}.loci_memory (version integer NOT NULL); \
                         INSERT INTO {schema}.loci_memory VALUES (0)"
                    ))?;
                }
            }
            session.batch(step)?;
            session.batch(&format!("UPDATE loci_memory SET version = {}", at + 1))
        })();
        session.batch(if made.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        made?;
    }
    Ok(())
}

/// The version of the store in a schema, if there is one.
fn version(session: &mut Session, schema: &str) -> Result<Option<usize>, MemoryError> {
    let sql = "SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'loci_memory'";
    if session.all(sql, &[&schema])?.is_empty() {
        return Ok(None);
    }
    // Not prepared: the table may be another one the next time.
    let rows = session.client.query("SELECT version FROM loci_memory", &[]);
    let rows = rows.map_err(|error| session.failed(error))?;
    let version = rows.first().and_then(|row| usize::try_from(row.get::<_, i32>(0)).ok());
    version.map(Some).ok_or_else(|| MemoryError::Damaged("its version is not there".to_owned()))
}

impl Engine for Postgres {
    fn read(
        &mut self,
        work: &mut dyn FnMut(&dyn Rows) -> Result<(), MemoryError>,
    ) -> Result<(), MemoryError> {
        let search = self.address.search;
        let session = self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let done = work(&PostgresRows::new(session, search));
        // Nothing was changed that could be kept.
        self.roll_back();
        done
    }

    fn write(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Rows) -> Result<(), MemoryError>,
    ) -> Result<(), MemoryError> {
        let (search, lock) = (self.address.search, self.lock);
        // Each statement sees what was kept before it, and behind the lock nobody else writes.
        let session = self.begin("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")?;
        let locked = session.all(
            "SELECT pg_current_xact_id()::text FROM (SELECT pg_advisory_xact_lock($1)) AS locked",
            &[&lock],
        );
        let done = locked.and_then(|rows| {
            let number: String = rows.first().map(|row| row.get(0)).unwrap_or_default();
            let mut rows = PostgresRows::new(session, search);
            work(&mut rows)?;
            rows.unbroken()?;
            Ok(number)
        });
        let number = match done {
            Ok(number) => number,
            Err(error) => {
                self.roll_back();
                return Err(error);
            }
        };
        let session = self.session.as_mut().ok_or_else(|| self.about.lost())?;
        session.within = false;
        match session.client.batch_execute("COMMIT") {
            Ok(()) => Ok(()),
            // Even a server that says why it ends the connection may have kept the change before.
            Err(_) => {
                self.session = None;
                self.fate(&number)
            }
        }
    }

    fn scrub(&mut self) -> Result<(), MemoryError> {
        let (lock, patience) = (self.lock, self.about.patience);
        scrub::scrub(self.session()?, lock, patience)
    }

    fn check(&mut self) -> Result<Vec<String>, MemoryError> {
        scrub::check(self.session()?)
    }

    fn place(&self) -> String {
        self.about.place.display().to_string()
    }

    fn folder(&self) -> Option<&Path> {
        None
    }
}
