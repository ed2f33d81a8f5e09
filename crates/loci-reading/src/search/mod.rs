//! Searching a folder of files, with an index on disk that follows their changes.
//!
//! Each file is cut into [`passages()`](crate::passages()), and a passage is what is found. Words are found by tantivy, with the
//! words of [`tokens`](crate::tokens), so that Chinese is found as well; meaning by an exact scan over the passages' vectors,
//! which lie in a file of their own, made when they are first asked for. What lies on disk can all be made again from the
//! files: what is damaged, or of another version, is.
//!
//! An index lies in a folder of its own: a mark that says of what it is, a lock, the index of words, and a manifest with size,
//! time and hash of each file that was read. One commit makes both new at once, because it names the manifest by its hash; so a
//! process that is killed leaves the old index or the new one.

mod cut;
mod error;
mod kept;
mod manifest;
mod place;
mod ranking;
mod refresh;
mod vectors;
mod walk;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loci_engine::documents::{self, Document};
use serde::Serialize;

pub use error::SearchError;
pub use kept::{Kept, kept};
use manifest::Manifest;
pub use manifest::{LeftOut, Reason};
use place::Place;
pub use place::standard_place;
pub use ranking::Encoded;
use ranking::Meaning;
pub use refresh::Refreshed;
use words::Words;

/// How a folder is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexOptions {
    /// Most words of a passage. Another number makes the index anew.
    pub words: usize,
    /// Files of more bytes are left out.
    pub largest_file: u64,
    /// How long another process that holds the index is waited for.
    pub patience: Duration,
}

impl Default for IndexOptions {
    /// Passages of 120 words, files of at most 64 MiB, ten seconds of patience.
    fn default() -> Self {
        Self { words: 120, largest_file: 64 << 20, patience: Duration::from_secs(10) }
    }
}

/// A passage that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// Its file, by the path in the folder, with `/` between names.
    pub file: String,
    /// Where it begins, in bytes of the file's text as [`documents::from_bytes`] makes it.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The line of that text in which it begins, from 1.
    pub line: usize,
    /// How good it is: BM25, a cosine, or a sum of reciprocal ranks. Scores of different kinds cannot be compared.
    pub score: f64,
    /// What it says: exactly the bytes from `start` to `end`.
    pub text: String,
}

/// The index of a folder; see the [module documentation](self).
pub struct Index {
    folder: PathBuf,
    place: Place,
    options: IndexOptions,
    state: State,
    /// What ranks by meaning, once it was needed.
    meaning: Mutex<Option<Arc<Meaning>>>,
}

/// What there is to search.
enum State {
    Usable(Box<Usable>),
    /// Nothing, and why.
    Unusable {
        reason: String,
        /// Whether there was something that cannot be used.
        there: bool,
    },
}

/// An index as the last commit has left it.
struct Usable {
    words: Words,
    manifest: Manifest,
}

impl Index {
    /// The index of `folder` that lies in `at` with the usual options; see [`Index::open_with`].
    ///
    /// # Errors
    /// [`SearchError`], as [`Index::open_with`].
    pub fn open(folder: &Path, at: &Path) -> Result<Self, SearchError> {
        Self::open_with(folder, at, IndexOptions::default())
    }

    /// The index of `folder` that lies in `at`, which is made if it is not there. Nothing is indexed here: that is what
    /// [`Index::refresh`] does. [`standard_place`] says where an index lies if nobody names a place.
    ///
    /// # Errors
    /// [`SearchError`] when the folder is not there, `at` is not to be written to, holds other things or the index of another
    /// folder, or another process is writing it.
    pub fn open_with(folder: &Path, at: &Path, options: IndexOptions) -> Result<Self, SearchError> {
        let folder = place::canonical(folder)?;
        let place = Place::claim(at, &folder, options.patience)?;
        let held = place.lock_shared()?;
        let state = State::load(&place, &options);
        drop(held);
        Ok(Self { folder, place, options, state, meaning: Mutex::new(None) })
    }

    /// The folder that is searched, by its canonical path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the index lies.
    pub fn place(&self) -> &Path {
        self.place.path()
    }

    /// Takes what the last commit has left.
    fn load(&mut self) {
        self.state = State::load(&self.place, &self.options);
        self.meaning = Mutex::new(None);
    }

    /// What there is to search.
    fn usable(&self) -> Result<&Usable, SearchError> {
        match &self.state {
            State::Usable(usable) => Ok(usable),
            State::Unusable { reason, .. } => {
                Err(SearchError::NotIndexed { folder: self.folder.clone(), reason: reason.clone() })
            }
        }
    }

    /// Passages in the index.
    ///
    /// # Errors
    /// [`SearchError::NotIndexed`] before the first [`Index::refresh`].
    pub fn passages(&self) -> Result<usize, SearchError> {
        Ok(self.usable()?.manifest.passages())
    }

    /// Files in the index, sorted by path.
    ///
    /// # Errors
    /// [`SearchError::NotIndexed`] before the first [`Index::refresh`].
    pub fn files(&self) -> Result<Vec<&str>, SearchError> {
        let files = self.usable()?.manifest.files.iter();
        Ok(files.filter(|(_, entry)| entry.passages().is_some()).map(|(file, _)| file.as_str()).collect())
    }

    /// Reads the text of an indexed file again. Ranges of hits are ranges of its bytes.
    ///
    /// # Errors
    /// [`SearchError::NoFile`] for one that is not in the index, [`SearchError::Changed`] for one whose bytes are others than
    /// those that were indexed.
    pub fn document(&self, file: &str) -> Result<Document, SearchError> {
        // Only names that the walk has found are paths here, so none leads out of the folder.
        let entry = self.usable()?.manifest.files.get(file).filter(|entry| entry.passages().is_some());
        let Some(entry) = entry else {
            return Err(SearchError::NoFile { folder: self.folder.clone(), file: file.to_owned() });
        };
        let path = self.folder.join(file);
        let failed = |source| documents::DocumentError::Read { name: file.to_owned(), source };
        let changed = || SearchError::Changed { file: file.to_owned() };
        let metadata = std::fs::symlink_metadata(&path).map_err(failed)?;
        if !metadata.is_file() || metadata.len() != entry.size {
            return Err(changed());
        }
        let bytes = std::fs::read(&path).map_err(failed)?;
        if entry.hash.as_deref() != Some(blake3::hash(&bytes).to_hex().as_str()) {
            return Err(changed());
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
        Ok(documents::from_bytes(file, extension, bytes)?)
    }
}

impl State {
    fn none(reason: &str, there: bool) -> Self {
        Self::Unusable { reason: reason.to_owned(), there }
    }

    /// What the last commit has left in `place`.
    fn load(place: &Place, options: &IndexOptions) -> Self {
        let folder = place.words();
        if !folder.is_dir() {
            return Self::none("it was not made yet", false);
        }
        let loaded = Words::open(&folder).and_then(|(words, payload)| {
            let name = payload.ok_or_else(|| "it was not finished".to_owned())?;
            let manifest = Manifest::open(place, &name, options.words)?;
            match words.len() == manifest.passages() {
                true => Ok(Usable { words, manifest }),
                false => Err("it does not hold what its list of files says".to_owned()),
            }
        });
        match loaded {
            Ok(usable) => Self::Usable(Box::new(usable)),
            Err(reason) => Self::Unusable { reason, there: true },
        }
    }

    /// Whether nobody has written since this was loaded.
    fn is_newest(&self, place: &Place) -> bool {
        matches!(self, Self::Usable(usable) if usable.words.is_newest(&place.words()))
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("folder", &self.folder)
            .field("place", &self.place)
            .field("passages", &self.passages().ok())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
