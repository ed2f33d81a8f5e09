//! What can go wrong.

use loci_engine::EngineError;
use loci_models::method::ParameterError;

/// Why an evaluation was refused or broken off.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The model failed or refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A task or its parameters were refused.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A memory that is measured refused or failed.
    #[cfg(feature = "memory")]
    #[error(transparent)]
    Memory(#[from] loci_memory::MemoryError),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of a data file is not what its format says.
    #[error("{path}, line {line}: {message}")]
    Line {
        /// The file.
        path: String,
        /// Its line, from 1.
        line: usize,
        /// What is wrong, and what was expected.
        message: String,
    },
    /// There is nothing to evaluate on.
    #[error("{0}")]
    Nothing(String),
    /// An example cannot be made as asked.
    #[error("{task}: {message}")]
    Unmakeable {
        /// The task.
        task: &'static str,
        /// Value, limit and way out.
        message: String,
    },
}
