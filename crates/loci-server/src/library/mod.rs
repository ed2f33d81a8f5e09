//! Texts that were read once and are asked about again and again, in the data folder.
//!
//! A text is on disk before it is read, and its reading before it counts as ready: whatever ends the process, a finished
//! reading is there at the next start, and an unfinished one is begun again.

mod disk;
mod read;

pub use disk::Meta;
pub use read::{New, add, resume};
pub(crate) use read::{blocking, shortened};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use loci_engine::documents::Document;
use loci_engine::saved::Facts;
use loci_engine::{Progress, Reading};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::openai::ProgressReport;
use crate::state::App;
use crate::worker::locked;

/// Readings that stay open: each holds its tokens and texts in RAM, its rows only as far as they are used.
const OPEN: usize = 16;

/// Where a reading stands.
#[derive(Debug)]
enum State {
    Queued,
    Reading(Option<Progress>),
    Ready(Box<Facts>),
    Failed(String),
}

struct Entry {
    meta: Meta,
    state: State,
    /// Ends its reading.
    cancel: Arc<AtomicBool>,
    bytes: Option<u64>,
}

/// All readings; see the [module documentation](self).
pub struct Library {
    folder: PathBuf,
    entries: Mutex<BTreeMap<String, Entry>>,
    /// The one used last at the end.
    open: Mutex<Vec<(String, Arc<Reading>)>>,
}

/// A reading as it is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReadingView {
    /// How requests call it.
    pub id: String,
    /// How people call it.
    pub name: String,
    /// `queued`, `reading`, `ready` or `failed`.
    pub status: &'static str,
    /// How far it is.
    pub progress: Option<ProgressReport>,
    /// Why it failed.
    pub error: Option<String>,
    /// The model that reads it.
    pub model: String,
    /// The method: as asked for, and with all parameters once it is read.
    pub method: Option<String>,
    /// Bytes that its context may take.
    pub budget: Option<usize>,
    /// Tokens read.
    pub tokens: Option<usize>,
    /// Bytes of the saved file.
    pub bytes: Option<u64>,
    /// Its documents.
    pub documents: Vec<DocumentView>,
    /// Seconds since 1970.
    pub created: u64,
    /// Whether it is to be kept.
    pub pinned: bool,
    /// What became of the tokens.
    #[schema(value_type = Option<Object>)]
    pub context: Option<loci_models::memory::ContextReport>,
}

/// A document of a reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
pub struct DocumentView {
    /// Its name.
    pub name: String,
    /// Bytes of its text.
    pub bytes: usize,
}

impl Entry {
    fn view(&self) -> ReadingView {
        let meta = &self.meta;
        let (status, progress, error, facts) = match &self.state {
            State::Queued => ("queued", None, None, None),
            State::Reading(progress) => ("reading", progress.map(Into::into), None, None),
            State::Ready(facts) => ("ready", None, None, Some(facts)),
            State::Failed(error) => ("failed", None, Some(error.clone()), None),
        };
        ReadingView {
            id: meta.id.clone(),
            name: meta.name.clone(),
            status,
            progress,
            error,
            model: meta.model.clone(),
            method: facts.map(|facts| facts.method.clone()).or_else(|| meta.method.clone()),
            budget: facts.map_or(meta.budget, |facts| facts.budget),
            tokens: facts.map(|facts| facts.tokens),
            bytes: self.bytes,
            documents: meta.documents.clone(),
            created: meta.created,
            pinned: meta.pinned,
            context: facts.map(|facts| facts.context),
        }
    }
}

impl Library {
    /// The readings in `data`. Unfinished ones wait for [`resume`].
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(data: &Path) -> std::io::Result<Self> {
        let folder = data.join("readings");
        let entries = disk::scan(&folder)?
            .into_iter()
            .map(|found| (found.meta.id.clone(), Entry::found(found)))
            .collect();
        Ok(Self { folder, entries: Mutex::new(entries), open: Mutex::default() })
    }

    /// All readings, the newest first.
    pub fn list(&self) -> Vec<ReadingView> {
        let mut views: Vec<ReadingView> = locked(&self.entries).values().map(Entry::view).collect();
        views.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        views
    }

    /// One reading.
    ///
    /// # Errors
    /// [`ApiError`] when there is none of this id.
    pub fn view(&self, id: &str) -> Result<ReadingView, ApiError> {
        locked(&self.entries).get(id).map(Entry::view).ok_or_else(|| missing(id))
    }

    /// Bytes of all saved readings.
    pub fn bytes(&self) -> u64 {
        locked(&self.entries).values().filter_map(|entry| entry.bytes).sum()
    }

    /// A reading to ask, opened if it is not. Reads a file, so it may take some tens of milliseconds.
    ///
    /// # Errors
    /// [`ApiError`] when there is none, it is not ready, or it cannot be opened.
    pub fn reading(&self, app: &App, id: &str) -> Result<Arc<Reading>, ApiError> {
        let (model, path) = {
            let entries = locked(&self.entries);
            let entry = entries.get(id).ok_or_else(|| missing(id))?;
            match &entry.state {
                State::Ready(_) => (entry.meta.model.clone(), self.file(id)),
                State::Failed(error) => {
                    let message = format!("the reading {id} failed: {error}");
                    return Err(ApiError::conflict("reading_failed", message).at("loci.reading"));
                }
                State::Queued | State::Reading(_) => {
                    let message =
                        format!("the reading {id} is not ready yet; ask for it at /v1/loci/readings/{id}");
                    return Err(ApiError::conflict("reading_not_ready", message).at("loci.reading"));
                }
            }
        };
        let mut open = locked(&self.open);
        if let Some(at) = open.iter().position(|(held, _)| held == id) {
            let found = open.remove(at);
            let reading = Arc::clone(&found.1);
            open.push(found);
            return Ok(reading);
        }
        drop(open);
        let engine = &app.model(Some(&model))?.engine;
        let reading = Reading::open(engine, &path).map_err(|error| {
            tracing::error!("the reading {id} cannot be opened: {error}");
            ApiError::conflict("reading_unusable", format!("the reading {id} cannot be opened: {error}"))
        })?;
        Ok(self.hold(id, Arc::new(reading)))
    }

    fn hold(&self, id: &str, reading: Arc<Reading>) -> Arc<Reading> {
        let mut open = locked(&self.open);
        open.retain(|(held, _)| held != id);
        open.push((id.to_owned(), Arc::clone(&reading)));
        let over = open.len().saturating_sub(OPEN);
        open.drain(..over);
        reading
    }

    /// The documents of a reading. Reads a file.
    ///
    /// # Errors
    /// [`ApiError`] when there is no such reading, or the system fails.
    pub fn documents(&self, id: &str) -> Result<Vec<Document>, ApiError> {
        self.view(id)?;
        disk::documents(&self.folder.join(id))
            .map_err(|error| ApiError::internal(format!("the documents of {id} cannot be read: {error}")))
    }

    /// The text of document `number` of a reading. Reads a file.
    ///
    /// # Errors
    /// [`ApiError`] when there is none, or the system fails.
    pub fn text(&self, id: &str, number: usize) -> Result<String, ApiError> {
        let mut documents = self.documents(id)?;
        if number >= documents.len() {
            let message = format!("the reading {id} has {} documents, counted from 0", documents.len());
            return Err(ApiError::not_found("document_not_found", message));
        }
        Ok(documents.swap_remove(number).text)
    }

    /// Changes name or pin.
    ///
    /// # Errors
    /// [`ApiError`] when there is no such reading, or the system fails.
    pub fn change(
        &self,
        id: &str,
        name: Option<String>,
        pinned: Option<bool>,
    ) -> Result<ReadingView, ApiError> {
        let mut entries = locked(&self.entries);
        let entry = entries.get_mut(id).ok_or_else(|| missing(id))?;
        let mut meta = entry.meta.clone();
        if let Some(name) = name {
            meta.name = name;
        }
        meta.pinned = pinned.unwrap_or(meta.pinned);
        disk::write_meta(&self.folder.join(id), &meta)
            .map_err(|error| ApiError::internal(format!("the reading {id} cannot be changed: {error}")))?;
        entry.meta = meta;
        Ok(entry.view())
    }

    /// Removes a reading, or stops one that is being read.
    ///
    /// # Errors
    /// [`ApiError`] when there is none, or the system fails.
    pub fn delete(&self, id: &str) -> Result<(), ApiError> {
        let Some(entry) = locked(&self.entries).remove(id) else { return Err(missing(id)) };
        entry.cancel.store(true, Ordering::Relaxed);
        locked(&self.open).retain(|(held, _)| held != id);
        disk::remove(&self.folder, id)
            .map_err(|error| ApiError::internal(format!("the reading {id} cannot be removed: {error}")))
    }

    /// Stops all that is being read; the next start begins it again.
    pub fn stop(&self) {
        locked(&self.entries).values().for_each(|entry| entry.cancel.store(true, Ordering::Relaxed));
    }

    fn file(&self, id: &str) -> PathBuf {
        self.folder.join(id).join(disk::READING)
    }

    fn set(&self, id: &str, state: State) {
        if let Some(entry) = locked(&self.entries).get_mut(id) {
            entry.state = state;
        }
    }
}

pub(crate) fn missing(id: &str) -> ApiError {
    ApiError::not_found(
        "reading_not_found",
        format!("there is no reading {id:?}; /v1/loci/readings lists them"),
    )
}

impl Entry {
    fn found(found: disk::Found) -> Self {
        let disk::Found { meta, facts, bytes } = found;
        let state = match (facts, &meta.error) {
            (Some(facts), _) => State::Ready(facts),
            (None, Some(error)) => State::Failed(error.clone()),
            (None, None) => State::Queued,
        };
        Self { meta, state, cancel: Arc::default(), bytes }
    }
}
