//! `loci embed` as its users meet it, with the tiny encoder of loci-models' tests and with the real one.
#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../loci-models/tests/fixtures/bert-mean")
}

fn embed(model: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loci"));
    command.arg("embed").args(arguments).arg("-m").arg(model).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that ended early has not read it, which is fine.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn vector(line: &Value) -> Vec<f64> {
    line["embedding"].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn a_line_of_json_for_each_text_however_it_is_given() {
    let typed = lines(&embed(&tiny(), &["the memory palace", "in walks", ""], ""));
    assert_eq!(typed.len(), 3);
    assert_eq!((&typed[0]["index"], &typed[0]["text"]), (&0.into(), &"the memory palace".into()));
    assert_eq!((&typed[0]["tokens"], &typed[2]["tokens"]), (&7.into(), &2.into()));
    assert_eq!(vector(&typed[0]).len(), 24);
    let length: f64 = vector(&typed[0]).iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-5);
    let read = lines(&embed(&tiny(), &["-f", "-"], "the memory palace\nin walks\n\n"));
    assert_eq!(read, typed);
    // More than are computed together: indices go on.
    let many = lines(&embed(&tiny(), &["-f", "-", "--threads", "1"], &"in walks\n".repeat(150)));
    assert_eq!((many.len(), &many[149]["index"]), (150, &149.into()));
    assert!(many.iter().all(|line| line["embedding"] == typed[1]["embedding"]));
    assert!(lines(&embed(&tiny(), &["-f", "-"], "")).is_empty());
}

#[test]
fn a_long_text_is_refused_with_the_flag_that_helps() {
    let long = "in walks\n".repeat(100) + &"memory ".repeat(30);
    let output = embed(&tiny(), &["-f", "-"], &long);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("text 100 has 62 tokens") && said.contains("20") && said.contains("--windows"),
        "{said}"
    );
    let line = lines(&embed(&tiny(), &["--windows", &"memory ".repeat(30)], "")).remove(0);
    assert_eq!((&line["windows"], &line["tokens"]), (&4.into(), &68.into()));
}

#[test]
fn what_is_no_encoder_is_refused() {
    let nowhere = embed(Path::new("nowhere"), &["a"], "");
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("minilm"), "the catalogue is named");
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("../loci-models/tests/fixtures/llama-tied");
    let refused = embed(&other, &["a"], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("bert"), "what would do is named");
    assert_eq!(embed(&tiny(), &[], "").status.code(), Some(2));
}

#[test]
fn the_real_encoder_puts_like_sentences_together() {
    let Some(path) = loci_testing::real_encoder() else { return };
    let texts =
        ["A cat sleeps on the sofa.", "The kitten naps on the couch.", "Interest rates rose in March."];
    let vectors: Vec<Vec<f64>> = lines(&embed(&path, &texts, "")).iter().map(vector).collect();
    let like = |a: usize, b: usize| -> f64 { vectors[a].iter().zip(&vectors[b]).map(|(a, b)| a * b).sum() };
    assert!(like(0, 1) > 0.4 && like(0, 1) > like(0, 2) + 0.3, "{} {}", like(0, 1), like(0, 2));
}
