//! Which contextual memory a request gets: the user's choice, or the one that loses nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use loci_context::heads::HeadScores;
use loci_context::memory::Footprint;
use loci_context::{BuildContext, MethodSpec};
use loci_kernels::tiles::RowType;
use loci_models::memory::{AttentionShape, ContextMemory};
use loci_models::method::Need;
use loci_models::rope::{RopeSchedule, RopeSpec};

use crate::draft::{Ahead, Draft, Drafted, Drafter};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::inspect::table::known;
use crate::session::Session;

/// The method for inputs that fit the trained window.
const SHORT: &str = "full";
/// The method for longer inputs.
const LONG: &str = "inf-llm";
/// How methods are declared whose keys stand where they stood in the text: beyond the trained window they meet positions
/// that the model has never seen.
const TRUE_DISTANCE: &str = "true distance";

/// How the context of a sequence is held. The default chooses a method by the input's length.
#[derive(Clone, Debug)]
pub struct ContextOptions {
    /// The method; `None` chooses `full` or `inf-llm` by length.
    pub method: Option<MethodSpec>,
    /// The position schedule; `None` takes the model's own.
    pub rope: Option<RopeSpec>,
    /// Number format of keys and values.
    pub row_type: RowType,
    /// Bytes of RAM that what grows with the input may take.
    pub budget: Option<usize>,
    /// Folder of the file for cold blocks; `None` takes the system's temporary folder.
    pub cold_folder: Option<PathBuf>,
    /// File with a score for each kv head, for methods that treat heads differently: `full_attention_heads.tsv` as
    /// DuoAttention publishes it.
    pub heads: Option<PathBuf>,
    /// The same where they are at hand; they go before a file.
    pub head_scores: Option<Arc<HeadScores>>,
    /// Who drafts, for methods that need a draft; `None`: as many of the model's own first layers as the method says.
    pub draft: Option<Draft>,
}

impl Default for ContextOptions {
    fn default() -> Self {
        Self {
            method: None,
            rope: None,
            row_type: RowType::I8,
            budget: None,
            cold_folder: None,
            heads: None,
            head_scores: None,
            draft: None,
        }
    }
}

/// What was chosen for one input, before anything is read.
#[derive(Clone, Debug)]
pub struct ContextPlan {
    /// The method with all its parameters.
    pub method: MethodSpec,
    /// Why this method, in one line.
    pub reason: String,
    /// What the user should know before waiting.
    pub warnings: Vec<String>,
    /// Tokens that the model will have read at most: input, and the answer or a draft of it.
    pub planned_tokens: usize,
    /// What a draft wrote while it looked through the prompt, for the session of this plan.
    pub(crate) drafted: Drafted,
}

impl ContextPlan {
    /// Plans for whole windows of the model. Schedules may depend on the planned length; so a growing conversation keeps its
    /// context, and no schedule changes as long as it fits the trained window.
    pub fn round_up(&mut self, engine: &Engine) {
        self.planned_tokens = self.planned_tokens.next_multiple_of(engine.trained_window().max(1));
    }
}

impl ContextOptions {
    /// Chooses the method for `prompt` tokens of input and room for `answer` tokens.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] when a method of the default choice is not registered, or the draft cannot be used.
    pub fn plan(&self, engine: &Engine, prompt: usize, answer: usize) -> Result<ContextPlan, EngineError> {
        let window = engine.trained_window();
        let read = match self.method.as_ref().and_then(MethodSpec::shortening) {
            Some(shortening) => prompt.min(shortening.budget),
            None => prompt,
        };
        let ahead = self.method.as_ref().map_or(0, MethodSpec::look_ahead);
        let planned_tokens = read.saturating_add(answer.max(ahead));
        let beyond = planned_tokens > window;
        let (method, mut reason) = match &self.method {
            Some(method) => (method.clone(), "as asked".to_owned()),
            None => {
                let id = if beyond { LONG } else { SHORT };
                let side = if beyond { "do not fit" } else { "fit" };
                let reason = format!(
                    "{prompt} tokens and room for {answer} more {side} the window of {window} tokens the model was trained with"
                );
                (MethodSpec::parse(id)?, reason)
            }
        };
        let mut warnings = Vec::new();
        let id = method.info().id;
        if beyond && self.keeps_true_distances(&method) {
            warnings.push(format!(
                "{id} reads {planned_tokens} tokens with a model trained on {window}: expect poor answers; --method inf-llm, or a --rope schedule, reaches further"
            ));
        }
        if let Some(drafter) = Drafter::new(engine, &method, self.draft.as_ref())? {
            reason = format!("{reason}; {}", drafter.describe(engine));
            let window = drafter.trained_window(engine);
            if prompt > window && self.rope.is_none() {
                warnings.push(format!(
                    "the draft of {id} looks through {prompt} tokens with a model trained on {window}: expect a poor choice of what is kept"
                ));
            }
        }
        if self.heads.is_none() && self.head_scores.is_none() && needs_heads(&method) {
            reason.push_str("; heads by their retrieval scores, for want of learned gates (--heads)");
        }
        if let Some(rope) = &self.rope {
            warnings.extend(rope.warning(&engine.model().config().rope));
        }
        Ok(ContextPlan { method, reason, warnings, planned_tokens, drafted: Drafted::default() })
    }

    /// Whether keys stand where they stood in the text, at positions the model was trained for.
    fn keeps_true_distances(&self, method: &MethodSpec) -> bool {
        method.info().parts.place == TRUE_DISTANCE && self.rope.is_none()
    }

    /// Whether a plan meets positions that the model has never seen.
    pub fn is_beyond(&self, engine: &Engine, plan: &ContextPlan) -> bool {
        plan.planned_tokens > engine.trained_window() && self.keeps_true_distances(&plan.method)
    }

    /// The same for another model that drafts: what was made for positions and heads of this one does not fit that.
    pub(crate) fn for_draft(&self) -> Self {
        Self { rope: None, heads: None, head_scores: None, draft: None, ..self.clone() }
    }

    /// Number format of keys and values: the method's own, if it has one.
    pub fn rows(&self) -> RowType {
        self.method.as_ref().and_then(MethodSpec::row_type).unwrap_or(self.row_type)
    }

    /// The same with what was chosen by `plan`, and with the scores of heads that its method goes by at hand: nothing of it
    /// depends on files or lengths any more.
    pub(crate) fn settled(&self, engine: &Engine, plan: &ContextPlan) -> Result<Self, EngineError> {
        let head_scores = self.scores_of_heads(engine, &plan.method, engine.model().shape())?;
        Ok(Self { method: Some(plan.method.clone()), head_scores, heads: None, ..self.clone() })
    }

    /// The same for `method`, one of several that are compared: those that need no draft get none.
    #[must_use]
    pub fn for_method(&self, method: MethodSpec) -> Self {
        let draft = self.draft.clone().filter(|_| method.drafts());
        Self { method: Some(method), draft, ..self.clone() }
    }

    /// An empty session as planned, with its draft where the method needs one. A prompt that the method shortens is
    /// shortened before it is read; see [`shorten`](crate::shorten::shorten).
    ///
    /// # Errors
    /// As [`ContextOptions::memory`].
    pub fn session(&self, engine: &Arc<Engine>, plan: &ContextPlan) -> Result<Session, EngineError> {
        let session = Session::new(Arc::clone(engine), self.memory(engine, plan)?);
        Ok(match Drafter::new(engine, &plan.method, self.draft.as_ref())? {
            Some(drafter) => {
                let (context, drafted) = (self.clone(), plan.drafted.clone());
                session.with_look_ahead(Ahead { drafter, context, drafted })
            }
            None => session,
        })
    }

    /// Makes the memory of a plan.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] or [`EngineError::Build`] when schedule or method do not fit the model or
    /// the budget.
    pub fn memory(&self, engine: &Engine, plan: &ContextPlan) -> Result<Box<dyn ContextMemory>, EngineError> {
        self.memory_of(engine, &plan.method.reading(), engine.model().shape().layers, plan.planned_tokens)
    }

    /// What a plan takes, by the computation that accepts or refuses a budget; nothing is allocated.
    ///
    /// # Errors
    /// As [`memory`](Self::memory), except that a budget that is too small is no error here.
    pub fn footprint(&self, engine: &Engine, plan: &ContextPlan) -> Result<Footprint, EngineError> {
        let layers = engine.model().shape().layers;
        let method = plan.method.reading();
        Ok(method.footprint(&self.build_context(engine, &method, layers, plan.planned_tokens)?)?)
    }

    /// A memory for the first `layers` layers of a model.
    pub(crate) fn memory_of(
        &self,
        engine: &Engine,
        method: &MethodSpec,
        layers: usize,
        planned_tokens: usize,
    ) -> Result<Box<dyn ContextMemory>, EngineError> {
        Ok(method.build(self.build_context(engine, method, layers, planned_tokens)?)?)
    }

    /// Scores of the kv heads of a model of this shape, as far as `method` needs them or they were named.
    pub(crate) fn scores_of_heads(
        &self,
        engine: &Engine,
        method: &MethodSpec,
        shape: AttentionShape,
    ) -> Result<Option<Arc<HeadScores>>, EngineError> {
        match (&self.head_scores, &self.heads) {
            (Some(scores), _) => Ok(Some(Arc::clone(scores))),
            (None, Some(path)) => Ok(Some(Arc::new(read_heads(path, shape)?))),
            (None, None) if needs_heads(method) => Ok(known_heads(engine, shape)?.map(Arc::new)),
            (None, None) => Ok(None),
        }
    }

    /// Whether positions stand elsewhere when `other` tokens are planned for instead of `planned`.
    pub(crate) fn positions_depend_on_length(
        &self,
        engine: &Engine,
        planned: usize,
        other: usize,
    ) -> Result<bool, EngineError> {
        Ok(self.schedule(engine, planned)? != self.schedule(engine, other)?)
    }

    /// The position schedule for so many tokens.
    pub(crate) fn schedule(
        &self,
        engine: &Engine,
        planned_tokens: usize,
    ) -> Result<RopeSchedule, EngineError> {
        let config = engine.model().config();
        let rope = match &self.rope {
            Some(rope) => rope.clone(),
            None => RopeSpec::from_config(&config.rope)?,
        };
        let head_dim = engine.model().shape().head_dim;
        Ok(rope.schedule(config.rope.base, head_dim, engine.trained_window(), planned_tokens)?)
    }

    /// What a memory of `method` for the first `layers` layers is built for.
    pub(crate) fn build_context(
        &self,
        engine: &Engine,
        method: &MethodSpec,
        layers: usize,
        planned_tokens: usize,
    ) -> Result<BuildContext, EngineError> {
        let shape = AttentionShape { layers, ..engine.model().shape() };
        let trained_window = engine.trained_window();
        let schedule = self.schedule(engine, planned_tokens)?;
        let heads = self.scores_of_heads(engine, method, shape)?;
        Ok(BuildContext {
            shape,
            trained_window,
            schedule,
            row_type: self.row_type,
            budget: self.budget,
            pool: Arc::clone(engine.pool()),
            isa: engine.isa(),
            cold_folder: self.cold_folder.clone(),
            heads,
            planned_tokens,
        })
    }
}

fn needs_heads(method: &MethodSpec) -> bool {
    method.info().needs.contains(&Need::HeadScores)
}

/// What is known of the model's heads without a file being named; see [`known`].
fn known_heads(engine: &Engine, shape: AttentionShape) -> Result<Option<HeadScores>, EngineError> {
    Ok(known(engine)?.and_then(|table| HeadScores::parse(&table.gates(shape), shape).ok()))
}

/// Reads a table of head scores.
fn read_heads(path: &Path, shape: AttentionShape) -> Result<HeadScores, EngineError> {
    let named = |message: String| EngineError::Heads { path: path.display().to_string(), message };
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    HeadScores::parse(&text, shape).map_err(|error| named(error.to_string()))
}
