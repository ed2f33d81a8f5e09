//! `/v1/loci/readings`: texts that are read once and asked about for ever.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loci_engine::documents::{self, Document};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Body, is_json};
use crate::error::{ApiError, ErrorBody};
use crate::library::{self, New, ReadingView, blocking, shortened};
use crate::openai::LociFields;
use crate::state::App;

/// All readings.
#[derive(Serialize, ToSchema)]
pub(super) struct Listing {
    /// The newest first.
    readings: Vec<ReadingView>,
}

/// A text to be read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewReading {
    /// How people call it.
    name: Option<String>,
    /// The texts.
    documents: Option<Vec<NewDocument>>,
    /// A reading whose documents are read again, by another method.
    from: Option<String>,
    /// The model's id.
    model: Option<String>,
    /// The method.
    method: Option<String>,
    /// Bytes that its context may take, such as `512MiB`.
    budget: Option<String>,
}

/// A text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDocument {
    /// Its name.
    name: String,
    /// It.
    text: String,
}

/// What is to be changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// The new name.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Whether it is to be kept.
    pinned: Option<bool>,
}

/// What was removed.
#[derive(Serialize, ToSchema)]
pub(super) struct Deleted {
    deleted: bool,
    id: String,
}

/// Lists all readings.
#[utoipa::path(get, path = "/v1/loci/readings", responses((status = 200, body = Listing), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn list(State(app): State<Arc<App>>) -> Json<Listing> {
    Json(Listing { readings: app.library.list() })
}

/// Shows a reading.
#[utoipa::path(get, path = "/v1/loci/readings/{id}", params(("id" = String, Path)), responses((status = 200, body = ReadingView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn view(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<ReadingView>, ApiError> {
    Ok(Json(app.library.view(&id)?))
}

/// Takes documents, as JSON or as files of a form, and begins to read them.
#[utoipa::path(post, path = "/v1/loci/readings", request_body = NewReading, responses((status = 202, body = ReadingView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn add(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let held = Arc::clone(&app);
    let view = if is_json(&request) {
        let Body(new) = Body::<NewReading>::from_request(request, &()).await?;
        blocking(move || library::add(&held, from_json(&held, new)?)).await?
    } else {
        let form = Multipart::from_request(request, &()).await.map_err(|error| {
            ApiError::with_status(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_a_form",
                format!("send JSON, or files as multipart/form-data: {}", error.body_text()),
            )
        })?;
        let new = from_form(form).await?;
        blocking(move || library::add(&held, new)).await?
    };
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

fn from_json(app: &App, new: NewReading) -> Result<New, ApiError> {
    let fields = LociFields { method: new.method, budget: new.budget, ..LociFields::default() };
    let (documents, name, model) = match (new.documents, new.from) {
        (Some(given), None) => {
            let documents = given.into_iter().map(|given| Document { name: given.name, text: given.text });
            (documents.collect(), new.name, new.model)
        }
        (None, Some(from)) => {
            let origin = app.library.view(&from)?;
            let documents = app.library.documents(&from)?;
            (documents, new.name.or(Some(origin.name)), new.model.or(Some(origin.model)))
        }
        _ => {
            let message = "give documents, or the id of a reading in from; one of both";
            return Err(ApiError::invalid("invalid_request", message).at("documents"));
        }
    };
    Ok(New { name, documents, model, fields })
}

async fn from_form(mut form: Multipart) -> Result<New, ApiError> {
    let broken = |error: axum::extract::multipart::MultipartError| {
        let status = match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        ApiError::with_status(
            status,
            "invalid_form",
            format!("the form cannot be read: {}", error.body_text()),
        )
    };
    let mut new = New::default();
    let mut files = Vec::new();
    while let Some(part) = form.next_field().await.map_err(broken)? {
        let field = part.name().unwrap_or("").to_owned();
        // Only a name, whatever path the client gave: nothing is written under it.
        let file = part.file_name().map(|name| base_name(name).to_owned());
        match field.as_str() {
            "file" => {
                let name = file.filter(|name| !name.is_empty()).unwrap_or_else(|| "text".to_owned());
                files.push((name, part.bytes().await.map_err(broken)?));
                library::check_count(files.len())?;
            }
            "name" => new.name = Some(part.text().await.map_err(broken)?),
            "model" => new.model = Some(part.text().await.map_err(broken)?).filter(|id| !id.is_empty()),
            "method" => new.fields.method = Some(part.text().await.map_err(broken)?),
            "budget" => new.fields.budget = Some(part.text().await.map_err(broken)?),
            other => {
                let message =
                    format!("the form has a part {other:?}; use file, name, model, method and budget");
                return Err(ApiError::invalid("invalid_form", message).at(other));
            }
        }
    }
    new.documents = blocking(move || {
        let read = |(name, bytes): (String, axum::body::Bytes)| {
            let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_owned();
            documents::from_bytes(&name, &extension, bytes.to_vec())
                .map_err(|error| ApiError::invalid("invalid_document", error).at("file"))
        };
        files.into_iter().map(read).collect()
    })
    .await?;
    Ok(new)
}

fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or("")
}

/// Changes name or pin.
#[utoipa::path(patch, path = "/v1/loci/readings/{id}", params(("id" = String, Path)), request_body = Change, responses((status = 200, body = ReadingView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Body(change): Body<Change>,
) -> Result<Json<ReadingView>, ApiError> {
    let name = change.name.map(|name| shortened(&name));
    if name.as_ref().is_some_and(String::is_empty) {
        return Err(ApiError::invalid("invalid_value", "a name needs a letter").at("name"));
    }
    blocking(move || app.library.change(&id, name, change.pinned)).await.map(Json)
}

/// Removes a reading, or stops one that is being read.
#[utoipa::path(delete, path = "/v1/loci/readings/{id}", params(("id" = String, Path)), responses((status = 200, body = Deleted), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Deleted>, ApiError> {
    let removed = id.clone();
    blocking(move || app.library.delete(&removed)).await?;
    Ok(Json(Deleted { deleted: true, id }))
}

/// The text of a document, as it was read.
#[utoipa::path(get, path = "/v1/loci/readings/{id}/documents/{number}", params(("id" = String, Path), ("number" = u32, Path)), responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn text(
    State(app): State<Arc<App>>,
    Path((id, number)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let number: usize = number.parse().map_err(|_| {
        ApiError::not_found("document_not_found", format!("{number:?} is no number of a document"))
    })?;
    let text = blocking(move || app.library.text(&id, number)).await?;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
