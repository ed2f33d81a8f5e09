//! `/v1/rerank`: documents put in order for a query, by an encoder or by a model that ranks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use loci_engine::Control;
use loci_engine::embedder::{Embedder, LongTexts};
use loci_reading::Work;
use loci_reading::full_ranking::{RankOptions, Shown, rank};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::body::Body;
use super::guard::Client;
use crate::ask::Through;
use crate::error::{ApiError, ErrorBody};
use crate::library::blocking;
use crate::openai::{Extra, LociFields, refuse_unknown};
use crate::state::{App, ServedModel};

/// Documents of one request.
const MAX_DOCUMENTS: usize = 1000;
/// Words of a document that a ranking model is shown, as in the paper.
const WORDS: usize = 100;
/// By how many documents a window moves, as in the paper.
const STEP: usize = 10;

/// Documents to be put in order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct RerankRequest {
    /// The id of an encoder or of a model; the server's first encoder when left out, or its first model without one.
    model: Option<String>,
    /// What is looked for.
    query: String,
    /// The texts.
    documents: Vec<Ranked>,
    /// How many of the best are told; all when left out.
    top_n: Option<u32>,
    /// Sends the texts back.
    #[serde(default)]
    return_documents: bool,
    /// Loci's own.
    #[serde(default)]
    loci: Option<RankFields>,
    /// What is not known.
    #[serde(flatten)]
    #[schema(ignore)]
    extra: Extra,
}

/// A text, or an object that holds it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
enum Ranked {
    /// The text.
    Text(String),
    /// An object with it.
    Object {
        /// The text.
        text: String,
    },
}

/// How a model ranks.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct RankFields {
    /// Documents in one prompt; all of them when left out.
    window: Option<u16>,
    /// By how many documents a window moves; 10 when left out.
    step: Option<u16>,
    /// Most words of a document that the model is shown; 100 when left out.
    words: Option<u16>,
    /// Most tokens of a prompt with its reply, 0 for no bound: documents are cut until it fits. The window that the model was
    /// trained with when left out.
    room: Option<u32>,
}

/// Puts documents in order.
#[utoipa::path(
    post, path = "/v1/rerank", request_body = RerankRequest,
    responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody))
)]
pub(super) async fn rerank(
    State(app): State<Arc<App>>,
    client: Client,
    Body(request): Body<RerankRequest>,
) -> Result<Json<Value>, ApiError> {
    refuse_unknown(&request.extra)?;
    let invalid = |param: &str, message: String| Err(ApiError::invalid("invalid_value", message).at(param));
    if request.query.trim().is_empty() {
        return invalid("query", "the query is empty; say what is looked for".to_owned());
    }
    let count = request.documents.len();
    if !(1..=MAX_DOCUMENTS).contains(&count) {
        return invalid("documents", format!("documents takes 1 to {MAX_DOCUMENTS} texts, not {count}"));
    }
    if request.top_n == Some(0) {
        return invalid("top_n", "top_n = 0 tells nothing; use 1 or more".to_owned());
    }
    let ranker = ranker(&app, request.model.as_deref())?;
    if let (Ranker::Encoder(encoder), Some(_)) = (&ranker, request.loci) {
        return invalid(
            "loci",
            format!("{} is an encoder and has no windows; leave loci out", encoder.name()),
        );
    }
    let texts: Vec<String> = request.documents.into_iter().map(Ranked::text).collect();
    let (query, fields) = (request.query, request.loci.unwrap_or_default());
    let runtime = tokio::runtime::Handle::current();
    // Set when the request is dropped: its client went away.
    let gone = Gone(Arc::new(AtomicBool::new(false)));
    let stop = Arc::clone(&gone.0);
    let (ordered, texts) = blocking(move || {
        let ordered = match ranker {
            Ranker::Encoder(encoder) => by_encoder(&encoder, &query, &texts)?,
            Ranker::Model(model) => {
                let through = Through::new(app, model, client.0, LociFields::default(), runtime)?;
                by_model(through, &query, &texts, fields, &stop)?
            }
        };
        Ok((ordered, texts))
    })
    .await?;
    let most = request.top_n.map_or(count, |top| top as usize);
    let result = |(index, score): &(usize, f64)| {
        let mut result = json!({"index": index, "relevance_score": score});
        if request.return_documents {
            result["document"] = json!({"text": texts.get(*index)});
        }
        result
    };
    let results: Vec<Value> = ordered.scored.iter().take(most).map(result).collect();
    Ok(Json(json!({
        "object": "list",
        "model": ordered.model,
        "results": results,
        "usage": {"prompt_tokens": ordered.read, "total_tokens": ordered.read + ordered.written},
        "loci": {"by": ordered.by, "calls": ordered.work.calls, "failures": ordered.work.failures},
    })))
}

struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Ranked {
    fn text(self) -> String {
        match self {
            Self::Text(text) | Self::Object { text } => text,
        }
    }
}

/// Who ranks.
enum Ranker {
    Encoder(Arc<Embedder>),
    Model(Arc<ServedModel>),
}

fn ranker(app: &App, id: Option<&str>) -> Result<Ranker, ApiError> {
    let encoder = match id {
        None => app.encoders.first(),
        Some(id) => app.encoders.iter().find(|encoder| encoder.name() == id),
    };
    match encoder {
        Some(encoder) => Ok(Ranker::Encoder(Arc::clone(encoder))),
        None => Ok(Ranker::Model(Arc::clone(app.model(id)?))),
    }
}

/// Documents by their numbers, best first, and what that took.
struct Ordered {
    model: String,
    by: &'static str,
    scored: Vec<(usize, f64)>,
    read: usize,
    written: usize,
    work: Work,
}

/// By the cosine of the vectors of query and document; of equal ones the earlier document first.
fn by_encoder(encoder: &Embedder, query: &str, texts: &[String]) -> Result<Ordered, ApiError> {
    let all: Vec<&str> = std::iter::once(query).chain(texts.iter().map(String::as_str)).collect();
    let found = encoder.embed(&all, LongTexts::Windows)?;
    let read = found.iter().map(|found| found.tokens).sum();
    let mut vectors = found.into_iter().map(|found| found.vector);
    let query = vectors.next().unwrap_or_default();
    let length = |vector: &[f32]| vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    let cosine = |vector: &[f32]| {
        let product: f64 =
            vector.iter().zip(&query).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum();
        let lengths = length(vector) * length(&query);
        if lengths > 0.0 { product / lengths } else { 0.0 }
    };
    let mut scored: Vec<(usize, f64)> = vectors.map(|vector| cosine(&vector)).enumerate().collect();
    scored.sort_by(|one, other| other.1.total_cmp(&one.1));
    let model = encoder.name().to_owned();
    Ok(Ordered { model, by: "cosine", scored, read, written: 0, work: Work::default() })
}

/// As a model ranks them. A ranking has no scores: the first of n gets 1, and each next one 1/n less.
#[allow(clippy::cast_precision_loss)] // a thousand documents
fn by_model(
    mut through: Through,
    query: &str,
    texts: &[String],
    fields: RankFields,
    stop: &AtomicBool,
) -> Result<Ordered, ApiError> {
    let room = fields.room.map_or_else(|| through.window(), |tokens| tokens as usize);
    let options = RankOptions {
        window: fields.window.map_or(0, usize::from),
        step: fields.step.map_or(STEP, usize::from),
        shown: Shown { words: fields.words.map_or(WORDS, usize::from), room },
    };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut work = Work::default();
    let mut control = Control { stop: Some(stop), progress: None };
    let model = loci_engine::LanguageModel::name(&through).to_owned();
    let order = rank(&mut through, query, &texts, options, &mut work, &mut control);
    let order = through.told(order)?;
    let count = order.len() as f64;
    let score = |(place, index): (usize, usize)| (index, 1.0 - place as f64 / count);
    Ok(Ordered {
        model,
        by: "full-ranking",
        scored: order.into_iter().enumerate().map(score).collect(),
        read: work.read_tokens,
        written: work.written_tokens,
        work,
    })
}
