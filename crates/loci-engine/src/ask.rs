//! The main job: documents and a question in; an answer, its evidence and a full account of the context out.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use loci_models::memory::ContextReport;
use serde::Serialize;

use crate::answer::{AnswerOptions, Asked, Task, answer};
use crate::context::{ContextOptions, ContextPlan};
use crate::documents::Document;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::evidence::Evidence;
use crate::generate::{Finish, GenerateOptions, OnText};
use crate::layout::{Headings, Prompt, question_about};
use crate::prefix_cache::PrefixCache;
use crate::session::{Control, DEFAULT_CHUNK};
use crate::shorten::shorten;

/// A question about documents.
#[derive(Clone, Debug)]
pub struct AskRequest<'a> {
    /// What to read, in this order.
    pub documents: &'a [Document],
    /// What to answer; the model reads it last.
    pub question: &'a str,
    /// A system message; `None` leaves it to the model's template.
    pub system: Option<&'a str>,
    /// Whether documents are preceded by their names.
    pub headings: Headings,
    /// Asks the question as it stands, without a sentence that points at the text.
    pub bare: bool,
    /// How the context is held.
    pub context: ContextOptions,
    /// How the answer is written.
    pub generate: GenerateOptions,
    /// Tokens read in one step.
    pub chunk: usize,
    /// At most this many ranges of evidence.
    pub evidence: usize,
    /// Weighs evidence by all heads alike, even where it is known which of them retrieve.
    pub all_heads: bool,
    /// Where what is read of long documents is kept, and looked for first.
    pub cache: Option<&'a PrefixCache>,
}

impl<'a> AskRequest<'a> {
    /// A request with everything else at its default.
    pub fn new(documents: &'a [Document], question: &'a str) -> Self {
        Self {
            documents,
            question,
            system: None,
            headings: Headings::default(),
            bare: false,
            context: ContextOptions::default(),
            generate: GenerateOptions::default(),
            chunk: DEFAULT_CHUNK,
            evidence: 5,
            all_heads: false,
            cache: None,
        }
    }
}

/// How long it took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Timing {
    /// Milliseconds it took to open the saved reading that was asked; not there where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_ms: Option<f64>,
    /// Tokens of the prompt that were read before, and were found in the cache.
    pub cached_tokens: usize,
    /// Tokens read for this answer, those that only a draft looked at included. What a saved reading holds is not read.
    pub prefill_tokens: usize,
    /// Tokens read per second, the time of a draft included.
    pub prefill_tokens_per_s: f64,
    /// Tokens written.
    pub decode_tokens: usize,
    /// Tokens written per second.
    pub decode_tokens_per_s: f64,
    /// The process's largest resident size so far; `None` where the system does not say.
    pub peak_rss_bytes: Option<u64>,
}

/// An answer with its account. Serialises to the one JSON object of `loci ask --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The answer.
    #[serde(rename = "answer")]
    pub text: String,
    /// Passages that the answer attended to, heaviest first.
    pub evidence: Vec<Evidence>,
    /// Whose attention was counted.
    pub weighed_by: WeighedBy,
    /// What became of the prompt's tokens. `recalled` counts while the answer was written.
    pub context: ContextReport,
    /// How long it took.
    pub timing: Timing,
    /// The method with all its parameters.
    pub method: String,
    /// The model.
    pub model: String,
    /// The seed of the sampling.
    pub seed: u64,
    /// Why the answer ended.
    pub finish: Finish,
}

/// Whose attention counts as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum WeighedBy {
    /// The heads that were found to copy from the context, each with its score.
    #[serde(rename = "retrieval heads")]
    RetrievalHeads,
    /// All heads alike.
    #[serde(rename = "all heads")]
    AllHeads,
}

impl WeighedBy {
    /// As it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RetrievalHeads => "retrieval heads",
            Self::AllHeads => "all heads",
        }
    }
}

/// What a caller hears while a question is answered.
pub struct Listener<'a> {
    /// Stop signal, and progress of the reading.
    pub control: Control<'a>,
    /// Called once, before anything is read, with the plan and the number of prompt tokens.
    pub on_plan: &'a mut dyn FnMut(&ContextPlan, usize),
    /// Receives the answer as it is written.
    pub on_text: &'a mut OnText<'a>,
}

/// Reads the documents and answers the question.
///
/// # Errors
/// [`EngineError::Nothing`] when all documents or the question are empty, [`EngineError::Interrupted`] when
/// the user stopped the reading, and what model, method and memory refuse. An answer that was begun and then
/// stopped is an answer with [`Finish::Interrupted`].
pub fn ask(
    engine: &Arc<Engine>,
    request: &AskRequest<'_>,
    listener: Listener<'_>,
) -> Result<Answer, EngineError> {
    Ok(ask_and_look(engine, request, false, listener)?.answer)
}

/// An answer and where its attention went.
pub(crate) struct Looked {
    pub(crate) answer: Answer,
    pub(crate) prompt: Prompt,
    /// `[layers][positions]`, if asked for.
    pub(crate) layers: Vec<Vec<f32>>,
    /// Blocks of the method.
    pub(crate) blocks: Vec<Range<usize>>,
}

/// As [`ask`]; `by_layer` keeps the attention of each layer.
pub(crate) fn ask_and_look(
    engine: &Arc<Engine>,
    request: &AskRequest<'_>,
    by_layer: bool,
    listener: Listener<'_>,
) -> Result<Looked, EngineError> {
    let Listener { mut control, on_plan, on_text } = listener;
    if request.question.trim().is_empty() {
        return Err(EngineError::Nothing { what: "the question".to_owned(), purpose: "answer" });
    }
    if request.documents.iter().all(|document| document.text.trim().is_empty()) {
        return Err(EngineError::Nothing { what: "the input".to_owned(), purpose: "answer from" });
    }
    let prompt = question_about(
        engine,
        request.documents,
        request.question,
        request.system,
        request.headings,
        request.bare,
    )?;
    let plan = request.context.plan(engine, prompt.len(), request.generate.max_tokens)?;
    on_plan(&plan, prompt.len());
    let given = prompt.len();
    let started = Instant::now();
    let prompt = shorten(engine, prompt, &request.context, &plan, &mut control)?;
    let key = match request.cache {
        Some(cache) => {
            cache.key(engine, &request.context, &plan, &prompt, request.chunk)?.map(|key| (cache, key))
        }
        None => None,
    };
    let found = key.as_ref().and_then(|(cache, key)| cache.find(key));
    let mut session = match found {
        Some(session) => session,
        None => request.context.session(engine, &plan)?.with_chunk(request.chunk),
    };
    let cached_tokens = session.len();
    let (documents, rest) = prompt.tokens.split_at(prompt.documents.min(prompt.len()));
    session.read_documents(documents, prompt.len(), &mut control)?;
    if let Some((cache, key)) = key {
        cache.keep(&key, &plan, &session, request.chunk);
    }
    let options = AnswerOptions {
        generate: request.generate.clone(),
        evidence: request.evidence,
        all_heads: request.all_heads,
    };
    let task = Task {
        session,
        prompt: &prompt,
        rest,
        before: documents.len(),
        asked: Asked {
            documents: request.documents,
            options: &options,
            given,
            skipped: prompt.skipped,
            prefill_tokens: given - cached_tokens,
            cached_tokens,
            started,
            by_layer,
            method: plan.method.to_string(),
        },
    };
    let (answer, session) = answer(task, &mut control, on_text)?;
    let layers = session.memory().evidence_by_layer();
    let blocks = session.memory().blocks();
    Ok(Looked { answer, prompt, layers, blocks })
}
