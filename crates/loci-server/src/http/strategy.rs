//! Chats in which a reading strategy decides what of documents the model is given.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::response::{IntoResponse, Response, Sse, sse::KeepAlive};
use loci_engine::documents::Document;
use loci_engine::{Control, GenerateOptions};
use loci_reading::registry::Kit;
use loci_reading::{ReadOptions, Reply, TextEncoder, read, registry};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::guard::Client;
use super::options::options;
use super::stream::{done, sent};
use crate::ask::Through;
use crate::error::ApiError;
use crate::openai::{ChatRequest, InlineDocument, LociFields, Usage, finish_reason, messages};
use crate::state::{App, ServedModel, fresh_id, now};

/// Documents of one request.
const MAX_DOCUMENTS: usize = 1000;
/// Passages of evidence unless a request says otherwise.
const EVIDENCE: u16 = 5;

/// What is told of an answer.
enum Told {
    /// Words.
    Text(String),
    /// All of it.
    Reply(Box<Reply>),
    /// It failed.
    Failed(ApiError),
}

/// A question that a strategy answers.
struct Task {
    app: Arc<App>,
    client: u64,
    model: Arc<ServedModel>,
    fields: LociFields,
    documents: Vec<Document>,
    question: String,
    system: Option<String>,
    generate: GenerateOptions,
}

/// Stops the work when nobody waits for it any more.
struct Watched {
    told: UnboundedReceiver<Told>,
    stop: Arc<AtomicBool>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Answers a conversation about documents by the strategy of its `loci.read`.
pub(super) async fn answer(
    app: Arc<App>,
    client: Client,
    request: ChatRequest,
) -> Result<Response, ApiError> {
    let streams = request.stream.unwrap_or(false);
    let usage = request.stream_options.is_some_and(|options| options.include_usage);
    let task = task(app, client.0, request)?;
    let head = (fresh_id("chatcmpl-"), now(), task.model.id.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, told) = unbounded_channel();
    let mut watched = Watched { told, stop: Arc::clone(&stop) };
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let told = match run(task, runtime, &stop, &sender) {
            Ok(reply) => Told::Reply(Box::new(reply)),
            Err(error) => Told::Failed(error),
        };
        // Nobody may be there to hear it.
        let _gone = sender.send(told);
    });
    if streams {
        return Ok(stream(watched, head, usage));
    }
    loop {
        match watched.told.recv().await {
            Some(Told::Text(_)) => {}
            Some(Told::Reply(reply)) => return Ok(Json(whole(&reply, &head)).into_response()),
            Some(Told::Failed(error)) => return Err(error),
            None => return Err(ApiError::internal("a strategy ended without a word")),
        }
    }
}

/// What is asked, checked as far as it can be without asking a model.
fn task(app: Arc<App>, client: u64, request: ChatRequest) -> Result<Task, ApiError> {
    let fields = request.loci.unwrap_or_default();
    let refused = [
        ("tools", request.tools.as_ref().is_some_and(|tools| !tools.is_null())),
        ("response_format", request.response_format.as_ref().is_some_and(|format| !format.is_null())),
        ("logprobs", request.logprobs.unwrap_or(false)),
        ("loci.map", fields.map.is_some()),
        ("loci.memory", fields.memory.is_some()),
    ];
    if let Some((field, _)) = refused.iter().find(|(_, given)| *given) {
        let message = format!("{field} does not go with loci.read; leave one of the two out");
        return Err(ApiError::invalid("invalid_value", message).at(*field));
    }
    let typed = fields.read().unwrap_or("");
    registry::parse(typed).map_err(|error| ApiError::invalid("invalid_strategy", error).at("loci.read"))?;
    let max_tokens = request.max_completion_tokens.or(request.max_tokens);
    let tokens = max_tokens.map_or(app.settings.max_tokens, |tokens| tokens as usize);
    let mut generate = options(request.sampling, tokens, None)?;
    if generate.len() > 1 {
        let message = "a strategy answers once; leave out n, or ask again with another seed";
        return Err(ApiError::invalid("invalid_value", message).at("n"));
    }
    let (question, system) = question(&messages(&request.messages)?)?;
    let (model, reading) = app.asked(request.model.as_deref(), fields.reading.as_deref())?;
    let documents = match (&fields.documents, &reading) {
        (Some(_), Some(_)) => {
            let message = "loci.documents and loci.reading are two texts; give one of them";
            return Err(ApiError::invalid("invalid_value", message).at("loci.documents"));
        }
        (Some(given), None) => inline(given)?,
        (None, Some(reading)) => reading.documents().to_vec(),
        (None, None) => {
            let message =
                "loci.read reads documents; give loci.documents, or the id of a reading in loci.reading";
            return Err(ApiError::invalid("no_documents", message).at("loci.documents"));
        }
    };
    let generate = generate.pop().unwrap_or_default();
    Ok(Task { app, client, model, fields, documents, question, system, generate })
}

/// What a conversation asks: its one question, and a system message before it.
fn question(messages: &[loci_models::template::Message]) -> Result<(String, Option<String>), ApiError> {
    let (system, rest) = match messages {
        [first, rest @ ..] if first.role == "system" => (Some(first.content.clone()), rest),
        rest => (None, rest),
    };
    match rest {
        [asked] if asked.role == "user" => Ok((asked.content.clone(), system)),
        _ => {
            let message = "a strategy answers one question: give one user message, and a system message before it if wanted";
            Err(ApiError::invalid("invalid_value", message).at("messages"))
        }
    }
}

fn inline(given: &[InlineDocument]) -> Result<Vec<Document>, ApiError> {
    if !(1..=MAX_DOCUMENTS).contains(&given.len()) {
        let message = format!("loci.documents takes 1 to {MAX_DOCUMENTS} texts, not {}", given.len());
        return Err(ApiError::invalid("invalid_value", message).at("loci.documents"));
    }
    let document =
        |document: &InlineDocument| Document { name: document.name.clone(), text: document.text.clone() };
    Ok(given.iter().map(document).collect())
}

/// Answers, on a thread that may wait.
fn run(
    task: Task,
    runtime: tokio::runtime::Handle,
    stop: &AtomicBool,
    sender: &UnboundedSender<Told>,
) -> Result<Reply, ApiError> {
    let Task { app, client, model, fields, documents, question, system, generate } = task;
    let values = registry::parse(fields.read().unwrap_or(""))
        .map_err(|error| ApiError::invalid("invalid_strategy", error).at("loci.read"))?;
    let encoder = app.encoders.first().map(|encoder| Arc::clone(encoder) as Arc<dyn TextEncoder>);
    let mut strategy = registry::strategy(&values, &Kit { encoder })?;
    let evidence = usize::from(fields.evidence.unwrap_or(EVIDENCE));
    let options = ReadOptions { generate, system, bare: fields.bare, evidence };
    // What is asked on the way is about no reading: the strategy shows what is to be seen of it.
    let fields = LociFields { reading: None, documents: None, read: None, ..fields };
    let mut through = Through::new(app, model, client, fields, runtime)?;
    let mut control = Control { stop: Some(stop), progress: None };
    let outcome = read(
        (strategy.as_mut(), &values.to_string()),
        &mut through,
        (&documents, &question),
        &options,
        &mut control,
        &mut |text| match sender.send(Told::Text(text.to_owned())) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        },
    );
    through.told(outcome)
}

type Head = (String, u64, String);

/// What Loci says of an answer.
fn report(reply: &Reply) -> Value {
    json!({
        "read": reply.strategy,
        "evidence": reply.evidence,
        "evidence_by": reply.evidence_by,
        "reading": reply.reading,
        "context": reply.context,
        "timing": reply.timing,
    })
}

fn usage_of(reply: &Reply) -> Usage {
    let cached = reply.account.prompt_tokens.saturating_sub(reply.account.read_tokens);
    Usage::new(reply.account.prompt_tokens, cached, reply.account.answer_tokens)
}

fn whole(reply: &Reply, (id, created, model): &Head) -> Value {
    json!({
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": reply.text, "refusal": null},
            "logprobs": null,
            "finish_reason": finish_reason(reply.finish),
        }],
        "usage": usage_of(reply),
        "loci": report(reply),
    })
}

/// Sends an answer as it is written.
fn stream(watched: Watched, head: Head, usage: bool) -> Response {
    let chunk = move |choices: Value| {
        let (id, created, model) = &head;
        json!({"id": id, "object": "chat.completion.chunk", "created": created, "model": model, "choices": choices})
    };
    let opened =
        chunk(json!([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]));
    let start = (watched, vec![sent(&opened)], false);
    let stream = futures_util::stream::unfold(start, move |(mut watched, mut left, mut over)| {
        let chunk = chunk.clone();
        async move {
            loop {
                if !left.is_empty() {
                    let next = left.remove(0);
                    return Some((Ok::<_, std::convert::Infallible>(next), (watched, left, over)));
                }
                if over {
                    return None;
                }
                match watched.told.recv().await {
                    Some(Told::Text(text)) => {
                        let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": null});
                        left.push(sent(&chunk(json!([choice]))));
                    }
                    Some(Told::Reply(reply)) => {
                        let reason = finish_reason(reply.finish);
                        let choice = json!({"index": 0, "delta": {}, "finish_reason": reason});
                        let mut last = chunk(json!([choice]));
                        last["loci"] = report(&reply);
                        left.push(sent(&last));
                        if usage {
                            let mut counted = chunk(json!([]));
                            counted["usage"] = json!(usage_of(&reply));
                            left.push(sent(&counted));
                        }
                        left.push(done());
                        over = true;
                    }
                    Some(Told::Failed(error)) => {
                        left.push(sent(&error.body()));
                        over = true;
                    }
                    None => over = true,
                }
            }
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}
