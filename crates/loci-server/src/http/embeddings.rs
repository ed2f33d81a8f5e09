//! `/v1/embeddings`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loci_engine::embedder::{Embedder, LongTexts};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::body::Body;
use crate::error::{ApiError, ErrorBody};
use crate::library::blocking;
use crate::openai::{Extra, refuse_unknown};
use crate::state::App;

/// Texts of one request.
const MAX_TEXTS: usize = 2048;

/// Texts to be turned into vectors.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct EmbeddingRequest {
    /// The encoder's id; the server's first one when left out.
    model: Option<String>,
    /// A text, or several.
    input: Texts,
    /// `float` or `base64` (of little-endian f32).
    encoding_format: Option<String>,
    /// Must be the encoder's own, if given.
    dimensions: Option<usize>,
    /// What is not known.
    #[serde(flatten)]
    #[schema(ignore)]
    extra: Extra,
}

/// One text or several.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
enum Texts {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// Turns texts into vectors.
#[utoipa::path(
    post, path = "/v1/embeddings", request_body = EmbeddingRequest,
    responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody))
)]
pub(super) async fn embeddings(
    State(app): State<Arc<App>>,
    Body(request): Body<EmbeddingRequest>,
) -> Result<Json<Value>, ApiError> {
    refuse_unknown(&request.extra)?;
    let encoder = encoder(&app, request.model.as_deref())?;
    let texts = match request.input {
        Texts::One(text) => vec![text],
        Texts::Several(texts) => texts,
    };
    if !(1..=MAX_TEXTS).contains(&texts.len()) {
        let message = format!("input takes 1 to {MAX_TEXTS} texts, not {}", texts.len());
        return Err(ApiError::invalid("invalid_value", message).at("input"));
    }
    if let Some(wanted) = request.dimensions.filter(|wanted| *wanted != encoder.dimension()) {
        let message = format!("{} makes {} numbers, not {wanted}", encoder.name(), encoder.dimension());
        return Err(ApiError::invalid("invalid_value", message).at("dimensions"));
    }
    let packed = match request.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            let message = format!("{other:?} is no format; use float or base64");
            return Err(ApiError::invalid("invalid_value", message).at("encoding_format"));
        }
    };
    let name = encoder.name().to_owned();
    let found = blocking(move || {
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        encoder.embed(&borrowed, LongTexts::Refuse).map_err(|error| ApiError::from(error).at("input"))
    })
    .await?;
    let tokens: usize = found.iter().map(|found| found.tokens).sum();
    let data: Vec<Value> = found
        .into_iter()
        .enumerate()
        .map(|(index, found)| {
            let embedding = if packed { json!(base64(&found.vector)) } else { json!(found.vector) };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        })
        .collect();
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    Ok(Json(json!({ "object": "list", "data": data, "model": name, "usage": usage })))
}

fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

fn encoder(app: &App, id: Option<&str>) -> Result<Arc<Embedder>, ApiError> {
    let found = match id {
        None => app.encoders.first(),
        Some(id) => app.encoders.iter().find(|encoder| encoder.name() == id),
    };
    found.map(Arc::clone).ok_or_else(|| {
        let names: Vec<&str> = app.encoders.iter().map(|encoder| encoder.name()).collect();
        let message = match (names.is_empty(), id) {
            (true, _) => "no encoder is served here; start the server with --encoder minilm".to_owned(),
            (false, id) => {
                format!(
                    "the encoder {:?} is not served here; there is {}",
                    id.unwrap_or(""),
                    names.join(", ")
                )
            }
        };
        ApiError::not_found("model_not_found", message).at("model")
    })
}
