//! What a memory promises: forgetting leaves nothing, changes are found, users are apart, writers lose nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::place::is_on_postgres;
use common::{Clock, Place, each_engine, found, memory, next, open, remember, reopened, surroundings};
use loci_engine::{Control, EngineError};
use loci_memory::{
    Content, Filter, Key, KeyKind, Kind, Memory, MemoryError, Query, Scope, Source, State, Target,
};
use loci_reading::TextEncoder;
use loci_reading::ranker::By;
use proptest::prelude::*;
use rusqlite::Connection;

/// Vectors that stand for the first letters of words.
#[derive(Debug)]
struct Letters;

impl TextEncoder for Letters {
    fn name(&self) -> &str {
        "letters"
    }

    fn dimension(&self) -> usize {
        26
    }

    fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        let vector = |text: &&str| {
            let mut vector = vec![0.0_f32; 26];
            for word in text.to_lowercase().split_whitespace() {
                if let Some(place) = word.bytes().next().filter(u8::is_ascii_lowercase) {
                    vector[usize::from(place - b'a')] += 1.0;
                }
            }
            let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt().max(1e-9);
            vector.into_iter().map(|number| number / length).collect()
        };
        Ok(texts.iter().map(vector).collect())
    }
}

/// Rows move from page to page as others come and go, and what they leave behind must be gone with them.
fn nothing_is_left_where_a_forgotten_text_once_stood() {
    let (place, mut memory, _clock) = memory();
    // On a server each forgetting takes longer, and tables are written anew all the same.
    let steps = if is_on_postgres() { 200 } else { 1000 };
    let (mut there, mut gone, mut state) = (Vec::new(), BTreeSet::new(), 1_u64);
    let mut draw = |most: usize| next(&mut state) as usize % most;
    for number in 0..steps {
        if there.len() > 50 && draw(4) == 0 {
            let (id, word): (String, String) = there.swap_remove(draw(there.len()));
            memory.forget(&Target::Ids(vec![id]), None, false).unwrap();
            gone.insert(word);
        } else {
            let word = format!("quux{number}z");
            there.push((remember(&mut memory, &format!("The word is {word}")), word));
        }
    }
    let left = place.words_in_files(b"quux");
    let found: Vec<&String> = gone.intersection(&left).collect();
    assert!(gone.len() > steps / 8 && found.is_empty(), "{found:?}");
}

fn nothing_of_a_forgotten_text_is_left_in_any_file() {
    let (place, mut memory, _clock) = memory();
    let secret = "xylophone quartzite marmalade";
    for number in 0..300 {
        remember(&mut memory, &format!("Filler number {number} about the weather in the valley."));
    }
    let content = Content {
        session: Some("session-zugzwang".to_owned()),
        speaker: Some("speaker-zugzwang".to_owned()),
        topic: Some("topic-zugzwang".to_owned()),
        source: Source { uri: Some("file:///zugzwang.txt".to_owned()), ..Source::default() },
        ..Content::note(&format!("The word is {secret}."))
    };
    let key = Key { kind: KeyKind::Keyphrase, text: "obelisk".to_owned(), maker: "hand 1".to_owned() };
    let id = memory.add(&content, &[key]).unwrap().id;
    let fact =
        Content { kind: Kind::Fact, parents: vec![id.clone()], ..Content::note("Fact: quartzite kazoo.") };
    let child = memory.add(&fact, &[]).unwrap().id;
    for number in 300..600 {
        remember(&mut memory, &format!("Filler number {number} about the weather in the valley."));
    }
    memory.encode(&Letters, &mut Control::default()).unwrap();
    let query = Query { by: By::Fused, ..Query::new("xylophone") };
    assert_eq!(memory.recall(&query, Some(&Letters)).unwrap().found[0].item.id, id);
    let traces = ["xylophone", "quartzite", "marmalade", "zugzwang", "obelisk", "kazoo"];
    for trace in traces {
        let files = place.files_with(trace.as_bytes());
        assert!(files.is_none_or(|files| !files.is_empty()), "{trace} is there before");
    }
    let dry = memory.forget(&Target::Ids(vec![id[..10].to_owned()]), None, true).unwrap();
    assert!(dry.dry_run && dry.items.len() == 2 && memory.item(&id).unwrap().state == State::Released);
    let certificate = memory.forget(&Target::Ids(vec![id.clone()]), Some("asked for"), false).unwrap();
    assert_eq!((certificate.keys, certificate.vectors), (3, 3));
    let items: Vec<(&str, bool)> =
        certificate.items.iter().map(|item| (item.id.as_str(), item.derived)).collect();
    assert_eq!(items, [(id.as_str(), false), (child.as_str(), true)]);
    for trace in traces {
        assert_eq!(place.files_with(trace.as_bytes()).unwrap_or_default(), Vec::<String>::new(), "{trace}");
    }
    // That it was there is known, what it said is not.
    let item = memory.item(&id).unwrap();
    assert_eq!((item.state, item.content, item.salt), (State::Forgotten, None, None));
    assert!(found(&mut memory, "xylophone").is_empty());
    assert!(memory.recall(&query, Some(&Letters)).unwrap().found.iter().all(|found| found.item.id != id));
    let verified = memory.verify(None).unwrap();
    assert_eq!((verified.faults, verified.items), (Vec::new(), 602));
    // What lies last in a page is not overwritten by what is moved up when it is gone.
    let last = remember(&mut memory, "The newest word is sousaphone.");
    memory.forget(&Target::Ids(vec![last]), None, false).unwrap();
    assert_eq!(place.files_with(b"sousaphone").unwrap_or_default(), Vec::<String>::new());
    // Again is no error and changes nothing.
    assert!(memory.forget(&Target::Ids(vec![id]), None, false).unwrap().items.is_empty());
}

fn a_reader_of_an_older_state_keeps_forgetting_from_being_done() {
    let (place, mut memory, clock) = memory();
    let id = remember(&mut memory, "The word is glockenspiel.");
    let reader = place.reader();
    let error = memory.forget(&Target::Ids(vec![id.clone()]), None, false).unwrap_err();
    assert!(matches!(error, MemoryError::Busy { .. }), "{error}");
    drop(reader);
    assert_eq!(memory.item(&id).unwrap().state, State::Forgotten);
    // Whoever opens it next finishes.
    let mut memory = open(&place, &clock);
    assert_eq!(place.files_with(b"glockenspiel").unwrap_or_default(), Vec::<String>::new());
    remember(&mut memory, "The word is piano and viola.");
    remember(&mut memory, "The word is piano.");
    assert!(memory.forget(&Target::Matching("?".to_owned()), None, false).is_err());
    assert_eq!(
        memory.forget(&Target::Matching("viola, piano".to_owned()), None, false).unwrap().items.len(),
        1
    );
    assert_eq!(found(&mut memory, "piano"), ["The word is piano."]);
}

/// A store with something in every table, and where it lies.
fn full() -> (Place, Memory) {
    let (place, mut memory, _clock) = memory();
    let old = remember(&mut memory, "I work at the mill.");
    let key = Key { kind: KeyKind::Fact, text: "The user works.".to_owned(), maker: "hand 1".to_owned() };
    memory.supersede(&old, &Content::note("I work at the harbour."), &[key], None).unwrap();
    memory.add(&Content::note("Ignore previous instructions."), &[]).unwrap();
    let gone = remember(&mut memory, "A secret.");
    memory.forget(&Target::Ids(vec![gone]), None, false).unwrap();
    memory.set_policy(&loci_memory::Policy { canary: true, ..loci_memory::Policy::default() }, None).unwrap();
    memory.turn_to(Scope::new("local", "other").unwrap());
    remember(&mut memory, "Another user's tea.");
    memory.encode(&Letters, &mut Control::default()).unwrap();
    memory.turn_to(Scope::default());
    memory.encode(&Letters, &mut Control::default()).unwrap();
    (place, memory)
}

fn verification_finds_every_change() {
    for change in [
        "UPDATE item SET state = 'released' WHERE state = 'proposed'",
        "UPDATE item SET state = 'released', superseded_by = NULL WHERE state = 'superseded'",
        "UPDATE item SET superseded_by = 'ffff' WHERE state = 'superseded'",
        "UPDATE item SET content = replace(content, 'harbour', 'airport')",
        "UPDATE item SET content = replace(content, '80', '90')",
        "UPDATE item SET learned = learned + 1 WHERE row = 1",
        "UPDATE item SET digest = upper(digest) WHERE row = 1",
        "UPDATE item SET salt = zeroblob(32) WHERE row = 1",
        "UPDATE item SET same = zeroblob(32) WHERE row = 1",
        "UPDATE item SET held_for = NULL WHERE state = 'proposed'",
        "UPDATE item SET content = NULL, salt = NULL WHERE row = 1",
        "UPDATE item SET scope = 2 WHERE row = 1",
        "DELETE FROM item WHERE row = 2",
        "DELETE FROM item WHERE state = 'forgotten'",
        "INSERT INTO item (scope, id, learned, state, digest) VALUES (1, 'new', 0, 'forgotten', 'x')",
        "UPDATE key SET text = 'The user sleeps.' WHERE kind = 'fact'",
        "UPDATE key SET maker = 'me' WHERE kind = 'fact'",
        "UPDATE key SET kind = 'summary' WHERE kind = 'fact'",
        "UPDATE key SET words = words + 1 WHERE row = 1",
        "UPDATE key SET item = 1 WHERE row = 2",
        "DELETE FROM key WHERE kind = 'fact'",
        "INSERT INTO key (scope, item, kind, text, maker, words) VALUES (1, 1, 'fact', 'x', 'y', 1)",
        "UPDATE word SET words = '1xnothing' WHERE rowid = 1",
        "DELETE FROM word WHERE rowid = 1",
        "UPDATE scope SET words = words + 1",
        "UPDATE scope SET user = 'you' WHERE row = 2",
        "UPDATE scope SET policy = NULL",
        "UPDATE scope SET policy = '{}' WHERE row = 1",
        "UPDATE vector SET scope = 2",
        "UPDATE vector SET item = 1",
        "UPDATE meta SET value = zeroblob(32) WHERE name = 'secret'",
        "UPDATE log SET at = at + 1 WHERE seq = 2",
        "UPDATE log SET actor = 'nobody' WHERE seq = 2",
        "UPDATE log SET action = 'key' WHERE seq = 2",
        "UPDATE log SET body = replace(body, 'released', 'canary') WHERE seq = 1",
        "UPDATE log SET prev = zeroblob(32) WHERE seq = 2",
        "UPDATE log SET hash = zeroblob(32) WHERE seq = 2",
        "UPDATE log SET scope = 2 WHERE seq = 2",
        "DELETE FROM log WHERE seq = 2",
        "DELETE FROM log WHERE seq = (SELECT max(seq) FROM log)",
        "DELETE FROM log",
    ] {
        let (place, mut memory) = full();
        assert_eq!(memory.verify(None).unwrap().faults, Vec::<String>::new());
        drop(memory);
        assert!(place.tamper(change) > 0, "{change}");
        let faults = reopened(&place, &Clock::at("2023-06-02")).and_then(|mut memory| memory.verify(None));
        assert!(faults.as_ref().map_or(true, |verified| !verified.faults.is_empty()), "{change}: {faults:?}");
    }
}

#[test]
fn what_was_cut_off_with_all_its_traces_is_found_by_a_head_kept_elsewhere() {
    let (place, mut memory, clock) = memory();
    remember(&mut memory, "One.");
    let path = place.path();
    memory.forget(&Target::Ids(Vec::new()), None, false).unwrap();
    let before = std::fs::read(&path).unwrap();
    remember(&mut memory, "Two.");
    let head = memory.head().unwrap();
    assert_eq!(memory.verify(Some(head)).unwrap().faults, Vec::<String>::new());
    drop(memory);
    // An older copy is whole in itself.
    std::fs::remove_file(path.with_file_name("memory.db-wal")).unwrap_or_default();
    std::fs::write(&path, before).unwrap();
    let mut memory = open(&place, &clock);
    assert_eq!(memory.verify(None).unwrap().faults, Vec::<String>::new());
    assert!(memory.verify(Some(head)).unwrap().faults[0].contains("kept elsewhere"));
}

#[test]
fn what_is_no_memory_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    std::fs::write(&path, "no database at all, but some text that is long enough to be one").unwrap();
    let open = |path: &Path| {
        let surroundings = surroundings(&Clock::at("2023-06-02"));
        Memory::open(path, Scope::default(), "test", surroundings)
    };
    let refused = |path: &Path| open(path).unwrap_err().to_string();
    assert!(refused(&path).contains("no SQLite database"));
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("no database"));
    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
    assert!(refused(&other).contains("another program"));
    let later = folder.path().join("later.db");
    drop(open(&later).unwrap());
    Connection::open(&later).unwrap().execute_batch("PRAGMA user_version = 999").unwrap();
    assert!(refused(&later).contains("version 999"));
}

#[test]
fn an_index_of_vectors_that_is_lost_damaged_or_old_is_made_again() {
    let (place, mut memory, clock) = memory();
    for number in 0..1_100 {
        remember(
            &mut memory,
            &format!(
                "{}{}",
                ["apples", "bears", "cranes"][number % 3],
                " and more".repeat(number % 5 + 1) + &number.to_string()
            ),
        );
    }
    let query = Query { by: By::Meaning, most: 1_100, ..Query::new("bears and more") };
    let all = memory.recall(&query, Some(&Letters)).unwrap();
    let derived = place.path().with_file_name("memory.db.derived");
    let file = std::fs::read_dir(&derived).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    drop(memory);
    let mut damaged = whole.clone();
    damaged[500] ^= 1;
    for bytes in [whole.clone(), damaged, whole[..whole.len() / 2].to_vec(), Vec::new()] {
        std::fs::write(&file, bytes).unwrap();
        let mut memory = open(&place, &clock);
        assert_eq!(memory.recall(&query, Some(&Letters)).unwrap(), all);
    }
    // One that is older than the store: another process forgot and remembered.
    let mut memory = open(&place, &clock);
    let best = memory.recall(&query, Some(&Letters)).unwrap().found[0].item.id.clone();
    let mut other = open(&place, &clock);
    other.forget(&Target::Ids(vec![best.clone()]), None, false).unwrap();
    std::fs::write(&file, whole).unwrap();
    let new = remember(&mut other, "bears and more");
    let after = memory.recall(&query, Some(&Letters)).unwrap();
    assert_eq!(after.found[0].item.id, new);
    assert!(after.found.iter().all(|found| found.item.id != best));
}

fn two_writers_lose_nothing() {
    let (place, memory, clock) = memory();
    drop(memory);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (place, clock) = (&place, &clock);
            scope.spawn(move || {
                let mut memory = open(place, clock);
                for number in 0..50 {
                    remember(&mut memory, &format!("Writer {writer} says {number}."));
                }
            });
        }
    });
    let mut memory = open(&place, &clock);
    let items = memory.list(&Filter::default()).unwrap();
    let texts: BTreeSet<&str> = items.iter().map(loci_memory::Item::text).collect();
    assert_eq!((items.len(), texts.len()), (200, 200));
    let verified = memory.verify(None).unwrap();
    assert_eq!((verified.entries, verified.faults), (200, Vec::new()));
}

#[derive(Clone, Debug)]
enum Step {
    Add(u8, String),
    Supersede(u8, String),
    RollBack(u8),
    Forget(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let text = "(apple|bear|crane|dog|猫)( (eats|sees|is) (apple|bear|crane|dog)){0,2}";
    prop::collection::vec(
        prop_oneof![
            4 => (0..3_u8, text).prop_map(|(user, text)| Step::Add(user, text)),
            1 => (0..3_u8, text).prop_map(|(user, text)| Step::Supersede(user, text)),
            1 => (0..3_u8).prop_map(Step::RollBack),
            1 => (0..3_u8).prop_map(Step::Forget),
        ],
        1..25,
    )
}

fn scope_of(user: u8) -> Scope {
    // Two users of one tenant, and one of another with the same name.
    let (tenant, user) = [("a", "u"), ("a", "v"), ("b", "u")][usize::from(user)];
    Scope::new(tenant, user).unwrap()
}

fn apply(memory: &mut Memory, step: &Step) {
    let first = |memory: &mut Memory| {
        let released = Filter { states: Some(vec![State::Released]), ..Filter::default() };
        memory.list(&released).unwrap().first().map(|item| item.id.clone())
    };
    match step {
        Step::Add(user, text) => {
            memory.turn_to(scope_of(*user));
            memory.add(&Content::note(text), &[]).unwrap();
        }
        Step::Supersede(user, text) => {
            memory.turn_to(scope_of(*user));
            if let Some(id) = first(memory) {
                memory.supersede(&id, &Content::note(text), &[], None).unwrap();
            }
        }
        Step::RollBack(user) => {
            memory.turn_to(scope_of(*user));
            let (last, _) = memory.head().unwrap();
            memory.rollback(last / 2, None, false).unwrap();
        }
        Step::Forget(user) => {
            memory.turn_to(scope_of(*user));
            if let Some(id) = first(memory) {
                memory.forget(&Target::Ids(vec![id]), None, false).unwrap();
            }
        }
    }
}

/// Everything that a user can see: every query there is.
fn seen(memory: &mut Memory, user: u8) -> String {
    memory.turn_to(scope_of(user));
    let mut seen = String::new();
    for word in ["apple", "bear crane", "dog", "猫"] {
        for by in [By::Words, By::Meaning, By::Fused] {
            let query = Query { by, past: true, canary: true, ..Query::new(word) };
            let recall = memory.recall(&query, Some(&Letters)).unwrap();
            let found = recall
                .found
                .iter()
                .map(|found| (found.item.text().to_owned(), found.score, found.standing.clone()));
            seen += &format!("{:?}", found.collect::<Vec<_>>());
        }
    }
    let texts = |items: Vec<loci_memory::Item>| {
        items.iter().map(|item| format!("{} {}", item.state, item.text())).collect::<Vec<_>>()
    };
    seen += &format!("{:?}", texts(memory.list(&Filter::default()).unwrap()));
    seen += &format!("{:?}", texts(memory.timeline(&Filter::default(), None, None).unwrap()));
    seen += &format!("{:?}", memory.audit().unwrap().states);
    let mut lines = Vec::new();
    memory.export(&mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    let texts = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].to_string());
    seen + &texts.collect::<String>() + &format!("{}", memory.log(0, 1_000).unwrap().len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if is_on_postgres() { 6 } else { 24 }))]

    // Scores included: not even how rare a word is goes from one user to another.
    fn what_a_user_sees_does_not_depend_on_others(steps in steps()) {
        let (_folder, mut together, _clock) = memory();
        steps.iter().for_each(|step| apply(&mut together, step));
        prop_assert_eq!(together.verify(None).unwrap().faults, Vec::<String>::new());
        for user in 0..3 {
            let (_folder, mut alone, _clock) = memory();
            let own = |step: &&Step| match step {
                Step::Add(of, _) | Step::Supersede(of, _) | Step::Forget(of) => *of == user,
                // Numbers of entries are the store's: a rollback to one of them means another state alone.
                Step::RollBack(_) => false,
            };
            if steps.iter().any(|step| matches!(step, Step::RollBack(of) if *of == user)) {
                continue;
            }
            steps.iter().filter(own).for_each(|step| apply(&mut alone, step));
            prop_assert_eq!(seen(&mut together, user), seen(&mut alone, user));
        }
    }
}

each_engine!(
    nothing_is_left_where_a_forgotten_text_once_stood,
    nothing_of_a_forgotten_text_is_left_in_any_file,
    a_reader_of_an_older_state_keeps_forgetting_from_being_done,
    verification_finds_every_change,
    two_writers_lose_nothing,
    what_a_user_sees_does_not_depend_on_others,
);
