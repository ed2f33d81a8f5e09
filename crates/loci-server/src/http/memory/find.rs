//! Search and timeline.

use axum::Json;
use loci_memory::{Filter, Query, Trust};
use loci_reading::{By, TextEncoder};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::body::Body;
use super::{Of, Parameters, Whose, filter, kind, one_of, time};
use crate::error::{ApiError, ErrorBody};

/// Items of one answer, at most.
const MOST: usize = 1_000;

/// What is asked of a memory.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Searched {
    /// The question.
    query: String,
    /// At most so many items; 10 when left out.
    top: Option<usize>,
    /// The time that is asked about; now when left out.
    at: Option<String>,
    /// `words`, `meaning` or `fused`; fused when left out, or words on a server without an encoder.
    by: Option<String>,
    /// Items that are believed less are left out.
    #[schema(maximum = 100)]
    trust: Option<u8>,
    /// Of one kind only.
    kind: Option<String>,
    /// Of one conversation only.
    session: Option<String>,
    /// From this time on only.
    from: Option<String>,
    /// Before this time only.
    until: Option<String>,
    /// Whether the days go first that the question names; they do when left out.
    days: Option<bool>,
    /// Canaries too.
    #[serde(default)]
    canary: bool,
    /// Superseded items too.
    #[serde(default)]
    past: bool,
}

/// What items are ranked by.
pub(crate) fn by(word: Option<&str>, encoder: bool) -> Result<By, ApiError> {
    let known = [By::Words, By::Meaning, By::Fused];
    let names: Vec<&str> = known.iter().map(|by| by.name()).collect();
    match word {
        None if encoder => Ok(By::Fused),
        None => Ok(By::Words),
        Some(word) => one_of("by", word, known.into_iter().find(|by| by.name() == word), &names),
    }
}

impl Searched {
    fn query(&self, encoder: bool) -> Result<Query, ApiError> {
        let trust = self.trust.map(Trust::try_from).transpose();
        Ok(Query {
            most: self.top.unwrap_or(10).min(MOST),
            by: by(self.by.as_deref(), encoder)?,
            at: time("at", self.at.as_deref())?,
            least_trust: trust.map_err(|error| ApiError::from(error).at("trust"))?.unwrap_or(Trust::NONE),
            kind: kind(self.kind.as_deref())?,
            session: self.session.clone(),
            from: time("from", self.from.as_deref())?,
            until: time("until", self.until.as_deref())?,
            days: self.days.unwrap_or(true),
            canary: self.canary,
            past: self.past,
            ..Query::new(&self.query)
        })
    }
}

/// Finds the items that answer a question.
#[utoipa::path(post, path = "/v1/memory/search", params(("user" = Option<String>, Query)), request_body = Searched, responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn search(of: Of<Whose>, Body(asked): Body<Searched>) -> Result<Json<Value>, ApiError> {
    of.work(move |memory, _, app| {
        let encoder = app.encoders.first();
        let query = asked.query(encoder.is_some())?;
        let recall = memory.recall(&query, encoder.map(|encoder| encoder.as_ref() as &dyn TextEncoder))?;
        Ok(Json(json!(recall)))
    })
    .await
}

/// Which items are wanted, in time.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Timed {
    user: Option<String>,
    state: Option<String>,
    kind: Option<String>,
    session: Option<String>,
    topic: Option<String>,
    last: Option<usize>,
    from: Option<String>,
    until: Option<String>,
}

impl Parameters for Timed {
    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

/// Items by when they were true, or else learned.
#[utoipa::path(get, path = "/v1/memory/timeline", params(("user" = Option<String>, Query), ("state" = Option<String>, Query), ("kind" = Option<String>, Query), ("session" = Option<String>, Query), ("topic" = Option<String>, Query), ("last" = Option<u32>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query)), responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn timeline(of: Of<Timed>) -> Result<Json<Value>, ApiError> {
    of.work(|memory, asked, _| {
        let filter = Filter {
            session: asked.session,
            topic: asked.topic,
            newest: asked.last,
            ..filter(asked.state.as_deref(), asked.kind.as_deref())?
        };
        let (from, until) = (time("from", asked.from.as_deref())?, time("until", asked.until.as_deref())?);
        let items = memory.timeline(&filter, from, until)?;
        Ok(Json(json!({ "object": "list", "data": items })))
    })
    .await
}
