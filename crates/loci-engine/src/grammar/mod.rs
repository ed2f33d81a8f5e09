//! Answers held to a form: a JSON schema, a grammar or a regular expression.
//!
//! [`Engine::grammar`] compiles a [`Form`] for the model's tokens; the [`Grammar`] goes into
//! [`GenerateOptions`](crate::GenerateOptions), and nothing else than what it allows is ever drawn. Forms come from
//! outside: their size is limited, what is not supported is refused, and nothing is left out silently.
//!
//! The work is done by `llguidance` (feature `grammar`); without it every form is refused.

#[cfg(feature = "grammar")]
mod compile;
#[cfg(feature = "grammar")]
mod follow;
mod quotes;
mod schema;
#[cfg(feature = "grammar")]
mod vocabulary;

use std::fmt::{Debug, Formatter};
use std::sync::Arc;

use loci_models::sampling::Constraint;
use serde_json::Value;

use crate::engine::Engine;
use crate::error::EngineError;

pub use quotes::Quotes;

#[cfg(feature = "grammar")]
pub(crate) use compile::{Compiler, in_our_style};

/// Longest text of a grammar or a regular expression, in bytes.
pub const MAX_TEXT: usize = 64 << 10;

/// What an answer has to look like.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// JSON that fits a schema, on one line, with a space behind `,` and `:`.
    JsonSchema(Value),
    /// Any JSON object.
    JsonObject,
    /// A grammar in llguidance's variant of Lark; `start` is where it begins.
    Lark(String),
    /// A regular expression that the whole answer matches, in the syntax of Rust's `regex`, without look-around.
    Regex(String),
    /// Some of given texts.
    Quotes(Quotes),
}

impl Form {
    /// How errors call it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::JsonSchema(_) | Self::JsonObject => "JSON schema",
            Self::Lark(_) => "grammar",
            Self::Regex(_) => "regular expression",
            Self::Quotes(_) => "list of texts",
        }
    }

    /// Checks what can be said without a model: sizes, and keywords that steer the compiler.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] with the limit.
    pub fn check(&self) -> Result<(), EngineError> {
        let refuse = |message: String| Err(EngineError::Grammar { kind: self.kind(), message });
        match self {
            Self::JsonObject | Self::Quotes(_) => Ok(()),
            Self::JsonSchema(schema) => schema::check(schema),
            Self::Lark(text) | Self::Regex(text) if text.len() > MAX_TEXT => {
                refuse(format!("it has {} bytes, more than the {MAX_TEXT} allowed; shorten it", text.len()))
            }
            // Schemas are checked before they are compiled, so they may not come in by another door.
            Self::Lark(text) if text.contains("%json") || text.contains("%llguidance") => refuse(
                "%json and %llguidance are not supported inside a grammar; give a JSON schema".to_owned(),
            ),
            Self::Lark(_) | Self::Regex(_) => Ok(()),
        }
    }
}

/// A compiled form; cheap to clone, for any number of answers at once.
#[derive(Clone)]
pub struct Grammar(Arc<dyn Start>);

/// Where an answer begins.
trait Start: Send + Sync {
    fn start(&self) -> Result<Box<dyn Constraint>, EngineError>;
}

impl<F: Fn() -> Result<Box<dyn Constraint>, EngineError> + Send + Sync> Start for F {
    fn start(&self) -> Result<Box<dyn Constraint>, EngineError> {
        self()
    }
}

impl Grammar {
    /// A grammar of one's own: `start` gives what the next answer is held to.
    pub fn new(start: impl Fn() -> Result<Box<dyn Constraint>, EngineError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(start))
    }

    /// What one answer is held to, from its beginning.
    ///
    /// # Errors
    /// [`EngineError::Internal`] when another thread failed while it held the grammar.
    pub fn constraint(&self) -> Result<Box<dyn Constraint>, EngineError> {
        self.0.start()
    }
}

impl Debug for Grammar {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("Grammar")
    }
}

impl Engine {
    /// Compiles `form` for the model's tokens. The first call for an engine also sorts its vocabulary, which takes a
    /// fraction of a second.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] when the form is not valid, not supported or beyond a limit;
    /// [`EngineError::Unsupported`] when this build has no grammars.
    pub fn grammar(&self, form: &Form) -> Result<Grammar, EngineError> {
        form.check()?;
        if let Form::Quotes(quotes) = form {
            return quotes::grammar(self.tokenizer()?, quotes);
        }
        self.compiler().compile(self.tokenizer()?, form)
    }
}

/// Refuses every form.
#[cfg(not(feature = "grammar"))]
#[derive(Debug, Default)]
pub(crate) struct Compiler(());

#[cfg(not(feature = "grammar"))]
impl Compiler {
    #[allow(clippy::unused_self)] // as the one of the other build
    fn compile(
        &self,
        _tokenizer: &loci_models::tokenizer::Tokenizer,
        form: &Form,
    ) -> Result<Grammar, EngineError> {
        Err(EngineError::Unsupported(format!(
            "this build cannot hold an answer to a {}; build it with the feature `grammar`",
            form.kind()
        )))
    }
}
