//! `/v1/responses`, for text: no state is kept between responses, so each request brings its whole conversation.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::sse::Event as Sent;
use axum::response::{IntoResponse, Response};
use loci_engine::{Finish, Generation};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::body::Body;
use super::chat::{Ready, ready};
use super::guard::{Client, Tenant};
use super::stream::{Form, stream};
use crate::ask::{Asked, News, Told, collect, submit};
use crate::error::{ApiError, ErrorBody};
use crate::library::blocking;
use crate::openai::{
    ChatMessage, ChatRequest, Content, Extra, LociFields, LociReport, SamplingFields, Usage, refuse_unknown,
};
use crate::state::{App, fresh_id, now};

/// What is to be answered.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct ResponseRequest {
    /// The model's id; the server's first model when left out.
    model: Option<String>,
    /// A question, or the messages of a conversation.
    #[schema(value_type = Object)]
    input: Value,
    /// A system message before all others.
    instructions: Option<String>,
    /// At most this many tokens.
    max_output_tokens: Option<u32>,
    /// 0 takes the most probable token each time.
    temperature: Option<f32>,
    /// Draws from the most probable tokens that have this share together.
    top_p: Option<f32>,
    /// Sends the answer as it is written.
    stream: Option<bool>,
    /// `{"format": …}`: what the answer is held to.
    #[schema(value_type = Option<Object>)]
    text: Option<Value>,
    /// Loci's own.
    loci: Option<LociFields>,
    /// What is not known.
    #[serde(flatten)]
    #[schema(ignore)]
    extra: Extra,
}

/// Answers.
#[utoipa::path(
    post, path = "/v1/responses", request_body = ResponseRequest,
    responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody))
)]
pub(super) async fn responses(
    State(app): State<Arc<App>>,
    client: Client,
    tenant: Tenant,
    Body(mut request): Body<ResponseRequest>,
) -> Result<Response, ApiError> {
    // What only says what is the case here anyway.
    request.extra.retain(|name, value| match name.as_str() {
        "background" => *value != Value::Bool(false),
        "parallel_tool_calls" => false,
        "tools" => value.as_array().is_none_or(|tools| !tools.is_empty()),
        _ => !value.is_null(),
    });
    if request.extra.contains_key("previous_response_id") {
        let message = "responses are not kept here; send the whole conversation as input";
        return Err(ApiError::invalid("unsupported", message).at("previous_response_id"));
    }
    refuse_unknown(&request.extra)?;
    let streams = request.stream.unwrap_or(false);
    let chat = chat_request(&request)?;
    let held = Arc::clone(&app);
    let Ready { prepared, .. } = blocking(move || ready(&held, &tenant, chat)).await?;
    let (running, asked) = submit(&app, client.0, prepared)?;
    let shape = Shape {
        id: fresh_id("resp_"),
        item: fresh_id("msg_"),
        created: now(),
        model: asked.model.id.clone(),
        request,
    };
    if streams {
        return Ok(stream(running, asked, 1, Events { shape, number: 0, text: String::new(), ended: None }));
    }
    let collected = collect(running, &asked, 1).await?;
    let answer = collected.answers.first().ok_or_else(|| ApiError::internal("an answer is missing"))?;
    Ok(Json(shape.completed(answer, collected.usage, &collected.report)).into_response())
}

/// The same request as a chat.
fn chat_request(request: &ResponseRequest) -> Result<ChatRequest, ApiError> {
    let mut messages = Vec::new();
    let said = |role: &str, text: &str| ChatMessage {
        role: role.to_owned(),
        content: Some(Content::Text(text.to_owned())),
        tool_calls: None,
        tool_call_id: None,
        name: None,
    };
    messages.extend(request.instructions.as_deref().map(|text| said("system", text)));
    match &request.input {
        Value::String(text) => messages.push(said("user", text)),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                if item.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "message") {
                    let message = "only messages are understood as input";
                    return Err(ApiError::invalid("unsupported", message).at(format!("input[{at}].type")));
                }
                let message = serde_json::from_value(item.clone()).map_err(|error| {
                    ApiError::invalid("invalid_message", error).at(format!("input[{at}]"))
                })?;
                messages.push(message);
            }
        }
        _ => {
            return Err(
                ApiError::invalid("invalid_value", "input is a text or a list of messages").at("input")
            );
        }
    }
    let format = request.text.as_ref().and_then(|text| text.get("format")).cloned();
    Ok(ChatRequest {
        model: request.model.clone(),
        messages,
        max_tokens: request.max_output_tokens,
        sampling: SamplingFields {
            temperature: request.temperature,
            top_p: request.top_p,
            ..SamplingFields::default()
        },
        response_format: format,
        loci: request.loci.clone(),
        ..ChatRequest::default()
    })
}

/// What all forms of one response have in common.
struct Shape {
    id: String,
    item: String,
    created: u64,
    model: String,
    request: ResponseRequest,
}

impl Shape {
    fn response(&self, status: &str, output: &Value, usage: &Value) -> Value {
        let request = &self.request;
        json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "instructions": request.instructions,
            "max_output_tokens": request.max_output_tokens,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "store": false,
            "temperature": request.temperature.unwrap_or(0.0),
            "text": request.text.clone().unwrap_or_else(|| json!({ "format": { "type": "text" } })),
            "tool_choice": "auto",
            "tools": [],
            "top_p": request.top_p.unwrap_or(1.0),
            "truncation": "disabled",
            "usage": usage,
            "metadata": {},
        })
    }

    fn message(&self, status: &str, content: &Value) -> Value {
        json!({ "type": "message", "id": self.item, "status": status, "role": "assistant", "content": content })
    }

    fn completed(&self, answer: &Generation, usage: Usage, report: &LociReport) -> Value {
        let cut = answer.finish == Finish::Length;
        let status = if cut { "incomplete" } else { "completed" };
        let output = json!([self.message(status, &json!([part(&answer.text)]))]);
        let usage = json!({
            "input_tokens": usage.prompt_tokens,
            "input_tokens_details": { "cached_tokens": usage.prompt_tokens_details.cached_tokens },
            "output_tokens": usage.completion_tokens,
            "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": usage.total_tokens,
        });
        let mut response = self.response(status, &output, &usage);
        if cut {
            response["incomplete_details"] = json!({ "reason": "max_output_tokens" });
        }
        response["loci"] = json!(report);
        response
    }
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// The events of a response.
struct Events {
    shape: Shape,
    number: u64,
    text: String,
    ended: Option<Box<Generation>>,
}

impl Events {
    fn event(&mut self, kind: &str, mut members: Value) -> Sent {
        members["type"] = json!(kind);
        members["sequence_number"] = json!(self.number);
        self.number += 1;
        Sent::default().event(kind).data(members.to_string())
    }

    /// Members of events about the text.
    fn at(&self, more: Value) -> Value {
        let mut members = more;
        members["item_id"] = json!(self.shape.item);
        members["output_index"] = json!(0);
        members["content_index"] = json!(0);
        members
    }
}

impl Form for Events {
    fn opened(&mut self) -> Vec<Sent> {
        let response = self.shape.response("in_progress", &json!([]), &Value::Null);
        let item = self.shape.message("in_progress", &json!([]));
        let added = self.at(json!({ "part": part("") }));
        vec![
            self.event("response.created", json!({ "response": response })),
            self.event("response.in_progress", json!({ "response": response })),
            self.event("response.output_item.added", json!({ "output_index": 0, "item": item })),
            self.event("response.content_part.added", added),
        ]
    }

    fn shown(&mut self, news: News, _told: &Told, _asked: &Asked) -> Vec<Sent> {
        match news {
            News::Text(_, text) => {
                self.text.push_str(&text);
                let delta = self.at(json!({ "delta": text, "logprobs": [] }));
                vec![self.event("response.output_text.delta", delta)]
            }
            News::Answer(_, generation) => {
                self.ended = Some(generation);
                Vec::new()
            }
            News::Queued(_) | News::Progress(_) | News::Likely(..) => Vec::new(),
        }
    }

    fn ended(&mut self, told: &Told, asked: &Asked) -> Vec<Sent> {
        let Some(generation) = self.ended.take() else { return Vec::new() };
        let response = self.shape.completed(&generation, told.usage(asked), &told.report(asked));
        let text = self.at(json!({ "text": self.text, "logprobs": [] }));
        let whole = self.at(json!({ "part": part(&self.text) }));
        let item = response["output"][0].clone();
        let last = match generation.finish {
            Finish::Length => "response.incomplete",
            _ => "response.completed",
        };
        vec![
            self.event("response.output_text.done", text),
            self.event("response.content_part.done", whole),
            self.event("response.output_item.done", json!({ "output_index": 0, "item": item })),
            self.event(last, json!({ "response": response })),
        ]
    }
}
