//! What a memory holds as a whole, and what becomes of it: forgetting, rollback, audit, verification, log, rules, export.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use loci_memory::log::Hash;
use loci_memory::{Filter, Policy, Target};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::body::Body;
use super::{Of, Parameters, Whose};
use crate::error::{ApiError, ErrorBody};

/// Entries of the log in one answer, unless a request says otherwise, and the most.
const ENTRIES: usize = 1_000;

/// How much there is, and who keeps it.
#[utoipa::path(get, path = "/v1/memory", params(("user" = Option<String>, Query)), responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn about(of: Of<Whose>) -> Result<Json<Value>, ApiError> {
    of.work(|memory, _, app| {
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        let items = memory.list(&Filter::default())?;
        for item in &items {
            *states.entry(item.state.name()).or_default() += 1;
        }
        let scope = memory.scope().clone();
        let scopes = memory.scopes()?.into_iter();
        let users: Vec<String> =
            scopes.filter(|one| one.tenant == scope.tenant).map(|one| one.user).collect();
        let (entries, head) = memory.head()?;
        let extraction = match app.memory_settings()?.extract.as_ref() {
            Some(model) => json!({ "model": model, "pending": memory.pending()? }),
            None => Value::Null,
        };
        Ok(Json(json!({
            "object": "memory",
            "tenant": scope.tenant,
            "user": scope.user,
            "users": users,
            "states": states,
            "items": items.len(),
            "entries": entries,
            "head": blake3::Hash::from(head).to_hex().as_str(),
            "encoder": app.encoders.first().map(|encoder| encoder.name()),
            "extraction": extraction,
        })))
    })
    .await
}

/// What is to be forgotten: one of `ids`, `query` and `expired`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forget {
    /// Ids of items.
    #[serde(default)]
    ids: Vec<String>,
    /// Words: every item that has them all.
    query: Option<String>,
    /// What the policy no longer keeps.
    #[serde(default)]
    expired: bool,
    /// Only says what would be forgotten.
    #[serde(default)]
    dry_run: bool,
    /// Why, for the log and the certificate.
    reason: Option<String>,
}

impl Forget {
    fn target(&self) -> Result<Target, ApiError> {
        match (self.ids.is_empty(), &self.query, self.expired) {
            (false, None, false) => Ok(Target::Ids(self.ids.clone())),
            (true, Some(query), false) => Ok(Target::Matching(query.clone())),
            (true, None, true) => Ok(Target::Expired),
            _ => Err(ApiError::invalid("invalid_request", "give one of ids, query and expired")),
        }
    }
}

/// Removes what items say from everywhere; answers with a certificate.
#[utoipa::path(post, path = "/v1/memory/forget", params(("user" = Option<String>, Query)), request_body = Forget, responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn forget(of: Of<Whose>, Body(asked): Body<Forget>) -> Result<Json<Value>, ApiError> {
    let target = asked.target()?;
    of.work(move |memory, _, app| {
        let certificate = memory.forget(&target, asked.reason.as_deref(), asked.dry_run)?;
        if !asked.dry_run {
            app.let_go();
        }
        Ok(Json(json!(certificate)))
    })
    .await
}

/// Where to go back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    /// The number of the log's entry whose states hold again.
    to: u64,
    /// Only says what would change.
    #[serde(default)]
    dry_run: bool,
    /// Why, for the log.
    reason: Option<String>,
}

/// Takes up the states of an earlier time.
#[utoipa::path(post, path = "/v1/memory/rollback", params(("user" = Option<String>, Query)), request_body = Rollback, responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn rollback(of: Of<Whose>, Body(asked): Body<Rollback>) -> Result<Json<Value>, ApiError> {
    of.work(move |memory, _, _| {
        Ok(Json(json!(memory.rollback(asked.to, asked.reason.as_deref(), asked.dry_run)?)))
    })
    .await
}

/// What deserves a look: duplicates, contradictions, items without support, expired and held ones.
#[utoipa::path(get, path = "/v1/memory/audit", params(("user" = Option<String>, Query)), responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn audit(of: Of<Whose>) -> Result<Json<Value>, ApiError> {
    of.work(|memory, _, _| Ok(Json(json!(memory.audit()?)))).await
}

/// What is compared with the log.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verify {
    user: Option<String>,
    head: Option<String>,
}

impl Parameters for Verify {
    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

/// Compares everything with the log. What is wrong is told without a word of other users' memories.
#[utoipa::path(get, path = "/v1/memory/verify", params(("user" = Option<String>, Query), ("head" = Option<String>, Query)), responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn verify(of: Of<Verify>) -> Result<Json<Value>, ApiError> {
    of.work(|memory, asked, app| {
        let head: Option<(u64, Hash)> =
            asked.head.as_deref().map(loci_memory::log::parse_head).transpose()?;
        let mut verified = memory.verify(head)?;
        // The log is one for all tenants, and what is wrong with it may speak of another.
        if !app.settings.keys.is_empty() && !verified.faults.is_empty() {
            let count = verified.faults.len();
            verified.faults =
                vec![format!("{count} faults; who keeps the store sees them with `loci memory verify`")];
        }
        Ok(Json(json!(verified)))
    })
    .await
}

/// Which entries of the log.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entries {
    user: Option<String>,
    from: Option<u64>,
    most: Option<usize>,
}

impl Parameters for Entries {
    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

/// The log of a user's memory.
#[utoipa::path(get, path = "/v1/memory/log", params(("user" = Option<String>, Query), ("from" = Option<u64>, Query), ("most" = Option<u32>, Query)), responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn log(of: Of<Entries>) -> Result<Json<Value>, ApiError> {
    of.work(|memory, asked, _| {
        let entries = memory.log(asked.from.unwrap_or(1), asked.most.unwrap_or(ENTRIES).min(ENTRIES))?;
        let shown = |entry: &loci_memory::log::Entry| {
            let mut value = json!(entry);
            value["body"] = json!(entry.read());
            value
        };
        Ok(Json(json!({ "object": "list", "data": entries.iter().map(shown).collect::<Vec<_>>() })))
    })
    .await
}

/// The rules.
#[utoipa::path(get, path = "/v1/memory/policy", params(("user" = Option<String>, Query)), responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn policy(of: Of<Whose>) -> Result<Json<Value>, ApiError> {
    of.work(|memory, _, _| Ok(Json(json!(memory.policy()?)))).await
}

/// Sets the rules; tells besides how many items they no longer keep.
#[utoipa::path(put, path = "/v1/memory/policy", params(("user" = Option<String>, Query)), request_body = Object, responses((status = 200, body = Object), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn set_policy(of: Of<Whose>, Body(asked): Body<Value>) -> Result<Json<Value>, ApiError> {
    let policy = Policy::parse(&asked.to_string())?;
    of.work(move |memory, _, _| {
        let due = memory.set_policy(&policy, None)?;
        let mut shown = json!(policy);
        shown["due"] = json!(due);
        Ok(Json(shown))
    })
    .await
}

/// All items as lines of JSON, as `loci memory export` writes them.
#[utoipa::path(get, path = "/v1/memory/export", params(("user" = Option<String>, Query)), responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn export(of: Of<Whose>) -> Result<Response, ApiError> {
    let lines = of
        .work(|memory, _, _| {
            let mut lines = Vec::new();
            memory.export(&mut lines)?;
            Ok(lines)
        })
        .await?;
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok(([(header::CONTENT_TYPE, kind)], lines).into_response())
}
