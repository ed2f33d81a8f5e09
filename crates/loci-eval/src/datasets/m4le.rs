//! M4LE: short tasks joined to long inputs, for five abilities, in buckets of length.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::catalogue::{DataSet, Expected};
use super::common::{TRUNCATE, carried, chosen, declaration, drawn, finished, root, subset};
use super::files::{Record, records};
use super::scoring;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::metrics::best_over;
use crate::metrics::bleu::{Words, sentence_bleu};
use crate::metrics::f1::Overlap;
use crate::metrics::presence::{contains_any_case, contains_word, exact};
use crate::metrics::rouge::rouge_l;
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Reads M4LE.
#[derive(Clone, Copy, Debug)]
pub struct M4le;

const ID: &str = "m4le";

/// Files and names of all tasks, from one list: what they are called, and further names of their files.
macro_rules! parts {
    ($($name:literal $($other:literal)? $ability:ident $metric:ident $language:ident $ends:expr;)*) => {
        const FILES: &[Expected] =
            &[$(Expected::part(&[concat!($name, ".jsonl") $(, concat!($name, $other, ".jsonl"))?])),*];
        const NAMES: &[&str] = &["all", $($name),*];
        const PARTS: &[Part] = &[$(Part {
            name: $name,
            ability: stringify!($ability),
            metric: Metric::$metric,
            language: stringify!($language),
            ends: &$ends,
        }),*];
    };
}

struct Part {
    name: &'static str,
    ability: &'static str,
    metric: Metric,
    language: &'static str,
    /// The answer ends before the first of these.
    ends: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Metric {
    /// Any gold answer is in the answer.
    Accuracy,
    /// The answer is the gold one.
    Exact,
    /// F1 of listed ids.
    Ids,
    /// ROUGE-L recall.
    Rouge,
    /// BLEU.
    Bleu,
}

parts! {
    "arxiv" global Rouge en ["\n"];
    "bigpatent_global_cls" global Accuracy en [":"];
    "bigpatent_global_sum" global Rouge en ["\n"];
    "booksum" global Rouge en ["\n"];
    "c3" explicit_single Accuracy zh ["\n", "。"];
    "cepsum" explicit_single Rouge zh ["\n"];
    "clts+" global Rouge zh ["\n", "新闻"];
    "cnewsum" global Rouge zh ["\n", "新闻"];
    "cnnnews" explicit_single Rouge en ["\n"];
    "drcd_explicit-single" "_ret" explicit_single Accuracy zh ["，", "\n"];
    "drcd_semantic-single" "_qa" semantic_single Accuracy zh ["\n", "。"];
    "duorc" semantic_single Accuracy en ["\n", "."];
    "dureader" semantic_single Accuracy zh ["\n", "。"];
    "hotpotqa" semantic_multiple Accuracy en ["\n", "."];
    "lcsts" explicit_single Rouge zh ["\n"];
    "marc" explicit_multiple Ids en ["."];
    "mnds-news_explicit-single" "_cls+ret" explicit_single Exact en [];
    "mnds-news_explicit-multiple" "_cls+ret" explicit_multiple Ids en ["."];
    "mnds-news_semantic-multiple" "_cls+cnt" semantic_multiple Exact en ["."];
    "ncls" explicit_single Rouge zh ["\n"];
    "news-commentary-en2zh" global Bleu zh [];
    "news-commentary-zh2en" global Bleu en [];
    "news2016" semantic_single Rouge zh ["\n"];
    "newsqa" explicit_single Accuracy en ["\n", "."];
    "nq-open" semantic_single Accuracy en ["\n", "."];
    "online-shopping" explicit_multiple Ids zh ["。"];
    "open-subtitles-en2zh" global Bleu zh [];
    "open-subtitles-zh2en" global Bleu en [];
    "pubmed" global Rouge en ["\n"];
    "tedtalks-en2zh" semantic_single Bleu zh [];
    "tedtalks-zh2en" semantic_single Bleu en [];
    "thucnews_explicit-single" "_cls+ret" explicit_single Exact zh [];
    "thucnews_explicit-multiple" "_cls+ret" explicit_multiple Ids zh ["。"];
    "thucnews_semantic-multiple" "_cls+cnt" semantic_multiple Exact zh ["。"];
    "triviaqa" global Accuracy en ["\n", "."];
    "wiki2019zh" semantic_single Exact zh ["。"];
    "wikihow" semantic_single Rouge en ["\n"];
    "wikitext-103" semantic_single Exact en ["."];
    "wow" explicit_single Accuracy en [",", "\n"];
}

pub(super) const SET: DataSet = DataSet {
    id: ID,
    published: "https://huggingface.co/datasets/wckwan/M4LE",
    licence: "MIT (repository); the texts have the terms of their own sources",
    size: "39 tasks of 200 examples in each of nine buckets, 1,000 to 32,000 words",
    folders: &["m4le", "m4le/data", "M4LE", "M4LE/data"],
    files: FILES,
};

const INFO: TaskInfo = TaskInfo {
    method: declaration(
        ID,
        "Short tasks joined to long inputs: one part is asked for, several, or all.",
        "Kwan et al., M4LE: A Multi-Ability Multi-Range Multi-Task Multi-Domain Long-Context Evaluation Benchmark \
         for LLMs, 2023",
        &[subset(NAMES), TRUNCATE],
        "Grouped by `ability` and by `bucket` of words (characters of Chinese). Answers end at a task's own marks. \
         Accuracy is containment, which `no` in `not` satisfies: `whole-words` is the stricter figure. Translations \
         are scored by BLEU of each text; the authors count it over a bucket.",
    ),
    diffusion: Level::LowMedium,
    scope: Level::MediumHigh,
    metric: "accuracy, F1, ROUGE-L recall or BLEU, by task",
    sized: false,
};

impl Task for M4le {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let root = root(request)?;
        let names = chosen(request, NAMES);
        let mut parts = Vec::new();
        for (part, file) in PARTS.iter().zip(FILES).filter(|(part, _)| names.contains(&part.name)) {
            if let Some(path) = SET.file(root, file.names) {
                let of: Vec<(&Part, Record)> =
                    records(&path)?.into_iter().map(|record| (part, record)).collect();
                parts.push((part.name.to_owned(), of));
            }
        }
        if parts.is_empty() {
            return Err(SET.missing(root, &format!("{}.jsonl", names.join(".jsonl or "))));
        }
        let examples: Result<Vec<Example>, EvalError> =
            drawn(request, parts)?.into_iter().map(|(part, record)| example(part, &record)).collect();
        finished(request, examples?)
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let Some(part) = PARTS.iter().find(|part| part.name == carried(turn, "part")) else {
            return Score::of(0.0);
        };
        let answer = ended(part, answer);
        let best = |of: &dyn Fn(&str) -> f64| best_over(&turn.gold, of);
        let chinese = part.language == "zh";
        match part.metric {
            Metric::Accuracy => {
                let held = best(&|gold| f64::from(u8::from(contains_any_case(answer, gold))));
                let whole = best(&|gold| f64::from(u8::from(contains_word(answer, gold))));
                Score::of(held).and("whole-words", whole)
            }
            Metric::Exact => {
                let same = |gold: &str| exact(answer, ended(part, gold));
                Score::of(best(&|gold| f64::from(u8::from(!answer.is_empty() && same(gold)))))
            }
            Metric::Ids => {
                let (given, gold) =
                    (ids(answer), turn.gold.first().map(|gold| ids(ended(part, gold))).unwrap_or_default());
                Score::of(Overlap::of_sets(&given, &gold).f1)
            }
            Metric::Rouge if chinese => {
                Score::of(best(&|gold| scoring::rouge_l_chinese(answer, gold).recall))
            }
            Metric::Rouge => Score::of(best(&|gold| rouge_l(answer, gold).recall)),
            Metric::Bleu => {
                let words = if chinese { Words::Chinese } else { Words::Western };
                Score::of(sentence_bleu(answer, &turn.gold, words))
            }
        }
    }
}

/// An answer up to the first mark that ends it; of a headline in quotes, what is in them.
fn ended<'a>(part: &Part, answer: &'a str) -> &'a str {
    let mut answer = answer;
    if part.name == "news2016" && answer.contains('"') {
        answer = answer.split('"').nth(1).unwrap_or("");
    }
    for end in part.ends {
        answer = answer.split(end).next().unwrap_or("").trim();
    }
    answer.trim()
}

fn ids(list: &str) -> BTreeSet<&str> {
    list.split([',', '，']).map(str::trim).filter(|id| !id.is_empty()).collect()
}

fn example(part: &'static Part, record: &Record) -> Result<Example, EvalError> {
    let gold: Vec<String> =
        record.all_written("answers")?.into_iter().filter(|gold| !gold.trim().is_empty()).collect();
    if gold.is_empty() {
        return Err(record.error("field \"answers\" is empty"));
    }
    let prompt = format!("{}\n{}", record.text("instruction")?, record.text("input")?);
    // What is asked stands in the last line.
    let at = prompt.trim_end().rfind('\n').unwrap_or(0);
    let (context, question) = prompt.split_at(at);
    Ok(Example {
        id: format!("{ID}/{}/{}", part.name, record.line),
        context: context.to_owned(),
        turns: vec![Turn {
            question: question.to_owned(),
            gold,
            max_tokens: match part.metric {
                Metric::Accuracy | Metric::Exact => 64,
                Metric::Ids | Metric::Rouge => 512,
                Metric::Bleu => 1024,
            },
            stop: if part.name == "news2016" {
                Vec::new()
            } else {
                part.ends.iter().map(|end| (*end).to_owned()).collect()
            },
            data: json!({ "part": part.name }),
            ..Turn::default()
        }],
        labels: BTreeMap::from([
            ("dataset".to_owned(), part.name.to_owned()),
            ("ability".to_owned(), part.ability.replace('_', "-")),
            ("language".to_owned(), part.language.to_owned()),
            ("bucket".to_owned(), record.size("length_bucket")?.to_string()),
        ]),
        ..Example::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::common::tests::{examples, golden, refuses};
    use super::*;

    fn record(answers: &str) -> String {
        format!(
            r#"{{"instruction": "Do.", "input": "Example.\nText.\nQuestion: x\nAnswer:", "answers": {answers},
            "input_length": 5, "total_length": 6, "length_bucket": 1000}}"#
        )
    }

    fn made(part: &str, answers: &str) -> Vec<Example> {
        examples("m4le", &[(&format!("m4le/{part}.jsonl"), &record(answers))], 9).unwrap()
    }

    #[test]
    fn every_task_gives_its_gold_full_score() {
        assert_eq!(PARTS.len(), 39);
        for part in PARTS {
            let answers = match part.metric {
                Metric::Accuracy => r#"["Bob", "Rob"]"#,
                Metric::Exact => r#"["3."]"#,
                Metric::Ids => r#"["A1B2C3, 00FF00."]"#,
                Metric::Rouge => r#"["some words here"]"#,
                Metric::Bleu => r#"["one two three four five"]"#,
            };
            // The gold answer of the authors' own form is cut at the marks of its language.
            let answers =
                if part.language == "zh" { answers.replace('.', "。") } else { answers.to_owned() };
            golden(&M4le, &made(part.name, &answers));
        }
    }

    #[test]
    fn answers_end_at_the_marks_of_their_task() {
        let of = |part: &str, gold: &str, answer: &str| M4le.score(&made(part, gold)[0].turns[0], answer);
        let ids = of("marc", r#"["A1B2C3, 00FF00."]"#, "00FF00, DEAD00. A1B2C3");
        assert_eq!(ids.score, 0.5);
        assert_eq!(of("hotpotqa", r#"["no"]"#, "not so").score, 1.0);
        assert_eq!(of("hotpotqa", r#"["no"]"#, "not so").also["whole-words"], 0.0);
        assert_eq!(of("hotpotqa", r#"["no"]"#, "Yes. no").score, 0.0);
        assert_eq!(of("wikitext-103", r#"["AB12CD"]"#, " ab12cd. And").score, 1.0);
        assert_eq!(of("news2016", r#"["山上有庙"]"#, "标题是\"山上有庙\"。").score, 1.0);
    }

    #[test]
    fn labels_and_files_with_the_longer_names() {
        let made = made("thucnews_semantic-multiple_cls+cnt", r#"[4]"#);
        golden(&M4le, &made);
        assert_eq!(
            (made[0].labels["ability"].as_str(), made[0].labels["bucket"].as_str()),
            ("semantic-multiple", "1000")
        );
        assert_eq!(
            (made[0].context.as_str(), made[0].turns[0].question.as_str()),
            ("Do.\nExample.\nText.\nQuestion: x", "\nAnswer:")
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        refuses("m4le:subset=marc", &[], &["no marc.jsonl"]);
        let with = |text: &str, words: &[&str]| refuses("m4le", &[("m4le/marc.jsonl", text)], words);
        with(&record("[]"), &["marc.jsonl, line 1: field \"answers\" is empty"]);
        with(&record("[null]"), &["\"answers\" should be texts or numbers"]);
        with(&record("[\"a\"]").replace("1000", "\"1k\""), &["\"length_bucket\" should be a whole number"]);
        with("{\"answers\": [\"a\"]}", &["no field \"instruction\""]);
    }
}
