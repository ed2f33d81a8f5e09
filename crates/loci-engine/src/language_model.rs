//! The seam that reading strategies, evaluation and memory extraction see.

use std::sync::Arc;

use loci_models::memory::ContextReport;
use loci_models::template::Message;

use crate::context::ContextOptions;
use crate::draft::Drafted;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::generate::{GenerateOptions, Generation, OnText, generate};
use crate::layout::{Prompt, conversation, plain};
use crate::score::{Score, ScoreOptions, score};
use crate::session::{Control, Session};
use crate::shorten::shorten;

/// A model that reads and writes text, here or elsewhere.
pub trait LanguageModel {
    /// How reports call it.
    fn name(&self) -> &str;

    /// Continues `prompt` as plain text; `on_text` receives the continuation as it is written.
    ///
    /// # Errors
    /// [`EngineError`] when the prompt is refused or the model fails.
    fn generate(
        &mut self,
        prompt: &str,
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError>;

    /// Writes the next message of a conversation.
    ///
    /// # Errors
    /// [`EngineError`] when the messages are refused or the model fails.
    fn chat(
        &mut self,
        messages: &[Message],
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError>;

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
}

/// A model on this machine. Keeps the session of the last call, so that a prompt which begins like the one
/// before is not read twice.
#[derive(Debug)]
pub struct LocalModel {
    engine: Arc<Engine>,
    context: ContextOptions,
    held: Option<Held>,
}

/// A session and what it was planned for: another plan needs another memory.
#[derive(Debug)]
struct Held {
    session: Session,
    method: String,
    planned_tokens: usize,
    /// Tokens of the last prompt that were left out when it was shortened.
    skipped: usize,
    /// What a draft wrote while the last prompt was shortened.
    drafted: Drafted,
}

impl LocalModel {
    /// `engine` with its context held as `context` says.
    pub const fn new(engine: Arc<Engine>, context: ContextOptions) -> Self {
        Self { engine, context, held: None }
    }

    /// What became of the tokens of the last prompt and answer; `None` before the first.
    pub fn report(&self) -> Option<ContextReport> {
        let held = self.held.as_ref()?;
        let report = held.session.report().ok()?;
        Some(ContextReport { given: report.read + held.skipped, skipped: held.skipped, ..report })
    }

    fn answer(
        &mut self,
        prompt: Prompt,
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        if prompt.is_empty() {
            return Err(EngineError::Nothing { what: "the prompt".to_owned(), purpose: "continue" });
        }
        let mut plan = self.context.plan(&self.engine, prompt.len(), options.max_tokens)?;
        // Schedules may depend on the planned length. Planning in whole windows lets a growing conversation
        // keep its session, and changes no schedule as long as it fits the trained window.
        plan.planned_tokens = plan.planned_tokens.next_multiple_of(self.engine.trained_window().max(1));
        let (method, planned_tokens) = (plan.method.to_string(), plan.planned_tokens);
        let fits = |held: &Held| held.method == method && held.planned_tokens == planned_tokens;
        if let Some(held) = self.held.as_ref().filter(|held| fits(held)) {
            plan.drafted = held.drafted.clone();
        }
        let prompt = shorten(&self.engine, prompt, &self.context, &plan, control)?;
        let mut held = match self.held.take().filter(fits) {
            Some(held) => held,
            None => Held {
                session: self.context.session(&self.engine, &plan)?,
                method,
                planned_tokens,
                skipped: 0,
                drafted: plan.drafted.clone(),
            },
        };
        held.skipped = prompt.skipped;
        held.session.change_to(&prompt.tokens, control)?;
        let generation = generate(&mut held.session, options, control, on_text)?;
        self.held = Some(held);
        Ok(generation)
    }
}

impl LanguageModel for LocalModel {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn generate(
        &mut self,
        prompt: &str,
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        let prompt = plain(&self.engine, prompt)?;
        self.answer(prompt, options, control, on_text)
    }

    fn chat(
        &mut self,
        messages: &[Message],
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        let prompt = conversation(&self.engine, messages)?;
        self.answer(prompt, options, control, on_text)
    }

    fn score(&mut self, text: &str, control: &mut Control<'_>) -> Result<Score, EngineError> {
        let options = ScoreOptions { context: self.context.clone(), ..ScoreOptions::default() };
        score(&self.engine, text, &options, control)
    }

    fn embed(&mut self, _text: &str) -> Result<Vec<f32>, EngineError> {
        Err(EngineError::Unsupported(format!(
            "{} is a generative model and makes no embeddings; use a model trained for them",
            self.engine.name()
        )))
    }
}
