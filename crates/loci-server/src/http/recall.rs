//! Chats with a memory: what is remembered goes before what the user says, and what the user tells is remembered.

use loci_memory::talk::{Notes, said_by_the_user};
use loci_memory::{MemoryError, Query, Recall};
use loci_models::template::Message;
use loci_reading::TextEncoder;

use super::memory::by;
use crate::error::ApiError;
use crate::openai::{MemoryFields, MemoryReport};
use crate::state::App;

/// Items that a model is shown unless a request says otherwise, and the most.
const TOP: usize = 5;
const MOST: usize = 50;

/// Puts notes before the last thing that the user says in `messages`. Reads and writes files.
///
/// # Errors
/// [`ApiError`] when no memory is served, when the user says nothing, and what the memory fails with.
pub(super) fn remind(
    app: &App,
    tenant: &str,
    fields: &MemoryFields,
    messages: &mut [Message],
) -> Result<MemoryReport, ApiError> {
    let at = |error: ApiError| error.at("loci.memory");
    let said = messages.iter_mut().rev().find(|message| message.role == "user").ok_or_else(|| {
        at(ApiError::invalid("invalid_request", "a chat with a memory needs a message of the user"))
    })?;
    let scope = app.scope(tenant, fields.user.as_deref()).map_err(at)?;
    let encoder = app.encoders.first();
    let query = Query {
        most: fields.top.unwrap_or(TOP).min(MOST),
        by: by(fields.by.as_deref(), encoder.is_some()).map_err(at)?,
        ..Query::new(&said.content)
    };
    if query.by.needs_encoder() && encoder.is_none() {
        let message = format!("ranking by {} needs an encoder; start the server with --encoder", query.by);
        return Err(at(ApiError::invalid("invalid_value", message)));
    }
    app.with_memory(scope, |memory| {
        let encoder = encoder.map(|encoder| encoder.as_ref() as &dyn TextEncoder);
        let recall = match memory.recall(&query, encoder) {
            // Nothing but signs: there is nothing to look for.
            Err(MemoryError::Invalid(_)) => None,
            recall => Some(recall?),
        };
        let notes = recall.as_ref().map(Notes::of).unwrap_or_default();
        let told = said_by_the_user(&said.content, fields.session.as_deref());
        let told = told.filter(|_| fields.remember.unwrap_or(true));
        let remembered = told.map(|content| memory.add(&content, &[])).transpose()?;
        said.content = notes.before(&said.content);
        let supported = recall.as_ref().is_some_and(|recall: &Recall| recall.supported);
        Ok(MemoryReport { notes, supported, remembered })
    })
}
