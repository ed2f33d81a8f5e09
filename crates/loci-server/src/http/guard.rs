//! Who may call, and who calls.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::state::{App, Settings};

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

/// Lets a request through that calls the server by a name of this machine. A server without keys that only this machine can
/// call needs that: otherwise a page on the web could give its own name to this machine's address, and call it through the
/// browser as if it were a part of the page.
pub(super) async fn check_host(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let guarded = app.settings.local && app.settings.keys.is_empty();
    if !guarded || request.headers().get(header::HOST).is_none_or(|host| host.to_str().is_ok_and(is_local)) {
        return next.run(request).await;
    }
    let message = "without a key this server is called as localhost, 127.0.0.1 or [::1] and by no other name; set \
                   LOCI_API_KEY to call it by another";
    ApiError::with_status(StatusCode::FORBIDDEN, "unknown_host", message).into_response()
}

fn is_local(host: &str) -> bool {
    // The colons of an address in brackets are none of a port.
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Whose memories a request may see: each key is a tenant of its own, and without keys there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tenant(pub(crate) String);

impl Tenant {
    /// Of whom a request comes.
    pub(crate) fn of(parts: &Parts, settings: &Settings) -> Self {
        match key(&parts.headers).filter(|_| !settings.keys.is_empty()) {
            Some(key) => {
                let hash = key_hash(key).to_hex();
                Self(format!("key-{}", hash.get(..16).unwrap_or(&hash)))
            }
            None => Self::local(),
        }
    }

    /// The one there is without keys, and of whoever started the program: that of `loci memory`.
    pub(crate) fn local() -> Self {
        Self(loci_memory::Scope::default().tenant)
    }
}

impl FromRequestParts<Arc<App>> for Tenant {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts, &app.settings))
    }
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

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn names_of_this_machine_are_known_with_and_without_a_port() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]", "[::1]:8080"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8080", "[::2]:1", ""] {
            assert!(!is_local(host), "{host}");
        }
    }
}
