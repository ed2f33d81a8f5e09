//! `loci eval recall` and `loci eval memory` as their users meet them.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod common;

use std::process::{Command, Output, Stdio};

use common::said;
use serde_json::Value;

fn loci(folder: &std::path::Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loci"));
    command.arg("eval").args(arguments).current_dir(folder).stdin(Stdio::null());
    command.env("TMPDIR", folder).env("LOCI_CACHE", folder.join("cache")).output().unwrap()
}

fn run(folder: &std::path::Path, arguments: &[&str]) -> String {
    let output = loci(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn recall_compares_choices_over_generated_histories() {
    let folder = tempfile::tempdir().unwrap();
    let json = run(folder.path(), &["recall", "--sessions", "25", "--questions", "12", "--json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((report["questions"].as_u64(), report["left_out"][0][1].as_u64()), (Some(10), Some(2)));
    let rows = report["rows"].as_array().unwrap();
    // Two units, two kinds of keys, days on and off, k 5 and 10; five kinds of questions, and all of them.
    assert_eq!(rows.len(), 2 * 2 * 2 * 2 * 6);
    assert!(rows.iter().all(|row| row["recall_any"]["mean"].as_f64() >= row["recall_all"]["mean"].as_f64()));
    assert!(report["differences"].as_array().unwrap().iter().any(|one| one["of"] == "days"));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "no store is left behind: {left:?}");
}

#[test]
fn recall_reads_the_published_form_and_the_samples() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("long-mem-eval");
    std::fs::create_dir(&data).unwrap();
    let published = r#"[{"question_id": "q", "question_type": "multi-session", "question": "Which instrument do I play?", "answer": "oboe",
        "question_date": "2023/06/01 (Thu) 10:00", "haystack_session_ids": ["b", "answer_a"],
        "haystack_dates": ["2023/05/21 (Sun) 10:00", "2023/05/20 (Sat) 09:00"], "answer_session_ids": ["answer_a"],
        "haystack_sessions": [[{"role": "user", "content": "How do tides work?"}],
            [{"role": "user", "content": "I play the oboe, an instrument I bought.", "has_answer": true}, {"role": "assistant", "content": "Nice."}]]}]"#;
    std::fs::write(data.join("longmemeval_s.json"), published).unwrap();
    let root = folder.path().to_str().unwrap();
    let report: Value =
        serde_json::from_str(&run(folder.path(), &["recall", "--data", root, "--json"])).unwrap();
    assert!(
        report["rows"].as_array().unwrap().iter().all(|row| row["recall_all"]["mean"] == 1.0),
        "{report}"
    );
    std::fs::remove_file(data.join("longmemeval_s.json")).unwrap();
    let sample = r#"{"id": "x", "question_type": "multi-session", "conversation": [
        {"role": "user", "content": "I play the oboe.", "date": "2023/05/20 (Sat) 09:00"}, {"role": "user", "content": "How do tides work?", "date": "2023/05/21 (Sun) 09:00"}],
        "questions": [{"id": "q1", "question": "What do I play?", "answer": "the oboe"}]}"#;
    std::fs::write(data.join("oracle_sample.jsonl"), sample.replace('\n', "")).unwrap();
    let table = run(folder.path(), &["recall", "--data", root, "--subset", "all"]);
    assert!(
        table.contains("own record") && table.contains("not comparable with published figures"),
        "{table}"
    );
    assert!(table.contains("answer") && table.contains("what days do cannot be seen here"), "{table}");
}

#[test]
fn memory_gives_settings_panels_and_a_card() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["memory", "--sessions", "25", "--questions", "12", "--card", "card.json"];
    let table = run(folder.path(), &arguments);
    for shown in
        ["sr-off", "online + topics", "P1 write and time", "Procedure-F1", "not measured", "Freshness-Hit"]
    {
        assert!(table.contains(shown), "{shown}: {table}");
    }
    let card: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("card.json")).unwrap()).unwrap();
    for block in ["correctness", "faithfulness", "position_robustness", "timeliness", "refusal"] {
        assert!(card["results"][0][block].as_array().is_some_and(|figures| !figures.is_empty()), "{block}");
    }
    for line in ["texts", "updates", "unanswerable", "memory", "retriever", "deduplication", "correction"] {
        assert!(card["card"][line].as_str().is_some_and(|text| !text.is_empty()), "{line}");
    }
    let json: Value = serde_json::from_str(&run(
        folder.path(),
        &["memory", "--sessions", "25", "--questions", "12", "--json"],
    ))
    .unwrap();
    assert_eq!(json["arms"].as_array().unwrap().len(), 14);
}

#[test]
fn what_cannot_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [&["memory", "--sessions", "3"][..], &["recall", "--most-words", "5"], &["recall", "--subset", "s"]]
    {
        assert_eq!(loci(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}
