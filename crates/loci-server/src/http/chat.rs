//! `/v1/chat/completions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::sse::Event as Sent;
use axum::response::{IntoResponse, Response};
use loci_engine::Generation;
use loci_engine::tools::{self, CallReader, Calling, Tool, ToolChoice};
use serde_json::{Value, json};

use super::body::Body;
use super::format::{calls, chat_likelihoods, form};
use super::guard::{Client, Tenant};
use super::options::options;
use super::recall::remind;
use super::strategy;
use super::stream::{Form, done, sent, stream};
use crate::ask::{Asked, News, Prepared, Question, Told, collect, prepare, submit};
use crate::error::{ApiError, ErrorBody};
use crate::library::blocking;
use crate::openai::{
    ChatChoice, ChatChunk, ChatChunkChoice, ChatDelta, ChatRequest, ChatResponse, ProgressReport,
    ResponseMessage, finish_reason, messages, refuse_unknown,
};
use crate::state::{App, fresh_id, now};

/// Answers a conversation.
#[utoipa::path(post, path = "/v1/chat/completions", request_body = ChatRequest, responses((status = 200, body = ChatResponse), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn chat(
    State(app): State<Arc<App>>,
    client: Client,
    tenant: Tenant,
    Body(request): Body<ChatRequest>,
) -> Result<Response, ApiError> {
    refuse_unknown(&request.extra)?;
    if request.loci.as_ref().is_some_and(|fields| fields.read().is_some()) {
        return strategy::answer(app, client, request).await;
    }
    let streams = request.stream.unwrap_or(false);
    let usage = request.stream_options.is_some_and(|options| options.include_usage);
    let progress = request.loci.as_ref().is_some_and(|fields| fields.progress);
    let held = Arc::clone(&app);
    let Ready { prepared, count, tools } = blocking(move || ready(&held, &tenant, request)).await?;
    let (running, asked) = submit(&app, client.0, prepared)?;
    let head = Head { id: fresh_id("chatcmpl-"), created: now(), model: asked.model.id.clone() };
    if streams {
        let readers = (0..count).map(|_| (!tools.is_empty()).then(|| CallReader::new(tools.clone())));
        let chunks = Chunks { head, count, progress, usage, readers: readers.collect() };
        return Ok(stream(running, asked, count, chunks));
    }
    let collected = collect(running, &asked, count).await?;
    let names: Vec<&str> = tools.iter().map(String::as_str).collect();
    let choices =
        collected.answers.iter().enumerate().map(|(index, generation)| choice(index, generation, &names));
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

/// A request that can be handed over.
pub(super) struct Ready {
    pub(super) prepared: Prepared,
    /// Answers.
    pub(super) count: usize,
    /// Names of tools that may be called.
    pub(super) tools: Vec<String>,
}

/// Makes a request ready. One with a memory is written down by the way: what the user told is remembered.
pub(super) fn ready(app: &App, tenant: &Tenant, request: ChatRequest) -> Result<Ready, ApiError> {
    let fields = request.loci.unwrap_or_default();
    let (model, reading) = app.asked(request.model.as_deref(), fields.reading.as_deref())?;
    let wanted = request.logprobs.unwrap_or(false);
    if request.top_logprobs.is_some_and(|count| count > 0) && !wanted {
        let message = "top_logprobs needs logprobs: true";
        return Err(ApiError::invalid("invalid_value", message).at("top_logprobs"));
    }
    let max_tokens = request.max_completion_tokens.or(request.max_tokens);
    let mut answers = options(
        request.sampling,
        max_tokens.map_or(app.settings.max_tokens, |tokens| tokens as usize),
        wanted.then(|| usize::from(request.top_logprobs.unwrap_or(0))),
    )?;
    let mut messages = messages(&request.messages)?;
    let form = form(request.response_format.as_ref())?;
    let given = request.tools.as_ref().filter(|tools| !tools.is_null());
    let list = given.map_or(Some(&[][..]), |tools| tools.as_array().map(Vec::as_slice));
    let list = list.ok_or_else(|| ApiError::invalid("invalid_value", "tools is a list").at("tools"))?;
    let tools = Tool::list(list).map_err(|error| ApiError::from(error).at("tools"))?;
    let choice = request.tool_choice.as_ref().filter(|choice| !choice.is_null());
    let choice = choice.map(ToolChoice::from_json).transpose();
    let choice = choice.map_err(|error| ApiError::from(error).at("tool_choice"))?.unwrap_or_default();
    let mut grammar = form
        .map(|form| model.engine.grammar(&form))
        .transpose()
        .map_err(|error| ApiError::from(error).at("response_format"))?;
    // Also without tools: earlier calls are in roles that the template may not know.
    let parallel = request.parallel_tool_calls.unwrap_or(true);
    let calling = Calling { choice, parallel, in_words: reading.is_some() };
    // What else is wrong with the request was found before.
    let memory = fields.memory.as_ref().map(|wanted| remind(app, &tenant.0, wanted, &mut messages));
    let memory = memory.transpose()?;
    let plan = tools::plan(&model.engine, &messages, &tools, &calling)
        .map_err(|error| ApiError::from(error).at("tools"))?;
    match (&grammar, plan.grammar) {
        (Some(_), Some(_)) => {
            let message = "an answer is held to a format or to tools, not to both";
            return Err(ApiError::invalid("invalid_value", message).at("response_format"));
        }
        (None, tools) => grammar = tools,
        (Some(_), None) => {}
    }
    answers.iter_mut().for_each(|answer| answer.grammar.clone_from(&grammar));
    let tools = match calling.choice {
        ToolChoice::None => Vec::new(),
        _ => tools.iter().map(|tool| tool.name().to_owned()).collect(),
    };
    let count = answers.len();
    let mut prepared = prepare(
        &model,
        Question::Messages(plan.messages, plan.tools, String::new()),
        &fields,
        reading,
        answers,
    )?;
    prepared.asked.memory = memory;
    Ok(Ready { prepared, count, tools })
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

    /// One answer's news.
    fn piece(&self, index: usize, delta: ChatDelta) -> ChatChunk {
        let choice = ChatChunkChoice { index, delta, logprobs: None, finish_reason: None };
        self.chunk(vec![choice], None)
    }
}

fn choice(index: usize, generation: &Generation, tools: &[&str]) -> ChatChoice {
    let parsed = match tools {
        [] => tools::Parsed { content: generation.text.clone(), ..tools::Parsed::default() },
        tools => tools::parse(&generation.text, tools),
    };
    let called = !parsed.calls.is_empty();
    ChatChoice {
        index,
        message: ResponseMessage {
            role: "assistant",
            content: (!called || !parsed.content.is_empty()).then_some(parsed.content),
            tool_calls: calls(&parsed.calls, false),
            refusal: None,
        },
        logprobs: chat_likelihoods(&generation.log_probs),
        finish_reason: if called { "tool_calls" } else { finish_reason(generation.finish) },
    }
}

/// Chunks of a chat.
struct Chunks {
    head: Head,
    count: usize,
    progress: bool,
    usage: bool,
    /// Of each answer, what finds its calls.
    readers: Vec<Option<CallReader>>,
}

impl Form for Chunks {
    fn opened(&mut self) -> Vec<Sent> {
        // Every answer begins with its role.
        let delta = || ChatDelta { role: Some("assistant"), content: Some(String::new()), tool_calls: None };
        (0..self.count).map(|index| sent(&self.head.piece(index, delta()))).collect()
    }

    fn shown(&mut self, news: News, told: &Told, asked: &Asked) -> Vec<Sent> {
        let content = |text: String| ChatDelta { content: Some(text), ..ChatDelta::default() };
        match news {
            News::Text(index, text) => {
                let text = match self.readers.get_mut(index) {
                    Some(Some(reader)) => reader.push(&text),
                    _ => text,
                };
                let shown = (!text.is_empty()).then(|| sent(&self.head.piece(index, content(text))));
                shown.into_iter().collect()
            }
            News::Likely(index, drawn) => {
                let logprobs = chat_likelihoods(&drawn);
                let delta = ChatDelta::default();
                let choice = ChatChunkChoice { index, delta, logprobs, finish_reason: None };
                vec![sent(&self.head.chunk(vec![choice], None))]
            }
            News::Answer(index, generation) => {
                let parsed = self.readers.get_mut(index).and_then(Option::take).map(CallReader::finish);
                let parsed = parsed.unwrap_or_default();
                let mut pieces = Vec::new();
                if !parsed.content.is_empty() {
                    pieces.push(sent(&self.head.piece(index, content(parsed.content))));
                }
                let called = calls(&parsed.calls, true);
                let reason = if called.is_some() { "tool_calls" } else { finish_reason(generation.finish) };
                if called.is_some() {
                    let delta = ChatDelta { tool_calls: called, ..ChatDelta::default() };
                    pieces.push(sent(&self.head.piece(index, delta)));
                }
                let report = (told.finished() >= self.count).then(|| json!(told.report(asked)));
                let delta = ChatDelta::default();
                let choice = ChatChunkChoice { index, delta, logprobs: None, finish_reason: Some(reason) };
                pieces.push(sent(&self.head.chunk(vec![choice], report)));
                pieces
            }
            News::Queued(before) if self.progress => {
                vec![sent(&self.head.chunk(Vec::new(), Some(json!({ "queued": before }))))]
            }
            News::Progress(progress) if self.progress => {
                let report = json!({ "progress": ProgressReport::from(progress) });
                vec![sent(&self.head.chunk(Vec::new(), Some(report)))]
            }
            News::Queued(_) | News::Progress(_) => Vec::new(),
        }
    }

    fn ended(&mut self, told: &Told, asked: &Asked) -> Vec<Sent> {
        let counted = || ChatChunk { usage: Some(told.usage(asked)), ..self.head.chunk(Vec::new(), None) };
        self.usage.then(|| sent(&counted())).into_iter().chain([done()]).collect()
    }
}
