//! Texts that were read once and are asked about again and again, in the data folder.
//!
//! A text is on disk before it is read, and its reading before it counts as ready: whatever ends the process, a finished
//! reading is there at the next start, and an unfinished one is begun again. Several processes may share the folder: each
//! sees what the others do within seconds, a text is read by one of them, and left to another when that one ends.

mod disk;
mod forget;
mod read;
mod view;

pub use disk::Meta;
pub use forget::SavedReadings;
pub use read::{New, add, keep_up};
pub(crate) use read::{blocking, check_count, shortened};
pub use view::{DocumentView, ReadingView};

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use loci_engine::documents::Document;
use loci_engine::saved::Facts;
use loci_engine::{Progress, Reading};

use crate::error::ApiError;
use crate::state::App;
use crate::worker::locked;

/// The folder in the data folder.
const READINGS: &str = "readings";
/// Readings that stay open: each holds its tokens and texts in RAM, its rows only as far as they are used.
const OPEN: usize = 16;

/// Where a reading stands.
#[derive(Debug)]
enum State {
    /// Read by nobody yet, or by another process.
    Waiting,
    /// In this process's queue.
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
    /// Bytes that saved readings may take.
    limit: Option<u64>,
    entries: Mutex<BTreeMap<String, Entry>>,
    /// The one used last at the end.
    open: Mutex<Vec<(String, Arc<Reading>)>>,
    /// What was said of the folder: it is looked at again and again, and said once.
    said: Mutex<BTreeSet<String>>,
}

impl Library {
    /// The readings in `data`, of at most `limit` bytes. Unfinished ones wait for [`keep_up`].
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(data: &Path, limit: Option<u64>) -> std::io::Result<Self> {
        let folder = data.join(READINGS);
        std::fs::create_dir_all(&folder)?;
        let library =
            Self { folder, limit, entries: Mutex::default(), open: Mutex::default(), said: Mutex::default() };
        library.refresh()?;
        Ok(library)
    }

    /// Sees what other processes did to the folder. Reads files.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn refresh(&self) -> std::io::Result<()> {
        let held = disk::whole(&self.folder)?;
        // Nobody waits for the list while files are read.
        let settled = |id: &str| locked(&self.entries).get(id).is_some_and(Entry::is_settled);
        let say = |strange: String| {
            if locked(&self.said).insert(strange.clone()) {
                tracing::warn!("{strange}");
            }
        };
        let found = disk::scan(&self.folder, &held, settled, &say)?;
        let mut entries = locked(&self.entries);
        let mut seen = BTreeMap::new();
        for (meta, look) in found {
            let id = meta.id.clone();
            let entry = match entries.remove(&id) {
                Some(entry) if entry.is_settled() => Entry { meta, ..entry },
                _ => Entry::found(meta, look.unwrap_or_default()),
            };
            seen.insert(id, entry);
        }
        // Removed by another process.
        for (id, gone) in std::mem::replace(&mut *entries, seen) {
            gone.cancel.store(true, Ordering::Relaxed);
            locked(&self.open).retain(|(held, _)| *held != id);
        }
        Ok(())
    }

    /// The same where a failure is no reason to stop.
    fn look_again(&self) {
        if let Err(error) = self.refresh() {
            tracing::warn!("the folder of readings cannot be read: {error}");
        }
    }

    /// Looks again where `id` is not known here, or not known to be ready: another process may have read it just now.
    fn refresh_for(&self, id: &str) {
        let settled = locked(&self.entries).get(id).is_some_and(Entry::is_settled);
        if !settled {
            self.look_again();
        }
    }

    /// All readings, the newest first.
    pub fn list(&self) -> Vec<ReadingView> {
        let mut views: Vec<ReadingView> = locked(&self.entries).values().map(Entry::view).collect();
        views.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        views
    }

    /// The same after a look at what other processes did. Reads files.
    ///
    /// # Errors
    /// [`ApiError`] when the folder cannot be read.
    pub fn listed_anew(&self) -> Result<Vec<ReadingView>, ApiError> {
        let failed = |error| ApiError::internal(format!("the folder of readings cannot be read: {error}"));
        self.refresh().map_err(failed)?;
        Ok(self.list())
    }

    /// One reading.
    ///
    /// # Errors
    /// [`ApiError`] when there is none of this id.
    pub fn view(&self, id: &str) -> Result<ReadingView, ApiError> {
        locked(&self.entries).get(id).map(Entry::view).ok_or_else(|| missing(id))
    }

    /// The reading that a person means: by its id, or by a name that no other has.
    ///
    /// # Errors
    /// [`ApiError`] when there is none, or several.
    pub fn named(&self, typed: &str) -> Result<ReadingView, ApiError> {
        self.refresh_for(typed);
        if let Ok(view) = self.view(typed) {
            return Ok(view);
        }
        let mut found = self.list();
        found.retain(|view| view.name == typed);
        match found.len() {
            0 => Err(missing(typed)),
            1 => Ok(found.swap_remove(0)),
            several => {
                let ids: Vec<&str> = found.iter().map(|view| view.id.as_str()).collect();
                let message =
                    format!("{several} readings are called {typed:?}; use an id: {}", ids.join(", "));
                Err(ApiError::conflict("ambiguous_name", message))
            }
        }
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
        self.refresh_for(id);
        let (model, path) = {
            let entries = locked(&self.entries);
            let entry = entries.get(id).ok_or_else(|| missing(id))?;
            match &entry.state {
                State::Ready(_) => {
                    // That it cannot be noted makes it look older than it is, and no more.
                    let _noted = disk::touch(&self.folder.join(id));
                    (entry.meta.model.clone(), self.file(id))
                }
                State::Failed(error) => {
                    let message = format!("the reading {id} failed: {error}");
                    return Err(ApiError::conflict("reading_failed", message).at("loci.reading"));
                }
                State::Waiting | State::Queued | State::Reading(_) => {
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
        let failed = |error| ApiError::internal(format!("the reading {id} cannot be changed: {error}"));
        let _held = disk::whole(&self.folder).map_err(failed)?;
        let mut entries = locked(&self.entries);
        let entry = entries.get_mut(id).ok_or_else(|| missing(id))?;
        let mut meta = entry.meta.clone();
        if let Some(name) = name {
            meta.name = name;
        }
        meta.pinned = pinned.unwrap_or(meta.pinned);
        disk::write_meta(&self.folder.join(id), &meta).map_err(failed)?;
        entry.meta = meta;
        Ok(entry.view())
    }

    /// Removes a reading, or stops one that is being read.
    ///
    /// # Errors
    /// [`ApiError`] when there is none, or the system fails.
    pub fn delete(&self, id: &str) -> Result<(), ApiError> {
        let failed = |error| ApiError::internal(format!("the reading {id} cannot be removed: {error}"));
        let held = disk::whole(&self.folder).map_err(failed)?;
        let Some(entry) = locked(&self.entries).remove(id) else { return Err(missing(id)) };
        entry.cancel.store(true, Ordering::Relaxed);
        locked(&self.open).retain(|(held, _)| held != id);
        disk::remove(&self.folder, &held, id).map_err(failed)
    }

    /// Removes readings that are not pinned, those used longest ago first, until the limit holds. `newest` stays.
    fn make_room(&self, newest: &str) {
        let Some(limit) = self.limit else { return };
        let mut found: Vec<_> = locked(&self.entries)
            .iter()
            .filter(|(id, entry)| !entry.meta.pinned && id.as_str() != newest && entry.bytes.is_some())
            .map(|(id, _)| (disk::used(&self.folder.join(id)).unwrap_or(SystemTime::UNIX_EPOCH), id.clone()))
            .collect();
        found.sort();
        for (_, id) in found {
            if self.bytes() <= limit {
                return;
            }
            match self.delete(&id) {
                Ok(()) => tracing::info!("the reading {id} was removed to make room"),
                Err(error) => tracing::warn!("{error}"),
            }
        }
        if self.bytes() > limit {
            tracing::warn!("readings take {} bytes, of {limit}: all others are pinned", self.bytes());
        }
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
    /// Whether this process knows what becomes of it.
    const fn is_settled(&self) -> bool {
        !matches!(self.state, State::Waiting)
    }

    fn found(mut meta: Meta, found: disk::Found) -> Self {
        if found.unusable {
            meta.error = None;
        }
        let state = match (found.facts, &meta.error) {
            (Some(facts), _) => State::Ready(facts),
            (None, Some(error)) => State::Failed(error.clone()),
            (None, None) => State::Waiting,
        };
        Self { meta, state, cancel: Arc::default(), bytes: found.bytes }
    }
}
