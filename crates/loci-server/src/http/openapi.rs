//! The description of all endpoints, made from the code that serves them.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Description;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::{chat, completions, embeddings, facts, memory, readings, rerank, responses};
use crate::error::ErrorBody;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Loci",
        description = "OpenAI's endpoints over models with a memory: any length of input, answers with the passages they came from, and readings that are asked for ever."
    ),
    paths(
        facts::health,
        facts::models,
        facts::model,
        facts::methods,
        facts::status,
        facts::metrics,
        facts::tokenize,
        facts::detokenize,
        chat::chat,
        completions::completions,
        responses::responses,
        embeddings::embeddings,
        rerank::rerank,
        readings::list,
        readings::add,
        readings::view,
        readings::change,
        readings::delete,
        readings::text,
        memory::about,
        memory::add,
        memory::list,
        memory::view,
        memory::change,
        memory::search,
        memory::timeline,
        memory::forget,
        memory::rollback,
        memory::audit,
        memory::verify,
        memory::log,
        memory::policy,
        memory::set_policy,
        memory::export,
    ),
    components(schemas(ErrorBody)),
    security(("key" = []))
)]
struct Endpoints;

/// The description.
pub(super) fn description() -> Description {
    let mut description = Endpoints::openapi();
    let key = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    description.components.get_or_insert_default().add_security_scheme("key", key);
    description
}

/// Sends it.
pub(super) async fn openapi() -> Json<Description> {
    Json(description())
}
