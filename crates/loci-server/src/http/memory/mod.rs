//! `/v1/memory`: what users told, kept under rules that can be checked. `docs/memory.md` says what the rules are.

mod find;
mod govern;
mod items;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::routing::{get, post};
use loci_memory::{Filter, Kind, Memory, Scope, State, Time};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::guard::Tenant;
use crate::error::ApiError;
use crate::library::blocking;
use crate::state::App;

pub(crate) use find::by;
pub(super) use find::{__path_search, __path_timeline};
pub(super) use find::{search, timeline};
pub(super) use govern::{
    __path_about, __path_audit, __path_export, __path_forget, __path_log, __path_policy, __path_rollback,
    __path_set_policy, __path_verify,
};
pub(super) use govern::{about, audit, export, forget, log, policy, rollback, set_policy, verify};
pub(super) use items::{__path_add, __path_change, __path_list, __path_view};
pub(super) use items::{add, change, list, view};

/// The routes.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/memory", get(about))
        .route("/v1/memory/items", get(list).post(add))
        .route("/v1/memory/items/{id}", get(view).patch(change))
        .route("/v1/memory/search", post(search))
        .route("/v1/memory/timeline", get(timeline))
        .route("/v1/memory/forget", post(forget))
        .route("/v1/memory/rollback", post(rollback))
        .route("/v1/memory/audit", get(audit))
        .route("/v1/memory/verify", get(verify))
        .route("/v1/memory/log", get(log))
        .route("/v1/memory/policy", get(policy).put(set_policy))
        .route("/v1/memory/export", get(export))
}

/// Whose memory, where nothing else is asked for in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    user: Option<String>,
}

/// A memory that a request means, and what its address says.
pub(super) struct Of<P> {
    app: Arc<App>,
    scope: Scope,
    asked: P,
}

/// What an address says.
pub(super) trait Parameters: DeserializeOwned {
    /// Whose memory.
    fn user(&self) -> Option<&str>;
}

impl Parameters for Whose {
    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

impl<P: Parameters> FromRequestParts<Arc<App>> for Of<P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let asked = Query::<P>::try_from_uri(&parts.uri)
            .map_err(|error: QueryRejection| ApiError::invalid("invalid_parameter", error.body_text()))?;
        let tenant = Tenant::of(parts, &app.settings);
        let scope = app.scope(&tenant.0, asked.0.user())?;
        Ok(Self { app: Arc::clone(app), scope, asked: asked.0 })
    }
}

impl<P> Of<P> {
    /// Works on the memory, on a thread that may wait.
    async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut Memory, P, &App) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError>
    where
        P: Send + 'static,
    {
        let Self { app, scope, asked } = self;
        blocking(move || app.with_memory(scope, |memory| work(memory, asked, &app))).await
    }
}

/// A word of a request that has to be one of some.
fn one_of<T>(field: &'static str, word: &str, found: Option<T>, all: &[&str]) -> Result<T, ApiError> {
    found.ok_or_else(|| {
        ApiError::invalid("invalid_value", format!("{word:?} is no {field}; there are {}", all.join(", ")))
            .at(field)
    })
}

fn kind(word: Option<&str>) -> Result<Option<Kind>, ApiError> {
    let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    word.map(|word| one_of("kind", word, Kind::of(word), &all)).transpose()
}

fn state(word: Option<&str>) -> Result<Option<State>, ApiError> {
    let all: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
    word.map(|word| one_of("state", word, State::of(word), &all)).transpose()
}

/// Items in one state and of one kind, where these are named.
fn filter(state_word: Option<&str>, kind_word: Option<&str>) -> Result<Filter, ApiError> {
    let states = state(state_word)?.map(|state| vec![state]);
    Ok(Filter { states, kind: kind(kind_word)?, ..Filter::default() })
}

fn time(field: &'static str, text: Option<&str>) -> Result<Option<Time>, ApiError> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|error: loci_memory::MemoryError| ApiError::from(error).at(field))
}
