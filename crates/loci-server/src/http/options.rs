//! From OpenAI's fields to how an answer is written.

use std::collections::BTreeMap;

use loci_engine::GenerateOptions;
use loci_models::sampling::SamplerConfig;

use crate::error::ApiError;
use crate::openai::{SamplingFields, Stop};

/// The most answers to one prompt.
const MAX_ANSWERS: u32 = 16;
/// The most stop strings, and bytes of one.
const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 1024;

/// The most tokens told beside each.
const MAX_BESIDE: usize = 20;

/// How each answer is written, of at most `max_tokens` tokens and with so many others told beside each: they differ in their
/// seeds.
///
/// # Errors
/// [`ApiError`] that names the field whose value is not allowed.
pub(super) fn options(
    fields: SamplingFields,
    max_tokens: usize,
    log_probs: Option<usize>,
) -> Result<Vec<GenerateOptions>, ApiError> {
    let range = |name: &str, value: f32, low: f32, high: f32| {
        let message = || format!("{name} = {value} is not allowed; use a number from {low} to {high}");
        match (low..=high).contains(&value) {
            true => Ok(value),
            false => Err(ApiError::invalid("invalid_value", message()).at(name)),
        }
    };
    // OpenAI's own default draws; what is asked about a text is better answered by the most probable words.
    let temperature = range("temperature", fields.temperature.unwrap_or(0.0), 0.0, 2.0)?;
    let top_p = range("top_p", fields.top_p.unwrap_or(1.0), 0.0, 1.0)?;
    let min_p = range("min_p", fields.min_p.unwrap_or(0.0), 0.0, 1.0)?;
    let count = fields.n.unwrap_or(1);
    if !(1..=MAX_ANSWERS).contains(&count) {
        let message = format!("n = {count} is not allowed; use a number from 1 to {MAX_ANSWERS}");
        return Err(ApiError::invalid("invalid_value", message).at("n"));
    }
    let stop = fields.stop.map(Stop::into_list).unwrap_or_default();
    if stop.len() > MAX_STOPS || stop.iter().any(|text| text.is_empty() || text.len() > MAX_STOP_BYTES) {
        let message = format!("stop takes at most {MAX_STOPS} strings of 1 to {MAX_STOP_BYTES} bytes each");
        return Err(ApiError::invalid("invalid_value", message).at("stop"));
    }
    if max_tokens == 0 {
        return Err(ApiError::invalid(
            "invalid_value",
            "max_tokens = 0 leaves nothing to write; use 1 or more",
        )
        .at("max_tokens"));
    }
    let seed = fields.seed.unwrap_or(0).cast_unsigned();
    if let Some(count) = log_probs.filter(|count| *count > MAX_BESIDE) {
        let message = format!("{count} tokens beside each are too many; use at most {MAX_BESIDE}");
        return Err(ApiError::invalid("invalid_value", message).at("top_logprobs"));
    }
    let penalty = |name, value: Option<f32>| range(name, value.unwrap_or(0.0), -2.0, 2.0);
    let mut logit_bias = BTreeMap::new();
    for (token, bias) in fields.logit_bias.unwrap_or_default() {
        let wrong = |message: String| ApiError::invalid("invalid_value", message).at("logit_bias");
        let id = token.parse().map_err(|_| wrong(format!("{token:?} is no id of a token")))?;
        logit_bias.insert(id, range("logit_bias", bias, -100.0, 100.0)?);
    }
    let sampler = SamplerConfig {
        temperature,
        // No probability at all would leave nothing to draw from: the most probable token alone is meant.
        top_p: if top_p == 0.0 { f32::MIN_POSITIVE } else { top_p },
        top_k: fields.top_k.unwrap_or(0) as usize,
        min_p,
        frequency_penalty: penalty("frequency_penalty", fields.frequency_penalty)?,
        presence_penalty: penalty("presence_penalty", fields.presence_penalty)?,
        logit_bias,
        ..SamplerConfig::default()
    };
    let one = GenerateOptions { max_tokens, sampler, stop, log_probs, ..GenerateOptions::default() };
    let answers = (0..u64::from(count)).map(|at| {
        let sampler = SamplerConfig { seed: seed.wrapping_add(at), ..one.sampler.clone() };
        GenerateOptions { sampler, ..one.clone() }
    });
    Ok(answers.collect())
}
