//! What holds for every generated task: its text holds the answer, fits its length, and follows from the seed alone.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use loci_models::method::Values;

use crate::datasets::catalogue::DATA_SETS;
use crate::error::EvalError;
use crate::example::Example;
use crate::registry::TASKS;
use crate::sizes::{Tokens, Words};
use crate::task::{Request, Task};

/// Four characters a token.
struct Quarters;

impl Tokens for Quarters {
    fn spans(&self, text: &str) -> Result<Vec<Range<usize>>, EvalError> {
        let mut starts: Vec<usize> = text.char_indices().step_by(4).map(|(at, _)| at).collect();
        starts.push(text.len());
        Ok(starts.windows(2).map(|two| two[0]..two[1]).collect())
    }

    fn overhead(&self) -> usize {
        7
    }
}

/// Sized tasks are the generated ones, but for those that are made of published words.
fn generated() -> impl Iterator<Item = &'static dyn Task> {
    let from_data = |task: &&dyn Task| DATA_SETS.iter().any(|set| set.id == task.info().method.id);
    TASKS.iter().copied().filter(|task| task.info().sized).filter(move |task| !from_data(task))
}

fn make(task: &dyn Task, request: &Request<'_>) -> Vec<Example> {
    task.examples(request).unwrap_or_else(|error| panic!("{}: {error}", task.info().method.id))
}

fn check(task: &dyn Task, request: &Request<'_>, examples: &[Example]) {
    let ids: BTreeSet<&str> = examples.iter().map(|example| example.id.as_str()).collect();
    assert_eq!(ids.len(), examples.len());
    let answers: Vec<Option<Vec<String>>> = examples.iter().map(|example| task.read(example)).collect();
    for (example, read) in examples.iter().zip(&answers) {
        let id = &example.id;
        let size = request.size_of(example).unwrap();
        assert!(size <= example.length && example.length > 0, "{id}: {size} of {}", example.length);
        assert!(!example.turns.is_empty(), "{id}");
        if let Some(read) = read {
            assert_eq!(read.len(), example.turns.len(), "{id}");
        }
        for (at, turn) in example.turns.iter().enumerate() {
            assert!(!turn.gold.is_empty() && turn.gold.iter().all(|gold| !gold.is_empty()), "{id}");
            assert!(task.score(turn, "").score < 1.0, "{id}: the empty answer");
            if let Some(read) = read {
                let score = task.score(turn, &read[at]);
                assert!(
                    (score.score - 1.0).abs() < 1e-12,
                    "{id}: {score:?} for {:?}, not {:?}",
                    read[at],
                    turn.gold
                );
            }
            for (other, other_read) in examples.iter().zip(&answers) {
                let Some(other_turn) = other.turns.get(at).filter(|other| other.gold != turn.gold) else {
                    continue;
                };
                let answer =
                    other_read.as_ref().map_or_else(|| other_turn.gold.join(", "), |read| read[at].clone());
                assert!(task.score(turn, &answer).score < 1.0, "{id}: the answer of {}: {answer}", other.id);
            }
        }
    }
}

/// Checks the examples of a task with parameters.
pub(super) fn solved(spec: &str, lengths: &[usize]) {
    let data = super::fixtures::folder();
    let (task, values) = crate::registry::parse(spec).unwrap();
    for seed in 0..3 {
        let request =
            Request { lengths, n: 2, seed, data: Some(data.path()), ..Request::new(&values, &Words) };
        check(task, &request, &make(task, &request));
    }
}

fn walk(tokens: &dyn Tokens, lengths: &[usize], data: &Path) {
    for task in generated() {
        let values = Values::defaults(&task.info().method);
        let mut firsts: Vec<String> = Vec::new();
        for seed in 0..4 {
            let base = Request { lengths, n: 2, seed, data: Some(data), ..Request::new(&values, tokens) };
            let request = if seed == 3 { Request { depths: &[0.0, 0.5, 1.0], ..base } } else { base };
            let examples = make(task, &request);
            check(task, &request, &examples);
            // Lengths are filled; the fixtures of RULER's questions are too small for that.
            let id = task.info().method.id;
            for example in examples.iter().filter(|made| made.length >= 3000 && !id.starts_with("ruler-qa")) {
                let size = request.size_of(example).unwrap();
                assert!(size + 250 > example.length, "{}: only {size}", example.id);
            }
            firsts.push(examples[0].prompt() + &format!("{:?}", examples[0].sequence));
        }
        assert_eq!(firsts.iter().collect::<BTreeSet<_>>().len(), firsts.len(), "{}", task.info().method.id);
    }
}

#[test]
fn a_program_reads_every_answer_when_words_are_tokens() {
    let data = super::fixtures::folder();
    walk(&Words, &[500, 3000], data.path());
}

#[test]
fn a_program_reads_every_answer_when_four_characters_are_a_token() {
    let data = super::fixtures::folder();
    walk(&Quarters, &[500, 3000], data.path());
}

#[test]
fn examples_depend_on_seed_and_cell_alone() {
    let data = super::fixtures::folder();
    for task in generated() {
        let values = Values::defaults(&task.info().method);
        let base =
            Request { lengths: &[500, 900], n: 2, data: Some(data.path()), ..Request::new(&values, &Words) };
        let all = make(task, &base);
        assert_eq!(all, make(task, &base));
        let alone = make(task, &Request { lengths: &[900], n: 1, ..base });
        assert!(alone.iter().all(|example| all.contains(example)), "{}", task.info().method.id);
    }
}

#[test]
fn the_users_text_is_the_haystack() {
    let data = super::fixtures::folder();
    let text = "Call me what you like, for some years ago I sailed about a little. It is a way I have of \
                driving off gloom! Whenever it is damp in my soul, I go to sea; there is nothing surprising \
                in this, is there?\n\n";
    for task in generated() {
        let values = Values::defaults(&task.info().method);
        let base =
            Request { lengths: &[900], n: 2, data: Some(data.path()), ..Request::new(&values, &Words) };
        let request = Request { haystack: Some(text), ..base };
        check(task, &request, &make(task, &request));
    }
}

#[test]
fn what_does_not_fit_is_refused_and_says_what_would() {
    let data = super::fixtures::folder();
    for task in generated() {
        let values = Values::defaults(&task.info().method);
        let base = Request { lengths: &[20], data: Some(data.path()), ..Request::new(&values, &Words) };
        let error = task.examples(&base).unwrap_err();
        assert!(matches!(error, EvalError::Unmakeable { .. }), "{}: {error}", task.info().method.id);
        assert!(task.examples(&Request { lengths: &[], ..base }).is_err());
    }
}

#[test]
fn long_examples_are_made_quickly() {
    let data = super::fixtures::folder();
    for task in generated() {
        let values = Values::defaults(&task.info().method);
        let request =
            Request { lengths: &[32_000], data: Some(data.path()), ..Request::new(&values, &Quarters) };
        let start = std::time::Instant::now();
        make(task, &request);
        let took = start.elapsed();
        // About a second is wanted; a busy machine may take some times as long.
        assert!(took.as_secs() < 10, "{}: {took:?}", task.info().method.id);
        eprintln!("{}: {took:?}", task.info().method.id);
    }
}
