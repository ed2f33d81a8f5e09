//! Which files an index is made of, and what each was like when it was read.

use std::collections::BTreeMap;
use std::path::Path;

use loci_engine::documents::DocumentError;
use loci_engine::files;
use serde::{Deserialize, Serialize};

use super::error::SearchError;
use super::place::Place;

/// Counted up when files of earlier versions can no longer be used: what passages or words are has changed, or the fields.
const FORMAT: u32 = 1;

/// Why a file is not in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Its bytes are no text in UTF-8.
    Binary,
    /// There is nothing in it but white space.
    Empty,
    /// It has more bytes than are read.
    TooLarge,
    /// The system refused to read it.
    Unreadable,
    /// It is of a kind that has text, but damaged, or only pictures.
    NoText,
    /// This build does not read its kind.
    NotBuilt,
    /// It is a symbolic link, which may lead anywhere.
    Link,
    /// It is neither a file nor a folder.
    Special,
    /// Its name is not UTF-8.
    Name,
}

impl Reason {
    /// Whether the same file may be read another time.
    pub(super) const fn may_pass(self) -> bool {
        matches!(self, Self::Unreadable | Self::NotBuilt)
    }

    /// Why a file gave no text.
    pub(super) const fn of(error: &DocumentError) -> Self {
        match error {
            DocumentError::Read { .. } | DocumentError::Folder { .. } => Self::Unreadable,
            DocumentError::Empty { .. } => Self::Empty,
            DocumentError::NotText { .. } => Self::Binary,
            DocumentError::Extract { .. } => Self::NoText,
            DocumentError::NotBuilt { .. } => Self::NotBuilt,
        }
    }
}

/// A file that is not in the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its path in the folder, with `/` between names.
    pub file: String,
    /// Why, in a word.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}

/// What became of a file's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// It is in the index, in so many passages.
    Passages(usize),
    /// It was left out.
    LeftOut(Reason, String),
}

/// What a file was like when it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Bytes.
    pub(super) size: u64,
    /// When it was changed last, in nanoseconds since 1970; none where the system does not say.
    pub(super) modified: Option<i64>,
    /// Whether a later change would show in `modified`: clocks of file systems are coarse.
    pub(super) settled: bool,
    /// blake3 of its bytes, in hexadecimal digits; none where they were not read.
    pub(super) hash: Option<String>,
    pub(super) outcome: Outcome,
}

impl Entry {
    /// Its passages, if it is in the index.
    pub(super) const fn passages(&self) -> Option<usize> {
        match self.outcome {
            Outcome::Passages(passages) => Some(passages),
            Outcome::LeftOut(..) => None,
        }
    }
}

/// All files that were read. Its hash is the payload of the commit of the index of words that it belongs to, and its name: so
/// one commit changes both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// Most words of a passage.
    words: usize,
    /// By their paths in the folder.
    pub(super) files: BTreeMap<String, Entry>,
}

impl Manifest {
    pub(super) const fn new(words: usize) -> Self {
        Self { format: FORMAT, words, files: BTreeMap::new() }
    }

    /// Opens the one called `name`.
    ///
    /// # Errors
    /// Why it cannot be used, in words.
    pub(super) fn open(place: &Place, name: &str, words: usize) -> Result<Self, String> {
        let path = place.manifest(name);
        let bytes =
            std::fs::read(&path).map_err(|error| format!("its list of files cannot be read ({error})"))?;
        if blake3::hash(&bytes).to_hex().as_str() != name {
            return Err("its list of files is damaged".to_owned());
        }
        let manifest: Self =
            serde_json::from_slice(&bytes).map_err(|_| "it is of another version of Loci".to_owned())?;
        if manifest.format != FORMAT {
            return Err("it is of another version of Loci".to_owned());
        }
        if manifest.words != words {
            return Err(format!("its passages are of {} words, not {words}", manifest.words));
        }
        Ok(manifest)
    }

    /// Saves it; its name.
    pub(super) fn save(&self, place: &Place) -> Result<String, SearchError> {
        let failed = |path: &Path, error| SearchError::place(path)(error);
        let bytes = serde_json::to_vec(self).map_err(|error| failed(place.path(), error.into()))?;
        let name = blake3::hash(&bytes).to_hex().to_string();
        let path = place.manifest(&name);
        files::write(&path, bytes).map_err(|error| failed(&path, error))?;
        Ok(name)
    }

    /// Passages of all files.
    pub(super) fn passages(&self) -> usize {
        self.files.values().filter_map(Entry::passages).sum()
    }

    /// Files that are in the index.
    pub(super) fn indexed(&self) -> usize {
        self.files.values().filter(|entry| entry.passages().is_some()).count()
    }
}
