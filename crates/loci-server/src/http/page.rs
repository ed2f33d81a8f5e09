//! The page, which is part of the program.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::state::App;

const INDEX: &str = include_str!("../../../../web/dist/index.html");
const SCRIPT: &str = include_str!("../../../../web/dist/app.js");
const STYLE: &str = include_str!("../../../../web/dist/app.css");
const ICON: &str = include_str!("../../../../web/dist/icon.svg");

/// Its files.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(|| file(INDEX, "text/html; charset=utf-8")))
        .route("/app.js", get(|| file(SCRIPT, "text/javascript; charset=utf-8")))
        .route("/app.css", get(|| file(STYLE, "text/css; charset=utf-8")))
        .route("/icon.svg", get(|| file(ICON, "image/svg+xml")))
}

async fn file(text: &'static str, kind: &'static str) -> Response {
    // The files change with the program, at the same address.
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    (headers.map(|(name, value)| (name, HeaderValue::from_static(value))), text).into_response()
}
