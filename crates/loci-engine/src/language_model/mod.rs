//! The seam that reading strategies, evaluation and memory extraction see.

mod local;
#[cfg(feature = "remote")]
mod remote;

pub use local::LocalModel;
#[cfg(feature = "remote")]
pub use remote::{RemoteModel, RemoteOptions};

use std::collections::BTreeMap;
use std::time::Duration;

use loci_models::memory::ContextReport;
use loci_models::template::Message;

use crate::attended::Attended;
use crate::error::EngineError;
use crate::generate::{GenerateOptions, Generation, OnText};
use crate::grammar::{Form, Grammar};
use crate::score::Score;
use crate::session::Control;
use crate::tools::{Calling, Plan, Tool};

/// What a model goes on from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Plain text or a conversation.
    pub body: Body<'a>,
    /// How the answer begins: given to the model, no part of what it answers.
    pub answer_start: &'a str,
    /// Bytes of the text, or of the last message, that other inputs begin with too: a model that can keeps what it has
    /// read up to there. 0: nothing is shared.
    pub shared: usize,
    /// What the model can call, for its chat template; [`tools::plan`](crate::tools::plan) makes them.
    pub tools: &'a [serde_json::Value],
}

/// The kinds of input.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// Text that is continued.
    Text(&'a str),
    /// Messages that are answered.
    Messages(&'a [Message]),
}

impl<'a> Input<'a> {
    /// Plain text that is continued.
    pub const fn text(text: &'a str) -> Self {
        Self { body: Body::Text(text), answer_start: "", shared: 0, tools: &[] }
    }

    /// A conversation whose next message is written.
    pub const fn messages(messages: &'a [Message]) -> Self {
        Self { body: Body::Messages(messages), answer_start: "", shared: 0, tools: &[] }
    }

    /// The text, or the last message: what [`Input::shared`] and places of evidence count bytes of.
    pub fn whole(&self) -> &'a str {
        match self.body {
            Body::Text(text) => text,
            Body::Messages(messages) => messages.last().map_or("", |message| message.content.as_str()),
        }
    }
}

/// What an answer took.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Tokens of the prompt, what the answer begins with included.
    pub prompt_tokens: usize,
    /// Of those, the ones that were read for this answer, or taken over from another method that had read them; the others
    /// had been read before.
    pub read_tokens: usize,
    /// Time of the reading; for what was taken over, the time it took there.
    pub prefill: Duration,
    /// Tokens of the answer.
    pub answer_tokens: usize,
    /// Bytes in RAM of the contextual memory afterwards; 0 where that is not known.
    pub memory_bytes: usize,
    /// What became of the prompt's tokens, where that is known.
    pub context: Option<ContextReport>,
    /// What a reading strategy counted on the way: its figures, and what was wrong with replies and was handled.
    pub counted: BTreeMap<&'static str, f64>,
}

/// How likely a model finds an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rating {
    /// Natural logarithm of the probability of all its tokens, each given those before.
    pub log_probability: f64,
    /// Number of its tokens.
    pub tokens: usize,
    /// Before each of its tokens, the natural logarithms of the probabilities of the whole vocabulary; empty unless asked
    /// for.
    pub distributions: Vec<Vec<f64>>,
}

/// A model that reads and writes text, here or elsewhere.
pub trait LanguageModel {
    /// How reports call it.
    fn name(&self) -> &str;

    /// Goes on from `input`; `on_text` receives the answer as it is written.
    ///
    /// # Errors
    /// [`EngineError`] when the input is refused or the model fails.
    fn answer(
        &mut self,
        input: &Input<'_>,
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError>;

    /// How likely the model finds each of `answers` to `input`, and what reading it took. With `distributions` all
    /// probabilities are kept: 8 bytes for each token of the answer and of the vocabulary.
    ///
    /// # Errors
    /// [`EngineError`] when the input is refused, or the model fails or does not tell likelihoods.
    fn rate(
        &mut self,
        input: &Input<'_>,
        answers: &[&str],
        distributions: bool,
        control: &mut Control<'_>,
    ) -> Result<(Vec<Rating>, Account), EngineError>;

    /// How unexpected each token of `text` is, read as one sequence.
    ///
    /// # Errors
    /// [`EngineError`] when the model fails or does not tell likelihoods.
    fn score(&mut self, text: &str, control: &mut Control<'_>) -> Result<Score, EngineError>;

    /// A vector for `text`.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] when the model was not made for this.
    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EngineError>;

    /// Tokens of `text` for this model; `None` where that is not known.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] above 2 GiB.
    fn count_tokens(&self, _text: &str) -> Result<Option<usize>, EngineError> {
        Ok(None)
    }

    /// What holds an answer to `form`; `None` where answers of this model cannot be held to a form.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] when the form is not valid, not supported or beyond a limit.
    fn grammar(&self, _form: &Form) -> Result<Option<Grammar>, EngineError> {
        Ok(None)
    }

    /// Prepares a conversation in which the model can call tools. A model that cannot be held to a form is shown them and
    /// may call none.
    ///
    /// # Errors
    /// As [`tools::plan`](crate::tools::plan).
    fn plan_tools(
        &self,
        messages: &[Message],
        tools: &[Tool],
        _calling: &Calling,
    ) -> Result<Plan, EngineError> {
        let tools = tools.iter().map(Tool::to_json).collect();
        Ok(Plan { messages: messages.to_vec(), tools, grammar: None })
    }

    /// Where the tokens of `input` from byte `from` of the text, or of the last message, on look in the layer that
    /// has `above` layers above it; see [`Attended`].
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] where the model does not show its attention, or has no such layer.
    fn attended(
        &mut self,
        _input: &Input<'_>,
        _from: usize,
        _above: usize,
        _control: &mut Control<'_>,
    ) -> Result<Attended, EngineError> {
        Err(EngineError::Unsupported(format!(
            "{} does not show its attention; use a local model (-m)",
            self.name()
        )))
    }

    /// Continues `prompt` as plain text.
    ///
    /// # Errors
    /// As [`LanguageModel::answer`].
    fn generate(
        &mut self,
        prompt: &str,
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        self.answer(&Input::text(prompt), options, control, on_text)
    }

    /// Writes the next message of a conversation.
    ///
    /// # Errors
    /// As [`LanguageModel::answer`].
    fn chat(
        &mut self,
        messages: &[Message],
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        self.answer(&Input::messages(messages), options, control, on_text)
    }
}
