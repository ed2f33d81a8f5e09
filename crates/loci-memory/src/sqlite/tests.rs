//! kill -9 while a store is brought to a new version: it has one version or the other, and everything that was in it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;
use crate::memory::{Memory, Surroundings};
use crate::record::{Content, Scope};
use crate::rows::Filter;

const CHILD: &str = "LOCI_MEMORY_MIGRATION_TEST";
const ROUNDS: u64 = 24;
const ITEMS: usize = 40;
const NEW_ROWS: i64 = 12_000;

/// A second version that takes its time: a table, a column of an old one, and rows of both.
fn versions() -> [String; 2] {
    let slow = format!(
        "CREATE TABLE extra (row INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT; \
         INSERT INTO extra SELECT value, hex(randomblob(200)) FROM \
         (WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT {NEW_ROWS}) SELECT value FROM n); \
         ALTER TABLE item ADD COLUMN extra INTEGER NOT NULL DEFAULT 0; UPDATE item SET extra = row; \
         CREATE INDEX extra_text ON extra (text);"
    );
    [VERSIONS[0].to_owned(), slow]
}

fn open(path: &Path) -> Result<Sqlite, MemoryError> {
    let versions = versions();
    Sqlite::open_as(path, Duration::from_secs(10), &versions.each_ref().map(String::as_str))
}

/// Opens the store named in the environment, and is killed while it does.
#[test]
fn child() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let mut out = std::io::stdout();
    writeln!(out, "\n#begun").unwrap();
    out.flush().unwrap();
    open(Path::new(&path)).unwrap();
    writeln!(out, "\n#done").unwrap();
}

#[test]
fn a_migration_that_is_killed_leaves_one_version_or_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first.db");
    let sqlite = Sqlite::open(&first, Duration::from_secs(10)).unwrap();
    let mut memory =
        Memory::over(Box::new(sqlite), Scope::default(), "test", Surroundings::of_the_system()).unwrap();
    for number in 0..ITEMS {
        memory.add(&Content::note(&format!("Item number {number} of the first version.")), &[]).unwrap();
    }
    drop(memory);
    // How long it takes here, without the start of a process.
    let whole = folder.path().join("whole.db");
    std::fs::copy(&first, &whole).unwrap();
    let started = std::time::Instant::now();
    open(&whole).unwrap();
    let took = u64::try_from(started.elapsed().as_millis()).unwrap().max(10);
    let (mut state, mut old, mut new, mut broken_off) = (11_u64, 0_u64, 0_u64, 0);
    for round in 0..ROUNDS {
        let path = folder.path().join(format!("{round}.db"));
        std::fs::copy(&first, &path).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["sqlite::tests::child", "--exact", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.by_ref().any(|line| line.unwrap() == "#begun"));
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((state >> 33) % (took * 3 / 2)));
        child.kill().unwrap();
        child.wait().unwrap();
        let connection = Connection::open(&path).unwrap();
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        let tables: i64 = connection
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE name IN ('extra', 'extra_text')",
                [],
                |row| row.get(0),
            )
            .unwrap();
        drop(connection);
        // All of the step or nothing, and nobody who knows only the first version writes into the second.
        let earlier = Sqlite::open(&path, Duration::from_secs(10)).map(drop);
        match version {
            1 => {
                earlier.unwrap();
                old += 1;
                broken_off += u32::from(!lines.any(|line| line.unwrap() == "#done"));
            }
            version => {
                assert!(matches!(earlier, Err(MemoryError::NotAMemory { .. })) && version == 2, "{version}");
                new += 1;
            }
        }
        assert_eq!(tables, if version == 1 { 0 } else { 2 }, "round {round}");
        let sqlite = open(&path).unwrap();
        let rows: i64 =
            sqlite.connection.query_row("SELECT count(*) FROM extra", [], |row| row.get(0)).unwrap();
        let set: i64 = sqlite
            .connection
            .query_row("SELECT count(*) FROM item WHERE extra = row", [], |row| row.get(0))
            .unwrap();
        assert_eq!((rows, set), (NEW_ROWS, ITEMS as i64), "round {round}");
        let mut memory =
            Memory::over(Box::new(sqlite), Scope::default(), "test", Surroundings::of_the_system()).unwrap();
        assert_eq!(memory.list(&Filter::default()).unwrap().len(), ITEMS);
        assert_eq!(memory.verify(None).unwrap().faults, Vec::<String>::new(), "round {round}");
        drop(memory);
        std::fs::remove_file(&path).unwrap();
    }
    println!("{old} kept the first version ({broken_off} broken off), {new} had the second");
    assert!(broken_off > 0 && old + new == ROUNDS, "no migration was killed before its end");
}
