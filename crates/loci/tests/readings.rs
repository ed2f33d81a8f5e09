//! `loci read`, `loci ask` on what it saved, and the cache, run as a program with a small random model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use common::{Place, said};
use loci_models::reference::TinyModel;
use serde_json::Value;

fn place() -> Place {
    let place = Place::new();
    place.write("text.txt", "The grass is green. The key is 71432. ".repeat(40));
    place
}

fn refused(place: &Place, arguments: &[&str], code: i32) -> String {
    let output = place.run(arguments);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

const ASK: &[&str] = &["-q", "What is the key?", "-n", "6", "--json"];

fn without_timing(mut answer: Value) -> Value {
    answer.as_object_mut().unwrap().remove("timing");
    answer
}

#[test]
fn a_saved_reading_is_asked_without_its_text_or_the_models_name() {
    let place = place();
    let read = place.json(&["read", "text.txt", "-o", "x.loci", "-m", "tiny.gguf", "--json"]);
    let tokens = read["tokens"].as_u64().unwrap();
    assert_eq!(read["timing"]["prefill_tokens"].as_u64(), Some(tokens));
    assert_eq!(read["bytes"].as_u64(), Some(place.folder.path().join("x.loci").metadata().unwrap().len()));
    assert!(
        read["method"].as_str().unwrap().starts_with("inf-llm:"),
        "with its reserve it is too long for full"
    );
    let fresh = ["ask", "text.txt", "-m", "tiny.gguf", "--no-cache"];
    let expected = place.json(&[&fresh[..], ASK].concat());
    assert!(expected["timing"].get("open_ms").is_none());
    std::fs::remove_file(place.folder.path().join("text.txt")).unwrap();
    let answer = place.json(&[&["ask", "x.loci"], ASK].concat());
    let timing = &answer["timing"];
    assert!(timing["open_ms"].as_f64().unwrap() > 0.0);
    let given = answer["context"]["given"].as_u64().unwrap();
    assert_eq!(timing["prefill_tokens"].as_u64().unwrap(), given - tokens);
    assert_eq!(without_timing(answer), without_timing(expected));
}

#[test]
fn what_contradicts_a_reading_is_refused() {
    let place = place();
    place.json(&[
        "read",
        "text.txt",
        "-o",
        "x.loci",
        "-m",
        "tiny.gguf",
        "--method",
        "window:window=64",
        "--json",
    ]);
    let before = std::fs::read(place.folder.path().join("x.loci")).unwrap();
    for (flags, says) in [
        (&["--method", "full"][..], "--method window"),
        (&["--kv", "f32"], "--kv i8"),
        (&["--budget", "1GiB"], "--budget"),
        (&["--rope", "linear:factor=2"], "--rope"),
        (&["--system", "Be brief."], "--system"),
        (&["--headings", "always"], "--headings"),
        (&["--chunk", "9"], "--chunk 512"),
        (&["--draft", "self"], "--draft"),
    ] {
        let said = refused(&place, &[&["ask", "x.loci"], ASK, flags].concat(), 2);
        assert!(said.contains(says), "{flags:?}: {said}");
    }
    place.json(
        &[&["ask", "x.loci"], ASK, &["--method", "window:window=64", "--kv", "i8", "--chunk", "512"]]
            .concat(),
    );
    let said = refused(&place, &[&["ask", "x.loci", "text.txt"], ASK].concat(), 2);
    assert!(said.contains("asked alone"), "{said}");
    let read = ["read", "text.txt", "-o", "x.loci", "-m", "tiny.gguf"];
    assert!(refused(&place, &read, 2).contains("--force"));
    assert_eq!(std::fs::read(place.folder.path().join("x.loci")).unwrap(), before);
    assert!(place.run(&[&read[..], &["--force", "--method", "full"]].concat()).status.success());
    assert_ne!(std::fs::read(place.folder.path().join("x.loci")).unwrap(), before);
    assert!(
        refused(&place, &["read", "text.txt", "-o", "no/x.loci", "-m", "tiny.gguf"], 2).contains("mkdir")
    );
    assert!(refused(&place, &["read", "text.txt", "-o", "text.txt", "--force"], 2).contains("another file"));
    let said =
        refused(&place, &["read", "text.txt", "-o", "y.loci", "-m", "tiny.gguf", "--method", "spec-pc"], 2);
    assert!(said.contains("before the question is known"), "{said}");
    let other = TinyModel { seed: 5, ..TinyModel::default() }.file();
    std::fs::write(place.folder.path().join("other.gguf"), other).unwrap();
    let said = refused(&place, &[&["ask", "x.loci", "-m", "other.gguf"], ASK].concat(), 1);
    assert!(said.contains("tiny.gguf") && said.contains("other.gguf"), "{said}");
    let path = place.folder.path().join("x.loci");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(refused(&place, &[&["ask", "x.loci"], ASK].concat(), 1).contains("damaged"));
}

#[test]
fn the_cache_serves_a_second_question_and_can_be_seen_pinned_and_cleared() {
    let place = place();
    let ask = ["ask", "text.txt", "-m", "tiny.gguf"];
    let cached = |flags: &[&str]| {
        let answer = place.json(&[&ask[..], ASK, flags].concat());
        (answer["timing"]["cached_tokens"].as_u64().unwrap(), without_timing(answer))
    };
    let (none, first) = cached(&[]);
    let (some, second) = cached(&[]);
    assert!(none == 0 && some > 1024, "{none}, {some}");
    assert_eq!(first, second);
    assert_eq!(cached(&["--no-cache"]), (0, first.clone()));
    let list = || place.json(&["cache", "list", "--json"])["entries"].as_array().unwrap().clone();
    let entries = list();
    assert_eq!((entries.len(), entries[0]["tokens"].as_u64().unwrap()), (1, some));
    let id = entries[0]["id"].as_str().unwrap().to_owned();
    let shown = place.run(&["cache", "list"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains(&id[..12]));
    assert!(place.run(&["cache", "pin", &id[..8]]).status.success());
    assert!(place.run(&["cache", "clear"]).status.success());
    assert_eq!(list()[0]["pinned"], true);
    assert!(place.run(&["cache", "pin", "--undo", &id]).status.success());
    assert!(refused(&place, &["cache", "clear", "nothing"], 2).contains("no entry"));
    assert!(place.run(&["cache", "clear"]).status.success());
    assert!(list().is_empty());
    // A cache that has no room for it keeps nothing.
    assert_eq!(cached(&["--cache-size", "1KiB"]), (0, first));
    assert!(list().is_empty());
}
