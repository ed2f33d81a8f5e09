//! Where a memory lies, whose it is, and what else forgetting has to reach.

use std::path::{Path, PathBuf};

use loci_engine::model_store::data_folder;
use loci_engine::prefix_cache::{DEFAULT_LIMIT, PrefixCache};
use loci_memory::{Memory, MemoryError, Scope, Surroundings};

use crate::error::CliError;

/// Names the memory where `--store` does not.
const VARIABLE: &str = "LOCI_MEMORY";

/// A store that can be opened any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    path: PathBuf,
    /// The folder with the readings of `loci serve`.
    data: Option<PathBuf>,
}

impl Store {
    /// The store that was named, or else the user's own.
    pub(crate) fn named(store: Option<&str>) -> Result<Self, CliError> {
        let path = match store {
            Some(store) => PathBuf::from(store),
            None => standard()?,
        };
        Ok(Self { path, data: data_folder() })
    }

    /// The same, of a server whose readings lie in `data`.
    #[cfg(feature = "serve")]
    pub(crate) fn beside(self, data: &Path) -> Self {
        Self { data: Some(data.to_owned()), ..self }
    }

    /// The memory of `scope` in it, in which `actor` acts.
    pub(crate) fn open(&self, scope: Scope, actor: &str) -> Result<Memory, MemoryError> {
        let mut memory = Memory::open_at(&self.path, scope, actor, Surroundings::of_the_system())?;
        if let Some(cache) = PrefixCache::standard(DEFAULT_LIMIT) {
            memory.also_in(Box::new(cache));
        }
        #[cfg(feature = "search")]
        memory.also_in(Box::new(super::indexes::Indexes));
        #[cfg(feature = "serve")]
        if let Some(data) = &self.data {
            memory.also_in(Box::new(loci_server::SavedReadings::of(data)));
        }
        Ok(memory)
    }
}

/// Where the memory lies unless it is named.
fn standard() -> Result<PathBuf, CliError> {
    if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let folder = data_folder().ok_or_else(|| {
        CliError::failed(
            "no folder for data is known: neither XDG_DATA_HOME nor HOME is set; name a file with --store",
        )
    })?;
    Ok(Path::new(&folder).join("memory.db"))
}
