//! Who may call, and who calls.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::state::App;

/// Who calls, as far as fairness goes: one key, or one address, is one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(pub u64);

/// What is kept of a key.
pub fn key_hash(key: &str) -> blake3::Hash {
    blake3::hash(key.as_bytes())
}

/// The key that a request brings.
fn key(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Lets a request through whose key is one of those that are allowed.
pub(super) async fn check_key(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if app.settings.keys.is_empty() {
        return next.run(request).await;
    }
    let given = key(request.headers()).map(key_hash);
    // Hashes are compared in constant time, and all of them, so that the time tells nothing of a key.
    let known = given.is_some_and(|given| {
        app.settings.keys.iter().fold(false, |known, allowed| (*allowed == given) | known)
    });
    if known {
        return next.run(request).await;
    }
    let (code, message) = match given {
        None => ("missing_api_key", "this server wants a key: send it as Authorization: Bearer KEY"),
        Some(_) => ("invalid_api_key", "this key is not known here"),
    };
    let mut response = ApiError::with_status(StatusCode::UNAUTHORIZED, code, message).into_response();
    let scheme = axum::http::HeaderValue::from_static("Bearer");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    response
}

impl Client {
    /// Who sent a request.
    pub(crate) fn of(parts: &Parts) -> Self {
        let text = match key(&parts.headers) {
            Some(key) => format!("key {key}"),
            None => {
                let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
                format!("address {:?}", address.map(|info| info.0.ip()))
            }
        };
        let hash = blake3::hash(text.as_bytes());
        let (first, _) = hash.as_bytes().split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        // 0 is the server's own work.
        Self(u64::from_le_bytes(*first).max(1))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts))
    }
}
