//! SCBench: several questions about one context, over the whole life of a cache.

use std::collections::BTreeMap;

use loci_models::method::{Domain, Parameter, Value};
use serde_json::json;

use super::catalogue::{DataSet, Expected};
use super::common::{TRUNCATE, carried, declaration, drawn_parts, filled, finished, root, subset};
use super::files::{Record, object};
use super::scbench_score::{Metric, score};
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Mode, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Reads SCBench.
#[derive(Clone, Copy, Debug)]
pub struct ScBench;

const ID: &str = "scbench";

macro_rules! files {
    ($($name:literal)*) => {
        &[
            Expected::table(&["prompts.json"], false),
            $(Expected::part(&[concat!("scbench_", $name, ".jsonl"), concat!("scbench_", $name, ".json")])),*
        ]
    };
}

pub(super) const SET: DataSet = DataSet {
    id: ID,
    published: "https://huggingface.co/datasets/microsoft/SCBench (data)",
    licence: "MIT",
    size: "931 contexts of about 227,000 tokens, 4,853 questions",
    folders: &["scbench", "scbench/data", "SCBench", "SCBench/data"],
    files: files!(
        "kv" "prefix_suffix" "vt" "repoqa" "qa_eng" "qa_chn" "choice_eng" "many_shot" "mf" "summary"
        "summary_with_needles" "repoqa_and_kv" "kv_hard" "kv_compressible" "hashhop" "passkey"
    ),
};

const NAMES: &[&str] = &[
    "all",
    "kv",
    "prefix_suffix",
    "vt",
    "repoqa",
    "qa_eng",
    "qa_chn",
    "choice_eng",
    "many_shot",
    "mf",
    "summary",
    "summary_with_needles",
    "repoqa_and_kv",
    "kv_hard",
    "kv_compressible",
    "hashhop",
    "passkey",
];

const INFO: TaskInfo = TaskInfo {
    method: declaration(
        ID,
        "Several questions about one long context, in one conversation or by many users.",
        "Li et al., SCBench: A KV Cache-Centric Analysis of Long-Context Methods, 2024",
        &[
            subset(NAMES),
            Parameter {
                name: "mode",
                meaning: "multi-turn: each question follows the ones before it; multi-request: each is asked about the \
                          context alone",
                unit: "",
                default: Value::Word("multi-turn"),
                domain: Domain::Words(&["multi-turn", "multi-request"]),
            },
            counted("turns", "questions of a context that are asked; 0: all", "questions", 0, (0, 1000)),
            TRUNCATE,
        ],
        "What is dropped for the first question is missing for the second: `turn-1`, `turn-2`, … show it. \
         `truncate` leaves out the middle of context and first question only, as the authors do. The instruction \
         before a context is ours; theirs is used where the folder has a `prompts.json` of templates by task with \
         `{context}`. A function counts as found where its BLEU with the wanted one is at least 0.8 and higher than \
         with any other asked for.",
    ),
    diffusion: Level::LowMedium,
    scope: Level::MediumHigh,
    metric: "accuracy, F1 or ROUGE-L, by task",
    sized: false,
};

/// Instruction, metric and limit of a task's turns. Mixed tasks name them turn by turn.
const fn of(task: &str) -> Option<(&'static str, Metric, usize)> {
    Some(match task.as_bytes() {
        b"kv" | b"kv_hard" => ("Find the values of keys in this JSON object.", Metric::Contains, 150),
        b"kv_compressible" => ("Find the values of keys in this text.", Metric::Contains, 150),
        b"prefix_suffix" | b"hashhop" => ("", Metric::Contains, 150),
        b"vt" => ("", Metric::Names, 30),
        b"repoqa" => {
            ("Find functions in this code by their descriptions and repeat them.", Metric::Function, 1024)
        }
        b"qa_eng" => ("Read the book and answer the question very briefly.", Metric::AnyContained, 40),
        b"qa_chn" => ("请阅读这本书，然后回答问题。", Metric::Characters, 40),
        b"choice_eng" => ("Read the book and choose the right answer.", Metric::Letter, 40),
        b"many_shot" => ("", Metric::AnyContained, 10),
        b"mf" => ("Here is a list of numbers.", Metric::Number, 5),
        b"summary" => ("", Metric::Summary, 200),
        b"passkey" => ("Remember the important information in this text.", Metric::FirstInteger, 15),
        _ => return None,
    })
}

impl Task for ScBench {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let root = root(request)?;
        let prompts = SET.file(root, &["prompts.json"]).map(|path| object(&path)).transpose()?;
        let mut examples = Vec::new();
        for (part, record) in drawn_parts(request, &SET, 1, NAMES)? {
            examples.push(example(request, part, &record, prompts.as_ref())?);
        }
        finished(request, examples)
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let Some((_, metric, _)) = of(carried(turn, "part")) else { return Score::of(0.0) };
        let value = score(metric, turn, answer);
        let number = turn.data.get("turn").and_then(serde_json::Value::as_u64).unwrap_or(u64::MAX);
        let place = usize::try_from(number).ok().and_then(|number| TURNS.get(number));
        place.map_or(Score::of(value), |name| Score::of(value).and(name, value))
    }
}

/// Names of the figures by turn.
const TURNS: [&str; 10] =
    ["turn-1", "turn-2", "turn-3", "turn-4", "turn-5", "turn-6", "turn-7", "turn-8", "turn-9", "turn-10"];

fn example(
    request: &Request<'_>,
    part: &'static str,
    record: &Record,
    prompts: Option<&Record>,
) -> Result<Example, EvalError> {
    let context = if record.has("context") { record.text("context")? } else { record.text("input")? };
    let multi_turn = request.values.word("mode") == "multi-turn";
    let most = match request.values.size("turns") {
        0 => usize::MAX,
        most => most,
    };
    let asked = record.records("multi_turns")?;
    let functions = functions(&asked)?;
    let mut turns = Vec::new();
    for (number, one) in asked.iter().take(most).enumerate() {
        let mut made = turn(part, one)?;
        // In a conversation a question begins a message of its own; behind the context it needs a blank line.
        if number == 0 || !multi_turn {
            made.question = format!("\n\n{}", made.question);
        }
        if let Some(data) = made.data.as_object_mut() {
            data.insert("turn".to_owned(), json!(number));
            if data.get("part") == Some(&json!("repoqa")) {
                data.insert("functions".to_owned(), json!(functions));
            }
        }
        turns.push(made);
    }
    if turns.is_empty() {
        return Err(record.error("field \"multi_turns\" is empty"));
    }
    let instructed = match prompts.filter(|prompts| prompts.has(&format!("scbench_{part}"))) {
        Some(prompts) => {
            let template = prompts.text(&format!("scbench_{part}"))?;
            let before = template.split("{input}").next().unwrap_or("").trim_end();
            filled(before, &[("context", context)])
        }
        None => match of(part) {
            Some((instruction, ..)) if !instruction.is_empty() => format!("{instruction}\n\n{context}"),
            _ => context.to_owned(),
        },
    };
    Ok(Example {
        id: format!("{ID}/{part}/{}", record.line),
        context: instructed,
        turns,
        mode: if multi_turn { Mode::InTurn } else { Mode::Apart },
        labels: BTreeMap::from([("dataset".to_owned(), part.to_owned())]),
        ..Example::default()
    })
}

/// All functions asked for about one context.
fn functions(asked: &[Record]) -> Result<Vec<String>, EvalError> {
    let mut all = Vec::new();
    for turn in asked.iter().filter(|turn| turn.has("func_name")) {
        all.extend(turn.all_written("answer")?);
    }
    Ok(all)
}

fn turn(part: &'static str, record: &Record) -> Result<Turn, EvalError> {
    let part = match part {
        "summary_with_needles" | "repoqa_and_kv" => {
            record.text("task")?.trim_start_matches("scbench_").to_owned()
        }
        _ => part.to_owned(),
    };
    let Some((_, metric, limit)) = of(&part) else {
        return Err(
            record.error(format!("field \"task\" is {part:?}; expected summary, passkey, repoqa or kv"))
        );
    };
    let mixed = record.has("task");
    let max_tokens = match part.as_str() {
        "summary" if mixed => 800,
        "kv" if mixed => 80,
        _ => limit,
    };
    let input = record.text("input")?;
    let mut gold = record.all_written("answer")?;
    let mut choices = Vec::new();
    let question = match part.as_str() {
        "qa_eng" => format!("Question: {input}\nAnswer:"),
        "qa_chn" => format!("问题：{input}\n答案："),
        "choice_eng" => {
            let options = record.texts("options")?;
            choices = ["A", "B", "C", "D"].map(str::to_owned).to_vec();
            gold = vec![letter(record, &gold, &options)?];
            let list: Vec<String> =
                choices.iter().zip(&options).map(|(letter, option)| format!("{letter}. {option}")).collect();
            format!("Question: {input}\n{}\n\nThe right answer is", list.join("\n"))
        }
        _ => input.to_owned(),
    };
    if gold.is_empty() || gold.iter().any(String::is_empty) {
        return Err(record.error("field \"answer\" is empty"));
    }
    if matches!(metric, Metric::Number) && gold.first().is_none_or(|gold| gold.parse::<f64>().is_err()) {
        return Err(record.error("field \"answer\" should be a number"));
    }
    Ok(Turn { question, gold, max_tokens, choices, data: json!({ "part": part }), ..Turn::default() })
}

/// The letter of the right option, whether the data give the letter or the option.
fn letter(record: &Record, gold: &[String], options: &[String]) -> Result<String, EvalError> {
    const LETTERS: [&str; 4] = ["A", "B", "C", "D"];
    if let Some(letter) = gold.iter().find(|gold| LETTERS.contains(&gold.as_str())) {
        return Ok(letter.clone());
    }
    let at = options.iter().position(|option| gold.contains(option));
    let letter = at.and_then(|at| LETTERS.get(at)).map(|letter| (*letter).to_owned());
    letter.ok_or_else(|| record.error("field \"answer\" is no letter from A to D and none of \"options\""))
}

#[cfg(test)]
mod tests {
    use super::super::common::tests::{examples, golden, refuses};
    use super::*;

    fn record(turns: &str) -> String {
        format!("{{\"id\": 1, \"context\": \"Text {{input}}.\", \"multi_turns\": [{turns}]}}")
    }

    fn made(part: &str, turns: &str, more: &str) -> Vec<Example> {
        let file = format!("scbench/scbench_{part}.jsonl");
        examples(&format!("scbench{more}"), &[(&file, &record(turns))], 9).unwrap()
    }

    #[test]
    fn turns_follow_each_other_or_stand_apart() {
        let turns = r#"{"input": "Key a:", "answer": "1"}, {"input": "Key b:", "answer": "2"}"#;
        let talk = made("kv", turns, "");
        golden(&ScBench, &talk);
        assert_eq!((talk[0].mode, talk[0].turns[1].question.as_str()), (Mode::InTurn, "Key b:"));
        assert!(talk[0].prompt().ends_with("Text {input}.\n\nKey a:"));
        assert_eq!(ScBench.score(&talk[0].turns[1], "it is 2").also["turn-2"], 1.0);
        let apart = made("kv", turns, ":mode=multi-request,turns=1");
        assert_eq!((apart[0].mode, apart[0].turns.len()), (Mode::Apart, 1));
        let cut = made("kv", turns, ":truncate=4");
        assert_eq!((cut.len(), cut[0].turns.len(), cut[0].turns[1].question.as_str()), (1, 2, "Key b:"));
    }

    #[test]
    fn every_metric_gives_its_gold_full_score() {
        for (part, turn) in [
            ("prefix_suffix", r#"{"input": "a", "answer": "xyz"}"#),
            ("hashhop", r#"{"input": "a", "answer": "xyz"}"#),
            ("kv_hard", r#"{"input": "a", "answer": "xyz"}"#),
            ("kv_compressible", r#"{"input": "a", "answer": "xyz"}"#),
            ("vt", r#"{"input": "a", "answer": ["XYZ"]}"#),
            (
                "repoqa",
                r#"{"input": "a", "answer": "fn f(a) { a + 1 }", "func_name": "f", "repo": "r", "lang": "rust"}"#,
            ),
            ("qa_eng", r#"{"input": "a", "answer": ["Bob", "Rob"]}"#),
            ("qa_chn", r#"{"input": "a", "answer": ["小猫"]}"#),
            (
                "choice_eng",
                r#"{"input": "a", "answer": ["two"], "options": ["one", "two", "three", "four"]}"#,
            ),
            ("many_shot", r#"{"input": "a", "answer": "label_3"}"#),
            ("mf", r#"{"input": "a", "answer": 17}"#),
            ("summary", r#"{"input": "a", "answer": "One line.\nAnother."}"#),
            ("passkey", r#"{"input": "a", "answer": "123"}"#),
            ("summary_with_needles", r#"{"input": "a", "answer": "123", "task": "scbench_passkey"}"#),
            ("repoqa_and_kv", r#"{"input": "a", "answer": "v", "task": "scbench_kv"}"#),
        ] {
            golden(&ScBench, &made(part, turn, ""));
        }
        let choice = made(
            "choice_eng",
            r#"{"input": "Who?", "answer": "B", "options": ["one", "two", "three", "four"]}"#,
            "",
        );
        assert!(choice[0].turns[0].question.contains("Question: Who?\nA. one\nB. two\n"));
    }

    #[test]
    fn published_prompts_are_used_where_the_folder_has_them() {
        let files = [
            ("scbench/scbench_kv.jsonl", &*record(r#"{"input": "k", "answer": "1"}"#)),
            ("scbench/prompts.json", r#"{"scbench_kv": "Theirs:\n\n{context}\n\n{input}"}"#),
        ];
        let made = examples("scbench", &files, 9).unwrap();
        assert_eq!(made[0].prompt(), "Theirs:\n\nText {input}.\n\nk");
    }

    #[test]
    fn what_is_wrong_is_named() {
        refuses("scbench:subset=kv", &[], &["no scbench_kv.jsonl"]);
        let with = |part: &str, turns: &str, words: &[&str]| {
            let file = format!("scbench/scbench_{part}.jsonl");
            refuses("scbench", &[(&file, &record(turns))], words);
        };
        with("kv", "", &["scbench_kv.jsonl, line 1", "\"multi_turns\" is empty"]);
        with("kv", "3", &["\"multi_turns\" should be a list of objects"]);
        with("kv", "{\"input\": \"a\"}", &["no field \"answer\""]);
        with("kv", "{\"input\": \"a\", \"answer\": {}}", &["\"answer\" should be texts or numbers"]);
        with("kv", "{\"input\": \"a\", \"answer\": \"\"}", &["\"answer\" is empty"]);
        with("mf", "{\"input\": \"a\", \"answer\": \"x\"}", &["should be a number"]);
        with(
            "repoqa_and_kv",
            "{\"input\": \"a\", \"answer\": \"x\", \"task\": \"scbench_new\"}",
            &["\"new\""],
        );
        with(
            "choice_eng",
            "{\"input\": \"a\", \"answer\": \"E\", \"options\": [\"x\"]}",
            &["none of \"options\""],
        );
        refuses("scbench", &[("scbench/scbench_kv.jsonl", "{\"multi_turns\": []}")], &["no field \"input\""]);
    }
}
