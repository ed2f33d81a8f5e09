//! What the tools do.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loci_engine::documents::Document;
use loci_engine::{GenerateOptions, Reading};
use loci_models::template::Message;
use serde_json::{Value, json};

use super::{Told, files, input};
use crate::ask::{Asked, Collected, Question, collect, prepare, submit};
use crate::error::ApiError;
use crate::library::{self, New, ReadingView, blocking};
use crate::openai::{Cited, LociFields, ProgressReport};
use crate::state::App;

/// How long a tool waits for a reading: most clients give a tool a minute.
const WAIT: u32 = 50;
/// How often it is asked how far a reading is.
const GLANCE: Duration = Duration::from_millis(200);
/// The most passages.
const MAX_PASSAGES: u16 = 100;
/// Characters shown on both sides of a passage unless a call says otherwise, and the most of them.
const AROUND: u32 = 200;
const MAX_AROUND: u32 = 10_000;
/// Tokens that are written to see where the model looks; they are not shown.
const GLIMPSE: usize = 16;

/// What a tool found: in words, and for programs.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) text: String,
    pub(super) value: Value,
}

/// What tools work on.
pub(super) struct Place {
    pub(super) app: Arc<App>,
    pub(super) client: u64,
    /// Whose memories it may see.
    pub(super) tenant: String,
}

impl Place {
    /// `read`.
    pub(super) async fn read(&self, call: input::Read, told: &Told) -> Result<Found, ApiError> {
        let app = Arc::clone(&self.app);
        let wait = call.wait_s;
        let view = blocking(move || {
            let input::Read { files, documents, name, method, budget, model, wait_s: _ } = call;
            let documents = match (files.is_empty(), documents.is_empty()) {
                (false, true) => files::read(&files, &app.settings.allow)?,
                (true, false) => documents
                    .into_iter()
                    .map(|given| Document { name: given.name, text: given.text })
                    .collect(),
                _ => {
                    let message = "give files, or texts in documents; one of both";
                    return Err(ApiError::invalid("invalid_request", message).at("documents"));
                }
            };
            let fields = LociFields { method, budget, ..LociFields::default() };
            library::add(&app, New { name, documents, model, fields })
        })
        .await?;
        let view = self.settled(&view.id, wait, told).await?;
        if let Some(error) = &view.error {
            return Err(ApiError::conflict(
                "reading_failed",
                format!("the reading {} failed: {error}", view.id),
            ));
        }
        let text = match view.status {
            "ready" => format!("{} is read; ask about it by its id or name", line(&view)),
            _ => format!("{}; it goes on, ask waits for it", line(&view)),
        };
        Ok(Found { text, value: json!(view) })
    }

    /// `list_readings`.
    pub(super) async fn list(&self) -> Result<Found, ApiError> {
        let app = Arc::clone(&self.app);
        // What another process read just now is there too.
        let readings = blocking(move || app.library.listed_anew()).await?;
        let text = match readings.as_slice() {
            [] => "there are no readings; read makes one".to_owned(),
            some => some.iter().map(line).collect::<Vec<_>>().join("\n"),
        };
        Ok(Found { text, value: json!({ "readings": readings }) })
    }

    /// `ask`.
    pub(super) async fn ask(&self, call: input::Ask, told: &Told) -> Result<Found, ApiError> {
        let view = self.ready(&call.reading, call.wait_s, told).await?;
        let tokens = call.max_tokens.map_or(self.app.settings.max_tokens, |tokens| tokens as usize);
        if tokens == 0 {
            let message = "max_tokens = 0 leaves nothing to write; use 1 or more";
            return Err(ApiError::invalid("invalid_value", message).at("max_tokens"));
        }
        let passages = call.passages.map(|most| most.min(MAX_PASSAGES));
        let (asked, collected) = self.answered(&view, call.question, tokens, passages).await?;
        let answer = collected.answers.first().map_or("", |answer| answer.text.as_str());
        let mut text = answer.trim().to_owned();
        let cited = collected.report.evidence.as_deref().unwrap_or_default();
        if !cited.is_empty() {
            text.push_str("\n\nEvidence, heaviest first:");
        }
        for (at, cited) in cited.iter().enumerate() {
            let _written = write!(text, "\n{}", quoted(at, cited, &cited.passage.text));
        }
        let value = json!({
            "answer": answer,
            "reading": view.id,
            "model": asked.model.id,
            "evidence": collected.report.evidence,
            "method": collected.report.method,
            "context": collected.report.context,
            "timing": collected.report.timing,
            "usage": collected.usage,
        });
        Ok(Found { text, value })
    }

    /// `evidence`.
    pub(super) async fn evidence(&self, call: input::Evidence, told: &Told) -> Result<Found, ApiError> {
        let view = self.ready(&call.reading, call.wait_s, told).await?;
        let passages = call.passages.map(|most| most.clamp(1, MAX_PASSAGES));
        let around = call.around.unwrap_or(AROUND).min(MAX_AROUND) as usize;
        let (asked, collected) = self.answered(&view, call.question, GLIMPSE, passages).await?;
        let reading = asked.reading.as_ref();
        let reading =
            reading.ok_or_else(|| ApiError::internal("a question about a reading came back without one"))?;
        let cited = collected.report.evidence.unwrap_or_default();
        let mut lines = Vec::with_capacity(cited.len());
        let mut values = Vec::with_capacity(cited.len());
        for (at, cited) in cited.iter().enumerate() {
            let shown = surroundings(reading, cited, around);
            lines.push(quoted(at, cited, shown));
            let mut value = json!(cited);
            if let Some(fields) = value.as_object_mut() {
                fields.insert("surroundings".to_owned(), json!(shown));
            }
            values.push(value);
        }
        if lines.is_empty() {
            lines.push("the model looked at no passage of the text".to_owned());
        }
        let value = json!({
            "reading": view.id,
            "evidence": values,
            "weighed_by": collected.report.weighed_by,
            "method": collected.report.method,
        });
        Ok(Found { text: lines.join("\n"), value })
    }

    /// Asks about a reading that is ready.
    async fn answered(
        &self,
        view: &ReadingView,
        question: String,
        tokens: usize,
        passages: Option<u16>,
    ) -> Result<(Asked, Collected), ApiError> {
        let (app, id) = (Arc::clone(&self.app), view.id.clone());
        let prepared = blocking(move || {
            let (model, reading) = app.asked(None, Some(&id))?;
            let fields = LociFields { reading: Some(id), evidence: passages, ..LociFields::default() };
            let options = GenerateOptions { max_tokens: tokens, ..GenerateOptions::default() };
            let messages = vec![Message::new("user", question)];
            prepare(
                &model,
                Question::Messages(messages, Vec::new(), String::new()),
                &fields,
                reading,
                vec![options],
            )
        })
        .await?;
        let (running, asked) = submit(&self.app, self.client, prepared)?;
        let collected = collect(running, &asked, 1).await?;
        Ok((asked, collected))
    }

    /// The reading that a call names, once it is ready.
    async fn ready(&self, typed: &str, wait: Option<u32>, told: &Told) -> Result<ReadingView, ApiError> {
        let (app, name) = (Arc::clone(&self.app), typed.to_owned());
        let view = blocking(move || app.library.named(&name)).await?;
        let view = self.settled(&view.id, wait, told).await?;
        match view.status {
            "queued" | "reading" => {
                let message = format!("{}; ask again later, or with a larger wait_s", line(&view));
                Err(ApiError::conflict("reading_not_ready", message))
            }
            // What failed says why when it is opened.
            _ => Ok(view),
        }
    }

    /// Waits until a reading is ready or has failed, for at most so many seconds, and tells how far it is.
    async fn settled(&self, id: &str, wait: Option<u32>, told: &Told) -> Result<ReadingView, ApiError> {
        let end = Instant::now() + Duration::from_secs(wait.unwrap_or(WAIT).into());
        let mut before = 0;
        loop {
            let view = self.app.library.view(id)?;
            if !matches!(view.status, "queued" | "reading") || Instant::now() >= end {
                return Ok(view);
            }
            // The protocol wants each note to be further than the one before.
            if let Some(ProgressReport { done, total, .. }) = view.progress.filter(|now| now.done > before) {
                before = done;
                told.progress(done, total, &line(&view)).await;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// A reading in a line.
fn line(view: &ReadingView) -> String {
    let state = match (&view.progress, &view.error, view.tokens) {
        (_, Some(error), _) => format!("failed: {error}"),
        (Some(ProgressReport { done, total, .. }), ..) => {
            format!("{}, {done} of {total} tokens", view.status)
        }
        (.., Some(tokens)) => format!("{}, {tokens} tokens", view.status),
        _ => view.status.to_owned(),
    };
    format!("{:?} ({}, {state})", view.name, view.id)
}

/// A passage as a model reads it: its number, where it stands, and the text.
fn quoted(at: usize, cited: &Cited, text: &str) -> String {
    let passage = &cited.passage;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("[{}] {}, bytes {} to {}: {text}", at + 1, passage.file, passage.start, passage.end)
}

/// A passage with `around` characters of its document on both sides.
fn surroundings<'a>(reading: &'a Reading, cited: &Cited, around: usize) -> &'a str {
    let Some(document) = reading.documents().get(cited.document) else { return "" };
    let text = document.text.as_str();
    let (Some(before), Some(behind)) = (text.get(..cited.passage.start), text.get(cited.passage.end..))
    else {
        return "";
    };
    let start = before.char_indices().rev().take(around).last().map_or(before.len(), |(at, _)| at);
    let end = behind.char_indices().nth(around).map_or(text.len(), |(at, _)| cited.passage.end + at);
    text.get(start..end).unwrap_or("")
}
