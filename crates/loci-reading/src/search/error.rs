//! What can go wrong with the index of a folder.

use std::io;
use std::path::{Path, PathBuf};

use loci_engine::EngineError;
use loci_engine::documents::DocumentError;

/// Why a folder could not be indexed or searched.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The folder to search cannot be read.
    #[error("{folder} cannot be searched: {source}; name a folder that is there and may be read")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// What is to be searched is no folder.
    #[error("{path} is no folder; name the folder that it lies in")]
    NotAFolder {
        /// What was named.
        path: PathBuf,
    },
    /// The place for the index holds other things, which would be in danger.
    #[error("{at} is not empty and holds no index of Loci; name another folder for the index")]
    NotAnIndex {
        /// The place.
        at: PathBuf,
    },
    /// The place holds the index of another folder.
    #[error("{at} holds the index of {of}, not of {asked}; name another folder for the index")]
    OtherFolder {
        /// The place.
        at: PathBuf,
        /// The folder that its index is of.
        of: String,
        /// The folder that was asked for.
        asked: PathBuf,
    },
    /// Another process holds the index.
    #[error(
        "another process is writing the index in {at}, and still is after {seconds} s; try again when it is done"
    )]
    Busy {
        /// The place.
        at: PathBuf,
        /// Seconds waited.
        seconds: u64,
    },
    /// The system refused something in the place of the index.
    #[error(
        "{path}: {source}; see that the folder may be written to and has room, or name another one for the index"
    )]
    Place {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The index of words failed.
    #[error("the index in {at} failed: {message}; refresh it, or remove that folder to have it made anew")]
    Words {
        /// The place.
        at: PathBuf,
        /// What it said.
        message: String,
    },
    /// There is no usable index yet.
    #[error("there is no index of {folder} to search: {reason}; refresh it first")]
    NotIndexed {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The question says nothing to search for.
    #[error("{query:?} has no word to search for; ask with a word or a number")]
    NoWords {
        /// The question.
        query: String,
    },
    /// The index has no such file.
    #[error("the index of {folder} has no file {file:?}; name one as hits do, by its path in that folder")]
    NoFile {
        /// The folder.
        folder: PathBuf,
        /// What was asked for.
        file: String,
    },
    /// A file is not what it was when it was indexed, so ranges of bytes would mean something else.
    #[error("{file} was changed since it was indexed; refresh the index and search again")]
    Changed {
        /// The file, by its path in the folder.
        file: String,
    },
    /// Work was stopped; what was done is kept.
    #[error(
        "stopped after {done} of {total} {what}; what was done is kept, and the same command goes on from there"
    )]
    Interrupted {
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
        /// Files, or passages.
        what: &'static str,
    },
    /// A file has no text any more.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Ranking by meaning failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl SearchError {
    /// For errors of the system at `path`.
    pub(super) fn place(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Place { path: path.to_owned(), source }
    }

    /// For errors of the index of words in `at`.
    pub(super) fn words(at: &Path) -> impl FnOnce(tantivy::TantivyError) -> Self {
        move |error| Self::Words { at: at.to_owned(), message: error.to_string() }
    }
}
