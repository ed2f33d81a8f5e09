//! Passages and what is sought of them, from a record of LongBench.

use super::super::files::Record;
use super::super::scoring::{holds, words};
use super::Form;
use crate::error::EvalError;
use crate::metrics::normal::chinese;

/// Words of a passage where a text has none of its own: that of Jin et al. 2024.
const WORDS_PER_PASSAGE: usize = 100;
/// Answers that stand everywhere and nowhere.
const YES_OR_NO: &[&str] = &["yes", "no", "是", "是的", "否", "不是", "有", "没有"];

/// What is ranked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    /// The first line of a block; empty for others.
    pub(super) title: String,
    /// The passage, with its title and without its number.
    pub(super) text: String,
}

/// A question and its haystack.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// What is searched for.
    pub(super) text: String,
    /// What is searched.
    pub(super) passages: Vec<Passage>,
    /// Right answers.
    pub(super) answers: Vec<String>,
}

impl Asked {
    /// Whether every right answer is a bare yes or no.
    pub(super) fn is_yes_or_no(&self) -> bool {
        self.answers.iter().all(|answer| YES_OR_NO.contains(&chinese(answer).as_str()))
    }
}

/// A record's question; `template` is the prompt that `origin_prompt` was made with.
///
/// # Errors
/// [`EvalError::Line`] for a record of another form, and what `template` failed with where it is needed.
pub(super) fn asked(
    form: Form,
    record: &Record,
    template: Result<Option<&str>, EvalError>,
) -> Result<Asked, EvalError> {
    let (context, text) = match record.has("origin_prompt") {
        true => taken_apart(record, template?.unwrap_or(""))?,
        false => (record.text("context")?, record.text("input")?),
    };
    let answers = record.texts("answers")?;
    if answers.is_empty() {
        return Err(record.error("field \"answers\" is empty"));
    }
    let passages = match form {
        Form::Numbered(word) => {
            let colon = if word.is_ascii() { ": " } else { "：" };
            let cut = numbered(context, |number| format!("{word}{number}{colon}"));
            cut.iter().map(|text| Passage { title: String::new(), text: text.trim().to_owned() }).collect()
        }
        Form::Blocks => {
            let cut = numbered(context, |number| format!("Passage {number}:\n"));
            cut.iter()
                .map(|text| {
                    let text = text.trim();
                    Passage {
                        title: text.lines().next().unwrap_or("").trim().to_owned(),
                        text: text.to_owned(),
                    }
                })
                .collect()
        }
        Form::Cut { .. } => {
            let ranges = loci_reading::passages(context, WORDS_PER_PASSAGE).into_iter();
            let texts =
                ranges.filter_map(|range| context.get(range)).map(str::trim).filter(|text| !text.is_empty());
            texts.map(|text| Passage { title: String::new(), text: text.to_owned() }).collect()
        }
    };
    let passages: Vec<Passage> = passages;
    if passages.len() < 2 {
        let begins: String = context.trim_start().chars().take(40).collect();
        return Err(record.error(format!(
            "expected at least two passages that are numbered from 1, or a text of more than {WORDS_PER_PASSAGE} words; found {} \
             in what begins with {begins:?}",
            passages.len()
        )));
    }
    if text.trim().is_empty() {
        return Err(record.error("the question is empty"));
    }
    Ok(Asked { text: text.trim().to_owned(), passages, answers })
}

/// Context and question of a prompt that is filled already.
fn taken_apart<'r>(record: &'r Record, template: &str) -> Result<(&'r str, &'r str), EvalError> {
    let prompt = record.text("origin_prompt")?;
    let parts =
        template.split_once("{context}").and_then(|(head, rest)| Some((head, rest.split_once("{input}")?)));
    let Some((head, (between, tail))) = parts else {
        return Err(record.error(format!(
            "the prompt of this task in dataset2prompt.json should hold {{context}}, then {{input}}, and is {template:?}"
        )));
    };
    let body = prompt.strip_prefix(head).and_then(|prompt| prompt.trim_end().strip_suffix(tail.trim_end()));
    body.and_then(|body| body.rsplit_once(between)).ok_or_else(|| {
        record.error("field \"origin_prompt\" is not made with the prompt of this task in dataset2prompt.json; take both from one source")
    })
}

/// The texts behind the marks of 1, 2, 3, …, each at the beginning of a line; none where the first does not come first. A mark
/// out of turn is text.
fn numbered(context: &str, mark: impl Fn(usize) -> String) -> Vec<&str> {
    let mut found = Vec::new();
    let Some(mut rest) = context.trim_start().strip_prefix(mark(1).as_str()) else { return found };
    for number in 2.. {
        match rest.split_once(format!("\n{}", mark(number)).as_str()) {
            Some((text, behind)) => {
                found.push(text);
                rest = behind;
            }
            None => break,
        }
    }
    found.push(rest);
    found
}

/// Places of the passages that are sought; none where no passage holds an answer.
///
/// # Errors
/// [`EvalError::Line`] for an answer that should name a paragraph and does not.
pub(super) fn sought(form: Form, record: &Record, asked: &Asked) -> Result<Vec<usize>, EvalError> {
    let holding = |holds: &dyn Fn(&str, &str) -> bool| {
        let places = asked.passages.iter().enumerate();
        let holds = |text: &str| asked.answers.iter().any(|answer| holds(text, answer));
        places.filter(|(_, passage)| holds(&passage.text)).map(|(place, _)| place).collect()
    };
    match form {
        Form::Numbered(word) => {
            let count = asked.passages.len();
            let place = |answer: &String| {
                let number = answer.trim().strip_prefix(word.trim_end())?.trim().parse::<usize>().ok()?;
                number.checked_sub(1).filter(|place| *place < count)
            };
            let places: Option<Vec<usize>> = asked.answers.iter().map(place).collect();
            places.ok_or_else(|| {
                record.error(format!(
                    "each of \"answers\" should be {:?} with a number from 1 to {count}, not {:?}",
                    word.trim_end(),
                    asked.answers
                ))
            })
        }
        _ if asked.is_yes_or_no() => Ok(Vec::new()),
        Form::Cut { chinese: true } => Ok(holding(&|text, answer| {
            let answer = chinese(answer);
            !answer.is_empty() && chinese(text).contains(&answer)
        })),
        // Words that a passage holds one after the other.
        Form::Blocks | Form::Cut { chinese: false } => {
            Ok(holding(&|text, answer| !words(answer).is_empty() && holds(text, answer)))
        }
    }
}
