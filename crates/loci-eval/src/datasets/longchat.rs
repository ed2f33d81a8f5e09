//! LongEval of LongChat: many lines of which one is asked for, and many conversations of which the first is asked for.

use std::collections::BTreeMap;

use super::catalogue::{DataSet, Expected};
use super::common::{TRUNCATE, chosen, declaration, drawn, finished, root, subset};
use super::files::{Record, records};
use super::scoring::{holds, words};
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::metrics::numbers;
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Reads the test cases with lines.
#[derive(Clone, Copy, Debug)]
pub struct LongChatLines;

/// Reads the test cases with topics.
#[derive(Clone, Copy, Debug)]
pub struct LongChatTopics;

const PUBLISHED: &str = "https://github.com/DachengLi1/LongChat (longeval/evaluation)";
const FOLDERS: &[&str] =
    &["longchat", "longchat/longeval/evaluation", "LongChat/longeval/evaluation", "longeval/evaluation"];
const PAPER: &str = "Li et al., How Long Can Open-Source LLMs Truly Promise on Context Length?, 2023";

macro_rules! files {
    ($folder:literal, $($name:literal)*) => {
        &[$(Expected::part(&[
            concat!($folder, "/", $name, "_", $folder, ".jsonl"),
            concat!($folder, "/testcases/", $name, "_", $folder, ".jsonl"),
        ])),*]
    };
}

pub(super) const LINES: DataSet = DataSet {
    id: "longchat-lines",
    published: PUBLISHED,
    licence: "Apache-2.0",
    size: "13 files of 50 test cases",
    folders: FOLDERS,
    files: files!("lines", "200" "300" "400" "500" "600" "680" "700" "800" "900" "1000" "1100" "1200" "1350"),
};

pub(super) const TOPICS: DataSet = DataSet {
    id: "longchat-topics",
    published: PUBLISHED,
    licence: "Apache-2.0",
    size: "7 files of 50 to 150 test cases",
    folders: FOLDERS,
    files: files!("topics", "1" "5" "10" "15" "20" "25" "30"),
};

const OF_LINES: &[&str] =
    &["all", "200", "300", "400", "500", "600", "680", "700", "800", "900", "1000", "1100", "1200", "1350"];
const OF_TOPICS: &[&str] = &["all", "1", "5", "10", "15", "20", "25", "30"];

const LINES_INFO: TaskInfo = TaskInfo {
    method: declaration(
        "longchat-lines",
        "One of hundreds of numbered lines is asked for.",
        PAPER,
        &[subset(OF_LINES), TRUNCATE],
        "Lines of a made-up name and a number, in the published files of 200 to 1,350 lines (about 5,000 to 32,000 \
         tokens). Right is an answer whose last number is that of the line.",
    ),
    diffusion: Level::Low,
    scope: Level::Low,
    metric: "accuracy",
    sized: false,
};

const TOPICS_INFO: TaskInfo = TaskInfo {
    method: declaration(
        "longchat-topics",
        "The first of many conversations is asked for.",
        PAPER,
        &[subset(OF_TOPICS), TRUNCATE],
        "Conversations about topics, one after the other, in the published files. Right is an answer that names the \
         first topic, whatever its case, punctuation and articles; the authors had a model judge it.",
    ),
    diffusion: Level::Low,
    scope: Level::Low,
    metric: "accuracy",
    sized: false,
};

/// Every record of the chosen parts, with the part's name.
fn read(request: &Request<'_>, set: &DataSet, names: &[&str]) -> Result<Vec<(String, Record)>, EvalError> {
    let root = root(request)?;
    let chosen = chosen(request, names);
    let mut parts = Vec::new();
    for (file, name) in set.files.iter().zip(names.iter().skip(1)).filter(|(_, name)| chosen.contains(name)) {
        if let Some(path) = set.file(root, file.names) {
            let of = records(&path)?.into_iter().map(|record| ((*name).to_owned(), record)).collect();
            parts.push(((*name).to_owned(), of));
        }
    }
    if parts.is_empty() {
        return Err(set.missing(root, &format!("file of {}", chosen.join(" or "))));
    }
    drawn(request, parts)
}

/// Text and question: the question begins at the last `mark`.
fn split<'a>(record: &'a Record, mark: &str) -> Result<(&'a str, &'a str), EvalError> {
    let prompt = record.text("prompt")?;
    let at = prompt.rfind(mark).ok_or_else(|| record.error(format!("field \"prompt\" lacks {mark:?}")))?;
    Ok(prompt.split_at(at))
}

impl Task for LongChatLines {
    fn info(&self) -> &'static TaskInfo {
        &LINES_INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let mut examples = Vec::new();
        for (part, record) in read(request, &LINES, OF_LINES)? {
            let (context, question) = split(&record, "\nNow the record is over")?;
            let place = record.list("random_idx")?.get(1).and_then(serde_json::Value::as_f64);
            let lines = record.size("num_lines")?;
            examples.push(Example {
                id: format!("longchat-lines/{part}/{}", record.line),
                context: context.to_owned(),
                turns: vec![Turn {
                    question: question.to_owned(),
                    gold: vec![record.written("expected_number")?],
                    max_tokens: 100,
                    depth: place.map(|place| (place / (lines.max(2) - 1) as f64).clamp(0.0, 1.0)),
                    ..Turn::default()
                }],
                labels: BTreeMap::from([("lines".to_owned(), part)]),
                ..Example::default()
            });
        }
        finished(request, examples)
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let gold = turn.gold.first().map_or("", String::as_str);
        let given = numbers(answer);
        Score::right(given.last().is_some_and(|last| *last == gold))
            .and("somewhere", f64::from(u8::from(given.contains(&gold))))
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let (_, behind) = example.turns.first()?.question.split_once("in line ")?;
        let line = format!("line {}: ", behind.split_once('?')?.0);
        let (_, behind) = example.context.rsplit_once(line.as_str())?;
        Some(vec![(*numbers(behind).first()?).to_owned()])
    }
}

impl Task for LongChatTopics {
    fn info(&self) -> &'static TaskInfo {
        &TOPICS_INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let mut examples = Vec::new();
        for (part, record) in read(request, &TOPICS, OF_TOPICS)? {
            let (context, question) = split(&record, "Now the record ends")?;
            let topics = record.texts("topics")?;
            let Some(first) = topics.first().filter(|first| !words(first).is_empty()) else {
                return Err(record.error("field \"topics\" names no topic"));
            };
            examples.push(Example {
                id: format!("longchat-topics/{part}/{}", record.line),
                context: context.to_owned(),
                turns: vec![Turn {
                    question: question.to_owned(),
                    gold: vec![first.clone()],
                    max_tokens: 50,
                    depth: Some(0.0),
                    ..Turn::default()
                }],
                labels: BTreeMap::from([("topics".to_owned(), part)]),
                ..Example::default()
            });
        }
        finished(request, examples)
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        Score::right(turn.gold.iter().any(|gold| holds(answer, gold)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::common::tests::{examples, golden, refuses};
    use super::*;

    const LINE: &str = concat!(
        r#"{"random_idx": ["b-c", 1], "expected_number": 120, "num_lines": 3, "prompt": "Head\n\n"#,
        r"line a-b: REGISTER_CONTENT is <12>\nline b-c: REGISTER_CONTENT is <120>\n",
        r"line c-d: REGISTER_CONTENT is <7>\n\nNow the record is over. ",
        r#"Tell me what is the <REGISTER_CONTENT> in line b-c? I need the number. "}"#,
    );
    const TOPIC: &str = r#"{"topics": ["The psychology of Bees", "Birds"],
        "prompt": "USER: bees. USER: birds. Now the record ends. What is the first topic?"}"#;

    #[test]
    fn lines_are_read_and_the_last_number_counts() {
        let made = examples("longchat-lines", &[("longchat/lines/200_lines.jsonl", LINE)], 5).unwrap();
        golden(&LongChatLines, &made);
        assert_eq!(LongChatLines.read(&made[0]).unwrap(), ["120"]);
        assert_eq!((made[0].turns[0].depth, made[0].labels["lines"].as_str()), (Some(0.5), "200"));
        let score = |answer: &str| LongChatLines.score(&made[0].turns[0], answer).score;
        assert_eq!((score("line 7 has 120."), score("120 in line 7"), score("1200")), (1.0, 0.0, 0.0));
    }

    #[test]
    fn topics_are_found_in_answers() {
        let made =
            examples("longchat-topics:subset=5", &[("longchat/topics/5_topics.jsonl", TOPIC)], 5).unwrap();
        golden(&LongChatTopics, &made);
        let score = |answer: &str| LongChatTopics.score(&made[0].turns[0], answer).score;
        assert_eq!((score("It was \"the Psychology of bees\"."), score("psychology")), (1.0, 0.0));
        assert!(made[0].turns[0].question.starts_with("Now the record ends"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        refuses(
            "longchat-lines:subset=300",
            &[("longchat/lines/200_lines.jsonl", LINE)],
            &["no file of 300"],
        );
        let lines = |text: &str, words: &[&str]| {
            refuses("longchat-lines", &[("longchat/lines/200_lines.jsonl", text)], words);
        };
        lines("{}", &["200_lines.jsonl, line 1", "\"prompt\""]);
        lines("{\"prompt\": \"x\"}", &["lacks"]);
        lines(&LINE.replace("120,", "[1],"), &["\"expected_number\" should be a text or a number"]);
        let topics = TOPIC.replace("[\"The psychology of Bees\", \"Birds\"]", "[]");
        refuses("longchat-topics", &[("longchat/topics/5_topics.jsonl", &topics)], &["names no topic"]);
    }
}
