//! From a session that has read documents and the rest of a prompt to an answer with its account: the one way, whether the
//! documents were read just now or long ago.

use std::sync::Arc;
use std::time::Instant;

use loci_models::memory::ContextReport;
use loci_models::watch::Watch;

use crate::ask::{Answer, Timing, WeighedBy};
use crate::documents::Document;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::evidence::passages;
use crate::generate::{GenerateOptions, OnText, generate};
use crate::inspect::table::{THRESHOLD, known};
use crate::layout::Prompt;
use crate::session::{Control, Session, per_second};
use crate::system;

/// How an answer is written and accounted for.
#[derive(Clone, Debug)]
pub struct AnswerOptions {
    /// How the answer is written.
    pub generate: GenerateOptions,
    /// At most this many ranges of evidence.
    pub evidence: usize,
    /// Weighs evidence by all heads alike, even where it is known which of them retrieve.
    pub all_heads: bool,
}

impl Default for AnswerOptions {
    fn default() -> Self {
        Self { generate: GenerateOptions::default(), evidence: 5, all_heads: false }
    }
}

/// What an answer is made from.
pub(crate) struct Task<'a> {
    /// Has read everything before `rest`.
    pub(crate) session: Session,
    /// Sources of what was read, at least of the documents.
    pub(crate) prompt: &'a Prompt,
    /// What is still to be read.
    pub(crate) rest: &'a [u32],
    /// Tokens before `rest` that progress counts.
    pub(crate) before: usize,
    pub(crate) asked: Asked<'a>,
}

/// What was asked for, and what it has taken so far.
pub(crate) struct Asked<'a> {
    pub(crate) documents: &'a [Document],
    pub(crate) options: &'a AnswerOptions,
    /// Tokens of the whole prompt.
    pub(crate) given: usize,
    /// Of those, the ones that were left out.
    pub(crate) skipped: usize,
    /// Of those, the ones that are read for this answer, by the model or by a draft.
    pub(crate) prefill_tokens: usize,
    /// Those that were found in the cache.
    pub(crate) cached_tokens: usize,
    /// When reading for this answer began.
    pub(crate) started: Instant,
    /// Keeps the attention of each layer.
    pub(crate) by_layer: bool,
    pub(crate) method: String,
}

/// Reads the rest of the prompt and answers; the session goes on behind the answer.
pub(crate) fn answer(
    task: Task<'_>,
    control: &mut Control<'_>,
    on_text: &mut OnText<'_>,
) -> Result<(Answer, Session), EngineError> {
    let Task { mut session, prompt, rest, before, asked } = task;
    let engine = Arc::clone(session.engine());
    let weights = if asked.options.all_heads { None } else { retrieval_weights(&engine)? };
    let weighed_by = if weights.is_some() { WeighedBy::RetrievalHeads } else { WeighedBy::AllHeads };
    session.watch(Watch { by_layer: asked.by_layer, ..Watch::for_evidence(weights) })?;
    if rest.is_empty() {
        return Err(EngineError::Nothing { what: "the prompt".to_owned(), purpose: "read" });
    }
    session.read_behind(rest, before, before + rest.len(), control)?;
    let prefill = asked.started.elapsed();
    let read = session.report()?;
    if read.read + asked.skipped != asked.given {
        return Err(EngineError::Internal(format!(
            "{} tokens were read and {} skipped, of {}",
            read.read, asked.skipped, asked.given
        )));
    }

    let generation = generate(&mut session, &asked.options.generate, control, on_text)?;
    let recalled = session.report()?.recalled;
    let answer = Answer {
        evidence: passages(&session.evidence(), prompt, asked.documents, asked.options.evidence),
        weighed_by,
        context: ContextReport { recalled, given: asked.given, skipped: asked.skipped, ..read },
        timing: Timing {
            open_ms: None,
            cached_tokens: asked.cached_tokens,
            prefill_tokens: asked.prefill_tokens,
            prefill_tokens_per_s: per_second(asked.prefill_tokens, prefill),
            decode_tokens: generation.tokens.len(),
            decode_tokens_per_s: generation.tokens_per_second(),
            peak_rss_bytes: system::peak_resident_bytes(),
        },
        method: asked.method,
        model: engine.name().to_owned(),
        seed: asked.options.generate.sampler.seed,
        text: generation.text,
        finish: generation.finish,
    };
    Ok((answer, session))
}

/// Weights of the heads that are known to retrieve, `[layers * heads]`; `None` where none is. Evidence is weighed by them.
///
/// # Errors
/// [`EngineError::Heads`] when a file of scores exists and cannot be used.
pub fn retrieval_weights(engine: &Engine) -> Result<Option<Arc<[f32]>>, EngineError> {
    Ok(known(engine)?.and_then(|table| table.weights(THRESHOLD)))
}
