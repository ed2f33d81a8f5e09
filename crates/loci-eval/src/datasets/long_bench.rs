//! LongBench: 21 tasks in English, Chinese and code, with one record format and one metric for each task.

use std::collections::BTreeMap;
use std::path::Path;

use super::catalogue::{DataSet, Expected};
use super::common::{TRUNCATE, carried, chosen, declaration, drawn, filled, finished, root, subset};
use super::files::{Record, object, records};
use super::scoring;
use crate::declare::flag;
use crate::error::EvalError;
use crate::example::{Example, Turn, Wrap};
use crate::metrics::normal::first_line;
use crate::metrics::{best_over, classes, edit, f1, rouge};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Reads LongBench and LongBench-E.
#[derive(Clone, Copy, Debug)]
pub struct LongBench;

const ID: &str = "long-bench";

pub(super) const SET: DataSet = DataSet {
    id: ID,
    published: "https://huggingface.co/datasets/THUDM/LongBench (data.zip; dataset2prompt.json in \
                https://github.com/THUDM/LongBench, LongBench/config)",
    licence: "MIT; the texts have the terms of their own sources",
    size: "4,750 examples, and 3,668 of LongBench-E; 114 MB packed",
    folders: &[
        "long-bench",
        "long-bench/data",
        "long-bench/config",
        "long-bench/mini",
        "LongBench",
        "LongBench/data",
        "LongBench/config",
    ],
    files: FILES,
};

#[derive(Clone, Copy, Debug)]
enum Metric {
    F1,
    F1Chinese,
    Rouge,
    RougeChinese,
    Class,
    Count,
    Retrieval,
    Edit,
}

struct Part {
    name: &'static str,
    group: &'static str,
    metric: Metric,
    max_tokens: usize,
    /// Sent without a chat template.
    plain: bool,
    /// Part of LongBench-E.
    extended: bool,
}

macro_rules! parts {
    ($($name:literal $group:literal $metric:ident $max_tokens:literal $plain:literal $extended:literal;)*) => {
        const FILES: &[Expected] = &[
            Expected::table(&["dataset2prompt.json"], true),
            $(Expected::part(&[concat!($name, ".jsonl")]),)*
            Expected::part(&["qasper_e.jsonl"]),
            Expected::part(&["multifieldqa_en_e.jsonl"]),
            Expected::part(&["hotpotqa_e.jsonl"]),
            Expected::part(&["2wikimqa_e.jsonl"]),
            Expected::part(&["gov_report_e.jsonl"]),
            Expected::part(&["multi_news_e.jsonl"]),
            Expected::part(&["trec_e.jsonl"]),
            Expected::part(&["triviaqa_e.jsonl"]),
            Expected::part(&["samsum_e.jsonl"]),
            Expected::part(&["passage_count_e.jsonl"]),
            Expected::part(&["passage_retrieval_en_e.jsonl"]),
            Expected::part(&["lcc_e.jsonl"]),
            Expected::part(&["repobench-p_e.jsonl"]),
        ];
        const NAMES: &[&str] = &["all", $($name),*];
        const PARTS: &[Part] = &[$(Part {
            name: $name,
            group: $group,
            metric: Metric::$metric,
            max_tokens: $max_tokens,
            plain: $plain,
            extended: $extended,
        }),*];
    };
}

parts! {
    "narrativeqa" "single-document" F1 128 false false;
    "qasper" "single-document" F1 128 false true;
    "multifieldqa_en" "single-document" F1 64 false true;
    "multifieldqa_zh" "single-document" F1Chinese 64 false false;
    "hotpotqa" "multi-document" F1 32 false true;
    "2wikimqa" "multi-document" F1 32 false true;
    "musique" "multi-document" F1 32 false false;
    "dureader" "multi-document" RougeChinese 128 false false;
    "gov_report" "summarization" Rouge 512 false true;
    "qmsum" "summarization" Rouge 512 false false;
    "multi_news" "summarization" Rouge 512 false true;
    "vcsum" "summarization" RougeChinese 512 false false;
    "trec" "few-shot" Class 64 true true;
    "triviaqa" "few-shot" F1 32 true true;
    "samsum" "few-shot" Rouge 128 true true;
    "lsht" "few-shot" Class 64 true false;
    "passage_count" "synthetic" Count 32 false true;
    "passage_retrieval_en" "synthetic" Retrieval 32 false true;
    "passage_retrieval_zh" "synthetic" Retrieval 32 false false;
    "lcc" "code" Edit 64 true true;
    "repobench-p" "code" Edit 64 true true;
}

const INFO: TaskInfo = TaskInfo {
    method: declaration(
        ID,
        "21 tasks over long documents in English, Chinese and code.",
        "Bai et al., LongBench: A Bilingual, Multitask Benchmark for Long Context Understanding, 2023",
        &[
            subset(NAMES),
            flag(
                "extended",
                "LongBench-E: 13 tasks, as many examples in each of three bins of length",
                false,
            ),
            TRUNCATE,
        ],
        "Prompts come from `dataset2prompt.json`, published with the data. Few-shot and code tasks are sent without \
         a chat template; of `trec`, `triviaqa`, `samsum` and `lsht` the first line of an answer counts. The score \
         is the best over the gold answers: F1 of words, ROUGE-L, class, count, retrieval or edit similarity, as \
         the authors assign them. LongBench-E is grouped by `bin`: below 4,000 words, below 8,000, and more. The \
         authors cut prompts about 500 tokens below a model's window: `truncate` does that, 0 reads everything. \
         Files with `origin_prompt` instead of `context` (MiniLongBench) are read as they are.",
    ),
    diffusion: Level::LowMedium,
    scope: Level::MediumHigh,
    metric: "F1, ROUGE-L, accuracy or edit similarity, by task",
    sized: false,
};

impl Task for LongBench {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let root = root(request)?;
        let extended = request.values.flag("extended");
        let templates = object(&SET.path(root, &["dataset2prompt.json"])?)?;
        let mut parts = Vec::new();
        let names = chosen(request, NAMES);
        for part in PARTS.iter().filter(|part| names.contains(&part.name) && (part.extended || !extended)) {
            let file = format!("{}{}.jsonl", part.name, if extended { "_e" } else { "" });
            if let Some(path) = SET.file(root, &[file.as_str()]) {
                let of: Vec<(&Part, Record)> =
                    records(&path)?.into_iter().map(|record| (part, record)).collect();
                parts.push((part.name.to_owned(), of));
            }
        }
        if parts.is_empty() {
            return Err(nothing(root, &names, extended));
        }
        let mut examples = Vec::new();
        for (part, record) in drawn(request, parts)? {
            examples.push(example(part, &record, templates.text(part.name)?, extended)?);
        }
        finished(request, examples)
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let Some(part) = PARTS.iter().find(|part| part.name == carried(turn, "part")) else {
            return Score::of(0.0);
        };
        let answer = prepared(part, answer);
        let metric = |gold: &str| match part.metric {
            Metric::F1 => f1::f1(answer, gold),
            Metric::F1Chinese => scoring::f1_chinese(answer, gold),
            Metric::Rouge => rouge::rouge_l(answer, gold).f,
            Metric::RougeChinese => scoring::rouge_l_chinese(answer, gold).f,
            Metric::Class => classes::classification(answer, gold, &turn.choices),
            Metric::Count => classes::count(answer, gold),
            Metric::Retrieval => classes::retrieval(answer, gold),
            Metric::Edit => edit::code_similarity(answer, gold),
        };
        Score::of(best_over(&turn.gold, metric))
    }
}

fn nothing(root: &Path, names: &[&str], extended: bool) -> EvalError {
    let suffix = if extended { "_e.jsonl" } else { ".jsonl" };
    let files: Vec<String> = names.iter().map(|name| format!("{name}{suffix}")).collect();
    SET.missing(root, &files.join(" or "))
}

/// The part of an answer that counts.
fn prepared<'a>(part: &Part, answer: &'a str) -> &'a str {
    match part.name {
        "trec" | "triviaqa" | "samsum" | "lsht" => first_line(answer),
        _ => answer,
    }
}

fn example(part: &Part, record: &Record, template: &str, extended: bool) -> Result<Example, EvalError> {
    let Some((head, tail)) = template.split_once("{context}") else {
        return Err(
            record.error(format!("the prompt of {} in dataset2prompt.json has no {{context}}", part.name))
        );
    };
    let (context, question) = if record.has("origin_prompt") {
        let prompt = record.text("origin_prompt")?;
        let (context, question) = prompt.split_at(question_at(prompt, tail));
        (context.to_owned(), question.to_owned())
    } else {
        let question = filled(tail, &[("input", record.text("input")?)]);
        (format!("{head}{}", record.text("context")?), question)
    };
    let mut labels = BTreeMap::from([
        ("dataset".to_owned(), part.name.to_owned()),
        ("group".to_owned(), part.group.to_owned()),
    ]);
    if record.has("language") {
        labels.insert("language".to_owned(), record.text("language")?.to_owned());
    }
    if extended {
        let bin = match record.size("length")? {
            0..4000 => "0-4k",
            4000..8000 => "4-8k",
            _ => "8k+",
        };
        labels.insert("bin".to_owned(), bin.to_owned());
    }
    let choices = if record.has("all_classes") { record.texts("all_classes")? } else { Vec::new() };
    if matches!(part.metric, Metric::Class) && choices.is_empty() {
        return Err(record.error("field \"all_classes\" should name the classes"));
    }
    let gold = record.texts("answers")?;
    if gold.is_empty() {
        return Err(record.error("field \"answers\" is empty"));
    }
    Ok(Example {
        id: format!("{ID}/{}{}/{}", part.name, if extended { "_e" } else { "" }, record.line),
        context,
        turns: vec![Turn {
            question,
            gold,
            max_tokens: part.max_tokens,
            stop: if part.name == "samsum" { vec!["\n".to_owned()] } else { Vec::new() },
            choices,
            data: serde_json::json!({ "part": part.name }),
            ..Turn::default()
        }],
        wrap: if part.plain { Wrap::Plain } else { Wrap::Chat },
        labels,
        ..Example::default()
    })
}

/// Where the question begins in a prompt that is filled already: behind the text by the template's words, else at
/// the last paragraph, else at the last line.
fn question_at(prompt: &str, tail: &str) -> usize {
    const LONGEST: usize = 4000;
    const SHORTEST: usize = 16;
    let mark = tail.split("{input}").next().unwrap_or("");
    if let Some(at) = prompt.rfind(mark).filter(|_| !mark.trim().is_empty()) {
        return at;
    }
    let body = prompt.trim_end();
    // A cue alone, such as `Answer:`, is no question.
    let last =
        |mark: &str| body.rmatch_indices(mark).map(|(at, _)| at).find(|at| body.len() - at >= SHORTEST);
    let near = |at: &usize| body.len() - at <= LONGEST && 2 * at >= body.len();
    last("\n\n").filter(near).or_else(|| last("\n")).unwrap_or(prompt.len())
}

#[cfg(test)]
mod tests {
    use super::super::common::tests::{examples, golden, refuses};
    use super::*;

    const PROMPTS: (&str, &str) = (
        "long-bench/dataset2prompt.json",
        r#"{"qasper": "Read. {context} Now say: {input} Answer:", "trec": "T {context}\n{input}",
            "lcc": "C {context}Next:\n", "passage_count": "{context} How many?", "gov_report": "{context} Sum:",
            "passage_retrieval_zh": "{context}{input}", "multifieldqa_zh": "{context}{input}",
            "samsum": "{context}{input}"}"#,
    );

    fn record(answers: &str, more: &str) -> String {
        format!(
            r#"{{"input": "who {{context}}?", "context": "Text {{input}}.", "answers": {answers}, "length": 5000,
                "dataset": "d", "language": "en", "all_classes": null, "_id": "1"{more}}}"#
        )
        .replace('\n', " ")
    }

    #[test]
    fn each_metric_and_the_prompt_around_it() {
        let files = [
            ("long-bench/qasper.jsonl", record(r#"["x y", "z"]"#, "")),
            ("long-bench/trec.jsonl", record(r#"["City"]"#, r#", "all_classes": ["City", "State"]"#)),
            ("long-bench/lcc.jsonl", record(r#"["x = 1;"]"#, "")),
            ("long-bench/passage_count.jsonl", record(r#"["7"]"#, "")),
            ("long-bench/passage_retrieval_zh.jsonl", record(r#"["段落3"]"#, "")),
            ("long-bench/multifieldqa_zh.jsonl", record(r#"["小猫"]"#, "")),
            ("long-bench/gov_report.jsonl", record(r#"["a b. c d"]"#, "")),
            ("long-bench/samsum.jsonl", record(r#"["A meets B."]"#, "")),
        ];
        let mut files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        files.push(PROMPTS);
        let made = examples("long-bench", &files, 99).unwrap();
        assert_eq!(made.len(), 8);
        golden(&LongBench, &made);
        let of = |name: &str| made.iter().find(|example| example.labels["dataset"] == name).unwrap();
        assert_eq!(of("qasper").prompt(), "Read. Text {input}. Now say: who {context}? Answer:");
        assert_eq!((of("qasper").wrap, of("trec").wrap), (Wrap::Chat, Wrap::Plain));
        assert_eq!(LongBench.score(&of("trec").turns[0], "\n\nCity\nState").score, 1.0);
        assert_eq!(LongBench.score(&of("lcc").turns[0], "\n# say\nx = 1;\ny").score, 1.0);
        assert_eq!(LongBench.score(&of("passage_count").turns[0], "7 or 8").score, 0.5);
        assert_eq!(examples("long-bench:subset=trec", &files, 99).unwrap().len(), 1);
    }

    #[test]
    fn bins_of_the_extended_set_and_the_cut_of_the_whole_prompt() {
        let text = record(r#"["x"]"#, "");
        let files = [("LongBench/data/qasper_e.jsonl", text.as_str()), PROMPTS];
        let made = examples("long-bench:extended=true,truncate=4", &files, 9).unwrap();
        assert_eq!(made[0].labels["bin"], "4-8k");
        assert_eq!(made[0].prompt(), "Read. Text {context}? Answer:");
        let whole = examples("long-bench:extended=true,truncate=10", &files, 9).unwrap();
        assert_eq!(whole[0].turns[0].question, " Now say: who {context}? Answer:");
        assert_eq!(whole[0].context, "Read. Text {input}.");
    }

    #[test]
    fn filled_prompts_are_taken_apart() {
        let text = |prompt: &str| {
            let record =
                serde_json::json!({ "origin_prompt": prompt, "answers": ["x"], "all_classes": null });
            let files =
                [("long-bench/mini/qasper.jsonl", record.to_string()), (PROMPTS.0, PROMPTS.1.to_owned())];
            let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
            let made = examples("long-bench", &files, 9).unwrap().remove(0);
            assert_eq!(made.prompt(), prompt);
            made.turns[0].question.clone()
        };
        assert_eq!(text("A long text Now say: what? Answer:"), " Now say: what? Answer:");
        let other = "\n\nThen what is it?\n\nAnswer:";
        assert_eq!(text(&format!("Other words stand here for it.{other}\n")), format!("{other}\n"));
        assert_eq!(text("x = 1\nyes_and_no = no_and_yes("), "\nyes_and_no = no_and_yes(");
        assert_eq!(text("x"), "");
    }

    #[test]
    fn what_is_wrong_is_named() {
        refuses("long-bench", &[], &["no dataset2prompt.json", "published at"]);
        refuses("long-bench:subset=trec", &[PROMPTS], &["no trec.jsonl"]);
        let with = |text: &str, words: &[&str]| {
            refuses("long-bench", &[PROMPTS, ("long-bench/qasper.jsonl", text)], words);
        };
        with("{\"input\": \"a\"}", &["qasper.jsonl, line 1", "no field \"context\""]);
        with(&record("[3]", ""), &["line 1", "\"answers\" should be a list of texts, not a number"]);
        with(&record("[]", ""), &["\"answers\" is empty"]);
        with("{}\n{", &["line 2: not JSON"]);
        with("", &["line 1: nothing in it"]);
        refuses(
            "long-bench",
            &[PROMPTS, ("long-bench/musique.jsonl", &record("[\"a\"]", ""))],
            &["dataset2prompt.json, line 1: no field \"musique\""],
        );
        assert!(crate::registry::parse("long-bench:subset=other").is_err());
    }
}
