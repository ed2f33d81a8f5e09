//! Readings that hold what is to be forgotten.

use std::path::{Path, PathBuf};

use loci_memory::{Elsewhere, Said};

use super::disk;

/// The saved readings in a data folder, of servers that run and of such that do not: those go whose documents hold what was said.
/// Servers that have one open notice within seconds.
#[derive(Clone, Debug)]
pub struct SavedReadings {
    folder: PathBuf,
}

impl SavedReadings {
    /// Those in `data`.
    pub fn of(data: &Path) -> Self {
        Self { folder: data.join(super::READINGS) }
    }

    fn holding(&self, said: &Said) -> std::io::Result<Vec<String>> {
        let mut holding = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
                continue;
            };
            if name.starts_with('.') || !path.is_dir() {
                continue;
            }
            let documents = match disk::documents(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                documents => documents?,
            };
            if documents.iter().any(|document| said.stands_in(&document.text)) {
                holding.push(name);
            }
        }
        Ok(holding)
    }
}

impl Elsewhere for SavedReadings {
    fn name(&self) -> &str {
        "saved readings"
    }

    fn remove(&mut self, said: &Said, dry_run: bool) -> Result<usize, String> {
        if !self.folder.is_dir() {
            return Ok(0);
        }
        let failed = |error: std::io::Error| format!("{}: {error}", self.folder.display());
        let held = disk::whole(&self.folder).map_err(failed)?;
        let holding = self.holding(said).map_err(failed)?;
        if !dry_run {
            holding.iter().try_for_each(|id| disk::remove(&self.folder, &held, id)).map_err(failed)?;
        }
        Ok(holding.len())
    }
}
