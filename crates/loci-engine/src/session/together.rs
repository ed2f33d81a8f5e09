//! One forward step of several sessions: their products run over all rows at once, which costs little more than over one.

use std::sync::Arc;

use loci_models::memory::MemoryError;
use loci_models::wiring::{ForwardError, LogitsFor, Span};

use super::{Piece, Prefill, Session};
use crate::error::EngineError;

/// What one session reads in a common step.
#[derive(Debug)]
pub enum Step<'a> {
    /// One token behind which an answer goes on.
    Token(u32),
    /// The next piece of a prompt.
    Piece(&'a mut Prefill),
}

/// A session's part of a common step.
#[derive(Debug)]
pub struct Part<'a> {
    /// The session.
    pub session: &'a mut Session,
    /// What it reads.
    pub step: Step<'a>,
}

/// A part with its tokens at hand.
struct Ready {
    index: usize,
    tokens: Vec<u32>,
    logits: LogitsFor,
}

/// Reads what each part says in one forward step; returns for each how it went. A session whose memory refuses a step
/// takes no part in it; the others do not notice. Sessions read the same as alone, bit for bit.
///
/// A piece that is [`Piece::Alone`] is no work for a common step and is refused; so is a session of another model than the
/// first.
pub fn step_together(parts: &mut [Part<'_>]) -> Vec<Result<(), EngineError>> {
    let mut outcomes: Vec<Result<(), EngineError>> = parts.iter().map(|_| Ok(())).collect();
    let mut ready = Vec::with_capacity(parts.len());
    let first = parts.first().map(|part| Arc::clone(&part.session.engine));
    for (index, part) in parts.iter_mut().enumerate() {
        match first.as_ref().map(|first| prepare(part, first)) {
            Some(Ok((tokens, logits))) => ready.push(Ready { index, tokens, logits }),
            Some(Err(error)) => outcomes[index] = Err(error),
            None => {}
        }
    }
    while !ready.is_empty() {
        match forward(parts, &ready) {
            Ok(()) => return outcomes,
            // Refused before anything was computed: the others try again without it.
            Err((at, error)) if at < ready.len() && is_refusal(&error) => {
                let refused = ready.remove(at);
                outcomes[refused.index] = Err(*error);
            }
            Err((_, error)) => {
                // Layers may differ now in all of them.
                let said = error.to_string();
                for Ready { index, .. } in &ready {
                    parts[*index].session.broken = true;
                    outcomes[*index] = Err(EngineError::Internal(format!("a common step failed: {said}")));
                }
                return outcomes;
            }
        }
    }
    outcomes
}

fn is_refusal(error: &EngineError) -> bool {
    matches!(error, EngineError::Forward(_) | EngineError::Memory(MemoryError::Budget { .. }))
}

/// The tokens of a part, and what is wanted behind them.
fn prepare(part: &mut Part<'_>, first: &Arc<crate::Engine>) -> Result<(Vec<u32>, LogitsFor), EngineError> {
    let session = &mut *part.session;
    if !Arc::ptr_eq(&session.engine, first) || session.layers.is_some() {
        return Err(EngineError::Internal("a common step takes sessions of one whole model".to_owned()));
    }
    if session.broken {
        return Err(EngineError::Internal("the session was used after a failed step".to_owned()));
    }
    match &part.step {
        Step::Token(token) => Ok((vec![*token], LogitsFor::Last)),
        Step::Piece(prefill) => match session.next_piece(prefill) {
            Piece::Chunk(range) => Ok((prefill.tokens(range).to_vec(), LogitsFor::None)),
            Piece::Last => {
                session.begin_last(prefill);
                let last = prefill.total().saturating_sub(1);
                Ok((prefill.tokens(last..last + 1).to_vec(), LogitsFor::Last))
            }
            piece => Err(EngineError::Internal(format!("a common step was given a piece to do: {piece:?}"))),
        },
    }
}

/// One forward step over the parts that are ready; an error tells which of them failed.
fn forward(parts: &mut [Part<'_>], ready: &[Ready]) -> Result<(), (usize, Box<EngineError>)> {
    let Some(engine) = parts.first().map(|part| Arc::clone(&part.session.engine)) else { return Ok(()) };
    let mut spans = Vec::with_capacity(ready.len());
    let mut waiting = ready.iter().peekable();
    for (index, part) in parts.iter_mut().enumerate() {
        let Some(ready) = waiting.next_if(|ready| ready.index == index) else { continue };
        let session = &mut *part.session;
        session.logits = None;
        spans.push(Span {
            memory: session.memory.as_mut(),
            state: &mut session.signals,
            tokens: &ready.tokens,
            logits: ready.logits,
        });
    }
    let outcome = engine.model().forward(&mut spans);
    drop(spans);
    let logits = outcome.map_err(|error| {
        let (ForwardError::Token { span, .. }
        | ForwardError::Shape { span, .. }
        | ForwardError::Memory { span, .. }) = &error;
        (*span, Box::new(EngineError::from(error)))
    })?;
    for (ready, logits) in ready.iter().zip(logits) {
        let part = &mut parts[ready.index];
        part.session.tokens.extend_from_slice(&ready.tokens);
        if ready.logits != LogitsFor::None {
            part.session.logits = Some(logits);
        }
        if let Step::Piece(prefill) = &mut part.step {
            prefill.read(ready.tokens.len());
        }
    }
    Ok(())
}
