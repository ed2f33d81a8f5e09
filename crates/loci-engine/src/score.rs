//! How well a model predicts a text: negative log-likelihood per token, and perplexity.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use loci_models::tokenizer::SpecialTokens;
use serde::Serialize;

use crate::context::ContextOptions;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::session::{Control, Progress, Session, per_second};
use crate::shorten::needs_a_prompt;

/// What is scored.
#[derive(Clone, Debug, Default)]
pub struct ScoreOptions {
    /// How the context is held.
    pub context: ContextOptions,
    /// Cuts the text into windows of this many tokens, each read on its own with an empty memory; `None`
    /// reads the text as one sequence.
    pub n_ctx: Option<usize>,
    /// First position of a window that is scored. 0 scores all but the very first token, which nothing predicts.
    pub from: usize,
    /// Reads at most this many tokens of the text.
    pub limit: Option<usize>,
}

/// One token and how unexpected it was.
#[derive(Clone, Debug, Serialize)]
pub struct ScoredToken {
    /// Token id.
    pub id: u32,
    /// First byte in the text.
    pub start: usize,
    /// Byte behind it.
    pub end: usize,
    /// `-ln p(token | all before it in its window)`, in nats; `None` for tokens that are not scored.
    pub nll: Option<f32>,
}

/// The score of a text.
#[derive(Clone, Debug, Serialize)]
pub struct Score {
    /// Tokens of the text.
    pub tokens: usize,
    /// Tokens that were scored.
    pub scored: usize,
    /// Mean of their negative log-likelihoods, in nats.
    pub nll: f64,
    /// `exp(nll)`.
    pub perplexity: f64,
    /// Standard error of `nll`, taking tokens as independent.
    pub nll_standard_error: f64,
    /// Tokens of a window.
    pub n_ctx: usize,
    /// The method with all its parameters.
    pub method: String,
    /// The model.
    pub model: String,
    /// Tokens read per second, the output layer for every token included.
    pub tokens_per_s: f64,
    /// Each token, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_token: Option<Vec<ScoredToken>>,
}

/// Scores `text`.
///
/// The text becomes tokens once, special-token texts being ordinary characters, with a beginning token only
/// if the model's own setting adds one. Every window is read from an empty memory, and each of its tokens
/// from position `from` on is scored given those before it in the window; the first one has nothing before
/// it. The last, shorter window is scored too.
///
/// # Errors
/// [`EngineError::Nothing`] when fewer than two tokens are left to score, otherwise as [`Session::read`].
pub fn score(
    engine: &Arc<Engine>,
    text: &str,
    options: &ScoreOptions,
    control: &mut Control<'_>,
) -> Result<Score, EngineError> {
    let tokenizer = engine.tokenizer()?;
    let mut tokens: Vec<ScoredToken> = tokenizer
        .encode(text, SpecialTokens::AsText, tokenizer.adds_bos())?
        .into_iter()
        .map(|token| ScoredToken { id: token.id, start: token.start, end: token.end, nll: None })
        .collect();
    tokens.truncate(options.limit.unwrap_or(usize::MAX));
    let n_ctx = options.n_ctx.unwrap_or(tokens.len()).max(1);
    let started = Instant::now();
    let total = tokens.len();
    let plan = options.context.plan(engine, n_ctx.min(total), 0)?;
    needs_a_prompt(&plan)?;
    for start in (0..total).step_by(n_ctx) {
        let window = start..(start + n_ctx).min(total);
        let memory = options.context.memory(engine, &plan)?;
        let mut session = Session::new(Arc::clone(engine), memory);
        score_window(&mut session, &mut tokens, window, options.from, control, started)?;
    }
    let scored: Vec<f64> = tokens.iter().filter_map(|token| token.nll.map(f64::from)).collect();
    if scored.is_empty() {
        return Err(EngineError::Nothing {
            what: format!(
                "the text ({total} tokens, of which the first of each window has nothing before it)"
            ),
            purpose: "score",
        });
    }
    let count = scored.len() as f64;
    let nll = scored.iter().sum::<f64>() / count;
    let variance = scored.iter().map(|value| (value - nll).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    Ok(Score {
        tokens: total,
        scored: scored.len(),
        nll,
        perplexity: nll.exp(),
        nll_standard_error: (variance / count).sqrt(),
        n_ctx,
        method: plan.method.to_string(),
        model: engine.name().to_owned(),
        tokens_per_s: per_second(total, started.elapsed()),
        per_token: Some(tokens),
    })
}

fn score_window(
    session: &mut Session,
    tokens: &mut [ScoredToken],
    window: Range<usize>,
    from: usize,
    control: &mut Control<'_>,
    started: Instant,
) -> Result<(), EngineError> {
    let total = tokens.len();
    let ids: Vec<u32> = tokens.get(window.clone()).unwrap_or(&[]).iter().map(|token| token.id).collect();
    let step = session.chunk_tokens();
    for (index, chunk) in ids.chunks(step).enumerate() {
        let first = index * step;
        if control.stopped() {
            return Err(EngineError::Interrupted { done: window.start + first, total });
        }
        let surprise = session.read_with_surprise(chunk)?;
        let here =
            tokens.get_mut(window.start + first..window.start + first + chunk.len()).unwrap_or(&mut []);
        for (offset, (token, nll)) in here.iter_mut().zip(surprise).enumerate() {
            if first + offset >= from.max(1) {
                token.nll = Some(*nll);
            }
        }
        if let Some(progress) = &mut control.progress {
            progress(Progress {
                done: window.start + first + chunk.len(),
                total,
                elapsed: started.elapsed(),
            });
        }
    }
    Ok(())
}
