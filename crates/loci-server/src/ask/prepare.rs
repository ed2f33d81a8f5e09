//! What a request needs before the worker can take it: its prompt, how its context is held, and whether that fits.

use std::sync::Arc;

use loci_engine::layout::{self, Prompt};
use loci_engine::session::Prefill;
use loci_engine::shorten::shorten;
use loci_engine::{ContextOptions, ContextPlan, Engine, GenerateOptions, Reading, Session};
use loci_models::template::Message;
use loci_models::watch::Watch;

use super::map;
use crate::error::ApiError;
use crate::openai::{LociFields, MemoryReport};
use crate::state::ServedModel;
use crate::worker::{Begin, Begun};

/// What is asked.
#[derive(Debug)]
pub enum Question {
    /// A conversation, tools as the model's template takes them, and how the answer begins.
    Messages(Vec<Message>, Vec<serde_json::Value>, String),
    /// Text that is continued.
    Text(String),
    /// Tokens that are continued.
    Tokens(Vec<u32>),
}

/// A request for the worker.
pub struct Prepared {
    pub(super) engine: Arc<Engine>,
    pub(super) begin: Begin,
    pub(super) answers: Vec<GenerateOptions>,
    pub(crate) asked: Asked,
}

/// What was asked, to make sense of what comes back.
#[derive(Debug)]
pub struct Asked {
    /// The model.
    pub model: Arc<ServedModel>,
    /// The text it is about.
    pub reading: Option<Arc<Reading>>,
    /// The method with its parameters.
    pub method: String,
    /// Tokens of the whole prompt.
    pub prompt_tokens: usize,
    /// At most this many passages of evidence.
    pub evidence: usize,
    /// What a memory had to do with it.
    pub memory: Option<MemoryReport>,
    /// Cells of the map.
    pub(super) cells: Vec<map::CellTokens>,
}

/// Passages of evidence unless a request says otherwise.
const EVIDENCE: u16 = 5;
/// The most cells of a map.
const MAX_CELLS: u16 = 1000;

/// Makes a request ready. Encodes text, so it may take some milliseconds.
///
/// # Errors
/// [`ApiError`] for what cannot be read or does not fit.
pub fn prepare(
    model: &Arc<ServedModel>,
    question: Question,
    fields: &LociFields,
    reading: Option<Arc<Reading>>,
    answers: Vec<GenerateOptions>,
) -> Result<Prepared, ApiError> {
    let longest = answers.iter().map(|answer| answer.max_tokens).max().unwrap_or(0);
    match reading {
        Some(reading) => about(model, question, fields, reading, answers, longest),
        None => alone(model, question, fields, answers, longest),
    }
}

/// Questions about a text that was read.
fn about(
    model: &Arc<ServedModel>,
    question: Question,
    fields: &LociFields,
    reading: Arc<Reading>,
    answers: Vec<GenerateOptions>,
    longest: usize,
) -> Result<Prepared, ApiError> {
    let given = [("method", fields.method()), ("budget", fields.budget())];
    if let Some((field, _)) = given.iter().find(|(_, typed)| typed.is_some()) {
        return Err(ApiError::invalid(
            "reading_has_method",
            format!(
                "the reading was read with {}; leave out loci.{field}, or read its documents again with another",
                reading.facts().method
            ),
        )
        .at(format!("loci.{field}")));
    }
    let tail = match question {
        // Tools are among the messages, in words: the template would show them before the documents.
        Question::Messages(messages, _, _) => tail(&reading, messages, fields.bare)?,
        Question::Text(text) => reading.question(&text, true)?,
        Question::Tokens(_) => {
            return Err(ApiError::invalid("invalid_request", "a reading is asked in words, not in tokens")
                .at("prompt"));
        }
    };
    reading.check_room(tail.len(), longest)?;
    let wanted = usize::from(fields.map.unwrap_or(0).min(MAX_CELLS));
    let cells = map::cells(&reading, wanted);
    let asked = Asked {
        model: Arc::clone(model),
        method: reading.facts().method.clone(),
        prompt_tokens: reading.prefix().len() + tail.len(),
        evidence: usize::from(fields.evidence.unwrap_or(EVIDENCE)),
        reading: Some(Arc::clone(&reading)),
        memory: None,
        cells,
    };
    let ranges = asked.cells.iter().map(|cell| cell.tokens.clone()).collect();
    let weights = model.weights.clone();
    let begin: Begin = Box::new(move |_, _| {
        let mut session = reading.session()?;
        session.watch(Watch::for_evidence(weights))?;
        let cached = session.len();
        let prefill = Prefill::prompt(&tail.tokens).with_evidence();
        Ok(Begun { session, prefill, cached, key: None, cells: ranges })
    });
    Ok(Prepared { engine: Arc::clone(&model.engine), begin, answers, asked })
}

/// What stands behind the documents. A system message of the request's own becomes the beginning of its first question:
/// the documents were read behind another.
fn tail(reading: &Reading, mut messages: Vec<Message>, bare: bool) -> Result<Prompt, ApiError> {
    let system = match messages.first() {
        Some(first) if first.role == "system" && Some(&first.content) != reading.facts().system.as_ref() => {
            Some(messages.remove(0).content)
        }
        _ => None,
    };
    if let (Some(system), Some(first)) = (system, messages.first_mut()) {
        first.content = format!("{system}\n\n{}", first.content);
    }
    if !bare && let Some(last) = messages.last_mut().filter(|last| last.role == "user") {
        last.content = layout::framed(&last.content);
    }
    Ok(reading.tail(&messages)?)
}

/// A prompt of its own.
fn alone(
    model: &Arc<ServedModel>,
    question: Question,
    fields: &LociFields,
    answers: Vec<GenerateOptions>,
    longest: usize,
) -> Result<Prepared, ApiError> {
    let engine = &model.engine;
    let context = model.context(fields)?;
    let prompt = match question {
        Question::Messages(messages, tools, start) => {
            layout::conversation_with_tools(engine, &messages, &tools, &start, 0)?
        }
        Question::Text(text) => layout::plain(engine, &text, 0)?,
        Question::Tokens(tokens) => {
            let vocab = engine.model().config().vocab;
            if let Some(token) = tokens.iter().find(|token| **token as usize >= vocab) {
                let message = format!("the token {token} does not exist: the model has {vocab}");
                return Err(ApiError::invalid("invalid_token", message).at("prompt"));
            }
            Prompt::of_tokens(tokens)
        }
    };
    if prompt.is_empty() {
        return Err(ApiError::invalid("empty_prompt", "the prompt holds no text").at("prompt"));
    }
    let mut plan = context.plan(engine, prompt.len(), longest)?;
    refuse_overflow(model, &context, &plan, prompt.len(), longest)?;
    plan.round_up(engine);
    let asked = Asked {
        model: Arc::clone(model),
        reading: None,
        memory: None,
        method: plan.method.to_string(),
        prompt_tokens: prompt.len(),
        evidence: 0,
        cells: Vec::new(),
    };
    let begin = begin_alone(Arc::clone(engine), prompt, context, plan);
    Ok(Prepared { engine: Arc::clone(engine), begin, answers, asked })
}

fn begin_alone(engine: Arc<Engine>, prompt: Prompt, context: ContextOptions, plan: ContextPlan) -> Begin {
    Box::new(move |idle, control| {
        let prompt = shorten(&engine, prompt, &context, &plan, control)?;
        let key = format!(
            "{} {} {:?} {:?} {:?}",
            plan.method,
            plan.planned_tokens,
            context.budget,
            context.rows(),
            context.rope.as_ref().map(ToString::to_string)
        );
        // What was left out would differ for the next prompt.
        let key = (prompt.skipped == 0).then_some(key);
        let held = match &key {
            Some(key) => idle.take(key, &engine, &prompt.tokens)?,
            None => None,
        };
        let (session, cached): (Session, usize) = match held {
            Some(held) => held,
            None => (context.session(&engine, &plan)?, 0),
        };
        let rest = prompt.tokens.get(cached..).unwrap_or(&[]);
        Ok(Begun { session, prefill: Prefill::prompt(rest), cached, key, cells: Vec::new() })
    })
}

/// Nothing is cut: a method that meets positions the model has never seen is refused where it is known to answer poorly.
fn refuse_overflow(
    model: &ServedModel,
    context: &ContextOptions,
    plan: &ContextPlan,
    prompt: usize,
    longest: usize,
) -> Result<(), ApiError> {
    let window = model.engine.trained_window();
    if !context.is_beyond(&model.engine, plan) {
        return Ok(());
    }
    Err(ApiError::invalid(
        "context_length_exceeded",
        format!(
            "the prompt has {prompt} tokens and the answer may have {longest}, but {} keeps true distances and {} was trained on {window} tokens; shorten it, or leave out loci.method so that one is chosen that reaches further",
            plan.method.info().id,
            model.id
        ),
    )
    .at("messages"))
}
