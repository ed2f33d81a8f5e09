//! Which data sets there are, where they are published, and which of them a folder holds.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::files;
use crate::error::EvalError;

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contents {
    /// Examples: JSON objects, one a line or in an array.
    Examples,
    /// One JSON object whose fields are examples.
    Object,
    /// One JSON object with prompts or limits.
    Table,
    /// Plain text.
    Text,
}

/// A file of a data set.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Expected {
    /// Its name, without `.zst`; further names are those under which it is found as well.
    pub names: &'static [&'static str],
    /// What is in it.
    pub contents: Contents,
    /// Whether nothing can be run without it; of the others, those that are there are used.
    pub needed: bool,
}

impl Expected {
    /// A file with one part of the examples.
    pub(super) const fn part(names: &'static [&'static str]) -> Self {
        Self { names, contents: Contents::Examples, needed: false }
    }

    /// A file with prompts or limits.
    pub(super) const fn table(names: &'static [&'static str], needed: bool) -> Self {
        Self { names, contents: Contents::Table, needed }
    }

    /// A plain text.
    pub(super) const fn plain(names: &'static [&'static str]) -> Self {
        Self { names, contents: Contents::Text, needed: false }
    }

    /// A file whose one object holds a part of the examples.
    pub(super) const fn object(names: &'static [&'static str]) -> Self {
        Self { names, contents: Contents::Object, needed: false }
    }
}

/// A published data set.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DataSet {
    /// The task that reads it.
    pub id: &'static str,
    /// Where it is published.
    pub published: &'static str,
    /// Its licence, as its authors state it.
    pub licence: &'static str,
    /// How much it is.
    pub size: &'static str,
    /// Folders in which it is looked for, below that of all data sets, in this order.
    pub folders: &'static [&'static str],
    /// Its files.
    pub files: &'static [Expected],
}

impl DataSet {
    /// The file of one of these names, if there.
    pub(super) fn file(&self, root: &Path, names: &[&str]) -> Option<PathBuf> {
        files::find(root, self.folders, names)
    }

    /// The file of one of these names.
    ///
    /// # Errors
    /// [`EvalError::Nothing`] where there is none: what was looked for, where, and where it is published.
    pub(super) fn path(&self, root: &Path, names: &[&str]) -> Result<PathBuf, EvalError> {
        self.file(root, names).ok_or_else(|| self.missing(root, &names.join(" or ")))
    }

    /// That `what` is not there.
    pub(super) fn missing(&self, root: &Path, what: &str) -> EvalError {
        let folders: Vec<String> =
            self.folders.iter().map(|folder| root.join(folder).display().to_string()).collect();
        EvalError::Nothing(format!(
            "{}: no {what} (also with .zst behind it) in {}; the data are published at {}",
            self.id,
            folders.join(" or "),
            self.published
        ))
    }
}

/// All data sets, in the order of the registry.
pub const DATA_SETS: &[&DataSet] = &[
    &super::long_bench::SET,
    &super::longchat::LINES,
    &super::longchat::TOPICS,
    &super::loogle::SET,
    &super::pi_llm::SET,
    &super::book_sort::SET,
    &super::lic_bench::SET,
    &super::cnn_sum::SET,
    &super::long_mem_eval::SET,
    &super::long_ins::SET,
    &super::needle_threading::SET,
    &super::scbench::SET,
    &super::m4le::SET,
];

/// What was found of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is there, with so many examples.
    Examples(usize),
    /// It is there.
    Present,
    /// It is not there.
    Missing,
    /// It is there and cannot be read: why.
    Broken(String),
}

/// What a folder holds of a data set.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// Which one.
    pub set: &'static DataSet,
    /// Each expected file by its first name, and what was found of it.
    pub files: Vec<(&'static str, State)>,
    /// Examples in all files together.
    pub examples: usize,
}

impl Found {
    /// Whether the task can be run: every needed file is there and readable, and one with examples or text.
    pub fn usable(&self) -> bool {
        let readable = |state: &State| matches!(state, State::Examples(_) | State::Present);
        let mut some = false;
        for (expected, (_, state)) in self.set.files.iter().zip(&self.files) {
            if expected.needed && !readable(state) {
                return false;
            }
            some |= expected.contents != Contents::Table && readable(state);
        }
        some
    }
}

/// What `root` holds of every data set. Every file is read.
pub fn check(root: &Path) -> Vec<Found> {
    DATA_SETS.iter().map(|set| found(root, set)).collect()
}

fn found(root: &Path, set: &'static DataSet) -> Found {
    let mut examples = 0;
    let mut states = Vec::new();
    for expected in set.files {
        let state = match set.file(root, expected.names) {
            None => State::Missing,
            Some(path) => {
                state(&path, expected.contents).unwrap_or_else(|error| State::Broken(error.to_string()))
            }
        };
        if let State::Examples(count) = state {
            examples += count;
        }
        states.push((expected.names.first().copied().unwrap_or(""), state));
    }
    Found { set, files: states, examples }
}

fn state(path: &Path, contents: Contents) -> Result<State, EvalError> {
    Ok(match contents {
        Contents::Examples => State::Examples(files::records(path)?.len()),
        Contents::Object => State::Examples(files::object(path)?.names().len()),
        Contents::Table => {
            files::records(path)?;
            State::Present
        }
        Contents::Text => {
            files::text(path)?;
            State::Present
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_over_data_has_its_set_and_ids_are_unlike() {
        let mut ids: Vec<_> = DATA_SETS.iter().map(|set| set.id).collect();
        for id in &ids {
            assert!(crate::registry::parse(id).is_ok(), "no task {id}");
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), DATA_SETS.len());
    }

    #[test]
    fn what_is_there_missing_and_broken_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("long-bench");
        std::fs::create_dir(&at).unwrap();
        std::fs::write(at.join("qasper.jsonl"), "{}\n{}\n").unwrap();
        std::fs::write(at.join("trec.jsonl"), "{").unwrap();
        let found = found(folder.path(), &super::super::long_bench::SET);
        let of = |name: &str| found.files.iter().find(|(of, _)| *of == name).unwrap().1.clone();
        assert_eq!((of("qasper.jsonl"), of("lcc.jsonl")), (State::Examples(2), State::Missing));
        assert!(matches!(of("trec.jsonl"), State::Broken(why) if why.contains("trec.jsonl, line 1")));
        assert_eq!((found.examples, found.usable()), (2, false));
        std::fs::write(at.join("dataset2prompt.json"), "{}").unwrap();
        assert!(super::found(folder.path(), &super::super::long_bench::SET).usable());
        let error = super::super::long_bench::SET.path(folder.path(), &["x.jsonl"]).unwrap_err().to_string();
        assert!(error.contains("no x.jsonl") && error.contains("published at"), "{error}");
    }
}
