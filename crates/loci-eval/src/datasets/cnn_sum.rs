//! CNNSum: summaries of long excerpts of Chinese novels.

use std::collections::{BTreeMap, BTreeSet};

use loci_models::method::{Domain, Parameter, Value};

use super::catalogue::{DataSet, Expected};
use super::common::{TRUNCATE, declaration, drawn_parts, finished, root, subset};
use super::files::object;
use super::scoring;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Reads CNNSum.
#[derive(Clone, Copy, Debug)]
pub struct CnnSum;

const ID: &str = "cnn-sum";

pub(super) const SET: DataSet = DataSet {
    id: ID,
    published: "https://huggingface.co/datasets/CxsGhost/CNNSum (prompts.json in https://github.com/CxsGhost/CNNSum)",
    licence: "as its authors state on the hub",
    size: "695 excerpts of 16,000 to 128,000 tokens",
    folders: &["cnn-sum", "cnn-sum/data", "CNNSum", "CNNSum/data"],
    files: &[
        Expected::table(&["prompts.json"], true),
        Expected::part(&["cnnsum_L_16k.jsonl", "cnnsum_L.jsonl"]),
        Expected::part(&["cnnsum_XL_32k.jsonl", "cnnsum_XL.jsonl"]),
        Expected::part(&["cnnsum_XXL_64k.jsonl", "cnnsum_2XL_64k.jsonl", "cnnsum_2XL.jsonl"]),
        Expected::part(&["cnnsum_XXXL_128k.jsonl", "cnnsum_3XL_128k.jsonl", "cnnsum_3XL.jsonl"]),
    ],
};

const NAMES: &[&str] = &["all", "L", "XL", "2XL", "3XL"];

const INFO: TaskInfo = TaskInfo {
    method: declaration(
        ID,
        "Summaries of long excerpts of Chinese novels.",
        "Wei et al., CNNSum: Exploring Long-Context Summarization with Large Language Models in Chinese Novels, 2024",
        &[
            subset(NAMES),
            Parameter {
                name: "prompt",
                meaning: "whether the request stands before the excerpt (IB), behind it (IE), or each in turn",
                unit: "",
                default: Value::Word("both"),
                domain: Domain::Words(&["both", "IB", "IE"]),
            },
            TRUNCATE,
        ],
        "The two prompts come from `prompts.json`, published with the code. The score is ROUGE-L F of Chinese \
         words, the mean over both prompts; `repetition` is the share of runs of 8 characters that occurred before \
         in the answer: loops fill answers and still score a little.",
    ),
    diffusion: Level::LowMedium,
    scope: Level::High,
    metric: "ROUGE-L",
    sized: false,
};

impl Task for CnnSum {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let root = root(request)?;
        let prompts = object(&SET.path(root, &["prompts.json"])?)?;
        let mut examples = Vec::new();
        for (part, record) in drawn_parts(request, &SET, 1, NAMES)? {
            for prompt in ["IB", "IE"] {
                if !["both", prompt].contains(&request.values.word("prompt")) {
                    continue;
                }
                let name = format!("Prompt-{prompt}");
                let template = prompts.text(&name)?;
                let (head, tail) = template
                    .split_once("{}")
                    .ok_or_else(|| prompts.error(format!("field {name:?} has no {{}} for the text")))?;
                let gold = record.text("summary")?;
                examples.push(Example {
                    id: format!("{ID}/{part}/{prompt}/{}", record.line),
                    context: format!("{head}{}", record.text("context")?),
                    turns: vec![Turn {
                        question: tail.to_owned(),
                        gold: vec![gold.to_owned()],
                        max_tokens: if matches!(part, "L" | "XL") { 400 } else { 500 },
                        ..Turn::default()
                    }],
                    labels: BTreeMap::from([
                        ("dataset".to_owned(), part.to_owned()),
                        ("prompt".to_owned(), prompt.to_owned()),
                        ("language".to_owned(), "zh".to_owned()),
                    ]),
                    ..Example::default()
                });
            }
        }
        finished(request, examples)
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let gold = turn.gold.first().map_or("", String::as_str);
        Score::of(scoring::rouge_l_chinese(answer, gold).f).and("repetition", repetition(answer))
    }
}

fn repetition(answer: &str) -> f64 {
    let letters: Vec<char> = answer.chars().collect();
    let different: BTreeSet<&[char]> = letters.windows(8).collect();
    match letters.windows(8).count() {
        0 => 0.0,
        runs => 1.0 - different.len() as f64 / runs as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::super::common::tests::{examples, golden, refuses};
    use super::*;

    const PROMPTS: (&str, &str) =
        ("cnn-sum/prompts.json", r#"{"Prompt-IE": "文：{}写：", "Prompt-IB": "写：{}要："}"#);
    const TEXT: &str = r#"{"context": "从前有山{}。", "summary": "有山。山上有庙。"}"#;

    #[test]
    fn both_prompts_and_the_score() {
        let made = examples("cnn-sum", &[PROMPTS, ("cnn-sum/cnnsum_L_16k.jsonl", TEXT)], 9).unwrap();
        golden(&CnnSum, &made);
        assert_eq!((made.len(), made[0].prompt().as_str()), (2, "写：从前有山{}。要："));
        let one = examples("cnn-sum:prompt=IE", &[PROMPTS, ("cnn-sum/cnnsum_L_16k.jsonl", TEXT)], 9).unwrap();
        assert_eq!((one.len(), one[0].labels["prompt"].as_str()), (1, "IE"));
        assert_eq!((repetition(""), repetition("一二三四五六七八")), (0.0, 0.0));
        assert!(repetition(&"一二三四五六七八".repeat(9)) > 0.8);
    }

    #[test]
    fn what_is_wrong_is_named() {
        refuses("cnn-sum", &[PROMPTS], &["no cnnsum_L_16k.jsonl or cnnsum_XL_32k.jsonl"]);
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0";
        let with = |text: &str, words: &[&str]| {
            refuses("cnn-sum", &[PROMPTS, ("cnn-sum/cnnsum_L_16k.jsonl", text)], words);
        };
        with(pointer, &["cnnsum_L_16k.jsonl, line 1: not JSON"]);
        with("{\"context\": 1, \"summary\": \"a\"}", &["\"context\" should be a text"]);
        with("{\"context\": \"a\"}", &["no field \"summary\""]);
        let bad = ("cnn-sum/prompts.json", r#"{"Prompt-IE": "x", "Prompt-IB": "y"}"#);
        refuses("cnn-sum", &[bad, ("cnn-sum/cnnsum_L_16k.jsonl", TEXT)], &["\"Prompt-IB\" has no {}"]);
    }
}
