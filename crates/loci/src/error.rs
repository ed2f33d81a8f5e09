//! Errors as the user sees them, and the exit code of each.

use std::process::ExitCode;

use loci_context::BuildError;
use loci_engine::EngineError;
use loci_engine::documents::DocumentError;
use loci_engine::method_file::MethodFileError;
use loci_engine::model_store::pull::PullError;
use loci_engine::model_store::{ResolveError, catalogue::CatalogueError};
use loci_eval::EvalError;
use loci_models::method::ParameterError;
use loci_models::sampling::SamplingError;
#[cfg(feature = "search")]
use loci_reading::search::SearchError;

/// Why a command ended without doing what it was asked to.
#[derive(Debug)]
pub(crate) enum CliError {
    /// It was typed wrongly: exit code 2.
    Usage(Trouble),
    /// It failed: exit code 1.
    Failed(Trouble),
    /// Ctrl-C: exit code 130.
    Interrupted(String),
    /// Another process of this program ended with this exit code and has said why.
    Said(u8),
    /// The reader of standard output went away, which is its right: exit code 0, without a word.
    BrokenPipe,
}

/// What went wrong, and the way out.
#[derive(Debug)]
pub(crate) struct Trouble {
    message: String,
    help: Option<String>,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Trouble {}

impl miette::Diagnostic for Trouble {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }
}

impl CliError {
    /// A mistake in what was typed.
    pub(crate) fn usage(message: impl std::fmt::Display) -> Self {
        Self::Usage(Trouble::new(&message.to_string()))
    }

    /// A failure.
    pub(crate) fn failed(message: impl std::fmt::Display) -> Self {
        Self::Failed(Trouble::new(&message.to_string()))
    }

    /// Prints the error and gives its exit code.
    pub(crate) fn report(self) -> ExitCode {
        let (trouble, code) = match self {
            Self::BrokenPipe => return ExitCode::SUCCESS,
            Self::Said(code) => return ExitCode::from(code),
            Self::Interrupted(message) => {
                crate::ui::complain(&message);
                return ExitCode::from(130);
            }
            Self::Usage(trouble) => (trouble, 2),
            Self::Failed(trouble) => (trouble, 1),
        };
        crate::ui::complain(&format!("{:?}", miette::Report::new(trouble)));
        ExitCode::from(code)
    }
}

impl Trouble {
    /// By the house's custom a message is "what is wrong; the way out". The way out is shown on its own line.
    fn new(text: &str) -> Self {
        match text.split_once("; ") {
            Some((message, help)) if !text.contains('\n') => {
                Self { message: message.to_owned(), help: Some(help.to_owned()) }
            }
            _ => Self { message: text.to_owned(), help: None },
        }
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Interrupted { .. } => Self::Interrupted(error.to_string()),
            EngineError::Parameter(_)
            | EngineError::Build(BuildError::Parameter(_))
            | EngineError::MethodFile(MethodFileError::Parameter { .. } | MethodFileError::Form { .. })
            | EngineError::Sampling(SamplingError::Parameter { .. } | SamplingError::EmptyStop { .. }) => {
                Self::usage(error)
            }
            error => Self::failed(error),
        }
    }
}

impl From<EvalError> for CliError {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Engine(error) => error.into(),
            EvalError::Memory(error) => error.into(),
            EvalError::Parameter(_) | EvalError::Nothing(_) | EvalError::Unmakeable { .. } => {
                Self::usage(error)
            }
            error => Self::failed(error),
        }
    }
}

impl From<loci_memory::MemoryError> for CliError {
    fn from(error: loci_memory::MemoryError) -> Self {
        use loci_memory::MemoryError;
        match error {
            MemoryError::Engine(error) => error.into(),
            MemoryError::Time { .. }
            | MemoryError::Invalid(_)
            | MemoryError::NoItem { .. }
            | MemoryError::Ambiguous { .. }
            | MemoryError::State { .. }
            | MemoryError::NotAMemory { .. } => Self::usage(error),
            error => Self::failed(error),
        }
    }
}

#[cfg(feature = "search")]
impl From<SearchError> for CliError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Engine(error) => error.into(),
            SearchError::Interrupted { .. } => Self::Interrupted(error.to_string()),
            SearchError::NoWords { .. }
            | SearchError::NotAFolder { .. }
            | SearchError::NotAnIndex { .. }
            | SearchError::OtherFolder { .. } => Self::usage(error),
            error => Self::failed(error),
        }
    }
}

impl From<ParameterError> for CliError {
    fn from(error: ParameterError) -> Self {
        Self::usage(error)
    }
}

impl From<MethodFileError> for CliError {
    fn from(error: MethodFileError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<DocumentError> for CliError {
    fn from(error: DocumentError) -> Self {
        Self::failed(error)
    }
}

impl From<ResolveError> for CliError {
    fn from(error: ResolveError) -> Self {
        Self::failed(error)
    }
}

impl From<CatalogueError> for CliError {
    fn from(error: CatalogueError) -> Self {
        Self::failed(error)
    }
}

impl From<PullError> for CliError {
    fn from(error: PullError) -> Self {
        Self::failed(error)
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe { Self::BrokenPipe } else { Self::failed(error) }
    }
}

impl From<serde_json::Error> for CliError {
    fn from(error: serde_json::Error) -> Self {
        match error.io_error_kind() {
            Some(std::io::ErrorKind::BrokenPipe) => Self::BrokenPipe,
            _ => Self::failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Trouble;

    #[test]
    fn the_way_out_becomes_the_help() {
        let trouble = Trouble::new("block_size 128 does not divide window 2000; use 1920 or 2048");
        assert_eq!(trouble.message, "block_size 128 does not divide window 2000");
        assert_eq!(trouble.help.as_deref(), Some("use 1920 or 2048"));
        assert_eq!(Trouble::new("plain").help, None);
    }
}
