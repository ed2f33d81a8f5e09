//! What can go wrong between a request and its answer.

use loci_context::BuildError;
use loci_models::ModelError;
use loci_models::encoder::EncoderError;
use loci_models::memory::MemoryError;
use loci_models::method::ParameterError;
use loci_models::sampling::SamplingError;
use loci_models::template::TemplateError;
use loci_models::tokenizer::TokenizerError;
use loci_models::wiring::ForwardError;

use crate::documents::DocumentError;
use crate::method_file::MethodFileError;
use crate::saved::ReadingError;

/// Why the engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A table of head scores cannot be used.
    #[error("the head scores in {path} cannot be used: {message}")]
    Heads {
        /// The file.
        path: String,
        /// Why.
        message: String,
    },
    /// The model file could not be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Texts got no vectors.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// A forward step failed.
    #[error(transparent)]
    Forward(ForwardError),
    /// The contextual memory refused or failed.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The method could not be set up for this model and input.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A method or position schedule, or one of its parameters, does not exist or does not fit.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A reading could not be saved or opened.
    #[error(transparent)]
    Reading(#[from] ReadingError),
    /// A method file could not be read.
    #[error(transparent)]
    MethodFile(#[from] MethodFileError),
    /// An input file could not be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The model's chat template refused the messages.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A text could not be turned into tokens.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The sampling parameters are not allowed, or the model's logits are no numbers.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// What an answer is to be held to cannot be used.
    #[error("the {kind} cannot be used: {message}")]
    Grammar {
        /// JSON schema, grammar, regular expression, or tool.
        kind: &'static str,
        /// What is wrong, and where a limit was passed, which.
        message: String,
    },
    /// An endpoint gave no answer.
    #[error("{url}: {message} (attempt {attempts})")]
    Remote {
        /// What was called.
        url: String,
        /// What it or the system said.
        message: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// There is nothing to read.
    #[error("{what} holds no text, so there is nothing to {purpose}")]
    Nothing {
        /// What is empty.
        what: String,
        /// What it was needed for.
        purpose: &'static str,
    },
    /// The user asked to stop.
    #[error("stopped after {done} of {total} tokens")]
    Interrupted {
        /// Tokens read.
        done: usize,
        /// Tokens that were to be read.
        total: usize,
    },
    /// The model or this build cannot do it.
    #[error("{0}")]
    Unsupported(String),
    /// The caller broke an order of calls, or a count does not add up; a defect of this program.
    #[error("internal error in the engine: {0}")]
    Internal(String),
}

impl From<ForwardError> for EngineError {
    fn from(error: ForwardError) -> Self {
        match error {
            ForwardError::Memory { source, .. } => Self::Memory(source),
            other => Self::Forward(other),
        }
    }
}
