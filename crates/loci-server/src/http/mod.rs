//! Routes, and what holds for all of them: keys, sizes, origins, headers.

mod body;
mod chat;
mod completions;
mod embeddings;
mod facts;
mod format;
mod guard;
mod memory;
mod openapi;
mod options;
mod page;
mod readings;
mod recall;
mod rerank;
mod responses;
mod strategy;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Method, header};
use axum::routing::{get, post};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::error::ApiError;
use crate::state::App;

pub(crate) use guard::Tenant;
pub use guard::{Client, key_hash};
pub(crate) use memory::by;

/// A client that sends nothing for so long while its request is incomplete is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// What a page of this server may do: nothing but talk to it.
const POLICY: &str =
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// All routes.
///
/// # Errors
/// When an origin in the settings is none.
pub fn router(app: Arc<App>) -> Result<Router, String> {
    let keyed = Router::new()
        .route("/v1/models", get(facts::models))
        .route("/v1/models/{id}", get(facts::model))
        .route("/v1/chat/completions", post(chat::chat))
        .route("/v1/completions", post(completions::completions))
        .route("/v1/embeddings", post(embeddings::embeddings))
        .route("/v1/rerank", post(rerank::rerank))
        .route("/v1/responses", post(responses::responses))
        .route("/v1/tokenize", post(facts::tokenize))
        .route("/v1/detokenize", post(facts::detokenize))
        .route("/v1/loci/methods", get(facts::methods))
        .route("/v1/loci/status", get(facts::status))
        .route("/v1/loci/readings", get(readings::list).post(readings::add))
        .route("/v1/loci/readings/{id}", get(readings::view).delete(readings::delete).patch(readings::change))
        .route("/v1/loci/readings/{id}/documents/{number}", get(readings::text))
        .merge(memory::routes())
        .route("/metrics", get(facts::metrics))
        .route_service("/mcp", crate::mcp::http(&app))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), guard::check_key));
    let open = Router::new()
        .route("/health", get(facts::health))
        .route("/openapi.json", get(openapi::openapi))
        .merge(page::routes());
    let header = |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    let mut router = keyed
        .merge(open)
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), guard::check_host))
        // Axum's own limit is off: ours says which size would do.
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(RequestBodyTimeoutLayer::new(SILENCE))
        .layer(RequestBodyLimitLayer::new(app.settings.body_bytes))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(header::CONTENT_SECURITY_POLICY, POLICY));
    if !app.settings.origins.is_empty() {
        router = router.layer(cors(&app.settings.origins)?);
    }
    Ok(router.with_state(app))
}

/// Pages of these origins may call the server; `*`: of any.
fn cors(origins: &[String]) -> Result<CorsLayer, String> {
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let parsed: Result<Vec<HeaderValue>, String> = origins
            .iter()
            .map(|origin| {
                HeaderValue::from_str(origin)
                    .map_err(|_| format!("{origin:?} is no origin, such as https://example.org"))
            })
            .collect();
        AllowOrigin::list(parsed?)
    };
    Ok(CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE]))
}

async fn not_found(uri: axum::http::Uri) -> ApiError {
    ApiError::not_found(
        "not_found",
        format!("there is nothing at {}; /openapi.json lists what there is", uri.path()),
    )
}

async fn wrong_method(method: Method, uri: axum::http::Uri) -> ApiError {
    ApiError::with_status(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{} does not take {method}", uri.path()),
    )
}
