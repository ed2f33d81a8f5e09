//! LongIns: many answered questions in one prompt; the wrong ones are to be named.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{DataSet, Expected};
use super::common::{TRUNCATE, declaration, drawn, finished, root, subset};
use super::files::{Record, object};
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::metrics::numbers;
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Reads LongIns.
#[derive(Clone, Copy, Debug)]
pub struct LongIns;

const ID: &str = "long-ins";

macro_rules! files {
    ($($mode:literal)*) => {
        &[$(
            Expected::object(&[concat!($mode, "/256.json")]),
            Expected::object(&[concat!($mode, "/512.json")]),
            Expected::object(&[concat!($mode, "/1024.json")]),
            Expected::object(&[concat!($mode, "/2048.json")]),
            Expected::object(&[concat!($mode, "/4096.json")]),
            Expected::object(&[concat!($mode, "/8192.json")]),
            Expected::object(&[concat!($mode, "/16384.json")]),
        )*]
    };
}

pub(super) const SET: DataSet = DataSet {
    id: ID,
    published: "https://github.com/Ins-Bench/LongIns-Bench (data)",
    licence: "none stated; items come from Super-NaturalInstructions and BIG-bench",
    size: "three settings, seven lengths of 256 to 16,384 tokens",
    folders: &["long-ins", "long-ins/data", "LongIns-Bench", "LongIns-Bench/data"],
    files: files!("GIST" "LIST" "LIMT"),
};

const NAMES: &[&str] = &["all", "GIST", "LIST", "LIMT"];

const INFO: TaskInfo = TaskInfo {
    method: declaration(
        ID,
        "Many answered questions in one prompt; the wrong ones are to be named.",
        "Gavin et al., LongIns: A Challenging Long-context Instruction-based Exam for LLMs, 2024",
        &[
            subset(NAMES),
            counted(
                "size",
                "tokens of the file that is read, 256 to 16,384; 0: all that are there",
                "tokens",
                0,
                (0, 16_384),
            ),
            TRUNCATE,
        ],
        "The score is F1 of the numbers in square brackets, of those behind the word `answer` where there are any. \
         Records in which nothing is wrong are left out: F1 is 0 there whatever is said. An answer that names \
         everything scores 2p/(1+p) where a share p is wrong (`of-everything`). The wording around the items is \
         ours.",
    ),
    diffusion: Level::Low,
    scope: Level::High,
    metric: "F1 of numbers",
    sized: false,
};

const GRADER: &str =
    "You grade an exam. Each item stands in square brackets: its number, the question and the answer given.";
const ASK: &str =
    "Which items have a wrong answer? Give their numbers in square brackets, such as [1, 4].\nAnswer:";

impl Task for LongIns {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let root = root(request)?;
        let (subset, size) = (request.values.word("subset"), request.values.size("size"));
        let mut parts = Vec::new();
        for file in SET.files {
            let name = file.names.first().copied().unwrap_or("");
            let (mode, length) = name.split_once('/').unwrap_or(("", ""));
            let length = length.trim_end_matches(".json");
            let wanted = ["all", mode].contains(&subset) && (size == 0 || length == size.to_string());
            let Some(path) = SET.file(root, file.names).filter(|_| wanted) else { continue };
            let all = object(&path)?;
            let mut of = Vec::new();
            for id in all.names() {
                let record = all.record(id)?;
                if !record.list("error")?.is_empty() {
                    of.push((mode, length, id.to_owned(), record));
                }
            }
            parts.push((name.to_owned(), of));
        }
        if parts.is_empty() {
            let size = if size == 0 { "any size".to_owned() } else { format!("size {size}") };
            return Err(SET.missing(root, &format!("file of {subset} of {size}")));
        }
        let mut examples = Vec::new();
        for (mode, length, id, record) in drawn(request, parts)? {
            examples.push(example(mode, length, &id, &record)?);
        }
        finished(request, examples)
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let gold: BTreeSet<&str> = turn.gold.iter().flat_map(|gold| numbers(gold)).collect();
        let behind = answer.to_lowercase().rfind("answer").and_then(|at| answer.get(at..));
        let given =
            behind.map(bracketed).filter(|given| !given.is_empty()).unwrap_or_else(|| bracketed(answer));
        let hits = given.iter().filter(|number| gold.contains(**number)).count() as f64;
        let sum = (given.len() + gold.len()) as f64;
        let everything = turn.data.get("of-everything").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        Score::of(if hits > 0.0 { 2.0 * hits / sum } else { 0.0 }).and("of-everything", everything)
    }
}

/// Numbers in square brackets.
fn bracketed(text: &str) -> BTreeSet<&str> {
    let groups = text.split('[').skip(1).filter_map(|behind| behind.split_once(']'));
    groups.flat_map(|(inside, _)| numbers(inside)).collect()
}

fn example(mode: &str, length: &str, id: &str, record: &Record) -> Result<Example, EvalError> {
    let wrong = record.all_written("error")?;
    let data = record.text("Data")?;
    let head = if mode == "GIST" {
        format!("{GRADER} The task of the exam: {}", record.text("task_prompt")?)
    } else {
        format!("{GRADER} Each item says its task.")
    };
    // Every item stands in brackets at the beginning of a line.
    let items = data.lines().filter(|line| {
        let number = line.strip_prefix('[').and_then(|line| line.split_once(':')).map(|(number, _)| number);
        number.is_some_and(|number| number.parse::<usize>().is_ok())
    });
    let share = wrong.len() as f64 / items.count().max(wrong.len()) as f64;
    Ok(Example {
        id: format!("{ID}/{mode}/{length}/{id}"),
        context: format!("{head}\n\n{}\n\n", data.trim_end()),
        turns: vec![Turn {
            question: ASK.to_owned(),
            gold: vec![format!("[{}]", wrong.join(", "))],
            max_tokens: 16 + 8 * wrong.len().max(16),
            data: serde_json::json!({ "of-everything": 2.0 * share / (1.0 + share) }),
            ..Turn::default()
        }],
        labels: BTreeMap::from([
            ("setting".to_owned(), mode.to_owned()),
            ("size".to_owned(), length.to_owned()),
        ]),
        ..Example::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::common::tests::{examples, golden, refuses};
    use super::*;

    const FILE: &str = r#"{"task2_add": {"task_prompt": "Add.", "Data": "[0:1+1 Answer: 2]\n\n[1:[2]+1 Answer: 4]\n\n",
        "error": [1], "true_list": [0]}, "task1_none": {"task_prompt": "", "Data": "", "error": []}}"#;

    #[test]
    fn wrong_items_are_named() {
        let made = examples("long-ins", &[("long-ins/data/GIST/256.json", FILE)], 9).unwrap();
        golden(&LongIns, &made);
        assert_eq!((made.len(), made[0].id.as_str()), (1, "long-ins/GIST/256/task2_add"));
        assert!(made[0].context.contains("The task of the exam: Add.\n\n[0:1+1"));
        let score = |answer: &str| LongIns.score(&made[0].turns[0], answer);
        assert_eq!(score("[0:1+1 Answer: 2] and so the answer is [1]").score, 1.0);
        assert_eq!(score("[0, 1]").score, score("").also["of-everything"]);
        assert_eq!((score("1").score, score("[").score), (0.0, 0.0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        refuses("long-ins:size=512", &[("long-ins/GIST/256.json", FILE)], &["no file of all of size 512"]);
        let with =
            |text: &str, words: &[&str]| refuses("long-ins", &[("long-ins/GIST/256.json", text)], words);
        with("{\"a\": {\"Data\": \"\"}}", &["256.json, line 1: a: no field \"error\""]);
        with("{\"a\": 3}", &["\"a\" should be an object"]);
        with("{\"a\": {\"error\": [1], \"Data\": 2}}", &["a: field \"Data\" should be a text"]);
        with("{} {}", &["expected one object"]);
        with("{}", &["0 examples there"]);
    }
}
