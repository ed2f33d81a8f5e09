//! Raw answers: one JSON object a line, everything a figure is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::EvalError;

/// One answer to one question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The task with all its parameters.
    pub task: String,
    /// The model.
    pub model: String,
    /// The method as it was typed.
    pub method: String,
    /// Id of the example.
    pub example: String,
    /// Which of its questions, from 0.
    pub turn: usize,
    /// Tokens that were asked for; 0 where the text comes as it is.
    pub length: usize,
    /// Share of the text before what is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<f64>,
    /// What reports group by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What is right.
    pub gold: Vec<String>,
    /// What was answered.
    pub answer: String,
    /// The score, from 0 to 1; `None` when there was no answer to score.
    pub score: Option<f64>,
    /// The score of who draws among the choices: 1/choices; `None` where the question offers none. Files of older runs
    /// do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// Further figures.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub also: BTreeMap<String, f64>,
    /// What a reading strategy counted on the way to the answer: figures, and what was wrong with replies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counted: BTreeMap<String, f64>,
    /// The passage that weighed most for the answer, where passages were asked for and the model tells them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passage: Option<String>,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why the answer ended.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub finish: String,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of those, the ones read for this answer.
    pub read_tokens: usize,
    /// Seconds of reading.
    pub prefill_s: f64,
    /// Tokens of the answer.
    pub answer_tokens: usize,
    /// Seconds of writing.
    pub decode_s: f64,
    /// Bytes in RAM of the contextual memory.
    pub memory_bytes: usize,
    /// Tokens that no query could reach any more, or that were not read.
    #[serde(default)]
    pub dropped_tokens: usize,
    /// Seed of the examples.
    pub seed: u64,
    /// BLAKE3 of text, question and beginning of the answer, 16 hexadecimal digits.
    pub prompt_hash: String,
    /// BLAKE3 of everything else that the answer depends on: model, method with all parameters, number format, schedule,
    /// budget, sampling.
    pub recipe_hash: String,
}

/// What makes two records the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    prompt_hash: String,
    recipe_hash: String,
    example: String,
    turn: usize,
    task: String,
}

impl Record {
    /// What makes it the same as another.
    pub fn key(&self) -> Key {
        Key {
            prompt_hash: self.prompt_hash.clone(),
            recipe_hash: self.recipe_hash.clone(),
            example: self.example.clone(),
            turn: self.turn,
            task: self.task.clone(),
        }
    }
}

/// The first 16 hexadecimal digits of the BLAKE3 hash of `parts`, each closed off from the next.
pub fn hash(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&part.len().to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().chars().take(16).collect()
}

/// Records of a file, which may end in the middle of a line where a run was killed: that line is left out.
///
/// # Errors
/// [`EvalError::File`], and [`EvalError::Line`] for a whole line that is no record.
pub fn read(path: &Path) -> Result<Vec<Record>, EvalError> {
    Ok(read_whole_lines(path)?.0)
}

/// The answers of files, each question once, in the order in which it was first asked. What failed and was asked again
/// later, or is answered in another file, counts as answered.
///
/// # Errors
/// As [`read`].
pub fn answers(paths: &[PathBuf]) -> Result<Vec<Record>, EvalError> {
    let (mut places, mut kept): (BTreeMap<Key, usize>, Vec<Record>) = (BTreeMap::new(), Vec::new());
    for path in paths {
        for record in read(path)? {
            let place = *places.entry(record.key()).or_insert(kept.len());
            match kept.get_mut(place) {
                Some(old) if record.error.is_none() || old.error.is_some() => *old = record,
                Some(_) => {}
                None => kept.push(record),
            }
        }
    }
    Ok(kept)
}

/// Records, and bytes of the lines they stand on.
fn read_whole_lines(path: &Path) -> Result<(Vec<Record>, u64), EvalError> {
    let failed = |source| EvalError::File { path: path.display().to_string(), source };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let (mut records, mut bytes, mut number) = (Vec::new(), 0, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        number += 1;
        let read = reader.read_until(b'\n', &mut line).map_err(failed)?;
        if line.last() != Some(&b'\n') {
            return Ok((records, bytes));
        }
        bytes += read as u64;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        records.push(serde_json::from_slice(&line).map_err(|error| EvalError::Line {
            path: path.display().to_string(),
            line: number,
            message: format!("not an answer of an evaluation ({error}); give a file that loci eval wrote"),
        })?);
    }
}

/// A file of records that is continued.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    done: BTreeSet<Key>,
    records: Vec<Record>,
}

impl Journal {
    /// Opens or begins a file. Half a line at its end, of a run that was killed, is cut off; records with errors are not
    /// counted as done, and are left in the file as what they are.
    ///
    /// # Errors
    /// As [`read`].
    pub fn open(path: &Path) -> Result<Self, EvalError> {
        let failed = |source| EvalError::File { path: path.display().to_string(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let (records, bytes) = read_whole_lines(path)?;
        file.set_len(bytes).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let done = records.iter().filter(|record| record.error.is_none()).map(Record::key).collect();
        Ok(Self { path: path.to_owned(), file, done, records })
    }

    /// Whether the answer is there.
    pub fn has(&self, key: &Key) -> bool {
        self.done.contains(key)
    }

    /// Adds a record; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`EvalError::File`].
    pub fn add(&mut self, record: Record) -> Result<(), EvalError> {
        let failed = |source| EvalError::File { path: self.path.display().to_string(), source };
        let mut line = serde_json::to_vec(&record).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(failed)?;
        self.file.sync_data().map_err(failed)?;
        if record.error.is_none() {
            self.done.insert(record.key());
        }
        self.records.push(record);
        Ok(())
    }

    /// Gives records that were read from the file of an older run the chance that `blanks`, the same without answers,
    /// know. The file stays as it is.
    pub(super) fn know_chances(&mut self, blanks: &[Record]) {
        let chances: BTreeMap<Key, f64> =
            blanks.iter().filter_map(|blank| Some((blank.key(), blank.chance?))).collect();
        for record in self.records.iter_mut().filter(|record| record.chance.is_none()) {
            record.chance = chances.get(&record.key()).copied();
        }
    }

    /// The last record of each of `keys`, in their order; those that are missing are left out.
    pub fn of<'a>(&'a self, keys: impl IntoIterator<Item = &'a Key>) -> Vec<&'a Record> {
        let by_key: BTreeMap<Key, &Record> =
            self.records.iter().map(|record| (record.key(), record)).collect();
        keys.into_iter().filter_map(|key| by_key.get(key).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(example: &str, error: Option<&str>) -> Record {
        Record { example: example.to_owned(), error: error.map(str::to_owned), ..Record::default() }
    }

    #[test]
    fn a_file_is_continued_after_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/answers.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        journal.add(record("a", None)).unwrap();
        journal.add(record("b", Some("timed out"))).unwrap();
        drop(journal);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"task\":\"half a li");
        std::fs::write(&path, text).unwrap();

        let mut journal = Journal::open(&path).unwrap();
        assert!(journal.has(&record("a", None).key()));
        assert!(!journal.has(&record("b", None).key()), "what failed is tried again");
        journal.add(record("b", None)).unwrap();
        drop(journal);
        let records = read(&path).unwrap();
        assert_eq!(records.iter().map(|record| record.example.as_str()).collect::<Vec<_>>(), ["a", "b", "b"]);
        let other = folder.path().join("other.jsonl");
        let failed = serde_json::to_string(&record("a", Some("timed out"))).unwrap();
        std::fs::write(&other, format!("{failed}\n")).unwrap();
        let once = [record("a", None), record("b", None)];
        assert_eq!(
            answers(&[path.clone(), other.clone()]).unwrap(),
            once,
            "each question once, answered if it ever was"
        );
        assert_eq!(answers(&[other, path.clone()]).unwrap(), once);
        let journal = Journal::open(&path).unwrap();
        let keys = [record("b", None).key(), record("c", None).key()];
        assert_eq!(journal.of(&keys), [&record("b", None)], "the last one counts");
    }

    #[test]
    fn files_without_chances_are_read_and_learn_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.jsonl");
        let line = serde_json::to_string(&record("a", None)).unwrap();
        assert!(!line.contains("chance"), "{line}");
        std::fs::write(&path, format!("{line}\n")).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        let known = Record { chance: Some(0.25), ..record("a", None) };
        journal.know_chances(&[known.clone(), Record { chance: Some(0.5), ..record("b", None) }]);
        assert_eq!(journal.of([&known.key()]), [&known]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{line}\n"), "the file stays as it is");
    }

    #[test]
    fn a_foreign_file_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "\nhello\n").unwrap();
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.contains("notes.txt, line 2"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\nhello\n", "and left as it was");
    }

    #[test]
    fn hashes_tell_borders_apart() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_eq!(hash(&["ab"]).len(), 16);
    }
}
