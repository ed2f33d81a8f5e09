//! What is served, how it is going, and tokens of texts.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use loci_context::registry::METHODS;
use loci_engine::embedder::Embedder;
use loci_engine::system;
use loci_models::method::MethodInfo;
use loci_models::tokenizer::SpecialTokens;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::body::Body;
use crate::error::{ApiError, ErrorBody};
use crate::library::blocking;
use crate::openai::seconds;
use crate::state::{App, ServedModel};

/// That the server runs.
#[utoipa::path(get, path = "/health", security(()), responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

fn shown(model: &ServedModel) -> Value {
    json!({
        "id": model.id,
        "object": "model",
        "created": 0,
        "owned_by": "local",
        "loci": {
            "trained_window": model.engine.trained_window(),
            "method": model.context.method.as_ref().map(ToString::to_string),
            "methods": METHODS.iter().map(|info| info.id).collect::<Vec<_>>(),
            "budget": model.context.budget,
            "embeddings": false,
            "chat": model.engine.chat_template().is_some(),
        },
    })
}

fn shown_encoder(encoder: &Embedder) -> Value {
    json!({
        "id": encoder.name(),
        "object": "model",
        "created": 0,
        "owned_by": "local",
        "loci": {
            "trained_window": encoder.max_tokens(),
            "method": null,
            "budget": null,
            "embeddings": true,
            "dimensions": encoder.dimension(),
            "chat": false,
        },
    })
}

/// The models.
#[utoipa::path(get, path = "/v1/models", responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn models(State(app): State<Arc<App>>) -> Json<Value> {
    let models = app.models.iter().map(|model| shown(model));
    let data: Vec<Value> = models.chain(app.encoders.iter().map(|encoder| shown_encoder(encoder))).collect();
    Json(json!({ "object": "list", "data": data }))
}

/// One model.
#[utoipa::path(get, path = "/v1/models/{id}", params(("id" = String, Path)), responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn model(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    match app.encoders.iter().find(|encoder| encoder.name() == id) {
        Some(encoder) => Ok(Json(shown_encoder(encoder))),
        None => Ok(Json(shown(app.model(Some(&id))?))),
    }
}

fn method(info: &MethodInfo) -> Value {
    let parameters: Vec<Value> = info
        .parameters
        .iter()
        .map(|parameter| {
            json!({
                "name": parameter.name,
                "meaning": parameter.meaning,
                "unit": parameter.unit,
                "default": parameter.default,
                "domain": parameter.domain.describe(),
            })
        })
        .collect();
    json!({
        "id": info.id,
        "title": info.title,
        "paper": info.paper,
        "exactness": info.exactness,
        "description": info.description,
        "cost": info.cost,
        "composes_with": info.composes_with,
        "parameters": parameters,
    })
}

/// The context methods.
#[utoipa::path(get, path = "/v1/loci/methods", responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn methods() -> Json<Value> {
    Json(json!({ "methods": METHODS.iter().map(|info| method(info)).collect::<Vec<_>>() }))
}

/// How it is going.
#[utoipa::path(get, path = "/v1/loci/status", responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn status(State(app): State<Arc<App>>) -> Json<Value> {
    let (counts, counters, limits) = (app.worker.counts(), app.worker.counters(), app.worker.limits());
    let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let (prefill, decode) = app.worker.speed();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": seconds(app.started.elapsed()),
        "requests": {
            "running": counts.running,
            "queued": counts.waiting,
            "done": get(&counters.done),
            "failed": get(&counters.failed),
            "refused": get(&counters.refused),
            "cancelled": get(&counters.cancelled),
        },
        "speed": { "prefill_tokens_per_s": prefill, "decode_tokens_per_s": decode },
        "tokens": {
            "prefill": get(&counters.prefill_tokens),
            "decode": get(&counters.decode_tokens),
            "cached": get(&counters.cached_tokens),
        },
        "memory": {
            "resident_bytes": system::resident_bytes(),
            "peak_resident_bytes": system::peak_resident_bytes(),
            "context_bytes": get(&counters.context_bytes),
        },
        "disk": { "readings_bytes": app.library.bytes() },
        "limits": {
            "queue": limits.queue,
            "concurrent": limits.concurrent,
            "per_client": limits.per_client,
            "body_bytes": app.settings.body_bytes,
            "timeout_s": limits.timeout.as_secs(),
        },
    }))
}

/// The same for Prometheus.
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let (counts, counters) = (app.worker.counts(), app.worker.counters());
    let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed) as f64;
    let time = |counter| get(counter) / 1e6;
    let rows: [(&str, &str, &str, f64); 14] = [
        ("loci_requests_running", "gauge", "Requests worked on.", counts.running as f64),
        ("loci_requests_queued", "gauge", "Requests that wait.", counts.waiting as f64),
        ("loci_requests_done_total", "counter", "Requests that ended well.", get(&counters.done)),
        ("loci_requests_failed_total", "counter", "Requests that failed.", get(&counters.failed)),
        ("loci_requests_refused_total", "counter", "Requests refused by a limit.", get(&counters.refused)),
        ("loci_requests_cancelled_total", "counter", "Requests whose client left.", get(&counters.cancelled)),
        ("loci_prefill_tokens_total", "counter", "Tokens read.", get(&counters.prefill_tokens)),
        ("loci_prefill_seconds_total", "counter", "Time of reading.", time(&counters.prefill_micros)),
        ("loci_decode_tokens_total", "counter", "Tokens written.", get(&counters.decode_tokens)),
        ("loci_decode_seconds_total", "counter", "Time of writing.", time(&counters.decode_micros)),
        ("loci_cached_tokens_total", "counter", "Tokens not read again.", get(&counters.cached_tokens)),
        ("loci_context_bytes", "gauge", "Bytes of contexts.", get(&counters.context_bytes)),
        ("loci_readings_bytes", "gauge", "Bytes of saved readings.", app.library.bytes() as f64),
        (
            "process_resident_memory_bytes",
            "gauge",
            "Resident size.",
            system::resident_bytes().unwrap_or(0) as f64,
        ),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in rows {
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"));
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// A text to be cut into tokens.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenizeRequest {
    /// The model's id; the server's first model when left out.
    model: Option<String>,
    /// It.
    text: String,
    /// Takes texts such as `<|im_end|>` for the special tokens of that name.
    #[serde(default)]
    special: bool,
    /// Begins as the model wants a text to begin.
    #[serde(default)]
    add_bos: bool,
}

/// Its tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tokens {
    /// Ids.
    tokens: Vec<u32>,
    /// Of each token, its first byte in the text and the one behind its last.
    spans: Vec<(usize, usize)>,
    /// Tokens.
    count: usize,
}

/// Cuts a text into tokens.
#[utoipa::path(post, path = "/v1/tokenize", request_body = TokenizeRequest, responses((status = 200, body = Tokens), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn tokenize(
    State(app): State<Arc<App>>,
    Body(request): Body<TokenizeRequest>,
) -> Result<Json<Tokens>, ApiError> {
    blocking(move || {
        let engine = &app.model(request.model.as_deref())?.engine;
        let tokenizer = engine.tokenizer()?;
        let special = if request.special { SpecialTokens::Parse } else { SpecialTokens::AsText };
        let tokens = tokenizer
            .encode(&request.text, special, request.add_bos && tokenizer.adds_bos())
            .map_err(loci_engine::EngineError::from)?;
        let spans = tokens.iter().map(|token| (token.start, token.end)).collect();
        let tokens: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        Ok(Json(Tokens { count: tokens.len(), tokens, spans }))
    })
    .await
}

/// Tokens to be made a text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DetokenizeRequest {
    /// The model's id; the server's first model when left out.
    model: Option<String>,
    /// Ids.
    tokens: Vec<u32>,
}

/// A text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Text {
    /// It.
    text: String,
}

/// Makes tokens a text.
#[utoipa::path(post, path = "/v1/detokenize", request_body = DetokenizeRequest, responses((status = 200, body = Text), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn detokenize(
    State(app): State<Arc<App>>,
    Body(request): Body<DetokenizeRequest>,
) -> Result<Json<Text>, ApiError> {
    blocking(move || {
        let engine = &app.model(request.model.as_deref())?.engine;
        Ok(Json(Text { text: engine.tokenizer()?.decode(&request.tokens) }))
    })
    .await
}
