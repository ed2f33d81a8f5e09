//! Where a text surprises a model, and the events that a method would cut it into.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use loci_models::tokenizer::{SpecialTokens, Token};
use serde::Serialize;

use crate::context::ContextOptions;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::figures::{Cut, Lines};
use crate::session::Control;
use crate::shorten::needs_a_prompt;

/// A token.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SurprisingToken {
    /// Token id.
    pub id: u32,
    /// First byte in the text.
    pub start: usize,
    /// Byte behind it.
    pub end: usize,
    /// `-ln p(token | all before it)` in nats; 0 for the first, which nothing predicts.
    pub surprise: f32,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its tokens.
    pub tokens: Range<usize>,
    /// Its bytes in the text.
    pub bytes: Range<usize>,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct SurpriseReport {
    /// The model.
    pub model: String,
    /// The method that cuts, with all its parameters.
    pub method: String,
    /// Mean surprise in nats, without the first token.
    pub mean: f64,
    /// All tokens.
    pub tokens: Vec<SurprisingToken>,
    /// Events, one after the other; what stands before the first is the method's first tokens, which are in none. What
    /// has not left the window yet is cut as it would be later. Empty for methods without blocks.
    pub events: Vec<Event>,
}

/// Reads at most `limit` tokens of `text` with the method of `options`.
///
/// # Errors
/// [`EngineError::Nothing`] for fewer than two tokens, otherwise as [`Session::read`].
pub fn measure(
    engine: &Arc<Engine>,
    text: &str,
    options: &ContextOptions,
    limit: Option<usize>,
    control: &mut Control<'_>,
) -> Result<SurpriseReport, EngineError> {
    let tokenizer = engine.tokenizer()?;
    let mut tokens: Vec<Token> = tokenizer.encode(text, SpecialTokens::AsText, tokenizer.adds_bos())?;
    tokens.truncate(limit.unwrap_or(usize::MAX));
    if tokens.len() < 2 {
        let what = format!("a text of {} token", tokens.len());
        return Err(EngineError::Nothing { what, purpose: "be surprised by" });
    }
    let plan = options.plan(engine, tokens.len(), 0)?;
    needs_a_prompt(&plan)?;
    let mut session = options.session(engine, &plan)?;
    let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    let started = Instant::now();
    let mut surprise = Vec::with_capacity(ids.len());
    let step = session.chunk_tokens();
    for chunk in ids.chunks(step) {
        if control.stopped() {
            return Err(EngineError::Interrupted { done: surprise.len(), total: ids.len() });
        }
        surprise.extend_from_slice(session.read_with_surprise(chunk)?);
        control.report(surprise.len(), ids.len(), started);
    }
    let bytes = |range: &Range<usize>| {
        let inside = tokens.get(range.clone()).unwrap_or(&[]);
        inside.first().map_or(0, |token| token.start)..inside.last().map_or(0, |token| token.end)
    };
    let events = session.memory().blocks().into_iter();
    let events = events.map(|tokens| Event { bytes: bytes(&tokens), tokens }).collect();
    let sum: f64 = surprise.iter().map(|value| f64::from(*value)).sum();
    Ok(SurpriseReport {
        model: engine.name().to_owned(),
        method: plan.method.to_string(),
        mean: sum / (surprise.len() - 1) as f64,
        tokens: tokens
            .iter()
            .zip(surprise)
            .map(|(token, surprise)| SurprisingToken {
                id: token.id,
                start: token.start,
                end: token.end,
                surprise,
            })
            .collect(),
        events,
    })
}

impl SurpriseReport {
    /// Surprise along the text, and where events begin; `name` is the text's.
    pub fn figure(&self, name: &str) -> String {
        let values: Vec<(f64, f64)> = self
            .tokens
            .iter()
            .enumerate()
            .map(|(position, token)| (position as f64 + 0.5, f64::from(token.surprise)))
            .collect();
        let cuts: Vec<Cut> = self.events.iter().map(|event| Cut(event.tokens.start as f64)).collect();
        let shown = self.method.split(':').next().unwrap_or("");
        Lines {
            title: &format!("Surprise in {name}"),
            below: &format!(
                "{}; {} tokens, mean {:.2} nats; {} events cut by {shown}",
                self.model,
                self.tokens.len(),
                self.mean,
                self.events.len()
            ),
            values: &values,
            range: 0.0..self.tokens.len() as f64,
            x: "position (tokens)",
            y: "surprise (nats)",
            name: "surprise",
            cuts: &cuts,
            cuts_name: "event begins",
        }
        .svg()
    }
}
