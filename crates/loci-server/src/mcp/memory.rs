//! The tools of the memory.

use std::fmt::Write;
use std::sync::Arc;

use loci_memory::conflict::Standing;
use loci_memory::talk::UNKNOWN;
use loci_memory::{Content, Filter, Item, Memory, Query, Scope, State, Target, Time, Trust};
use loci_reading::TextEncoder;
use serde_json::json;

use super::input;
use super::tools::{Found, Place};
use crate::error::ApiError;
use crate::http::by;
use crate::library::blocking;
use crate::state::App;

/// Items of one answer unless a call says otherwise, and the most.
const TOP: u32 = 5;
const MOST: u32 = 100;
/// Who speaks where a call does not say: what an assistant passes on is mostly what its user told it.
const SPEAKER: &str = "user";

impl Place {
    /// Works on the memory of whoever started the server, or holds the key.
    async fn remembering<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory, &App) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let app = Arc::clone(&self.app);
        let scope: Scope = app.scope(&self.tenant, None)?;
        blocking(move || app.with_memory(scope, |memory| work(memory, &app))).await
    }

    /// `remember`.
    pub(super) async fn remember(&self, call: input::Remember) -> Result<Found, ApiError> {
        let time = |text: Option<&String>| text.map(|text| text.parse::<Time>()).transpose();
        let speaker = call.speaker.unwrap_or_else(|| SPEAKER.to_owned());
        let content = Content {
            topic: call.topic,
            session: call.session,
            valid_from: time(call.valid_from.as_ref())?,
            valid_until: time(call.valid_until.as_ref())?,
            trust: Trust::of_speaker(Some(&speaker), loci_memory::Kind::Note),
            speaker: Some(speaker),
            ..Content::note(&call.text)
        };
        let added = self.remembering(move |memory, _| Ok(memory.add(&content, &[])?)).await?;
        let text = match added.verdict.name() {
            "held" => format!("{} is held back until the user has looked at it", added.id),
            "duplicate" | "echo" => format!("{} says that already", added.id),
            _ => format!("{} is remembered", added.id),
        };
        Ok(Found { text, value: json!(added) })
    }

    /// `recall`.
    pub(super) async fn recall(&self, call: input::Recall) -> Result<Found, ApiError> {
        let at = call.at.as_deref().map(str::parse::<Time>).transpose()?;
        let recall = self
            .remembering(move |memory, app| {
                let encoder = app.encoders.first();
                let query = Query {
                    most: call.top.unwrap_or(TOP).min(MOST) as usize,
                    by: by(None, encoder.is_some())?,
                    at,
                    past: call.past,
                    ..Query::new(&call.query)
                };
                let encoder = encoder.map(|encoder| encoder.as_ref() as &dyn TextEncoder);
                Ok(memory.recall(&query, encoder)?)
            })
            .await?;
        let mut text = String::new();
        if !recall.supported {
            text = format!("{UNKNOWN}\n");
        }
        for found in &recall.found {
            let against = match &found.standing {
                Standing::Current => String::new(),
                Standing::NotThen => " (not true then)".to_owned(),
                Standing::Outdone { by } => format!(" (outdone by {by})"),
                Standing::Tied { with } => format!(" (contradicts {with})"),
            };
            let _written = writeln!(text, "{}{against}", line(&found.item));
        }
        Ok(Found { text, value: json!(recall) })
    }

    /// `forget`.
    pub(super) async fn forget(&self, call: input::Forget) -> Result<Found, ApiError> {
        let target = match (call.ids.is_empty(), call.words) {
            (false, None) => Target::Ids(call.ids),
            (true, Some(words)) => Target::Matching(words),
            _ => return Err(ApiError::invalid("invalid_request", "give ids, or words; one of both")),
        };
        let certificate = self
            .remembering(move |memory, app| {
                let certificate = memory.forget(&target, call.reason.as_deref(), call.dry_run)?;
                if !call.dry_run {
                    app.let_go();
                }
                Ok(certificate)
            })
            .await?;
        let count = certificate.items.len();
        let text = match (call.dry_run, count) {
            (_, 0) => "nothing was there to be forgotten".to_owned(),
            (true, _) => format!("{count} items would be forgotten"),
            (false, _) => format!(
                "{count} items are forgotten; entry {} of the log, {}",
                certificate.seq, certificate.hash
            ),
        };
        Ok(Found { text, value: json!(certificate) })
    }

    /// `timeline`.
    pub(super) async fn timeline(&self, call: input::Timeline) -> Result<Found, ApiError> {
        let time = |text: Option<&String>| text.map(|text| text.parse::<Time>()).transpose();
        let (from, until) = (time(call.from.as_ref())?, time(call.until.as_ref())?);
        let items = self
            .remembering(move |memory, _| {
                let states = Some(vec![State::Released, State::Superseded]);
                let filter = Filter { states, topic: call.topic, session: call.session, ..Filter::default() };
                let mut items = memory.timeline(&filter, from, until)?;
                // The latest ones, where there are many.
                let over = items.len().saturating_sub(call.most.unwrap_or(MOST).min(MOST) as usize);
                items.drain(..over);
                Ok(items)
            })
            .await?;
        let text = match items.as_slice() {
            [] => "nothing is remembered of that time".to_owned(),
            some => some.iter().map(line).collect::<Vec<_>>().join("\n"),
        };
        Ok(Found { text, value: json!({ "items": items }) })
    }
}

/// An item on one line.
fn line(item: &Item) -> String {
    let text = item.text().split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{} {} {text}", item.id, item.when().date())
}
