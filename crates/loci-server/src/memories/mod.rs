//! The memories of the users that the server serves, in one store.

mod extraction;

use std::sync::{Arc, Mutex};

use loci_memory::{Memory, MemoryError, Scope};

pub(crate) use extraction::Extraction;

use crate::error::ApiError;
use crate::state::App;
use crate::worker::locked;

/// Opens the store once more: each thread that works on it has it to itself.
pub type Open = Arc<dyn Fn() -> Result<Memory, MemoryError> + Send + Sync>;

/// What the server was told of memories.
#[derive(Clone)]
pub struct MemorySettings {
    /// Opens the store. What forgetting has to reach outside it is named there, but for the server's own readings.
    pub open: Open,
    /// Whose memory is meant where a request does not say.
    pub user: String,
    /// The id of the model that finds facts, names and events in what was told; none: nobody looks.
    pub extract: Option<String>,
}

impl std::fmt::Debug for MemorySettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "memory of {} by default, extraction by {:?}", self.user, self.extract)
    }
}

/// Memories that stay open: as many as are used at once, at most.
const OPEN: usize = 4;

/// The memories; see the [module documentation](self).
#[derive(Default)]
pub struct Memories {
    free: Mutex<Vec<Memory>>,
}

impl App {
    /// What the server was told of memories.
    ///
    /// # Errors
    /// [`ApiError`] when it serves none.
    pub(crate) fn memory_settings(&self) -> Result<&MemorySettings, ApiError> {
        self.settings.memory.as_ref().ok_or_else(|| {
            ApiError::not_found("memory_off", "no memory is served here; start the server with --memory")
        })
    }

    /// Whose memory a request of `tenant` means.
    ///
    /// # Errors
    /// [`ApiError`] when no memory is served, or for a name that is none.
    pub(crate) fn scope(&self, tenant: &str, user: Option<&str>) -> Result<Scope, ApiError> {
        let user = user.unwrap_or(&self.memory_settings()?.user);
        Scope::new(tenant, user).map_err(|error| ApiError::from(error).at("user"))
    }

    /// Works on the memory of `scope`. Reads and writes files.
    ///
    /// # Errors
    /// What `work` fails with, and [`ApiError`] when the store cannot be opened.
    pub(crate) fn with_memory<T>(
        &self,
        scope: Scope,
        work: impl FnOnce(&mut Memory) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let settings = self.memory_settings()?;
        let free = locked(&self.memories.free).pop();
        let mut memory = match free {
            Some(memory) => memory,
            None => (settings.open)()?,
        };
        memory.act_as(&scope.user);
        memory.turn_to(scope);
        let outcome = work(&mut memory);
        let mut free = locked(&self.memories.free);
        if free.len() < OPEN {
            free.push(memory);
        }
        outcome
    }

    /// What the server itself holds of what was forgotten goes, too: readings that are gone from the disk, and contexts.
    pub(crate) fn let_go(&self) {
        if let Err(error) = self.library.refresh() {
            tracing::warn!("the folder of readings cannot be read: {error}");
        }
        self.worker.forget();
    }
}
