//! Why a saved reading cannot be used.

use std::path::{Path, PathBuf};

use loci_models::memory::MemoryError;

/// Why a reading could not be saved or opened. Whatever the reason, nothing of the file is used.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// The system refused.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is some other file.
    #[error("{path} is no saved reading; make one with: loci read FILE -o {path}")]
    Other {
        /// The file.
        path: PathBuf,
    },
    /// It was written in another version of the format.
    #[error(
        "{path} is a saved reading of version {found} and this program reads version {expected}; read the text again with: loci read"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version that is read here.
        expected: u32,
    },
    /// It is not what was written.
    #[error("{path} is damaged: {what}; read the text again with: loci read")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// It was made with another model.
    #[error(
        "{path} was read with the model {saved} ({saved_fingerprint}), not with {given} ({given_fingerprint}); name that model with -m, or read the text again"
    )]
    Model {
        /// The file.
        path: PathBuf,
        /// How the model was called that it was read with.
        saved: String,
        /// Its fingerprint.
        saved_fingerprint: String,
        /// How the model is called that is at hand.
        given: String,
        /// Its fingerprint.
        given_fingerprint: String,
    },
    /// The memory's state does not fit the method, schedule or rows that the file names.
    #[error("{path} cannot be gone on from: {source}; read the text again with: loci read")]
    Memory {
        /// The file.
        path: PathBuf,
        /// What the memory said.
        source: MemoryError,
    },
    /// The method, schedule or scores in it are not known here, or do not fit the model.
    #[error(
        "{path} was read with {what}, which cannot be had here: {reason}; read the text again with: loci read"
    )]
    Recipe {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        what: String,
        /// Why not.
        reason: String,
    },
    /// More is asked of a reading than it was planned for.
    #[error(
        "this reading was planned for {planned} tokens and {needed} are needed, because {reason}; read the text again with --reserve {reserve}"
    )]
    Reserve {
        /// Tokens it was planned for.
        planned: usize,
        /// Tokens of documents, questions and answer.
        needed: usize,
        /// Why more would not do.
        reason: String,
        /// The reserve that would do.
        reserve: usize,
    },
}

impl ReadingError {
    pub(super) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }
}
