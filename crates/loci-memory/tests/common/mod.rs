//! A memory with a clock and a chance of its own.
#![allow(dead_code, clippy::unwrap_used)] // not every test uses everything

pub(crate) mod place;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use loci_memory::{Content, Memory, MemoryError, Query, Scope, Surroundings, Time};
pub(crate) use place::Place;

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

/// Numbers that look like chance.
pub(crate) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Makes of each function two tests, one on a file of SQLite and one on the server of `LOCI_TEST_POSTGRES`.
#[allow(unused_macros)] // as above
macro_rules! each_engine {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { super::common::place::on_sqlite(super::$test) })+
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[test] fn $test() { super::common::place::on_postgres(super::$test) })+
        }
    };
}
#[allow(unused_imports)]
pub(crate) use each_engine;

pub(crate) fn open(place: &Place, clock: &Clock) -> Memory {
    reopened(place, clock).unwrap()
}

pub(crate) fn reopened(place: &Place, clock: &Clock) -> Result<Memory, MemoryError> {
    Memory::open_at(place.store(), Scope::default(), "test", surroundings(clock))
}

/// A memory in a new place, at noon of the first of June 2023.
pub(crate) fn memory() -> (Place, Memory, Clock) {
    let place = Place::new();
    let clock = Clock::at("2023-06-01T12:00:00Z");
    let memory = open(&place, &clock);
    (place, memory, clock)
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

/// Every file below a folder that holds `bytes`, by name. Files may go while others work with them.
pub(crate) fn files_with(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut with = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            with.extend(files_with(&path, bytes));
        } else if std::fs::read(&path).is_ok_and(|content| places_of(&content, bytes).next().is_some()) {
            with.push(path.strip_prefix(folder).unwrap().display().to_string());
        }
    }
    with
}

/// Where `bytes` stand in `content`.
pub(crate) fn places_of<'c>(content: &'c [u8], bytes: &'c [u8]) -> impl Iterator<Item = usize> + 'c {
    // Most places are passed over by their first byte: some hundred megabytes are looked through.
    let first = bytes[0];
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(at) = content[from..].iter().position(|byte| *byte == first) {
            from += at + 1;
            if content[from - 1..].starts_with(bytes) {
                return Some(from - 1);
            }
        }
        None
    })
}
