//! Items: remembered, listed, shown, decided on.

use axum::Json;
use axum::extract::Path;
use loci_memory::{Content, Filter, Kind, Source, State, Trust};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::body::Body;
use super::{Of, Parameters, Whose, filter, kind, state, time};
use crate::error::{ApiError, ErrorBody};

/// What is to be remembered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewItem {
    /// What it says.
    text: String,
    /// `note` (when left out), `round`, `document`, `fact`, `event` or `summary`.
    kind: Option<String>,
    /// The conversation that it is from.
    session: Option<String>,
    /// Who said it: `user`, `assistant`, `tool`, a name.
    speaker: Option<String>,
    /// What it is about: of several items about one thing the newest that is believed counts.
    topic: Option<String>,
    /// Since when it is true: 2023-05-20 or 2023-05-20T02:21:00Z.
    valid_from: Option<String>,
    /// Until when it is true.
    valid_until: Option<String>,
    /// Where it is from.
    source: Option<String>,
    /// How far it is believed; by who said it when left out.
    #[schema(maximum = 100)]
    trust: Option<u8>,
    /// Ids of the items that it was made from.
    #[serde(default)]
    parents: Vec<String>,
    /// The id of the item whose place it takes.
    supersedes: Option<String>,
    /// Why, for the log.
    reason: Option<String>,
}

impl NewItem {
    fn content(self) -> Result<Content, ApiError> {
        let kind = kind(self.kind.as_deref())?.unwrap_or(Kind::Note);
        let trust = match self.trust {
            Some(value) => Trust::try_from(value).map_err(|error| ApiError::from(error).at("trust"))?,
            None => Trust::of_speaker(self.speaker.as_deref(), kind),
        };
        Ok(Content {
            kind,
            source: Source { uri: self.source, ..Source::default() },
            session: self.session,
            speaker: self.speaker,
            topic: self.topic,
            valid_from: time("valid_from", self.valid_from.as_deref())?,
            valid_until: time("valid_until", self.valid_until.as_deref())?,
            trust,
            parents: self.parents,
            ..Content::note(&self.text)
        })
    }
}

/// Remembers a text: the gate says what becomes of it.
#[utoipa::path(post, path = "/v1/memory/items", params(("user" = Option<String>, Query)), request_body = NewItem, responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn add(of: Of<Whose>, Body(mut new): Body<NewItem>) -> Result<Json<Value>, ApiError> {
    let (old, reason) = (new.supersedes.take(), new.reason.take());
    let content = new.content()?;
    of.work(move |memory, _, _| {
        let added = match old {
            Some(old) => memory.supersede(&old, &content, &[], reason.as_deref())?,
            None => memory.add(&content, &[])?,
        };
        Ok(Json(json!(added)))
    })
    .await
}

/// Which items are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    user: Option<String>,
    state: Option<String>,
    kind: Option<String>,
    session: Option<String>,
    topic: Option<String>,
    last: Option<usize>,
}

impl Parameters for Listed {
    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

impl Listed {
    fn filter(self) -> Result<Filter, ApiError> {
        Ok(Filter {
            session: self.session,
            topic: self.topic,
            newest: self.last,
            ..filter(self.state.as_deref(), self.kind.as_deref())?
        })
    }
}

/// Items, learned first first.
#[utoipa::path(get, path = "/v1/memory/items", params(("user" = Option<String>, Query), ("state" = Option<String>, Query), ("kind" = Option<String>, Query), ("session" = Option<String>, Query), ("topic" = Option<String>, Query), ("last" = Option<u32>, Query)), responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn list(of: Of<Listed>) -> Result<Json<Value>, ApiError> {
    of.work(|memory, asked, _| {
        let mut items = memory.list(&asked.filter()?)?;
        items.sort_by_key(|item| item.row);
        Ok(Json(json!({ "object": "list", "data": items })))
    })
    .await
}

/// An item with its keys and what became of it.
#[utoipa::path(get, path = "/v1/memory/items/{id}", params(("id" = String, Path), ("user" = Option<String>, Query)), responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn view(Path(id): Path<String>, of: Of<Whose>) -> Result<Json<Value>, ApiError> {
    of.work(move |memory, _, _| Ok(Json(json!(memory.account(&id)?)))).await
}

/// What is decided about an item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    /// Its new state: `released`, `canary`, `admitted` or `rolled-back`.
    state: String,
    /// Why, for the log.
    reason: Option<String>,
}

/// Lets an item in that was held back, or takes one back.
#[utoipa::path(patch, path = "/v1/memory/items/{id}", params(("id" = String, Path), ("user" = Option<String>, Query)), request_body = Decision, responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn change(
    Path(id): Path<String>,
    of: Of<Whose>,
    Body(decision): Body<Decision>,
) -> Result<Json<Value>, ApiError> {
    let to: State = state(Some(&decision.state))?
        .ok_or_else(|| ApiError::invalid("invalid_value", "a decision names a state").at("state"))?;
    of.work(move |memory, _, _| Ok(Json(json!(memory.decide(&id, to, decision.reason.as_deref())?)))).await
}
