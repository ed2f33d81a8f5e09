//! Why a model could not be opened.

use std::path::{Path, PathBuf};

use loci_kernels::linear::PackError;

use crate::tokenizer::TokenizerError;

/// Why a model file or folder was refused. Every variant names the file, what was expected, what was found and
/// a way out.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The system could not open or map a file.
    #[error("{}: cannot be read: {source}; check the path and its permissions", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The path is neither a GGUF file nor a model folder.
    #[error("{}: expected a GGUF file or a folder with config.json, found {found}; {remedy}", path.display())]
    NotAModel {
        /// File or folder.
        path: PathBuf,
        /// What is there instead.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The file contradicts its own format.
    #[error("{}: expected {expected}, found {found}; the file is damaged or truncated, get it again", path.display())]
    Damaged {
        /// File.
        path: PathBuf,
        /// What the format asks for at this place.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The file is sound, but Loci does not know how to compute this.
    #[error("{}: {what} {found} is not supported; supported: {supported}", path.display())]
    Unsupported {
        /// File.
        path: PathBuf,
        /// Which thing: architecture, tensor type, ….
        what: String,
        /// Its value.
        found: String,
        /// What would do.
        supported: String,
    },
    /// A setting is missing or makes no sense.
    #[error("{}: {key} must be {expected}, found {found}; the file was made for another program or is damaged, use another conversion of the model", path.display())]
    Setting {
        /// File.
        path: PathBuf,
        /// Name of the setting in that file.
        key: String,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A tensor of the architecture is not in the file.
    #[error("{}: tensor {tensor} is missing; the file is incomplete, get it again", path.display())]
    MissingTensor {
        /// File or folder.
        path: PathBuf,
        /// Name in that file.
        tensor: String,
    },
    /// A tensor does not fit the configuration.
    #[error("{}: tensor {tensor} must have the shape {expected:?}, found {found:?}; the file does not fit its own configuration, get it again", path.display())]
    TensorShape {
        /// File or folder.
        path: PathBuf,
        /// Name in that file.
        tensor: String,
        /// Rows first.
        expected: Vec<usize>,
        /// Rows first.
        found: Vec<usize>,
    },
    /// A file that the folder's index names is not there.
    #[error("{}: expected the file {file} next to it, found none; download the missing file into that folder", path.display())]
    MissingFile {
        /// File that names it.
        path: PathBuf,
        /// Name of the missing file.
        file: String,
    },
    /// A matrix could not be packed.
    #[error("{}: tensor {tensor}: {source}; the file is damaged, get it again", path.display())]
    Pack {
        /// File or folder.
        path: PathBuf,
        /// Name in that file.
        tensor: String,
        /// What the packing found.
        source: PackError,
    },
    /// The tokenizer could not be made.
    #[error("{}: tokenizer: {source}", path.display())]
    Tokenizer {
        /// File or folder.
        path: PathBuf,
        /// What is wrong.
        source: TokenizerError,
    },
    /// The model came without a tokenizer.
    #[error("{}: expected a tokenizer ({expected}), found none; use a conversion of the model that has one", path.display())]
    NoTokenizer {
        /// File or folder.
        path: PathBuf,
        /// Where it would be.
        expected: &'static str,
    },
}

impl ModelError {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), expected: expected.into(), found: found.into() }
    }

    pub(crate) fn unsupported(
        path: &Path,
        what: impl Into<String>,
        found: impl Into<String>,
        supported: impl Into<String>,
    ) -> Self {
        Self::Unsupported {
            path: path.to_owned(),
            what: what.into(),
            found: found.into(),
            supported: supported.into(),
        }
    }

    pub(crate) fn setting(
        path: &Path,
        key: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Setting {
            path: path.to_owned(),
            key: key.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}
