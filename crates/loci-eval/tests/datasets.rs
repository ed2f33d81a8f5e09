//! Every task over a data set, on the real files of a folder: `LOCI_DATA=DIR cargo test -p loci-eval --test datasets --
//! --ignored --nocapture`. It prints what it saw, and fails where an empty answer scores or a file is broken.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};

use loci_eval::Request;
use loci_eval::datasets::catalogue::{self, State};
use loci_eval::sizes::Words;

#[test]
#[ignore = "needs published data: set LOCI_DATA to their folder"]
fn the_files_of_a_folder_are_read_and_scored() {
    let Some(root) = std::env::var_os("LOCI_DATA").map(PathBuf::from) else {
        println!("skipped: LOCI_DATA is not set");
        return;
    };
    for found in catalogue::check(&root) {
        let missing = found.files.iter().filter(|(_, state)| *state == State::Missing).count();
        println!(
            "{:<18} usable {:<5} {} examples, {missing} of {} files missing",
            found.set.id,
            found.usable(),
            found.examples,
            found.files.len()
        );
        for (name, state) in &found.files {
            assert!(!matches!(state, State::Broken(_)), "{name}: {state:?}");
        }
        if found.usable() {
            run(&root, found.set.id);
        }
    }
}

fn run(root: &Path, id: &str) {
    let (task, values) = loci_eval::registry::parse(id).unwrap();
    let sized = task.info().sized;
    let lengths: &[usize] = if sized { &[2000, 8000] } else { &[] };
    let n = if sized || id == "sort" { 90 } else { usize::MAX };
    let request = Request { n, lengths, data: Some(root), ..Request::new(&values, &Words) };
    let before = std::time::Instant::now();
    let examples = match task.examples(&request) {
        Ok(examples) => examples,
        Err(error) => panic!("{id}: {error}"),
    };
    let took = before.elapsed();
    let (mut questions, mut below, mut words, mut worst) = (0, 0, 0, String::new());
    let mut read = (0, 0);
    for example in &examples {
        words += example.context.split_whitespace().count();
        let answers = task.read(example);
        for (number, turn) in example.turns.iter().enumerate() {
            questions += 1;
            let best = task.score(turn, &turn.gold[0]).score;
            if best < 0.999 {
                below += 1;
                worst = format!("{} {number}: {best:.3} of {:?}", example.id, turn.gold[0]);
            }
            assert_eq!(task.score(turn, "").score, 0.0, "{}: the empty answer scores", example.id);
            if let Some(answers) = &answers {
                read.0 += 1;
                read.1 += usize::from(task.score(turn, &answers[number]).score > 0.999);
            }
        }
    }
    println!(
        "    {} texts, {questions} questions, {} words a text, made in {took:.1?}; {below} golds below 1 {worst}",
        examples.len(),
        words / examples.len().max(1)
    );
    if read.0 > 0 {
        println!("    read by program: {} of {}", read.1, read.0);
    }
}
