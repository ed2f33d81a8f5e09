//! How far a method's next-token distributions are from another's, after a prompt that the method may have thinned.

use std::sync::Arc;

use loci_context::MethodSpec;
use loci_models::tokenizer::SpecialTokens;
use serde::Serialize;

use crate::context::ContextOptions;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::layout::Prompt;
use crate::session::{Control, Session};
use crate::shorten::shorten;

/// What is compared.
#[derive(Clone, Debug)]
pub struct DivergenceOptions {
    /// The method that is measured, and how its rows are held.
    pub context: ContextOptions,
    /// The method it is measured against; its rows are held in the same number format.
    pub against: MethodSpec,
    /// Tokens that are read first, as a prompt: methods that decide at its end do so.
    pub prompt_tokens: usize,
    /// Reads at most this many tokens of the text, prompt included.
    pub limit: Option<usize>,
}

/// How far apart two methods are.
#[derive(Clone, Debug, Serialize)]
pub struct Divergence {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens behind it before each of which both distributions were compared.
    pub scored: usize,
    /// Mean of `KL(against || method)` over the whole vocabulary, in nats a token.
    pub kl: f64,
    /// Its standard error, taking tokens as independent.
    pub kl_standard_error: f64,
    /// Share of tokens at which both find the same token the most probable.
    pub same_first: f64,
    /// Mean negative log-likelihood of the text under the method, in nats.
    pub nll: f64,
    /// The same under the other one.
    pub nll_against: f64,
    /// The method with all its parameters.
    pub method: String,
    /// The other one.
    pub against: String,
    /// The model.
    pub model: String,
    /// Bytes that the method's memory holds at the end.
    pub memory_bytes: usize,
}

/// Reads the first tokens of `text` as a prompt with both methods, and then token by token what follows.
///
/// # Errors
/// [`EngineError::Nothing`] when the text does not reach beyond the prompt, otherwise as [`Session::read`].
pub fn divergence(
    engine: &Arc<Engine>,
    text: &str,
    options: &DivergenceOptions,
    control: &mut Control<'_>,
) -> Result<Divergence, EngineError> {
    let tokenizer = engine.tokenizer()?;
    let tokens = tokenizer.encode(text, SpecialTokens::AsText, tokenizer.adds_bos())?;
    let ids: Vec<u32> =
        tokens.iter().take(options.limit.unwrap_or(usize::MAX)).map(|token| token.id).collect();
    let Some((prompt, rest)) =
        ids.split_at_checked(options.prompt_tokens.max(1)).filter(|(_, rest)| !rest.is_empty())
    else {
        return Err(EngineError::Nothing {
            what: format!("the text ({} tokens) behind a prompt of {}", ids.len(), options.prompt_tokens),
            purpose: "compare on",
        });
    };
    let mut open = |context: &ContextOptions| -> Result<(Session, String), EngineError> {
        let plan = context.plan(engine, ids.len(), 0)?;
        let prompt = shorten(engine, Prompt::of_tokens(prompt.to_vec()), context, &plan, control)?;
        let mut session = context.session(engine, &plan)?;
        session.read(&prompt.tokens, control)?;
        Ok((session, plan.method.to_string()))
    };
    let (mut own, method) = open(&options.context)?;
    let (mut other, against) = open(&options.context.for_method(options.against.clone()))?;
    let (mut divergences, mut same, mut nll, mut nll_against) = (Vec::with_capacity(rest.len()), 0, 0.0, 0.0);
    for (done, token) in rest.iter().enumerate() {
        if control.stopped() {
            return Err(EngineError::Interrupted { done: prompt.len() + done, total: ids.len() });
        }
        let p = log_shares(other.logits().unwrap_or(&[]));
        let q = log_shares(own.logits().unwrap_or(&[]));
        divergences.push(kl(&p, &q));
        same += usize::from(first(&p) == first(&q));
        nll -= q.get(*token as usize).copied().unwrap_or(f64::NAN);
        nll_against -= p.get(*token as usize).copied().unwrap_or(f64::NAN);
        own.step(*token)?;
        other.step(*token)?;
    }
    let count = rest.len() as f64;
    let mean = divergences.iter().sum::<f64>() / count;
    let variance = divergences.iter().map(|kl| (kl - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    Ok(Divergence {
        prompt_tokens: prompt.len(),
        scored: rest.len(),
        kl: mean,
        kl_standard_error: (variance / count).sqrt(),
        same_first: same as f64 / count,
        nll: nll / count,
        nll_against: nll_against / count,
        method,
        against,
        model: engine.name().to_owned(),
        memory_bytes: own.memory_bytes(),
    })
}

/// Natural logarithms of the softmax of `logits`.
pub(crate) fn log_shares(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
    let shift = f64::from(largest) + sum.ln();
    logits.iter().map(|logit| f64::from(*logit) - shift).collect()
}

/// `KL(p || q)` in nats of two distributions over the same tokens, given by their natural logarithms.
pub fn kl(p: &[f64], q: &[f64]) -> f64 {
    p.iter()
        .zip(q)
        .map(|(p, q)| if *p == f64::NEG_INFINITY { 0.0 } else { p.exp() * (p - q) })
        .sum::<f64>()
        .max(0.0)
}

/// The most probable token.
pub fn first(shares: &[f64]) -> Option<usize> {
    shares.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_is_that_of_the_formula() {
        let p = log_shares(&[1.0, 2.0, 3.0]);
        assert!((p.iter().map(|share| share.exp()).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(kl(&p, &p) < 1e-15);
        let halves = log_shares(&[0.0, 0.0]);
        let quarter = log_shares(&[0.0, 3.0_f32.ln()]);
        // 1/2 ln(2) + 1/2 ln(2/3)
        assert!((kl(&halves, &quarter) - 0.143_841).abs() < 1e-6);
        assert_eq!(first(&p), Some(2));
    }
}
