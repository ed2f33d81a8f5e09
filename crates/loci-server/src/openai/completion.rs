//! Plain completions.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::common::{Extra, SamplingFields, StreamOptions, Usage};
use super::loci::{LociFields, LociReport};

/// Text to go on with.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct CompletionRequest {
    /// The model's id; the server's first model when left out.
    pub model: Option<String>,
    /// The text, or its tokens.
    pub prompt: CompletionPrompt,
    /// Sends the text as it is written.
    #[serde(default)]
    pub stream: Option<bool>,
    /// What a stream contains besides.
    pub stream_options: Option<StreamOptions>,
    /// At most this many tokens; 16 unless said otherwise, as OpenAI has it.
    pub max_tokens: Option<u32>,
    /// How tokens are drawn, and how many texts.
    #[serde(flatten)]
    pub sampling: SamplingFields,
    /// Tells how probable the tokens were, and so many beside them.
    #[schema(maximum = 20)]
    pub logprobs: Option<u8>,
    /// Repeats the prompt before what is new.
    #[serde(default)]
    pub echo: Option<bool>,
    /// Loci's own.
    #[serde(default)]
    pub loci: Option<LociFields>,
    /// What is not known.
    #[serde(flatten)]
    #[schema(ignore)]
    pub extra: Extra,
}

/// A prompt in one of OpenAI's forms.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum CompletionPrompt {
    /// Text.
    Text(String),
    /// Tokens.
    Tokens(Vec<u32>),
    /// One text in a list; several are refused.
    Texts(Vec<String>),
}

/// Texts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CompletionResponse {
    /// Of this request.
    pub id: String,
    /// `text_completion`.
    pub object: &'static str,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's id.
    pub model: String,
    /// The texts.
    pub choices: Vec<CompletionChoice>,
    /// Tokens; in a stream only in the last chunk if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What became of the context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loci: Option<LociReport>,
}

/// A text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CompletionChoice {
    /// Which.
    pub index: usize,
    /// It.
    pub text: String,
    /// How probable its tokens were.
    #[schema(value_type = Option<Object>)]
    pub logprobs: Option<Value>,
    /// `stop` or `length`; null in a stream until it ended.
    pub finish_reason: Option<&'static str>,
}
