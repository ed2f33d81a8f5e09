//! The worker as a language model, for whatever asks models: every call is a request of the client, and waits its turn.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use loci_engine::generate::OnText;
use loci_engine::grammar::{Form, Grammar};
use loci_engine::score::Score;
use loci_engine::tools::{Calling, Plan, Tool};
use loci_engine::{
    Account, Attended, Body, Control, EngineError, GenerateOptions, Generation, Input, LanguageModel,
    LocalModel, Rating,
};
use loci_models::template::Message;
use tokio::runtime::Handle;

use super::{News, Question, Told, prepare, submit};
use crate::error::ApiError;
use crate::openai::LociFields;
use crate::state::{App, ServedModel};

/// How often it is looked whether the client went away.
const LOOK: Duration = Duration::from_millis(100);

/// A served model, asked through the worker. Its calls wait, so they belong on a thread that may.
///
/// What only looks at likelihoods or attention computes beside the worker, on the same pool.
pub struct Through {
    app: Arc<App>,
    model: Arc<ServedModel>,
    client: u64,
    fields: LociFields,
    runtime: Handle,
    local: LocalModel,
    /// What the last call failed with, with its status.
    failure: Option<ApiError>,
}

impl std::fmt::Debug for Through {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} through the worker", self.model.id)
    }
}

impl Through {
    /// `model` for a client whose request says `fields`.
    ///
    /// # Errors
    /// [`ApiError`] for a method or budget that cannot be read.
    pub fn new(
        app: Arc<App>,
        model: Arc<ServedModel>,
        client: u64,
        fields: LociFields,
        runtime: Handle,
    ) -> Result<Self, ApiError> {
        let local = LocalModel::new(Arc::clone(&model.engine), model.context(&fields)?);
        Ok(Self { app, model, client, fields, runtime, local, failure: None })
    }

    /// Tokens of the window that the model was trained with.
    pub fn window(&self) -> usize {
        self.model.engine.trained_window()
    }

    /// What became of work with this model: the failure of its last call keeps its status.
    ///
    /// # Errors
    /// The failure of `outcome`.
    pub fn told<T>(self, outcome: Result<T, EngineError>) -> Result<T, ApiError> {
        outcome.map_err(|error| match (self.failure, error) {
            (Some(failure), EngineError::Unsupported(_)) => failure,
            (_, error) => error.into(),
        })
    }

    fn ask(
        &self,
        input: &Input<'_>,
        options: &GenerateOptions,
        control: &Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, ApiError> {
        let start = input.answer_start.to_owned();
        let question = match input.body {
            Body::Text(text) => Question::Text(format!("{text}{start}")),
            Body::Messages(messages) => Question::Messages(messages.to_vec(), input.tools.to_vec(), start),
        };
        let prepared = prepare(&self.model, question, &self.fields, None, vec![options.clone()])?;
        let (mut running, asked) = submit(&self.app, self.client, prepared)?;
        let mut told = Told::default();
        loop {
            // Dropping what runs ends it.
            if control.stopped() {
                return Err(EngineError::Interrupted { done: 0, total: asked.prompt_tokens }.into());
            }
            let next = async { tokio::time::timeout(LOOK, running.next()).await };
            let event = match self.runtime.block_on(next) {
                Err(_) => continue,
                Ok(event) => event,
            };
            let gave_up = || ApiError::internal("the worker gave a request up without a word");
            match told.hear(event.ok_or_else(gave_up)?)? {
                Some(News::Text(_, text)) if on_text(&text) == ControlFlow::Break(()) => {
                    return Err(EngineError::Interrupted { done: 0, total: asked.prompt_tokens }.into());
                }
                Some(News::Answer(_, generation)) => {
                    let report = told.report(&asked);
                    let account = Account {
                        prompt_tokens: asked.prompt_tokens,
                        read_tokens: report.timing.prefill_tokens,
                        prefill: Duration::from_secs_f64(report.timing.prefill_s),
                        answer_tokens: generation.tokens.len(),
                        context: Some(report.context),
                        ..Account::default()
                    };
                    return Ok(Generation { account, ..*generation });
                }
                _ => {}
            }
        }
    }
}

impl LanguageModel for Through {
    fn name(&self) -> &str {
        &self.model.id
    }

    fn answer(
        &mut self,
        input: &Input<'_>,
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        self.ask(input, options, control, on_text).map_err(|failure| {
            let message = failure.to_string();
            self.failure = Some(failure);
            EngineError::Unsupported(message)
        })
    }

    fn rate(
        &mut self,
        input: &Input<'_>,
        answers: &[&str],
        distributions: bool,
        control: &mut Control<'_>,
    ) -> Result<(Vec<Rating>, Account), EngineError> {
        self.local.rate(input, answers, distributions, control)
    }

    fn score(&mut self, text: &str, control: &mut Control<'_>) -> Result<Score, EngineError> {
        self.local.score(text, control)
    }

    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EngineError> {
        self.local.embed(text)
    }

    fn count_tokens(&self, text: &str) -> Result<Option<usize>, EngineError> {
        self.local.count_tokens(text)
    }

    fn grammar(&self, form: &Form) -> Result<Option<Grammar>, EngineError> {
        self.local.grammar(form)
    }

    fn plan_tools(
        &self,
        messages: &[Message],
        tools: &[Tool],
        calling: &Calling,
    ) -> Result<Plan, EngineError> {
        self.local.plan_tools(messages, tools, calling)
    }

    fn attended(
        &mut self,
        input: &Input<'_>,
        from: usize,
        above: usize,
        control: &mut Control<'_>,
    ) -> Result<Attended, EngineError> {
        self.local.attended(input, from, above, control)
    }
}
