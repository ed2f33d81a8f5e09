//! `/v1/chat/completions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::sse::Event as Sent;
use axum::response::{IntoResponse, Response};
use loci_engine::Generation;
use loci_models::template::Message;
use serde_json::{Value, json};

use super::body::Body;
use super::guard::Client;
use super::options::{Fields, options};
use super::stream::{Form, done, sent, stream};
use crate::ask::{Asked, News, Question, Told, collect, prepare, submit};
use crate::error::ApiError;
use crate::library::blocking;
use crate::openai::{
    ChatChoice, ChatChunk, ChatChunkChoice, ChatDelta, ChatMessage, ChatRequest, ChatResponse, Content,
    ProgressReport, ResponseMessage, finish_reason, refuse_unknown,
};
use crate::state::{App, fresh_id, now};

/// Answers a conversation.
pub(super) async fn chat(
    State(app): State<Arc<App>>,
    client: Client,
    Body(request): Body<ChatRequest>,
) -> Result<Response, ApiError> {
    refuse_unknown(&request.extra)?;
    let fields = request.loci.clone().unwrap_or_default();
    let streams = request.stream.unwrap_or(false);
    let usage = request.stream_options.is_some_and(|options| options.include_usage);
    let progress = fields.progress;
    let held = Arc::clone(&app);
    let (prepared, count) = blocking(move || {
        let messages = messages(&request.messages)?;
        let model = Arc::clone(held.model(request.model.as_deref())?);
        let answers = options(
            Fields {
                max_tokens: request.max_completion_tokens.or(request.max_tokens),
                temperature: request.temperature,
                top_p: request.top_p,
                top_k: request.top_k,
                min_p: request.min_p,
                seed: request.seed,
                stop: request.stop,
                n: request.n,
            },
            held.settings.max_tokens,
        )?;
        let reading = fields.reading.as_deref().map(|id| held.library.reading(&held, id)).transpose()?;
        let model = match &reading {
            // A reading belongs to its model.
            Some(reading) => Arc::clone(held.model_of(reading, request.model.as_deref())?),
            None => model,
        };
        let count = answers.len();
        Ok((prepare(&model, Question::Messages(messages), &fields, reading, answers)?, count))
    })
    .await?;
    let (running, asked) = submit(&app, client.0, prepared)?;
    let head = Head { id: fresh_id("chatcmpl-"), created: now(), model: asked.model.id.clone() };
    if streams {
        return Ok(stream(running, asked, count, Chunks { head, count, progress, usage }));
    }
    let collected = collect(running, &asked, count).await?;
    let choices = collected.answers.iter().enumerate().map(|(index, generation)| choice(index, generation));
    Ok(Json(ChatResponse {
        id: head.id,
        object: "chat.completion",
        created: head.created,
        model: head.model,
        choices: choices.collect(),
        usage: collected.usage,
        loci: collected.report,
    })
    .into_response())
}

struct Head {
    id: String,
    created: u64,
    model: String,
}

impl Head {
    fn chunk(&self, choices: Vec<ChatChunkChoice>, loci: Option<Value>) -> ChatChunk {
        ChatChunk {
            id: self.id.clone(),
            object: "chat.completion.chunk",
            created: self.created,
            model: self.model.clone(),
            choices,
            usage: None,
            loci,
        }
    }
}

fn choice(index: usize, generation: &Generation) -> ChatChoice {
    let content = Some(generation.text.clone());
    ChatChoice {
        index,
        message: ResponseMessage { role: "assistant", content, tool_calls: None, refusal: None },
        logprobs: None,
        finish_reason: finish_reason(generation.finish),
    }
}

/// The messages as the model's template takes them.
fn messages(given: &[ChatMessage]) -> Result<Vec<Message>, ApiError> {
    if given.is_empty() {
        return Err(ApiError::invalid("empty_messages", "messages is empty; say something").at("messages"));
    }
    given.iter().enumerate().map(|(at, message)| one(at, message)).collect()
}

fn one(at: usize, message: &ChatMessage) -> Result<Message, ApiError> {
    let wrong = |what: String, field: &str| {
        ApiError::invalid("invalid_message", what).at(format!("messages[{at}].{field}"))
    };
    let role = match message.role.as_str() {
        "system" | "developer" => "system",
        "user" => "user",
        "assistant" => "assistant",
        other => {
            return Err(wrong(
                format!("the role {other:?} is not known; use system, user or assistant"),
                "role",
            ));
        }
    };
    let content = match &message.content {
        Some(Content::Text(text)) => text.clone(),
        Some(Content::Parts(parts)) => {
            let mut text = String::new();
            for part in parts {
                match (part.r#type.as_str(), &part.text) {
                    ("text", Some(words)) => text.push_str(words),
                    (other, _) => {
                        let what = format!("a part of type {other:?} is not understood; send text");
                        return Err(wrong(what, "content"));
                    }
                }
            }
            text
        }
        None => return Err(wrong("a message without content says nothing".to_owned(), "content")),
    };
    Ok(Message::new(role, content))
}

/// Chunks of a chat.
struct Chunks {
    head: Head,
    count: usize,
    progress: bool,
    usage: bool,
}

impl Form for Chunks {
    fn opened(&mut self) -> Vec<Sent> {
        // Every answer begins with its role.
        let open = |index| ChatChunkChoice {
            index,
            delta: ChatDelta { role: Some("assistant"), content: Some(String::new()), tool_calls: None },
            logprobs: None,
            finish_reason: None,
        };
        (0..self.count).map(|index| sent(&self.head.chunk(vec![open(index)], None))).collect()
    }

    fn shown(&mut self, news: News, told: &Told, asked: &Asked) -> Vec<Sent> {
        let chunk = match news {
            News::Text(index, text) => {
                let delta = ChatDelta { content: Some(text), ..ChatDelta::default() };
                let choice = ChatChunkChoice { index, delta, logprobs: None, finish_reason: None };
                self.head.chunk(vec![choice], None)
            }
            News::Answer(index, generation) => {
                let report = (told.finished() >= self.count).then(|| json!(told.report(asked)));
                let choice = ChatChunkChoice {
                    index,
                    delta: ChatDelta::default(),
                    logprobs: None,
                    finish_reason: Some(finish_reason(generation.finish)),
                };
                self.head.chunk(vec![choice], report)
            }
            News::Queued(before) if self.progress => {
                self.head.chunk(Vec::new(), Some(json!({ "queued": before })))
            }
            News::Progress(progress) if self.progress => {
                self.head.chunk(Vec::new(), Some(json!({ "progress": ProgressReport::from(progress) })))
            }
            News::Queued(_) | News::Progress(_) => return Vec::new(),
        };
        vec![sent(&chunk)]
    }

    fn ended(&mut self, told: &Told, asked: &Asked) -> Vec<Sent> {
        let counted = || ChatChunk { usage: Some(told.usage(asked)), ..self.head.chunk(Vec::new(), None) };
        self.usage.then(|| sent(&counted())).into_iter().chain([done()]).collect()
    }
}
