//! How well passages are found in LongBench (Bai et al., LongBench: A Bilingual, Multitask Benchmark for Long Context
//! Understanding, 2023): retrieval without a model that reads.
//!
//! The passages of each question's own context are its haystack. Of the tasks on passage retrieval the answer names the one
//! that is sought. Of questions about several passages, and about one text, which is cut, those are sought that hold an answer
//! string: that marks passages which say the answer about something else, and misses those which say it in other words or lead
//! to it by another hop (Jin et al., Long-Context LLMs Meet RAG, 2024, measure recall so as well). Questions answered by yes or
//! no, and those whose answer stands nowhere, are left out and counted. The data set has no figures of its own for this.

mod parse;

use std::collections::BTreeSet;
use std::path::Path;

use parse::{Asked, asked, sought};

use super::files::{object, records};
use super::long_bench::SET;
use super::retrieval::{FoundReport, LeftOut, Outcome, Search, Searcher, Tally};
use crate::error::EvalError;

/// How a task's context is made of passages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Numbered paragraphs, behind this word; the answer names one.
    Numbered(&'static str),
    /// Blocks behind `Passage 1:`, each with its title in the first line.
    Blocks,
    /// One text, which is cut into passages of at most 100 words; Chinese ones are compared character by character.
    Cut { chinese: bool },
}

/// The tasks that are measured.
const PARTS: &[(&str, Form)] = &[
    ("passage_retrieval_en", Form::Numbered("Paragraph ")),
    ("passage_retrieval_zh", Form::Numbered("段落")),
    ("hotpotqa", Form::Blocks),
    ("2wikimqa", Form::Blocks),
    ("musique", Form::Blocks),
    ("multifieldqa_en", Form::Cut { chinese: false }),
    ("multifieldqa_zh", Form::Cut { chinese: true }),
];

/// Names of the tasks that are measured.
pub const PART_NAMES: &[&str] = &[
    "passage_retrieval_en",
    "passage_retrieval_zh",
    "hotpotqa",
    "2wikimqa",
    "musique",
    "multifieldqa_en",
    "multifieldqa_zh",
];

/// The tasks with questions about several passages, together.
const SEVERAL: &str = "all of blocks";
/// The paragraph that the answer names.
const NAMED: &str = "named";
/// Passages that hold an answer.
const ANSWER: &str = "answer";

/// Expansions that passages have.
const SOURCES: &[&str] = &["none", "keyphrases", "title", "given"];

/// Ranks the passages of every question as `search` says, and says how well those that are sought are found among the first k,
/// for each of `top`.
///
/// `root` is the folder of all data sets, `parts` some of [`PART_NAMES`]; none of them means all that are there. Files of the
/// published form are read, and those with whole prompts (`origin_prompt`), which `dataset2prompt.json` tells how to take apart.
///
/// # Errors
/// [`EvalError::Nothing`] for an unknown part, where no file is there, without a k of at least 1, for a search that lacks
/// something, or where no question counts; [`EvalError::Line`] for what has another form; and what the encoder fails with.
pub fn measure(
    root: &Path,
    parts: &[String],
    top: &[usize],
    search: &Search,
) -> Result<FoundReport, EvalError> {
    let top: BTreeSet<usize> = top.iter().copied().collect();
    if top.first().is_none_or(|k| *k == 0) {
        return Err(EvalError::Nothing(
            "nothing is found among the first 0; give each k as at least 1".to_owned(),
        ));
    }
    if let Some(unknown) = parts.iter().find(|part| !PART_NAMES.contains(&part.as_str())) {
        return Err(EvalError::Nothing(format!(
            "passages of {unknown:?} are not searched; name some of {}",
            PART_NAMES.join(", ")
        )));
    }
    let settings = search.settings(SET.id, SOURCES)?;
    let templates = match SET.file(root, &["dataset2prompt.json"]) {
        Some(path) => Some(object(&path)?),
        None => None,
    };
    let searcher = Searcher::new(search);
    let (mut tally, mut files) = (Tally::default(), Vec::new());
    let (mut questions, mut items, mut yes_or_no, mut nowhere, mut without) =
        (0, 0, 0, 0, vec![0; settings.len()]);
    for (part, form) in
        PARTS.iter().filter(|(part, _)| parts.is_empty() || parts.iter().any(|name| name == part))
    {
        let name = format!("{part}.jsonl");
        let Some(path) = SET.file(root, &[name.as_str()]) else { continue };
        files.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        for record in records(&path)? {
            if record.has("origin_prompt") && templates.is_none() {
                return Err(SET.missing(root, "dataset2prompt.json"));
            }
            let template = templates.as_ref().map(|templates| templates.text(part)).transpose();
            let question = asked(*form, &record, template)?;
            let sought = sought(*form, &record, &question)?;
            if sought.is_empty() {
                match question.is_yes_or_no() {
                    true => yes_or_no += 1,
                    false => nowhere += 1,
                }
                continue;
            }
            questions += 1;
            items += question.passages.len();
            let Asked { text, passages, .. } = &question;
            let keys: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
            let titles: Vec<&str> = passages.iter().map(|passage| passage.title.as_str()).collect();
            let mut groups = vec![(*part).to_owned()];
            groups.extend((*form == Form::Blocks).then(|| SEVERAL.to_owned()));
            let what = if matches!(form, Form::Numbered(_)) { NAMED } else { ANSWER };
            let id = format!("{part}/{}", record.line);
            for (number, (setting, without)) in settings.iter().zip(&mut without).enumerate() {
                let index = searcher.index(setting, &keys, &titles)?;
                *without += index.without_expansion;
                let ranked = index.rank(text)?;
                let outcome = Outcome::of(&groups, what, &id, number, &ranked, |item| sought.contains(&item));
                tally.outcomes.extend(outcome);
            }
        }
    }
    if files.is_empty() {
        let names: Vec<String> = match parts.is_empty() {
            true => PART_NAMES.iter().map(|name| format!("{name}.jsonl")).collect(),
            false => parts.iter().map(|name| format!("{name}.jsonl")).collect(),
        };
        return Err(SET.missing(root, &names.join(" or ")));
    }
    if questions == 0 {
        return Err(EvalError::Nothing(format!(
            "{}: no question counts: {yes_or_no} are answered by yes or no, of {nowhere} the answer stands nowhere; take more \
             parts",
            files.join(", ")
        )));
    }
    Ok(FoundReport {
        data_set: SET.id,
        files,
        protocol: protocol(),
        settings: search.described(&settings, &without, items),
        discount: "1 / log2(place + 1)",
        questions,
        left_out: vec![
            LeftOut { reason: "answered by yes or no", questions: yes_or_no },
            LeftOut { reason: "whose answer stands in no passage", questions: nowhere },
        ],
        items,
        rows: tally.rows(&settings, &top),
        differences: tally.differences(&settings, top.last().copied().unwrap_or(1)),
        places: tally.places(&settings),
    })
}

fn protocol() -> Vec<String> {
    [
        "each question's own passages are its haystack; of equal scores the one that stands first in the text comes first",
        "sought \"named\": the paragraph that the answer names; \"answer\": every passage that holds an answer, by string match, \
         which marks passages that say the answer of something else and misses those that lead to it by another hop",
        "the query is the abstract of passage_retrieval, else the question; multifieldqa is cut into passages of at most 100 words",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[cfg(test)]
mod tests;
