//! What several endpoints share.

use std::collections::BTreeMap;

use loci_engine::Finish;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::ApiError;

/// Fields that a request has and the server does not know.
pub type Extra = BTreeMap<String, Value>;

/// Fields of OpenAI's that change nothing here: how a request is billed or named.
const HARMLESS: [&str; 5] = ["user", "metadata", "service_tier", "safety_identifier", "prompt_cache_key"];

/// Refuses fields that would be ignored although they may matter.
///
/// # Errors
/// [`ApiError`] that names the first of them.
pub fn refuse_unknown(extra: &Extra) -> Result<(), ApiError> {
    let matters = |(name, value): &(&String, &Value)| {
        // Nothing is stored here, which only who wants it has to know.
        let not_stored = name.as_str() == "store" && **value != Value::Bool(true);
        !HARMLESS.contains(&name.as_str()) && !not_stored && !value.is_null()
    };
    match extra.iter().find(matters) {
        None => Ok(()),
        Some((name, _)) => Err(ApiError::invalid(
            "unknown_parameter",
            format!("the parameter {name:?} is not known here, and would change nothing; leave it out"),
        )
        .at(name.as_str())),
    }
}

/// One string or several.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Stop {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Stop {
    /// All of them.
    pub fn into_list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
        }
    }
}

/// How tokens are drawn, and how many answers are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct SamplingFields {
    /// 0 takes the most probable token each time.
    #[schema(minimum = 0.0, maximum = 2.0)]
    pub temperature: Option<f32>,
    /// Draws from the most probable tokens that have this share together.
    pub top_p: Option<f32>,
    /// Draws from so many of the most probable tokens.
    pub top_k: Option<u32>,
    /// Draws from tokens at least this fraction as probable as the most probable.
    pub min_p: Option<f32>,
    /// Same seed, same words.
    pub seed: Option<i64>,
    /// An answer ends before the first of these.
    pub stop: Option<Stop>,
    /// How many answers.
    #[schema(minimum = 1, maximum = 16)]
    pub n: Option<u32>,
    /// Lowers what was written often.
    pub frequency_penalty: Option<f32>,
    /// Lowers what was written at all.
    pub presence_penalty: Option<f32>,
    /// Raises or lowers single tokens.
    #[schema(value_type = Option<Object>)]
    pub logit_bias: Option<BTreeMap<String, f32>>,
}

/// What a stream contains besides the answer.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
pub struct StreamOptions {
    /// Sends a last chunk with the usage.
    #[serde(default)]
    pub include_usage: bool,
}

/// Tokens of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Usage {
    /// Of the prompt.
    pub prompt_tokens: usize,
    /// Of all answers.
    pub completion_tokens: usize,
    /// Both.
    pub total_tokens: usize,
    /// Of the prompt, in parts.
    pub prompt_tokens_details: PromptDetails,
}

/// Tokens of a prompt, in parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct PromptDetails {
    /// Those that had been read before.
    pub cached_tokens: usize,
}

impl Usage {
    /// `cached` of `prompt` tokens had been read before.
    pub const fn new(prompt: usize, cached: usize, completion: usize) -> Self {
        Self {
            prompt_tokens: prompt,
            completion_tokens: completion,
            total_tokens: prompt + completion,
            prompt_tokens_details: PromptDetails { cached_tokens: cached },
        }
    }
}

/// Why an answer ended, in OpenAI's words.
pub const fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::End | Finish::Stop => "stop",
        Finish::Length | Finish::Interrupted => "length",
    }
}
