//! Places for stores of tests: a file in a folder of its own, or a schema of its own in a server.
#![allow(dead_code, clippy::unwrap_used)] // not every test uses everything

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{files_with, places_of};

thread_local! {
    /// What new places of this thread are.
    static SERVER: Cell<bool> = const { Cell::new(false) };
}

/// Whether the test that runs is on Postgres.
pub(crate) fn is_on_postgres() -> bool {
    SERVER.get()
}

/// Runs a test on files of SQLite.
pub(crate) fn on_sqlite(test: fn()) {
    SERVER.set(false);
    test();
}

/// Runs a test on the server of `LOCI_TEST_POSTGRES`, if there is one.
#[cfg(feature = "postgres")]
pub(crate) fn on_postgres(test: fn()) {
    if server().is_none() {
        eprintln!("skipped: LOCI_TEST_POSTGRES names no server (scripts/with-postgres.sh starts one)");
        return;
    }
    SERVER.set(true);
    test();
}

fn server() -> Option<String> {
    std::env::var("LOCI_TEST_POSTGRES").ok().filter(|address| !address.is_empty())
}

/// Where a store lies; it is gone with this.
pub(crate) enum Place {
    File(tempfile::TempDir),
    #[cfg(feature = "postgres")]
    Schema(String),
}

impl Place {
    pub(crate) fn new() -> Self {
        #[cfg(feature = "postgres")]
        if SERVER.get() {
            static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
            let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            return Self::Schema(format!("t{}_{count}", std::process::id()));
        }
        Self::File(tempfile::tempdir().unwrap())
    }

    /// What a memory in it is opened by.
    pub(crate) fn store(&self) -> String {
        match self {
            Self::File(folder) => folder.path().join("memory.db").to_str().unwrap().to_owned(),
            #[cfg(feature = "postgres")]
            Self::Schema(schema) => {
                let server = server().unwrap();
                format!("{server}{}schema={schema}", if server.contains('?') { '&' } else { '?' })
            }
        }
    }

    /// The file that a memory in it is.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(self.store())
    }

    /// A connection to it beside the memory's.
    #[cfg(feature = "postgres")]
    pub(crate) fn client(&self) -> postgres::Client {
        let mut client = postgres::Client::connect(&server().unwrap(), postgres::NoTls).unwrap();
        if let Self::Schema(schema) = self {
            client.batch_execute(&format!("SET search_path = {schema}, public")).unwrap();
        }
        client
    }

    /// The files in which bytes stand that a store here wrote, among them the write-ahead log. None where the server's are out of
    /// reach.
    pub(crate) fn files_with(&self, bytes: &[u8]) -> Option<Vec<String>> {
        match self {
            Self::File(folder) => Some(files_with(folder.path(), bytes)),
            #[cfg(feature = "postgres")]
            Self::Schema(_) => {
                let data = std::env::var_os("LOCI_TEST_POSTGRES_DATA")?;
                // What is in the server's memory alone would be missed.
                self.client().batch_execute("CHECKPOINT").unwrap();
                Some(files_with(&PathBuf::from(data), bytes))
            }
        }
    }

    /// Words that begin with `prefix` in those files, as far as they are of letters and digits.
    pub(crate) fn words_in_files(&self, prefix: &[u8]) -> BTreeSet<String> {
        let mut words = BTreeSet::new();
        let folder = match self {
            Self::File(folder) => folder.path().to_owned(),
            #[cfg(feature = "postgres")]
            Self::Schema(_) => {
                let Some(data) = std::env::var_os("LOCI_TEST_POSTGRES_DATA") else { return words };
                PathBuf::from(data)
            }
        };
        for file in self.files_with(prefix).unwrap_or_default() {
            let content = std::fs::read(folder.join(file)).unwrap_or_default();
            for at in places_of(&content, prefix) {
                let word = content[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric());
                words.insert(word.map(|byte| char::from(*byte)).collect());
            }
        }
        words
    }

    /// Somebody who looks at the store as it is now until this is dropped.
    pub(crate) fn reader(&self) -> Box<dyn std::any::Any> {
        match self {
            Self::File(_) => {
                let reader = rusqlite::Connection::open(self.path()).unwrap();
                reader.execute_batch("BEGIN; SELECT count(*) FROM item;").unwrap();
                Box::new(reader)
            }
            #[cfg(feature = "postgres")]
            Self::Schema(_) => {
                let mut reader = self.client();
                // Another table than those that are written anew: no lock tells of this one.
                reader
                    .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM scope")
                    .unwrap();
                Box::new(reader)
            }
        }
    }

    /// Changes rows as somebody does who is not held up by triggers and references; returns how many.
    pub(crate) fn tamper(&self, sql: &str) -> u64 {
        match self {
            Self::File(_) => {
                let connection = rusqlite::Connection::open(self.path()).unwrap();
                connection
                    .execute_batch(
                        "PRAGMA foreign_keys = OFF; DROP TRIGGER item_never_changes; DROP TRIGGER item_stays; \
                         DROP TRIGGER log_stays; DROP TRIGGER log_never_changes;",
                    )
                    .unwrap();
                connection.execute(sql, []).unwrap() as u64
            }
            #[cfg(feature = "postgres")]
            Self::Schema(_) => {
                let sql = sql
                    .replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')")
                    .replace("SET user", "SET \"user\"")
                    .replace("UPDATE vector", "UPDATE embedding")
                    .replace(
                        "UPDATE word SET words = '1xnothing' WHERE rowid",
                        "UPDATE posting SET count = count + 1 WHERE key",
                    )
                    .replace("DELETE FROM word WHERE rowid", "DELETE FROM posting WHERE key");
                let mut client = self.client();
                client.batch_execute("SET session_replication_role = replica").unwrap();
                client.execute(&sql, &[]).unwrap()
            }
        }
    }
}

#[cfg(feature = "postgres")]
impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Schema(schema) = self {
            let dropped = postgres::Client::connect(&server().unwrap_or_default(), postgres::NoTls).and_then(
                |mut client| client.batch_execute(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE")),
            );
            if let Err(error) = dropped {
                eprintln!("{schema} could not be dropped: {error}");
            }
        }
    }
}
