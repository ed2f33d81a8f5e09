//! The main job with the real model. Runs only where LOCI_TEST_MODEL names its file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use std::process::Command;

use serde_json::Value;

const VARIABLE: &str = "LOCI_TEST_MODEL";

#[test]
fn a_key_behind_the_window_is_found_and_pointed_at() {
    let Some(model) = std::env::var_os(VARIABLE) else {
        eprintln!("skipped: {VARIABLE} does not name a model file");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let filler =
        "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.\n";
    let needle = "The pass key is 71432. Remember it. 71432 is the pass key.\n";
    // About 10,000 tokens, more than the 8,192 the model was trained with.
    let text = filler.repeat(140) + needle + &filler.repeat(260);
    std::fs::write(folder.path().join("key.txt"), &text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_loci"))
        .args([
            "ask",
            "key.txt",
            "-q",
            "What is the pass key?",
            "--method",
            "inf-llm",
            "-n",
            "24",
            "--json",
            "-m",
        ])
        .arg(model)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer["context"]["given"].as_u64().unwrap() > 9_000);
    assert!(answer["answer"].as_str().unwrap().contains("71432"), "{answer}");
    let found = answer["evidence"].as_array().unwrap();
    assert!(found.iter().any(|found| found["text"].as_str().unwrap().contains("71432")), "{answer}");
}
