//! Why a chat template could not be used.

use std::path::PathBuf;

use minijinja::ErrorKind;

use super::functions::Raised;

/// Why a chat template could not be compiled or run.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The source is longer than any template.
    #[error("the chat template has {bytes} bytes, more than the {limit} a template may have")]
    SourceTooLong {
        /// Its length.
        bytes: usize,
        /// Longest source.
        limit: usize,
    },
    /// A file that should hold a template cannot be read.
    #[error("cannot read the chat template in {path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The source is not valid.
    #[error("the model's chat template is not valid in line {line}: {message}; give another template")]
    Syntax {
        /// Line of the source, from 1; 0 when unknown.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The template itself refused the messages.
    #[error("the model's chat template refuses these messages (line {line}): {message}")]
    Refused {
        /// Line of the source, from 1; 0 when unknown.
        line: usize,
        /// What the template says.
        message: String,
    },
    /// The template failed while it ran.
    #[error("the model's chat template failed in line {line}: {message}; give another template")]
    Failed {
        /// Line of the source, from 1; 0 when unknown.
        line: usize,
        /// What happened.
        message: String,
    },
    /// The template runs without end, or nearly so.
    #[error("the model's chat template takes too many steps (stopped in line {line}); give another template")]
    TooManySteps {
        /// Line of the source, from 1; 0 when unknown.
        line: usize,
    },
    /// The template writes too much.
    #[error("the model's chat template writes more than {limit} bytes; give another template")]
    OutputTooLong {
        /// Most bytes it may write.
        limit: usize,
    },
    /// A role that could smuggle notation into the prompt.
    #[error("role {role:?} is not allowed; use up to 64 letters, digits, '_' or '-'")]
    Role {
        /// The role, shortened.
        role: String,
    },
    /// A message does not come back from the template as it was given, so notation and data cannot be told apart.
    #[error(
        "the model's chat template changes, repeats or drops message {index}, so its text cannot be kept apart from \
         the notation; leave the message out or give another template"
    )]
    ContentChanged {
        /// Index of the message.
        index: usize,
    },
}

impl From<minijinja::Error> for TemplateError {
    fn from(error: minijinja::Error) -> Self {
        // An error inside a macro or an included block is the source of the one that is reported.
        let mut line = error.line().unwrap_or(0);
        let mut message = describe(&error);
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            if let Some(raised) = inner.downcast_ref::<Raised>() {
                return Self::Refused { line, message: raised.0.clone() };
            }
            if let Some(inner) = inner.downcast_ref::<minijinja::Error>() {
                if inner.kind() == ErrorKind::OutOfFuel {
                    return Self::TooManySteps { line: inner.line().unwrap_or(line) };
                }
                line = inner.line().unwrap_or(line);
                message = describe(inner);
            }
            source = inner.source();
        }
        match error.kind() {
            ErrorKind::OutOfFuel => Self::TooManySteps { line },
            ErrorKind::SyntaxError => Self::Syntax { line, message },
            _ => Self::Failed { line, message },
        }
    }
}

fn describe(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}
