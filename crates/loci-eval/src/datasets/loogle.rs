//! LooGLE: questions about long recent documents, whose evidence lies near or far apart.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::catalogue::{DataSet, Expected};
use super::common::{TRUNCATE, carried, declaration, drawn_parts, filled, finished, root, subset};
use super::files::{Record, object};
use super::literal::{dictionary, literal};
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::metrics::bleu::bleu_of_order;
use crate::metrics::f1::f1;
use crate::metrics::order::{Displacement, exact_order, places};
use crate::metrics::presence::shares_word;
use crate::metrics::rouge::{rouge_1, rouge_2, rouge_l};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Reads LooGLE.
#[derive(Clone, Copy, Debug)]
pub struct LooGle;

const ID: &str = "loogle";

pub(super) const SET: DataSet = DataSet {
    id: ID,
    published: "https://huggingface.co/datasets/bigainlco/LooGLE (task2prompt.json in \
                https://github.com/bigai-nlco/LooGLE, config)",
    licence: "MIT (repository); the documents have the terms of arXiv, Wikipedia and the scripts",
    size: "776 documents, 6,448 questions",
    folders: &["loogle", "loogle/data", "loogle/config", "LooGLE", "LooGLE/LooGLE-testdata", "LooGLE/config"],
    files: &[
        Expected::table(&["task2prompt.json"], true),
        Expected::part(&["shortdep_qa.jsonl"]),
        Expected::part(&["shortdep_cloze.jsonl"]),
        Expected::part(&["longdep_qa.jsonl"]),
        Expected::part(&["longdep_summarization.jsonl", "summarization.jsonl"]),
    ],
};

const NAMES: &[&str] = &["all", "shortdep_qa", "shortdep_cloze", "longdep_qa", "longdep_summarization"];

const INFO: TaskInfo = TaskInfo {
    method: declaration(
        ID,
        "Questions about long recent documents, with evidence near together or far apart.",
        "Li et al., LooGLE: Can Long-Context Language Models Understand Long Contexts?, 2023",
        &[subset(NAMES), TRUNCATE],
        "All questions about a document are asked about the one reading of it. The score of a question is F1 of \
         words (ours; the authors' judge is a model), beside BLEU-1, the 4-gram precision they call BLEU-4, recall \
         of ROUGE-1, -2 and -L; of a summary, recall of ROUGE-L; of a cloze, the share of masks with the same \
         entity; of an order of events, whether it is right, beside the four distances: their largest values are \
         charged for what is no order, as the authors mean it. METEOR and BERTScore are left out.",
    ),
    diffusion: Level::High,
    scope: Level::Medium,
    metric: "F1, ROUGE-L recall or accuracy, by part",
    sized: false,
};

fn max_tokens(part: &str) -> usize {
    match part {
        "shortdep_cloze" => 50,
        "shortdep_qa" => 300,
        _ => 500,
    }
}

impl Task for LooGle {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let root = root(request)?;
        let templates = object(&SET.path(root, &["task2prompt.json"])?)?;
        let mut examples = Vec::new();
        for (part, record) in drawn_parts(request, &SET, 1, NAMES)? {
            examples.push(example(part, &record, templates.text(part)?)?);
        }
        finished(request, examples)
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let gold = turn.gold.first().map_or("", String::as_str);
        let answer = answer.trim();
        match (carried(turn, "part"), carried(turn, "type")) {
            ("shortdep_cloze", _) => cloze(&turn.data, answer),
            (_, "timeline_reorder") => order(answer, gold),
            (part, kind) => {
                let (answer, gold) = (answer.replace('\n', " "), gold.replace('\n', " "));
                let recall = rouge_l(&answer, &gold).recall;
                let score = if part == "longdep_summarization" { recall } else { f1(&answer, &gold) };
                let name = TYPES.iter().find(|name| **name == kind);
                let also = Score::of(score)
                    .and("bleu-1", bleu_of_order(&answer, &gold, 1))
                    .and("bleu-4", bleu_of_order(&answer, &gold, 4))
                    .and("rouge-1-recall", rouge_1(&answer, &gold).recall)
                    .and("rouge-2-recall", rouge_2(&answer, &gold).recall)
                    .and("rouge-l-recall", recall);
                name.map_or(also.clone(), |name| also.and(name, score))
            }
        }
    }
}

const TYPES: [&str; 3] = ["multiple_information_retrieval", "computation", "comprehension_and_reasoning"];

/// Masks with the same entity, and with one that shares a word.
fn cloze(data: &Value, answer: &str) -> Score {
    let Some(gold) = data.get("masks").and_then(Value::as_object).filter(|gold| !gold.is_empty()) else {
        return Score::of(0.0);
    };
    let given = dictionary(answer).unwrap_or_default();
    let (mut same, mut near) = (0.0, 0.0);
    for (mask, entity) in gold {
        let (entity, given) = (plain(entity), given.get(mask).map(plain).unwrap_or_default());
        same += f64::from(u8::from(entity == given));
        near += f64::from(u8::from(shares_word(&given, &entity)));
    }
    Score::of(same / gold.len() as f64).and("partial-match", near / gold.len() as f64)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned())
}

/// Numbers or Roman numerals, in their order.
fn numerals(text: &str) -> Vec<usize> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.filter_map(|word| word.parse().ok().or_else(|| roman(word))).collect()
}

fn roman(word: &str) -> Option<usize> {
    let value = |letter| match letter {
        'I' => Some(1_usize),
        'V' => Some(5),
        'X' => Some(10),
        _ => None,
    };
    let digits: Option<Vec<usize>> = word.chars().take(9).map(value).collect();
    let digits = digits?;
    let mut sum = 0_usize;
    for (at, digit) in digits.iter().enumerate() {
        let less = digits.get(at + 1).is_some_and(|next| next > digit);
        sum = if less { sum.wrapping_sub(*digit) } else { sum.wrapping_add(*digit) };
    }
    Some(sum)
}

fn order(answer: &str, gold: &str) -> Score {
    let (given, gold) = (numerals(answer), numerals(gold));
    let given = places(&given, &gold);
    let right = given.as_ref().is_some_and(|given| exact_order(given)) && !gold.is_empty();
    // What is no order is charged the largest distances, as the authors mean it: their program charges others.
    let charged = given.map_or_else(|| Displacement::most(gold.len()), |given| Displacement::of(&given));
    Score::right(right)
        .and("timeline_reorder", f64::from(u8::from(right)))
        .and("location-square-deviation", charged.squared)
        .and("location-mean-deviation", charged.mean)
        .and("swap-deviation", charged.swaps)
        .and("swap-distance-deviation", charged.swap_distance)
}

fn example(part: &'static str, record: &Record, template: &str) -> Result<Example, EvalError> {
    // The authors fill prompts with Python's format, where doubled braces stand for one.
    let template = template.replace("{{", "{").replace("}}", "}");
    let Some((head, tail)) = template.split_once("{input}") else {
        return Err(record.error(format!("the prompt of {part} in task2prompt.json has no {{input}}")));
    };
    let document = record.text("input")?;
    let turns = if part == "longdep_summarization" {
        let data = json!({ "part": part });
        let gold = vec![record.text("output")?.to_owned()];
        vec![Turn { question: tail.to_owned(), gold, max_tokens: max_tokens(part), data, ..Turn::default() }]
    } else {
        questions(part, record, document, tail)?
    };
    Ok(Example {
        id: format!("{ID}/{part}/{}", record.line),
        context: format!("{head}{document}"),
        turns,
        labels: BTreeMap::from([("dataset".to_owned(), part.to_owned())]),
        ..Example::default()
    })
}

fn questions(part: &str, record: &Record, document: &str, tail: &str) -> Result<Vec<Turn>, EvalError> {
    let pairs = match record.value("qa_pairs")? {
        Value::String(text) => literal(text),
        other => Some(other.clone()),
    };
    let Some(Value::Array(pairs)) = pairs else {
        return Err(record.error("field \"qa_pairs\" should be a list, or a Python literal of one"));
    };
    let mut turns = Vec::new();
    for pair in pairs {
        let Value::Object(fields) = pair else {
            return Err(record.error("field \"qa_pairs\" should list dictionaries with Q and A"));
        };
        let pair = record.of(fields);
        let mut data = json!({ "part": part, "type": pair.text_or_empty("type")? });
        let gold = if part == "shortdep_cloze" {
            let masks = match pair.value("A")? {
                Value::Object(masks) => Some(masks.clone()),
                Value::String(text) => dictionary(text),
                _ => None,
            };
            let masks = masks.filter(|masks| !masks.is_empty());
            let masks = masks.ok_or_else(|| pair.error("field \"A\" should be a dictionary of masks"))?;
            let text = Value::Object(masks.clone()).to_string();
            data["masks"] = Value::Object(masks);
            text
        } else {
            pair.written("A")?
        };
        let evidence = if pair.has("S") { pair.all_written("S")? } else { Vec::new() };
        let places: Vec<f64> = evidence
            .iter()
            .filter(|sentence| !sentence.is_empty())
            .filter_map(|sentence| document.find(sentence.as_str()))
            .map(|at| at as f64 / document.len().max(1) as f64)
            .collect();
        data["evidence"] = json!(places);
        turns.push(Turn {
            question: filled(tail, &[("Q", pair.text("Q")?)]),
            gold: vec![gold],
            max_tokens: max_tokens(part),
            depth: places.first().copied().filter(|_| places.len() == 1),
            data,
            ..Turn::default()
        });
    }
    if turns.is_empty() {
        return Err(record.error("field \"qa_pairs\" has no question"));
    }
    Ok(turns)
}

#[cfg(test)]
mod tests {
    use super::super::common::tests::{examples, golden, refuses};
    use super::*;

    const PROMPTS: (&str, &str) = (
        "loogle/task2prompt.json",
        r#"{"longdep_qa": "Read. {input}\nQuestion: {Q}\nAnswer: ", 
            "shortdep_cloze": "Like {{'a': 'b'}}\n{input}\n{Q} Masks?",
            "longdep_summarization": "Sum {input} Now:"}"#,
    );
    const LONG: &str = concat!(
        r#"{"input": "One two. Three four.", "title": "t", "output": "none", "qa_pairs": "#,
        r#""[{'Q': \"What's {x}?\", 'A': 'Five words are said here', 'type': 'computation', "#,
        r"'S': ['Three four.']}, ",
        r#"{'Q': 'Order', 'A': '2,1,3', 'type': 'timeline_reorder', 'S': []}]"}"#,
    );

    #[test]
    fn questions_share_a_document_and_are_scored_by_type() {
        let made = examples("loogle", &[PROMPTS, ("loogle/longdep_qa.jsonl", LONG)], 9).unwrap();
        golden(&LooGle, &made);
        assert_eq!((made.len(), made[0].turns.len()), (1, 2));
        assert_eq!(made[0].prompt(), "Read. One two. Three four.\nQuestion: What's {x}?\nAnswer: ");
        assert_eq!(made[0].turns[0].depth, Some(0.45));
        let order = |answer: &str| LooGle.score(&made[0].turns[1], answer);
        assert_eq!((order("II, I, III").score, order("1,2,3").also["swap-deviation"]), (1.0, 1.0));
        assert_eq!(order("2,1").also["location-mean-deviation"], 4.0 / 3.0);
        let also = LooGle.score(&made[0].turns[0], "Five words\nare").also;
        assert_eq!((also["bleu-4"], also["rouge-1-recall"]), (0.0, 0.6));
        assert!(also.contains_key("computation"));
    }

    #[test]
    fn cut_documents_have_one_question_each() {
        let files = [PROMPTS, ("loogle/longdep_qa.jsonl", LONG)];
        let made = examples("loogle:truncate=8", &files, 9).unwrap();
        assert_eq!(made.len(), 2);
        assert!(made.iter().all(|example| example.turns.len() == 1));
        golden(&LooGle, &made);
    }

    #[test]
    fn clozes_and_summaries() {
        let cloze = r#"{"input": "Text", 
            "qa_pairs": "[{'Q': '<mask-0> met <mask-1>', 'A': \"{'<mask-0>': 'Bob Lee', '<mask-1>': 'Ann'}\"}]"}"#;
        let sum = r#"{"input": "Paper", "qa_pairs": "none", "output": "An abstract of it."}"#;
        let files =
            [PROMPTS, ("loogle/shortdep_cloze.jsonl", cloze), ("loogle/longdep_summarization.jsonl", sum)];
        let made = examples("loogle", &files, 9).unwrap();
        golden(&LooGle, &made);
        let cloze = made.iter().find(|example| example.labels["dataset"] == "shortdep_cloze").unwrap();
        assert!(cloze.context.starts_with("Like {'a': 'b'}\n"));
        let score = LooGle.score(&cloze.turns[0], "It is {'<mask-0>': 'Bob', '<mask-1>': 'Ann '}");
        assert_eq!((score.score, score.also["partial-match"]), (0.5, 1.0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        refuses("loogle", &[PROMPTS], &["no shortdep_qa.jsonl or"]);
        let with = |text: &str, words: &[&str]| {
            refuses("loogle", &[PROMPTS, ("loogle/longdep_qa.jsonl", text)], words);
        };
        with("{\"input\": \"a\"}", &["line 1: no field \"qa_pairs\""]);
        with("{\"input\": \"a\", \"qa_pairs\": \"none\"}", &["should be a list"]);
        with("{\"input\": \"a\", \"qa_pairs\": \"[{'Q': 'x'}]\"}", &["no field \"A\""]);
        with("{\"input\": \"a\", \"qa_pairs\": \"[]\"}", &["has no question"]);
        with("{\"input\": \"a\", \"qa_pairs\": \"[__import__('os')]\"}", &["should be a list"]);
    }
}
