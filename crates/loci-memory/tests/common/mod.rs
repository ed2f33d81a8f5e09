//! A memory with a clock and a chance of its own.
#![allow(dead_code, clippy::unwrap_used)] // not every test uses everything

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use loci_memory::{Content, Memory, Query, Scope, Surroundings, Time};

/// The time that memories of a test go by.
#[derive(Clone)]
pub(crate) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(crate) fn at(text: &str) -> Self {
        Self(Arc::new(AtomicI64::new(text.parse::<Time>().unwrap().millis())))
    }

    pub(crate) fn go_to(&self, text: &str) {
        self.0.store(text.parse::<Time>().unwrap().millis(), Ordering::Relaxed);
    }
}

/// A time and chance that are the same each time; memories that are opened one after the other get unlike chances.
pub(crate) fn surroundings(clock: &Clock) -> Surroundings {
    static SEED: AtomicU64 = AtomicU64::new(0);
    let (clock, mut state) = (clock.clone(), SEED.fetch_add(1 << 32, Ordering::Relaxed));
    Surroundings {
        clock: Box::new(move || Time::from_millis(clock.0.load(Ordering::Relaxed))),
        random: Box::new(move |bytes| {
            for chunk in bytes.chunks_mut(8) {
                state += 1;
                let hash = blake3::hash(&state.to_le_bytes());
                chunk.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
            }
            true
        }),
    }
}

pub(crate) fn open(path: &Path, clock: &Clock) -> Memory {
    Memory::open(path, Scope::default(), "test", surroundings(clock)).unwrap()
}

/// A memory in a new folder, at noon of the first of June 2023.
pub(crate) fn memory() -> (tempfile::TempDir, Memory, Clock) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::at("2023-06-01T12:00:00Z");
    let memory = open(&folder.path().join("memory.db"), &clock);
    (folder, memory, clock)
}

pub(crate) fn remember(memory: &mut Memory, text: &str) -> String {
    memory.add(&Content::note(text), &[]).unwrap().id
}

/// What is found, as text.
pub(crate) fn found(memory: &mut Memory, question: &str) -> Vec<String> {
    texts(memory, &Query::new(question))
}

pub(crate) fn texts(memory: &mut Memory, query: &Query) -> Vec<String> {
    memory.recall(query, None).unwrap().found.into_iter().map(|found| found.item.text().to_owned()).collect()
}

/// Every file below a folder that holds `bytes`, by name.
pub(crate) fn files_with(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut with = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            with.extend(files_with(&path, bytes));
        } else if std::fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes) {
            with.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    with
}
