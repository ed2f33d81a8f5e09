//! A model that is given what a strategy chooses of a text, and then the question.

use std::fmt::Debug;

use loci_engine::generate::OnText;
use loci_engine::score::Score;
use loci_engine::{
    Account, Body, Control, EngineError, GenerateOptions, Generation, Input, LanguageModel, Rating,
};
use loci_models::template::Message;

/// Chooses what of a text a model is given for a question.
pub trait Chooser: Debug {
    /// Its id.
    fn id(&self) -> &'static str;

    /// What stands before `question` instead of `text`.
    ///
    /// # Errors
    /// [`EngineError::Nothing`] for a question that it cannot work with.
    fn choose(&mut self, text: &str, question: &str) -> Result<String, EngineError>;
}

/// A model that is given what a [`Chooser`] takes of a text.
///
/// [`Input::shared`] bytes of the text, or of the last message, are the text; what stands behind them is the question.
/// Earlier messages are passed on as they are. What the model is given shares nothing with other inputs: it differs by
/// question. Accounts and names are those of the model.
#[derive(Debug)]
pub struct Given<M> {
    model: M,
    chooser: Box<dyn Chooser>,
}

impl<M> Given<M> {
    /// `model`, given what `chooser` takes.
    pub const fn new(model: M, chooser: Box<dyn Chooser>) -> Self {
        Self { model, chooser }
    }

    /// What of `whole`, whose first `shared` bytes are the text, the model is given.
    fn chosen(&mut self, whole: &str, shared: usize) -> Result<String, EngineError> {
        let (text, question) = apart(whole, shared, self.chooser.id())?;
        Ok(self.chooser.choose(text, question)? + question)
    }

    /// Calls the model through `ask` with what it is given.
    fn with<T>(
        &mut self,
        input: &Input<'_>,
        ask: impl FnOnce(&mut M, &Input<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let pass = |body| Input { body, answer_start: input.answer_start, shared: 0, tools: input.tools };
        match input.body {
            Body::Text(text) => {
                let text = self.chosen(text, input.shared)?;
                ask(&mut self.model, &pass(Body::Text(&text)))
            }
            Body::Messages(messages) => {
                let last = messages.last().map_or("", |message| message.content.as_str());
                let content = self.chosen(last, input.shared)?;
                let mut messages: Vec<Message> = messages.to_vec();
                if let Some(last) = messages.last_mut() {
                    last.content = content;
                }
                ask(&mut self.model, &pass(Body::Messages(&messages)))
            }
        }
    }
}

/// Text and question of `whole`.
fn apart<'a>(whole: &'a str, shared: usize, id: &str) -> Result<(&'a str, &'a str), EngineError> {
    if shared == 0 {
        return Err(EngineError::Unsupported(format!(
            "{id} needs text and question apart, and here no text is marked as shared by questions (shared is 0); ask each \
             question about the text alone, or leave {id} out of the methods"
        )));
    }
    whole.split_at_checked(shared).ok_or_else(|| {
        EngineError::Unsupported(format!(
            "the text is said to be {shared} bytes of {}, which is no border between characters; give the bytes of the \
             text as `shared`",
            whole.len()
        ))
    })
}

impl<M: LanguageModel> LanguageModel for Given<M> {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn answer(
        &mut self,
        input: &Input<'_>,
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        self.with(input, |model, input| model.answer(input, options, control, on_text))
    }

    fn rate(
        &mut self,
        input: &Input<'_>,
        answers: &[&str],
        distributions: bool,
        control: &mut Control<'_>,
    ) -> Result<(Vec<Rating>, Account), EngineError> {
        self.with(input, |model, input| model.rate(input, answers, distributions, control))
    }

    fn score(&mut self, _text: &str, _control: &mut Control<'_>) -> Result<Score, EngineError> {
        let id = self.chooser.id();
        Err(EngineError::Unsupported(format!(
            "{id} chooses what is read for a question, and a text that is scored has none; score it without {id}"
        )))
    }

    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EngineError> {
        self.model.embed(text)
    }
}
