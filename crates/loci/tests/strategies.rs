//! `loci ask --read` as its users meet it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use common::{Place, said};
use loci_models::reference::TinyModel;
use serde_json::Value;

const TEXT: &str = "# The inn\n\nMartha Oakes keeps the inn by the harbour. It rains a lot there.\n\n# The mill\n\nLars Holm built the mill. It burned down.\n";

fn place() -> Place {
    let place = Place::with(&TinyModel::default(), &["-m", "tiny.gguf", "--threads", "2"]);
    place.write("text.md", TEXT);
    place.write("other.txt", "Nobody counts the gulls.");
    place
}

fn ask(place: &Place, strategy: &str) -> Value {
    let question = "Who built the mill?";
    place.json(&["ask", "text.md", "-q", question, "-n", "4", "--read", strategy, "--json"])
}

fn check_places(answer: &Value) {
    for found in
        answer["evidence"].as_array().unwrap().iter().chain(answer["reading"]["places"].as_array().unwrap())
    {
        let at = |name: &str| usize::try_from(found[name].as_u64().unwrap()).unwrap();
        assert_eq!(found["file"], "text.md");
        let there = &TEXT[at("start")..at("end")];
        if let Some(text) = found["text"].as_str() {
            assert_eq!(there, text);
        }
    }
}

#[test]
fn every_strategy_answers_with_its_places_and_its_account() {
    let place = place();
    for strategy in [
        "plain",
        "closed-book",
        "rag:words=10,top=1",
        "rag+reorder:words=5,top=3",
        "jrt",
        "infini-retri:window=40,top_k=8,most=64",
        "alr2:quotes=1",
        "alr2:mode=quotes,quotes=1",
        "co-lor:words=10,top=1,pick=rate",
        "full-ranking:words=10,top=1,room=0",
        "structured",
        "sculptor:policy=scripted,pieces=4,keep=1",
        "sculptor:steps=1",
    ] {
        let answer = ask(&place, strategy);
        assert!(answer["answer"].is_string() && answer["strategy"].is_string(), "{strategy}: {answer}");
        let reading = &answer["reading"];
        let count = |name: &str| reading[name].as_u64().unwrap_or_else(|| panic!("{strategy}: {reading}"));
        assert!(count("shown") <= count("given") && reading["counted"] == true, "{strategy}: {reading}");
        assert_eq!(answer["model"], "tiny.gguf");
        check_places(&answer);
    }
    let found = ask(&place, "rag:words=10,top=1");
    let shown = &found["reading"]["places"][0];
    let part = &TEXT[shown["start"].as_u64().unwrap() as usize..shown["end"].as_u64().unwrap() as usize];
    assert!(part.contains("mill"), "{part}");
}

#[test]
fn what_a_user_reads_names_strategy_passages_and_failures() {
    let place = place();
    let output = place.run(&[
        "ask",
        "text.md",
        "-q",
        "Who built the mill?",
        "-n",
        "4",
        "--read",
        "rag:top=1,words=10",
    ]);
    assert!(output.status.success());
    let told = said(&output);
    for word in ["strategy retrieval:", "text.md bytes", "shown to the model", "passages: "] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(!String::from_utf8_lossy(&output.stdout).contains("strategy"));
    // A method of the same purpose reads all of the prompt with a draft.
    let output = place.run(&[
        "ask",
        "text.md",
        "-q",
        "mill?",
        "-n",
        "2",
        "--read",
        "spec-pc:budget=100,window=16,from_layer=0",
    ]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn what_cannot_be_is_refused_with_the_way_out() {
    let place = place();
    let fails = |arguments: &[&str], words: &[&str]| {
        let output = place.run(&[&["ask", "-q", "mill?", "-n", "2"], arguments].concat());
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        words.iter().for_each(|word| assert!(said(&output).contains(word), "{word}: {}", said(&output)));
    };
    fails(&["text.md", "--read", "nonsense"], &["nonsense", "alr2"]);
    fails(&["text.md", "--read", "rag:tops=1"], &["tops", "top"]);
    fails(&["text.md", "--read", "rag+i4"], &["i4"]);
    fails(&["text.md", "--read", "rag:by=meaning", "--encoder", "missing-encoder"], &["missing-encoder"]);
    fails(&["text.md", "--read", "infini-retri", "--endpoint", "http://127.0.0.1:9/v1"], &["attention"]);
    fails(&["text.md", "--read", "spec-pc", "--endpoint", "http://127.0.0.1:9/v1"], &["spec-pc"]);
    fails(&["text.md", "--read", "infini-retri:above=2"], &["2 layers"]);
    fails(&["text.md", ".", "--read", "rag"], &["folder"]);
    fails(&["text.md", "--read", "rag", "--headings", "never"], &["--headings"]);
    let endpoint = ["text.md", "--endpoint", "http://127.0.0.1:9/v1", "--budget", "1GiB"];
    fails(&endpoint, &["--budget"]);
}

#[cfg(feature = "search")]
#[test]
fn a_folder_is_asked_by_its_best_passages() {
    let place = place();
    std::fs::create_dir(place.path("village")).unwrap();
    place.write("village/inn.md", "Martha Oakes keeps the inn by the harbour.");
    place.write("village/mill.md", "Lars Holm built the mill.");
    let ask = |more: &[&str]| {
        let arguments = ["ask", "village", "-q", "Who built the mill?", "-n", "3", "--json"];
        place.json(&[&arguments[..], more].concat())
    };
    let answer = ask(&[]);
    assert!(answer["strategy"].as_str().unwrap().starts_with("retrieval:"), "{answer}");
    assert!(answer["reading"]["places"].as_array().unwrap().iter().any(|found| found["file"] == "mill.md"));
    // What was written since is found, and what is gone is not.
    place.write("village/mill.md", "A mill: Kari Moen built it.");
    let changed = ask(&["--read", "alr2:quotes=1"]);
    let shown = changed["reading"]["places"].as_array().unwrap();
    assert!(shown.iter().any(|found| found["file"] == "mill.md" && found["end"] == 27), "{changed}");
    std::fs::remove_file(place.path("village/mill.md")).unwrap();
    std::fs::write(place.path("village/inn.md"), "Gulls.").unwrap();
    let nothing = place.run(&["ask", "village", "-q", "mill", "-n", "3"]);
    assert!(!nothing.status.success() && said(&nothing).contains("no passage"), "{}", said(&nothing));
}
