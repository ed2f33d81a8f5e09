//! What can go wrong with a memory.

use std::path::PathBuf;

use loci_engine::EngineError;

/// Why a memory refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// A time that cannot be read.
    #[error("{text:?} is no time; write it as 2023-05-20 or 2023-05-20T02:21:00Z")]
    Time {
        /// What was given.
        text: String,
    },
    /// What was given is not allowed.
    #[error("{0}")]
    Invalid(String),
    /// An item that is not there, or not this user's.
    #[error("there is no item {id:?} of this user; see: loci memory list")]
    NoItem {
        /// What was asked for.
        id: String,
    },
    /// Several items begin with what was given.
    #[error("{count} items begin with {id:?}; write more of the one that is meant")]
    Ambiguous {
        /// What was asked for.
        id: String,
        /// How many.
        count: usize,
    },
    /// A state cannot follow another.
    #[error("item {id} is {from} and cannot become {to}; {remedy}")]
    State {
        /// The item.
        id: String,
        /// Its state.
        from: &'static str,
        /// What it was to become.
        to: &'static str,
        /// What can be done instead.
        remedy: &'static str,
    },
    /// The file is no memory of Loci, or of a later version.
    #[error("{path} is not a memory that this version of Loci can open: {reason}")]
    NotAMemory {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The store failed.
    #[error("the memory in {path} failed: {message}")]
    Store {
        /// The file.
        path: PathBuf,
        /// What it said.
        message: String,
    },
    /// Another process is writing and does not stop.
    #[error(
        "the memory in {path} is being written by another process, and still is after {seconds} s; try again"
    )]
    Busy {
        /// The file.
        path: PathBuf,
        /// Seconds waited.
        seconds: u64,
    },
    /// The store holds what cannot be.
    #[error(
        "the memory is damaged: {0}; `loci memory verify` says where, and an export or a backup can be imported"
    )]
    Damaged(String),
    /// A file beside the store cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Another place does not let go of what was to be forgotten.
    #[error("{so_far}; the {place}: {message}")]
    Elsewhere {
        /// What was forgotten up to then.
        so_far: &'static str,
        /// The place.
        place: String,
        /// What stands in the way.
        message: String,
    },
    /// A line of an import is not what an export writes.
    #[error("line {line} cannot be imported: {message}")]
    Import {
        /// Counted from 1.
        line: usize,
        /// Why not.
        message: String,
    },
    /// Ranking by meaning failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
