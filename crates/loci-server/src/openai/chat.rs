//! Chat completions.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::common::{Extra, SamplingFields, StreamOptions, Usage};
use super::loci::{LociFields, LociReport};

/// A conversation to go on with.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct ChatRequest {
    /// The model's id; the server's first model when left out.
    pub model: Option<String>,
    /// What was said, oldest first.
    pub messages: Vec<ChatMessage>,
    /// Sends the answer as it is written.
    #[serde(default)]
    pub stream: Option<bool>,
    /// What a stream contains besides.
    pub stream_options: Option<StreamOptions>,
    /// At most this many tokens of an answer.
    pub max_tokens: Option<u32>,
    /// The same by its newer name.
    pub max_completion_tokens: Option<u32>,
    /// How tokens are drawn, and how many answers.
    #[serde(flatten)]
    pub sampling: SamplingFields,
    /// Tells how probable the tokens were.
    pub logprobs: Option<bool>,
    /// And those beside them.
    #[schema(maximum = 20)]
    pub top_logprobs: Option<u8>,
    /// `{"type":"text"}`, `{"type":"json_object"}` or `{"type":"json_schema","json_schema":{"schema":{…}}}`.
    #[schema(value_type = Option<Object>)]
    pub response_format: Option<Value>,
    /// What the model may call.
    #[schema(value_type = Option<Vec<Object>>)]
    pub tools: Option<Value>,
    /// Whether it has to.
    #[schema(value_type = Option<Object>)]
    pub tool_choice: Option<Value>,
    /// Whether one answer may hold several calls; it may unless this says no.
    pub parallel_tool_calls: Option<bool>,
    /// Loci's own.
    #[serde(default)]
    pub loci: Option<LociFields>,
    /// What is not known.
    #[serde(flatten)]
    #[schema(ignore)]
    pub extra: Extra,
}

/// One message.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ChatMessage {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    pub role: String,
    /// What was said.
    #[serde(default)]
    pub content: Option<Content>,
    /// Calls that an assistant's message made.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    pub tool_calls: Option<Value>,
    /// The call that a tool's message answers.
    #[serde(default)]
    pub tool_call_id: Option<String>,
    /// Who speaks.
    #[serde(default)]
    pub name: Option<String>,
}

/// Text, whole or in parts.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Content {
    /// Whole.
    Text(String),
    /// In parts.
    Parts(Vec<ContentPart>),
}

/// A part of a message.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ContentPart {
    /// `text`; nothing else is understood.
    pub r#type: String,
    /// The text.
    #[serde(default)]
    pub text: Option<String>,
}

/// Answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatResponse {
    /// Of this request.
    pub id: String,
    /// `chat.completion`.
    pub object: &'static str,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's id.
    pub model: String,
    /// The answers.
    pub choices: Vec<ChatChoice>,
    /// Tokens.
    pub usage: Usage,
    /// What became of the context, and where the first answer's attention went.
    pub loci: LociReport,
}

/// An answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatChoice {
    /// Which.
    pub index: usize,
    /// What it says.
    pub message: ResponseMessage,
    /// How probable its tokens were.
    #[schema(value_type = Option<Object>)]
    pub logprobs: Option<Value>,
    /// `stop`, `length` or `tool_calls`.
    pub finish_reason: &'static str,
}

/// What an answer says.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResponseMessage {
    /// `assistant`.
    pub role: &'static str,
    /// The text; null where only tools are called.
    pub content: Option<String>,
    /// Calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub tool_calls: Option<Value>,
    /// Never.
    pub refusal: Option<String>,
}

/// A piece of a stream.
#[derive(Clone, Debug, Serialize)]
pub struct ChatChunk {
    /// Of this request.
    pub id: String,
    /// `chat.completion.chunk`.
    pub object: &'static str,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's id.
    pub model: String,
    /// What is new.
    pub choices: Vec<ChatChunkChoice>,
    /// Tokens, in the last chunk if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// A report, progress, or a place in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loci: Option<Value>,
}

/// What is new of an answer.
#[derive(Clone, Debug, Serialize)]
pub struct ChatChunkChoice {
    /// Which.
    pub index: usize,
    /// What is new.
    pub delta: ChatDelta,
    /// How probable its tokens were.
    pub logprobs: Option<Value>,
    /// Why it ended, once it did.
    pub finish_reason: Option<&'static str>,
}

/// What is new.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChatDelta {
    /// At the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// Words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Value>,
}
