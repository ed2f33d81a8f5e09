//! What can be wrong with a tokenizer's file, metadata or input.

use std::path::PathBuf;

/// Why a tokenizer could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// A file could not be read.
    #[error("cannot read {path}: {source}; give a folder that holds a tokenizer.json", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is larger than any tokenizer is.
    #[error("{path} has {size} bytes, more than the {limit} that a tokenizer file may have", path = path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// Largest size read.
        limit: u64,
    },
    /// Not JSON, or not JSON of the expected shape.
    #[error("{file} is not a tokenizer file: {source}; download it again")]
    Json {
        /// File name.
        file: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A part of a tokenizer that is not supported. Nothing is approximated in its place.
    #[error("{part} {found} is not supported; supported are: {supported}")]
    Unsupported {
        /// Which part: model, pre-tokenizer, normalizer, ….
        part: &'static str,
        /// What was found.
        found: String,
        /// What would do.
        supported: String,
    },
    /// Two lists that belong together have different lengths.
    #[error(
        "the vocabulary has {found} {what} for {expected} tokens; the file is damaged, download it again"
    )]
    Lengths {
        /// Which list.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Number of tokens.
        expected: usize,
    },
    /// A token id outside the vocabulary.
    #[error("{what} is token {id}, but the vocabulary has {size} tokens; the file is damaged")]
    IdOutOfRange {
        /// Whose id.
        what: String,
        /// The id.
        id: u64,
        /// Number of tokens.
        size: usize,
    },
    /// Two tokens claim the same id.
    #[error("tokens {first:?} and {second:?} both have id {id}; the file is damaged")]
    DuplicateId {
        /// The id.
        id: u32,
        /// One token.
        first: String,
        /// The other.
        second: String,
    },
    /// A merge that cannot be applied.
    #[error("merge {index}, {text:?}, {reason}; the file is damaged")]
    BadMerge {
        /// Position in the list, from 0.
        index: usize,
        /// The merge as written.
        text: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A score that has no order.
    #[error("token {id} has the score {score}; scores must be numbers")]
    BadScore {
        /// The token.
        id: usize,
        /// Its score.
        score: f32,
    },
    /// A token too long to be real.
    #[error("token {id} has {bytes} bytes, more than the {limit} a token may have; the file is damaged")]
    TokenTooLong {
        /// The token.
        id: usize,
        /// Its length.
        bytes: usize,
        /// Largest length.
        limit: usize,
    },
    /// No token at all.
    #[error("the vocabulary is empty; the file is damaged")]
    Empty,
    /// The text is larger than offsets within a word can count.
    #[error(
        "the text has {bytes} bytes, more than the {limit} that are tokenised at once; split it into files"
    )]
    TextTooLong {
        /// Its length.
        bytes: usize,
        /// Largest length.
        limit: usize,
    },
}
