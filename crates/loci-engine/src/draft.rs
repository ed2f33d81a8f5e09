//! Drafts: what a smaller model, or early layers of the same one, make of a prompt before the answer is written.

use std::sync::{Arc, Mutex, PoisonError};

use loci_context::MethodSpec;
use loci_models::memory::MemoryError;
use loci_models::method::ParameterError;
use loci_models::sampling::greedy;

use crate::context::ContextOptions;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::session::{Control, Session};

/// Who drafts, where it was said.
#[derive(Clone, Debug)]
pub enum Draft {
    /// The whole model itself: the best draft there is, and no cheaper than the answer.
    Itself,
    /// Another model with the same tokens.
    Model(Arc<Engine>),
}

/// Who drafts for a model, made out and checked.
#[derive(Clone, Debug)]
pub(crate) enum Drafter {
    /// The first so many layers of the model itself.
    Layers(usize),
    /// Another model.
    Model(Arc<Engine>),
}

/// What a draft wrote while it looked through a prompt. A plan and the session that is made by it share one, so that a
/// method which shortens a prompt by a draft and looks ahead needs only one draft.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drafted(Arc<Mutex<Option<Vec<u32>>>>);

impl Drafted {
    /// Leaves what was written, or that nothing was, for the next prompt that is read.
    pub(crate) fn leave(&self, tokens: Option<Vec<u32>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    /// Takes it: it is look-ahead for one prompt.
    pub(crate) fn take(&self) -> Option<Vec<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Who looks ahead in a session.
#[derive(Debug)]
pub(crate) struct Ahead {
    pub(crate) drafter: Drafter,
    /// How the context of another model's draft is held.
    pub(crate) context: ContextOptions,
    /// What was written before the session read its prompt.
    pub(crate) drafted: Drafted,
}

impl Drafter {
    /// The drafter of `method` on `engine`; `None` when it needs none.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] when more layers are to draft than there are, or a draft is named that cannot be used:
    /// because the method needs none, or because its tokens are not those of the model.
    pub(crate) fn new(
        engine: &Engine,
        method: &MethodSpec,
        draft: Option<&Draft>,
    ) -> Result<Option<Self>, EngineError> {
        let id = method.info().id;
        let refuse = |message: String| Err(ParameterError::Combination(message).into());
        if !method.drafts() {
            return match draft {
                None => Ok(None),
                Some(_) => {
                    refuse(format!("{method} needs no draft; leave out --draft, or use --method spec-kv"))
                }
            };
        }
        let (layers, given) = (engine.model().shape().layers, method.values().size("draft_layers"));
        if draft.is_some() && given > 0 {
            return refuse(format!(
                "{id}: draft_layers={given} of the model itself and --draft exclude each other; leave one out"
            ));
        }
        match draft {
            Some(Draft::Itself) => Ok(Some(Self::Layers(layers))),
            Some(Draft::Model(model)) => {
                same_tokens(engine, model)?;
                Ok(Some(Self::Model(Arc::clone(model))))
            }
            None if given > layers => refuse(format!(
                "{id}: draft_layers={given} but {} has {layers} layers; use draft_layers={layers} or less",
                engine.name()
            )),
            None => Ok(Some(Self::Layers(if given > 0 { given } else { layers.div_ceil(2) }))),
        }
    }

    /// Who drafts, in words.
    pub(crate) fn describe(&self, engine: &Engine) -> String {
        match self {
            Self::Layers(layers) => {
                format!("the first {layers} of {} layers draft", engine.model().shape().layers)
            }
            Self::Model(model) => format!("{} drafts", model.name()),
        }
    }

    /// Tokens the drafting model was trained to read at once.
    pub(crate) fn trained_window(&self, engine: &Engine) -> usize {
        match self {
            Self::Layers(_) => engine.trained_window(),
            Self::Model(model) => model.trained_window(),
        }
    }

    /// At most `count` tokens that may follow what `session` has read, the most probable each time, up to the end of the
    /// text. Where the model's own layers draft, they read on in a copy of its memory, and the first token is the whole
    /// model's: its logits are there already.
    ///
    /// # Errors
    /// [`EngineError::Interrupted`], [`EngineError::Memory`] when the draft's rows do not fit beside the model's own, and
    /// what the drafting model fails with.
    pub(crate) fn write(
        &self,
        session: &Session,
        context: &ContextOptions,
        count: usize,
        control: &Control<'_>,
    ) -> Result<Vec<u32>, EngineError> {
        let mut draft = match self {
            Self::Layers(layers) => session.fork()?.with_layers(*layers),
            Self::Model(model) => {
                let mut draft = beside(session, model, context, count)?;
                draft.read(session.tokens(), &mut Control { stop: control.stop, progress: None })?;
                draft
            }
        };
        write_on(&mut draft, count, control)
    }
}

/// At most `count` tokens that `draft` writes behind what it has read, the most probable each time, up to the end of the
/// text. The last of `count` is not read any more.
///
/// # Errors
/// [`EngineError::Interrupted`], and what the memory refuses and the model fails with.
pub(crate) fn write_on(
    draft: &mut Session,
    count: usize,
    control: &Control<'_>,
) -> Result<Vec<u32>, EngineError> {
    let read = draft.len();
    let mut written = Vec::with_capacity(count);
    while written.len() < count {
        if control.stopped() {
            return Err(EngineError::Interrupted { done: read, total: read });
        }
        let logits =
            draft.logits().ok_or_else(|| EngineError::Internal("a draft has no logits".to_owned()))?;
        let token = greedy(logits)?;
        if draft.engine().tokenizer()?.is_end(token) {
            break;
        }
        written.push(token);
        if written.len() < count {
            draft.step(token)?;
        }
    }
    Ok(written)
}

/// A session of another model that reads with full attention, within what `session` has left of the budget.
fn beside(
    session: &Session,
    model: &Arc<Engine>,
    context: &ContextOptions,
    count: usize,
) -> Result<Session, EngineError> {
    let held = session.memory_bytes();
    let options = ContextOptions {
        method: Some(MethodSpec::parse("full")?),
        budget: context.budget.map(|budget| budget.saturating_sub(held)),
        ..context.for_draft()
    };
    let plan = options.plan(model, session.len(), count)?;
    match options.session(model, &plan) {
        Err(EngineError::Build(loci_context::BuildError::Memory(MemoryError::Budget {
            needed,
            limit,
            ..
        }))) => {
            let needed = needed + held;
            Err(EngineError::Memory(MemoryError::Budget {
                what: format!("the draft's reading of {} tokens beside the model's own", session.len()),
                needed,
                limit: limit + held,
                remedy: format!("{}MiB", needed.div_ceil(1 << 20)),
            }))
        }
        outcome => outcome,
    }
}

/// Refuses a draft whose token ids do not mean what those of the model mean.
fn same_tokens(engine: &Engine, draft: &Engine) -> Result<(), EngineError> {
    let refuse = |message: String| Err(ParameterError::Combination(message).into());
    let (own, other) = (engine.model().config().vocab, draft.model().config().vocab);
    let names = (engine.name(), draft.name());
    if own != other {
        return refuse(format!(
            "the draft {} has {other} tokens but {} has {own}; use a draft with the same vocabulary, or leave out --draft",
            names.1, names.0
        ));
    }
    let (own, other) = (engine.tokenizer()?, draft.tokenizer()?);
    let ids = 0..u32::try_from(engine.model().config().vocab).unwrap_or(u32::MAX);
    match ids.into_iter().find(|id| own.text_of(*id) != other.text_of(*id)) {
        None => Ok(()),
        Some(id) => refuse(format!(
            "token {id} is {:?} for the draft {} but {:?} for {}; use a draft with the same vocabulary, or leave out --draft",
            other.text_of(id).unwrap_or(""),
            names.1,
            own.text_of(id).unwrap_or(""),
            names.0
        )),
    }
}
