//! What is special to the engine of Postgres: lost connections, other stores, the same scores as SQLite's, an index of vectors.
#![cfg(all(unix, feature = "postgres"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use common::place::on_postgres;
use common::{Clock, Place, found, memory, open, remember, surroundings};
use loci_engine::{Control, EngineError};
use loci_memory::{Content, Filter, Key, KeyKind, Kind, Memory, MemoryError, Query, Scope, Target};
use loci_reading::TextEncoder;
use loci_reading::ranker::By;

/// Vectors that are drawn by what texts say, near those of texts with the same first word.
#[derive(Debug)]
struct Drawn;

impl TextEncoder for Drawn {
    fn name(&self) -> &str {
        "it's drawn"
    }

    fn dimension(&self) -> usize {
        24
    }

    fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        let drawn = |text: &str, scale: f32| -> Vec<f32> {
            blake3::hash(text.as_bytes()).as_bytes()[..24]
                .iter()
                .map(|b| scale * (f32::from(*b) / 127.5 - 1.0))
                .collect()
        };
        let vector = |text: &&str| {
            let (near, own) = (drawn(text.split(' ').next().unwrap(), 1.0), drawn(text, 0.7));
            let sum: Vec<f32> = near.iter().zip(&own).map(|(one, other)| one + other).collect();
            let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
            sum.into_iter().map(|number| number / length).collect()
        };
        Ok(texts.iter().map(vector).collect())
    }
}

fn texts() -> Vec<String> {
    let words = ["apple", "bear", "crane", "dog", "猫", "elk"];
    (0..120).map(|n| format!("{} {} number {}", words[n % 6], words[n / 7 % 6], n / 2)).collect()
}

#[test]
fn both_engines_find_the_same_by_the_same_scores() {
    on_postgres(|| {
        let clock = Clock::at("2023-06-01");
        let place = Place::new();
        let folder = tempfile::tempdir().unwrap();
        let mut server = open(&place, &clock);
        let mut file =
            Memory::open(&folder.path().join("x.db"), Scope::default(), "test", surroundings(&clock))
                .unwrap();
        for memory in [&mut server, &mut file] {
            for text in texts() {
                let long = "x".repeat(3_000);
                let key = Key {
                    kind: KeyKind::Keyphrase,
                    text: format!("{text} {long}"),
                    maker: "hand".to_owned(),
                };
                memory
                    .add(&Content { topic: Some("t".repeat(4_000)), ..Content::note(&text) }, &[key])
                    .unwrap();
            }
            memory.turn_to(Scope::new("local", "other").unwrap());
            remember(memory, "apple apple apple bear");
            memory.turn_to(Scope::default());
        }
        let mut shown = |question: &str, by: By| {
            let query = Query { by, most: 30, ..Query::new(question) };
            [&mut server, &mut file].map(|memory| {
                let found = memory.recall(&query, Some(&Drawn)).unwrap().found;
                found.into_iter().map(|found| (found.item.text().to_owned(), found.score)).collect::<Vec<_>>()
            })
        };
        for question in ["apple", "bear crane", "number 7 dog", "猫 apple", "whale", &"x".repeat(3_000)] {
            let [server, file] = shown(question, By::Words);
            // To the last bit.
            assert_eq!(server, file, "{question}");
            let [server, file] = shown(question, By::Meaning);
            assert_eq!(server.len(), file.len());
            // Sums of 32-bit products in another order.
            assert!(
                server.iter().zip(&file).all(|(one, other)| (one.1 - other.1).abs() < 1e-6),
                "{server:?} {file:?}"
            );
        }
        assert_eq!(server.verify(None).unwrap().faults, Vec::<String>::new());
    });
}

#[test]
fn a_store_is_made_once_and_others_are_refused() {
    on_postgres(|| {
        let clock = Clock::at("2023-06-01");
        let place = Place::new();
        std::thread::scope(|scope| {
            for writer in 0..6 {
                let (place, clock) = (&place, &clock);
                scope.spawn(move || remember(&mut open(place, clock), &format!("Writer {writer} was here.")));
            }
        });
        let mut memory = open(&place, &clock);
        assert_eq!(memory.list(&Filter::default()).unwrap().len(), 6);
        assert_eq!(memory.verify(None).unwrap().faults, Vec::<String>::new());
        place.client().batch_execute("UPDATE loci_memory SET version = 999").unwrap();
        let later = common::reopened(&place, &clock).unwrap_err();
        assert!(
            matches!(&later, MemoryError::NotAMemory { .. }) && later.to_string().contains("version 999"),
            "{later}"
        );
        let other = Place::new();
        let Place::Schema(name) = &other else { panic!("no schema") };
        other
            .client()
            .batch_execute(&format!("CREATE SCHEMA {name}; CREATE TABLE {name}.item (x int)"))
            .unwrap();
        let error = common::reopened(&other, &clock).unwrap_err().to_string();
        assert!(error.contains("something else"), "{error}");
    });
}

/// Lets everything through until it sees the end of a transaction that changed something; then it cuts the connection, before the
/// server hears of it (1) or before the client hears of what the server did (2).
struct Between {
    folder: tempfile::TempDir,
    mode: Arc<AtomicU8>,
    /// Connections with clients.
    clients: Arc<Mutex<Vec<UnixStream>>>,
}

impl Between {
    fn new(server: &Path) -> Self {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let mode = Arc::new(AtomicU8::new(0));
        let clients = Arc::new(Mutex::new(Vec::new()));
        let (server, of_threads, all) = (server.join(".s.PGSQL.5432"), mode.clone(), clients.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, mode) = (UnixStream::connect(&server).unwrap(), of_threads.clone());
                all.lock().unwrap().push(client.try_clone().unwrap());
                let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _closed = std::io::copy(&mut back, &mut to);
                    let _closed = to.shutdown(std::net::Shutdown::Both);
                });
                std::thread::spawn(move || forward(client, server, &mode));
            }
        });
        Self { folder, mode, clients }
    }

    /// One before the server of this address, and the address by which it is reached; none where that is at no socket.
    fn before(store: &str) -> Option<(Self, String)> {
        // postgres://user@%2Ffolder/database
        let (user, rest) = store.split_once('@')?;
        let (host, rest) = rest.split_once('/')?;
        if !host.starts_with("%2F") {
            eprintln!("skipped: the server is not at a socket of this machine");
            return None;
        }
        let between = Self::new(&PathBuf::from(host.replace("%2F", "/")));
        let own = between.folder.path().to_str()?.replace('/', "%2F");
        Some((between, format!("{user}@{own}/{rest}")))
    }

    fn cut(&self) {
        for client in self.clients.lock().unwrap().drain(..) {
            let _closed = client.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn forward(mut client: UnixStream, mut server: UnixStream, mode: &AtomicU8) {
    let mut buffer = [0; 65_536];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let part = &buffer[..count];
        if part.windows(7).any(|window| window == b"COMMIT\0") {
            match mode.swap(0, Ordering::SeqCst) {
                0 => {}
                cut => {
                    let _closed = client.shutdown(std::net::Shutdown::Both);
                    if cut == 2 {
                        server.write_all(part).unwrap();
                        std::thread::sleep(std::time::Duration::from_millis(300));
                    }
                    break;
                }
            }
        }
        if server.write_all(part).is_err() {
            break;
        }
    }
    let _closed = server.shutdown(std::net::Shutdown::Both);
}

#[test]
fn a_connection_lost_at_the_end_of_a_change_loses_and_doubles_nothing() {
    on_postgres(|| {
        let (place, mut direct, clock) = memory();
        let Some((between, store)) = Between::before(&place.store()) else { return };
        let mut memory = Memory::open_at(store, Scope::default(), "test", surroundings(&clock)).unwrap();
        // One that went away while nothing was done is made anew.
        between.cut();
        assert!(memory.list(&Filter::default()).unwrap().is_empty());
        between.cut();
        memory.turn_to(Scope::new("local", "other").unwrap());
        remember(&mut memory, "Something of another user.");
        memory.turn_to(Scope::default());
        between.mode.store(1, Ordering::SeqCst);
        let error = memory.add(&Content::note("It was not kept."), &[]).unwrap_err().to_string();
        assert!(error.contains("not kept") && error.contains("postgres://"), "{error}");
        assert!(direct.list(&Filter::default()).unwrap().is_empty());
        between.mode.store(2, Ordering::SeqCst);
        memory.add(&Content::note("It was kept."), &[]).unwrap();
        assert_eq!(found(&mut direct, "kept"), ["It was kept."]);
        assert_eq!(direct.verify(None).unwrap().faults, Vec::<String>::new());
    });
}

#[test]
fn statistics_of_the_server_keep_nothing_that_was_forgotten() {
    on_postgres(|| {
        let (place, mut memory, _clock) = memory();
        for _ in 0..40 {
            let said = Content {
                session: Some("session-bassoonist".to_owned()),
                topic: Some("topic-bassoonist".to_owned()),
                ..Content::note("The word is bassoonist.")
            };
            memory.add(&said, &[]).unwrap();
        }
        place.client().batch_execute("ANALYZE").unwrap();
        memory.forget(&Target::Matching("bassoonist".to_owned()), None, false).unwrap();
        assert_eq!(place.files_with(b"bassoonist").unwrap_or_default(), Vec::<String>::new());
    });
}

#[test]
fn an_index_of_vectors_finds_most_and_a_small_memory_all() {
    on_postgres(|| {
        let place = Place::new();
        let clock = Clock::at("2023-06-01");
        let store = format!("{}&vectors=hnsw", place.store());
        let open =
            |store: &str| Memory::open_at(store, Scope::default(), "test", surroundings(&clock)).unwrap();
        let mut memory = open(&store);
        for part in 0..5 {
            let items: Vec<(Content, Vec<Key>)> = (0..900)
                .map(|n| {
                    (Content::note(&format!("w{} item {} of {part}", (n * 7 + part) % 97, n)), Vec::new())
                })
                .collect();
            let vectors: Vec<Vec<Vec<f32>>> =
                items.iter().map(|(content, _)| Drawn.encode(&[content.text.as_str()]).unwrap()).collect();
            memory.add_embedded(&items, Drawn.name(), &vectors).unwrap();
        }
        memory.turn_to(Scope::new("local", "other").unwrap());
        remember(&mut memory, "w1 is mine");
        memory.encode(&Drawn, &mut Control::default()).unwrap();
        let query = |text: &str| Query { by: By::Meaning, most: 20, ..Query::new(text) };
        assert_eq!(memory.recall(&query("w1"), Some(&Drawn)).unwrap().found.len(), 1);
        memory.turn_to(Scope::default());
        let plans: Vec<String> = place
            .client()
            .query("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'embedding_near_%' AND schemaname = current_schema()", &[])
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert!(
            plans.len() == 1 && plans[0].contains("hnsw") && plans[0].contains("'it''s drawn'"),
            "{plans:?}"
        );
        let mut exact = open(&place.store());
        let (mut both, mut all) = (0, 0);
        for n in 0..40 {
            let query = query(&format!("w{n} item"));
            let [one, other] = [&mut memory, &mut exact].map(|memory| {
                let found = memory.recall(&query, Some(&Drawn)).unwrap().found;
                found.into_iter().map(|found| found.item.id).collect::<Vec<_>>()
            });
            assert_eq!((one.len(), other.len()), (20, 20));
            both += other.iter().filter(|id| one.contains(id)).count();
            all += other.len();
        }
        // Where none of the best may be taken all are looked at.
        let none = Query { kind: Some(Kind::Event), ..query("w1") };
        assert!(memory.recall(&none, Some(&Drawn)).unwrap().found.is_empty());
        drop(memory);
        let mut used = 0_i64;
        for _ in 0..50 {
            // A session tells its counts when it ends.
            std::thread::sleep(std::time::Duration::from_millis(100));
            let sql = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname LIKE 'embedding_near_%' AND schemaname = current_schema()";
            used = place.client().query_one(sql, &[]).unwrap().get(0);
            if used > 0 {
                break;
            }
        }
        assert!(used >= 40, "the index was used {used} times");
        println!("{both} of {all} found by the index");
        assert!(both * 100 >= all * 95, "{both} of {all}");
    });
}
