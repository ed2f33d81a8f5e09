//! What the tasks over data sets share: declarations, drawing, truncation.

use std::path::Path;

use loci_models::method::{MethodInfo, Parameter};

use super::catalogue::DataSet;
use super::files::{Record, records};
use crate::declare::{choice, counted, task};
use crate::error::EvalError;
use crate::example::{Example, Mode, Turn};
use crate::task::Request;

/// The parameter that leaves out the middle of prompts that are too long.
pub(super) const TRUNCATE: Parameter = counted(
    "truncate",
    "most tokens of a prompt before the chat template; of a longer one the first and the last half stay; 0: everything is \
     read",
    "tokens",
    0,
    (0, 100_000_000),
);

/// The parameter that chooses one part of a data set; `parts` begins with `all`.
pub(super) const fn subset(parts: &'static [&'static str]) -> Parameter {
    let meaning = "which part; all: every part that is in the folder, examples drawn evenly over them";
    choice("subset", meaning, "all", parts)
}

/// The declaration of a task over a data set.
pub(super) const fn declaration(
    id: &'static str,
    title: &'static str,
    paper: &'static str,
    parameters: &'static [Parameter],
    description: &'static str,
) -> MethodInfo {
    task(
        id,
        title,
        paper,
        parameters,
        &[
            "The gold answer scores 1 and the empty one 0",
            "A malformed file is refused with its name and line",
        ],
        description,
    )
}

/// The folder with the data sets.
///
/// # Errors
/// [`EvalError::Nothing`] where none was given.
pub(super) fn root<'a>(request: &Request<'a>) -> Result<&'a Path, EvalError> {
    request.data.ok_or_else(|| {
        EvalError::Nothing(format!(
            "{} reads a published data set: give the folder that holds it with --data",
            request.values.info().id
        ))
    })
}

/// The parts that `subset` chooses, of all `parts` without `all`.
pub(super) fn chosen<'a>(request: &Request<'_>, parts: &[&'a str]) -> Vec<&'a str> {
    let word = request.values.word("subset");
    parts.iter().copied().filter(|part| *part != "all" && (word == "all" || word == *part)).collect()
}

/// `request.n` records of the parts that are wanted and there, each with its part; see [`drawn`]. The files of `set` behind
/// the first `tables` hold the parts that `parts` names behind `all`, in the same order.
///
/// # Errors
/// [`EvalError`] when no file of a wanted part is there, and as [`records`] and [`drawn`].
pub(super) fn drawn_parts(
    request: &Request<'_>,
    set: &DataSet,
    tables: usize,
    parts: &[&'static str],
) -> Result<Vec<(&'static str, Record)>, EvalError> {
    let root = root(request)?;
    let names = chosen(request, parts);
    let wanted = || {
        let files = set.files.iter().skip(tables).zip(parts.iter().skip(1));
        files.filter(|(_, name)| names.contains(name))
    };
    let mut found = Vec::new();
    for (file, name) in wanted() {
        if let Some(path) = set.file(root, file.names) {
            let of: Vec<_> = records(&path)?.into_iter().map(|record| (*name, record)).collect();
            found.push(((*name).to_owned(), of));
        }
    }
    if found.is_empty() {
        let files: Vec<&str> = wanted().filter_map(|(file, _)| file.names.first().copied()).collect();
        return Err(set.missing(root, &files.join(" or ")));
    }
    drawn(request, found)
}

/// `request.n` records, as evenly over the parts as they have them, drawn by the seed; in their own order where all are
/// wanted. What is drawn from a part depends only on the part and on how many are drawn from it.
///
/// # Errors
/// [`EvalError::Nothing`] where nothing is wanted or there.
pub(super) fn drawn<T>(request: &Request<'_>, parts: Vec<(String, Vec<T>)>) -> Result<Vec<T>, EvalError> {
    let id = request.values.info().id;
    let there: usize = parts.iter().map(|(_, records)| records.len()).sum();
    if request.n == 0 || there == 0 {
        return Err(EvalError::Nothing(format!("{id}: {there} examples there, {} wanted", request.n)));
    }
    let mut left = request.n.min(there);
    let mut counts = vec![0; parts.len()];
    while left > 0 {
        for (count, (_, records)) in counts.iter_mut().zip(&parts) {
            if *count < records.len() && left > 0 {
                *count += 1;
                left -= 1;
            }
        }
    }
    let mut out = Vec::new();
    for (count, (name, records)) in counts.into_iter().zip(parts) {
        let all: Vec<usize> = (0..records.len()).collect();
        let mut wanted = request.random(&format!("{id}/{name}/drawn")).some_of(&all, count);
        wanted.sort_unstable();
        let mut wanted = wanted.into_iter().peekable();
        for (index, record) in records.into_iter().enumerate() {
            if wanted.peek() == Some(&index) {
                wanted.next();
                out.push(record);
            }
        }
    }
    Ok(out)
}

/// The examples as they are run: prompts cut to `truncate` tokens, shortest first.
///
/// Where a text has several questions apart and has to be cut for one of them, each question becomes an example of
/// its own: what is left of the text differs by question.
///
/// # Errors
/// As [`crate::Tokens::spans`].
pub(super) fn finished(request: &Request<'_>, examples: Vec<Example>) -> Result<Vec<Example>, EvalError> {
    let most = request.values.size("truncate");
    let mut out = Vec::with_capacity(examples.len());
    for example in examples {
        if most == 0 || fits(request, &example, most)? {
            out.push(example);
        } else if example.mode == Mode::InTurn || example.turns.len() == 1 {
            out.push(cut(request, example, most)?);
        } else {
            for (number, turn) in example.turns.iter().enumerate() {
                let alone = Example {
                    id: format!("{}/{number}", example.id),
                    turns: vec![turn.clone()],
                    ..example.clone()
                };
                out.push(cut(request, alone, most)?);
            }
        }
    }
    out.sort_by_cached_key(|example| {
        let questions: usize = example.turns.iter().map(|turn| turn.question.len()).sum();
        example.context.len() + questions
    });
    Ok(out)
}

fn fits(request: &Request<'_>, example: &Example, most: usize) -> Result<bool, EvalError> {
    let asked = if example.mode == Mode::InTurn { 1 } else { example.turns.len() };
    for turn in example.turns.iter().take(asked) {
        if request.tokens.count(&format!("{}{}", example.context, turn.question))? > most {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Text and first question without the middle. The question stands at the end and nearly always stays whole.
fn cut(request: &Request<'_>, mut example: Example, most: usize) -> Result<Example, EvalError> {
    let left = request.without_middle(&example.prompt(), most)?;
    if let Some(first) = example.turns.first_mut() {
        match left.strip_suffix(first.question.as_str()) {
            Some(context) => example.context = context.to_owned(),
            None => (example.context, first.question) = (String::new(), left),
        }
    }
    Ok(example)
}

/// A field of what a question carries for its scoring; empty where it is not there.
pub(super) fn carried<'a>(turn: &'a Turn, name: &str) -> &'a str {
    turn.data.get(name).and_then(serde_json::Value::as_str).unwrap_or("")
}

/// `text` with every `{name}` of `values` replaced, in one pass: what is put in is not searched again. `{{`
/// and `}}` are left as they are.
pub(super) fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let hit = values.iter().find_map(|(name, value)| {
            let behind = behind.strip_prefix('{')?.strip_prefix(name)?.strip_prefix('}')?;
            Some((behind, value))
        });
        match hit {
            Some((behind, value)) => {
                out.push_str(value);
                rest = behind;
            }
            None => {
                out.push('{');
                rest = behind.get(1..).unwrap_or("");
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sizes::Words;
    use crate::task::Task;

    /// A folder with these files.
    pub(in super::super) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    /// The examples of `text` (task and parameters) over these files.
    pub(in super::super) fn examples(
        text: &str,
        files: &[(&str, &str)],
        n: usize,
    ) -> Result<Vec<Example>, EvalError> {
        let folder = folder(files);
        let (task, values) = crate::registry::parse(text)?;
        let request = Request { data: Some(folder.path()), n, ..Request::new(&values, &Words) };
        task.examples(&request)
    }

    /// That an error of `text` over these files says all of `words`.
    pub(in super::super) fn refuses(text: &str, files: &[(&str, &str)], words: &[&str]) {
        let error = examples(text, files, 9).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error:?} lacks one of {words:?}");
    }

    /// That the first gold answer of every question scores 1, an empty answer 0, and ids differ.
    pub(in super::super) fn golden(task: &dyn Task, examples: &[Example]) {
        assert!(!examples.is_empty());
        let mut ids = std::collections::BTreeSet::new();
        for example in examples {
            assert!(ids.insert(example.id.clone()), "{} twice", example.id);
            assert!(!example.turns.is_empty());
            for turn in &example.turns {
                assert!(turn.max_tokens > 0 && !turn.gold.is_empty());
                let score = task.score(turn, &turn.gold[0]);
                assert!((score.score - 1.0).abs() < 1e-6, "{} {:?}: {score:?}", example.id, turn.gold);
                assert_eq!(task.score(turn, "").score, 0.0, "{}", example.id);
                for text in ["\n", "...", "[[", "段落", "😀 a\u{301}"] {
                    let score = task.score(turn, text).score;
                    assert!((0.0..=1.0).contains(&score), "{text:?} scores {score}");
                }
            }
        }
    }

    #[test]
    fn examples_are_drawn_evenly_and_alike() {
        let values = crate::synthetic::passkey_values();
        let mut request = Request { n: 7, ..Request::new(&values, &Words) };
        let parts = || vec![("a".to_owned(), vec![0, 1]), ("b".to_owned(), (10..30).collect::<Vec<i32>>())];
        let draw = drawn(&request, parts()).unwrap();
        assert_eq!((draw.len(), draw.iter().filter(|record| **record < 10).count()), (7, 2));
        assert_eq!(draw, drawn(&request, parts()).unwrap());
        assert!(draw.is_sorted());
        request.seed = 1;
        assert_ne!(draw, drawn(&request, parts()).unwrap());
        request.n = usize::MAX;
        assert_eq!(drawn(&request, parts()).unwrap().len(), 22);
        request.n = 0;
        assert!(drawn(&request, parts()).is_err());
    }

    #[test]
    fn templates_are_filled_once() {
        assert_eq!(filled("a {x} {y} {{'m'}} {", &[("x", "{y}"), ("y", "2")]), "a {y} 2 {{'m'}} {");
    }
}
