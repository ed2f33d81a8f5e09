//! kill -9 of a client at random moments: what was acknowledged is there, what was forgotten is not.
//!
//! The test runs itself as a child that writes and forgets without end and says of each thing when it is begun and when it is done;
//! the parent kills it and looks at the store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::place::is_on_postgres;
use common::{Place, each_engine, next};
use loci_memory::{Content, Filter, Memory, Scope, State, Surroundings, Target};

const CHILD: &str = "LOCI_MEMORY_CRASH_TEST";
const ROUNDS: u64 = 60;

fn open(store: &str) -> Memory {
    Memory::open_at(store, Scope::default(), "test", Surroundings::of_the_system()).unwrap()
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n#{line}").unwrap();
    out.flush().unwrap();
}

/// Writes and forgets until it is killed.
#[test]
fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let (store, seed) = told.split_once('|').unwrap();
    let mut state: u64 = seed.parse().unwrap();
    let mut memory = open(store);
    for number in 0.. {
        let word = format!("quux{}z{number}z", seed);
        match next(&mut state) % 4 {
            0 => {
                let released = Filter { states: Some(vec![State::Released]), ..Filter::default() };
                let items = memory.list(&released).unwrap();
                if let Some(item) = items.get(next(&mut state) as usize % items.len().max(1)) {
                    say(&format!("forget {}", item.id));
                    memory.forget(&Target::Ids(vec![item.id.clone()]), None, false).unwrap();
                    say(&format!("forgot {} {}", item.id, item.text().split(' ').next_back().unwrap()));
                }
            }
            _ => {
                let id = memory.add(&Content::note(&format!("The word is {word}")), &[]).unwrap().id;
                say(&format!("added {id} {word}"));
            }
        }
    }
}

fn what_was_acknowledged_survives_and_what_was_forgotten_does_not() {
    let mut place = Place::new();
    let mut state = 7;
    let (mut done, mut added, mut begun, mut forgotten) =
        (0, BTreeMap::<String, String>::new(), BTreeSet::<String>::new(), BTreeMap::<String, String>::new());
    for round in 0..ROUNDS {
        // Each tenth round makes a new store, so that the kill may fall into its making.
        if round % 10 == 0 {
            place = Place::new();
            (added, begun, forgotten) = Default::default();
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(CHILD, format!("{}|{round}", place.store()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = std::thread::spawn(move || {
            let mut told = Vec::new();
            while let Some(Ok(line)) = lines.next() {
                told.push(line);
            }
            told
        });
        // A server is asked more slowly than a file.
        let times = if is_on_postgres() { 4 } else { 1 };
        std::thread::sleep(Duration::from_millis(match round % 10 {
            0 => 5 + next(&mut state) % (40 * times),
            _ => 20 * times + next(&mut state) % (150 * times),
        }));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in reader.join().unwrap() {
            let words: Vec<&str> = line.trim_start_matches('#').split(' ').collect();
            match (line.starts_with('#'), words.as_slice()) {
                (true, ["added", id, word]) => drop(added.insert((*id).to_owned(), (*word).to_owned())),
                (true, ["forget", id]) => drop(begun.insert((*id).to_owned())),
                (true, ["forgot", id, word]) => drop(forgotten.insert((*id).to_owned(), (*word).to_owned())),
                _ => continue,
            }
            done += 1;
        }
        let mut memory = open(&place.store());
        let verified = memory.verify(None).unwrap();
        assert_eq!(verified.faults, Vec::<String>::new(), "round {round}");
        let items: BTreeMap<String, _> = memory
            .list(&Filter::default())
            .unwrap()
            .into_iter()
            .map(|item| (item.id.clone(), item))
            .collect();
        for (id, word) in &added {
            let item = items.get(id).unwrap_or_else(|| panic!("round {round}: {word} is lost"));
            assert!(
                item.text().contains(word.as_str()) || begun.contains(id),
                "round {round}: {word} is gone"
            );
        }
        let left = place.words_in_files(b"quux");
        for (id, word) in &forgotten {
            assert_eq!(items.get(id).map(|item| item.state), Some(State::Forgotten), "round {round}");
            assert!(!left.contains(word), "round {round}: {word}");
        }
    }
    assert!(done > if is_on_postgres() { 60 } else { 200 }, "{done} things were done before the kills");
}

each_engine!(what_was_acknowledged_survives_and_what_was_forgotten_does_not);
