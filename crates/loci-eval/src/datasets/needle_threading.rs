//! Needle threading: values and chains of values in haystacks of random keys.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::catalogue::{DataSet, Expected};
use super::common::{TRUNCATE, carried, declaration, drawn_parts, finished, subset};
use super::files::Record;
use super::literal::{list, literal};
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::metrics::presence::begins_with;
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Reads the published haystacks of needle threading.
#[derive(Clone, Copy, Debug)]
pub struct NeedleThreading;

const ID: &str = "needle-threading";

pub(super) const SET: DataSet = DataSet {
    id: ID,
    published: "https://huggingface.co/datasets/jonathan-roberts1/needle-threading (json_data.zip)",
    licence: "as its authors state on the hub",
    size: "five tasks, 660 questions with one needle, haystacks up to 630,000 tokens",
    folders: &[
        "needle-threading",
        "needle-threading/json_data",
        "needle-threading/data/json_data",
        "json_data",
    ],
    files: &[
        Expected::part(&["Single_Needle.json", "Single_Needle.jsonl"]),
        Expected::part(&["Multiple_Needles.json", "Multi_Needle.json", "Multi_Needle.jsonl"]),
        Expected::part(&["Conditional_Needles.json", "Conditional_Needle.json", "Conditional_Needle.jsonl"]),
        Expected::part(&["Single_Threads.json", "Single_Thread.json", "Single_Thread.jsonl"]),
        Expected::part(&["Multi_Threads.json", "Multi_Thread.json", "Multi_Thread.jsonl"]),
    ],
};

const NAMES: &[&str] =
    &["all", "single-needle", "multiple-needles", "conditional-needles", "single-threads", "multi-threads"];

const INFO: TaskInfo = TaskInfo {
    method: declaration(
        ID,
        "Values and chains of values in a haystack of random keys.",
        "Roberts et al., Needle Threading: Can LLMs Follow Threads through Near-Million-Scale Haystacks?, 2024",
        &[subset(NAMES), TRUNCATE],
        "A JSON object of random keys and values; asked for are one value, several, those whose keys hold a \
         character, or the end of one or more chains in which a value is the next key. The score is the share of \
         values given at their places (in any order where no keys are listed); `all` is 1 where none is missing. \
         `characters` is the length the authors state: tokens differ by tokenizer.",
    ),
    diffusion: Level::LowMedium,
    scope: Level::LowMedium,
    metric: "share of values",
    sized: false,
};

impl Task for NeedleThreading {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let examples: Result<Vec<Example>, EvalError> = drawn_parts(request, &SET, 0, NAMES)?
            .into_iter()
            .map(|(part, record)| example(part, &record))
            .collect();
        finished(request, examples?)
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let gold = &turn.gold;
        let given = given(answer, gold.len());
        let held = if carried(turn, "part") == "conditional-needles" {
            gold.iter().filter(|value| given.contains(value)).count()
        } else {
            let at_place = gold.iter().zip(&given).filter(|(value, given)| begins_with(given, value));
            at_place.count()
        };
        let share = held as f64 / gold.len().max(1) as f64;
        Score::of(share).and("all", f64::from(u8::from(held == gold.len())))
    }
}

/// The values of an answer: a literal, a list somewhere in it, or texts between commas.
fn given(answer: &str, count: usize) -> Vec<String> {
    let text =
        |value: &Value| value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned());
    let answer = answer.trim();
    match literal(answer).filter(|value| value.is_array() || value.is_string()) {
        Some(Value::Array(items)) => return items.iter().map(text).collect(),
        Some(Value::String(one)) => return vec![one.trim().to_owned()],
        _ => {}
    }
    if count > 1
        && let Some(items) = list(answer)
    {
        return items.iter().map(text).collect();
    }
    let plain = |one: &str| {
        one.trim_matches(|letter: char| letter.is_whitespace() || "\"'`[]".contains(letter)).to_owned()
    };
    if count > 1 {
        answer.split([',', '\n']).map(plain).filter(|one| !one.is_empty()).collect()
    } else {
        vec![plain(answer)]
    }
}

fn values(record: &Record) -> Result<Vec<String>, EvalError> {
    let values = match record.value("values")? {
        Value::String(text) => match literal(text) {
            Some(Value::Array(items)) => {
                items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
            }
            _ => vec![text.clone()],
        },
        _ => record.all_written("values")?,
    };
    if values.iter().any(String::is_empty) || values.is_empty() {
        return Err(record.error("field \"values\" has no values"));
    }
    Ok(values)
}

fn example(part: &'static str, record: &Record) -> Result<Example, EvalError> {
    let gold = values(record)?;
    let mut labels = BTreeMap::from([("dataset".to_owned(), part.to_owned())]);
    for (field, label) in [
        ("context_length", "characters"),
        ("num_needles", "needles"),
        ("needle_placement", "placement"),
        ("thread_length", "links"),
        ("thread_direction", "direction"),
        ("num_threads", "threads"),
    ] {
        if record.has(field) {
            let value = record.written(field)?;
            if value != "N/A" {
                labels.insert(label.to_owned(), value);
            }
        }
    }
    let depth =
        if record.has("needle_depth") { record.written("needle_depth")?.parse::<f64>().ok() } else { None };
    Ok(Example {
        id: format!("{ID}/{part}/{}", record.line),
        context: format!("{}\n", record.text("haystack")?),
        turns: vec![Turn {
            question: record.text("question")?.to_owned(),
            max_tokens: if gold.len() > 1 { 50 * gold.len() } else { 100 },
            gold,
            depth: depth.filter(|depth| (0.0..=100.0).contains(depth)).map(|depth| depth / 100.0),
            data: json!({ "part": part }),
            ..Turn::default()
        }],
        labels,
        ..Example::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::common::tests::{examples, golden, refuses};
    use super::*;

    const SINGLE: &str = r#"[{"id": 0, "haystack": "{\"k-1\": \"v-1\"}", "keys": "k-1", "values": "v-1",
        "question": "Key: \"k-1\" value: ", "context_length": 2000, "needle_depth": "50", "num_needles": 1,
        "needle_placement": "depthwise", "conditional_character": "N/A", "thread_direction": "N/A"}]"#;
    const MANY: &str = r#"{"haystack": "{}", "values": "['v-1', 'v-2']", "question": "?"}"#;

    #[test]
    fn one_value_and_lists() {
        let made =
            examples("needle-threading", &[("needle-threading/json_data/Single_Needle.json", SINGLE)], 9)
                .unwrap();
        golden(&NeedleThreading, &made);
        assert_eq!((made[0].turns[0].depth, made[0].labels["characters"].as_str()), (Some(0.5), "2000"));
        assert!(!made[0].labels.contains_key("direction"));
        let score = |answer: &str| NeedleThreading.score(&made[0].turns[0], answer).score;
        assert_eq!((score("\"v-1\""), score("v-1."), score("k-1: v-1"), score("v-2")), (1.0, 1.0, 0.0, 0.0));
    }

    #[test]
    fn places_count_only_where_keys_are_listed() {
        let of = |name: &str| {
            let file = format!("needle-threading/{name}.json");
            examples("needle-threading", &[(&file, MANY)], 9).unwrap()[0].turns[0].clone()
        };
        let (listed, any) = (of("Multi_Threads"), of("Conditional_Needles"));
        let score = |turn: &Turn, answer: &str| NeedleThreading.score(turn, answer);
        assert_eq!(score(&listed, "['v-1', 'v-2']").also["all"], 1.0);
        assert_eq!(score(&listed, "The values: [\"v-1\", \"x\"]").score, 0.5);
        assert_eq!((score(&listed, "v-2, v-1").score, score(&any, "v-2, v-1").score), (0.0, 1.0));
        assert_eq!((score(&listed, "").score, score(&any, "").score), (0.0, 0.0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        refuses("needle-threading", &[], &["no Single_Needle.json or Multiple_Needles.json"]);
        let with = |text: &str, words: &[&str]| {
            refuses("needle-threading", &[("needle-threading/Single_Needle.json", text)], words);
        };
        with("[{\"values\": \"a\"}]", &["Single_Needle.json, line 1: no field \"haystack\""]);
        with("[{\"values\": \"\"}]", &["has no values"]);
        with("[{\"values\": {}}]", &["\"values\" should be texts or numbers"]);
        with("[\n3]", &["line 2: expected an object"]);
    }
}
