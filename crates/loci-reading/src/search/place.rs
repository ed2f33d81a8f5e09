//! The folder that an index lies in: its files, who may write to them, and what is never touched.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use loci_engine::files;
use loci_engine::model_store::model_folder;
use serde::{Deserialize, Serialize};

use super::error::SearchError;

/// Says that a folder is an index, and of which folder.
const MARK: &str = "loci-search.json";
const LOCK: &str = "lock";
pub(super) const WORDS: &str = "words";
const MANIFEST: &str = "manifest-";
const VECTORS: &str = "vectors-";

/// How often a lock that another holds is tried.
const PAUSE: Duration = Duration::from_millis(50);

/// Where an index lies. Nothing is written to a folder with other things in it, and nothing removed but what an index is made
/// of.
#[derive(Clone, Debug)]
pub(super) struct Place {
    at: PathBuf,
    patience: Duration,
}

/// Held while the index is read (by several) or written (by one).
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

#[derive(Serialize, Deserialize)]
struct Mark {
    /// For people.
    folder: String,
    /// The hash of the folder's path.
    of: String,
}

/// Where the index of `folder` lies if no other place is named: in the user's folder for caches, under a name made from the
/// folder's path. `None` where no folder for caches is known.
///
/// # Errors
/// [`SearchError::Folder`] when the folder is not there.
pub fn standard_place(folder: &Path) -> Result<Option<PathBuf>, SearchError> {
    let folder = canonical(folder)?;
    let name = hash_of_path(&folder);
    let name = name.get(..32).unwrap_or(&name);
    Ok(all().map(|all| all.join(name)))
}

/// Where indexes lie that have no other place.
pub(super) fn all() -> Option<PathBuf> {
    model_folder().and_then(|models| Some(models.parent()?.join("search")))
}

/// The folder whose index lies in `at`, for people; `None` where there is none.
pub(super) fn folder_of(at: &Path) -> Option<String> {
    let mark = std::fs::read(at.join(MARK)).ok()?;
    Some(serde_json::from_slice::<Mark>(&mark).ok()?.folder)
}

/// The one path of `folder`.
pub(super) fn canonical(folder: &Path) -> Result<PathBuf, SearchError> {
    let path =
        folder.canonicalize().map_err(|source| SearchError::Folder { folder: folder.to_owned(), source })?;
    if path.is_dir() { Ok(path) } else { Err(SearchError::NotAFolder { path: folder.to_owned() }) }
}

fn hash_of_path(path: &Path) -> String {
    blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex().to_string()
}

impl Place {
    /// The index of `folder`, a canonical path, in `at`, which is made if it is not there. Nobody else may look into it: it
    /// holds what the files say.
    pub(super) fn claim(at: &Path, folder: &Path, patience: Duration) -> Result<Self, SearchError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(at).map_err(SearchError::place(at))?;
        // Whoever walks through the folder compares with it.
        let at = at.canonicalize().map_err(SearchError::place(at))?;
        let place = Self { at, patience };
        let path = place.at.join(MARK);
        let mark = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Mark>(&bytes).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                place.check_empty()?;
                None
            }
            Err(error) => return Err(SearchError::place(&path)(error)),
        };
        let of = hash_of_path(folder);
        match mark {
            Some(mark) if mark.of == of => {}
            Some(mark) => {
                return Err(SearchError::OtherFolder {
                    at: place.at,
                    of: mark.folder,
                    asked: folder.to_owned(),
                });
            }
            None => {
                let mark = Mark { folder: folder.display().to_string(), of };
                let written = serde_json::to_vec(&mark).map_err(io::Error::from);
                written.and_then(|mark| files::write(&path, mark)).map_err(SearchError::place(&path))?;
            }
        }
        Ok(place)
    }

    /// The index that was found in `at`.
    pub(super) fn found(at: &Path, patience: Duration) -> Self {
        Self { at: at.to_owned(), patience }
    }

    fn check_empty(&self) -> Result<(), SearchError> {
        // Another process may be writing its mark at this moment, under a name of its own.
        let part = format!(".{MARK}");
        for name in self.names()? {
            if name != MARK && !name.starts_with(&part) {
                return Err(SearchError::NotAnIndex { at: self.at.clone() });
            }
        }
        Ok(())
    }

    /// Names in the folder.
    fn names(&self) -> Result<Vec<String>, SearchError> {
        let entries = std::fs::read_dir(&self.at).map_err(SearchError::place(&self.at))?;
        entries
            .map(|entry| {
                Ok(entry.map_err(SearchError::place(&self.at))?.file_name().to_string_lossy().into_owned())
            })
            .collect()
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.at
    }

    /// The folder with the index of words.
    pub(super) fn words(&self) -> PathBuf {
        self.at.join(WORDS)
    }

    /// The manifest that a commit of the index of words names.
    pub(super) fn manifest(&self, name: &str) -> PathBuf {
        self.at.join(format!("{MANIFEST}{name}.json"))
    }

    /// The vectors of the encoder called `name`.
    pub(super) fn vectors(&self, name: &str) -> PathBuf {
        let hash = blake3::hash(name.as_bytes()).to_hex();
        self.at.join(format!("{VECTORS}{}.f32", hash.get(..16).unwrap_or("")))
    }

    /// Waits until nobody writes.
    pub(super) fn lock_shared(&self) -> Result<Lock, SearchError> {
        self.lock(File::try_lock_shared)
    }

    /// Waits until nobody else reads or writes.
    pub(super) fn lock_alone(&self) -> Result<Lock, SearchError> {
        self.lock(File::try_lock)
    }

    fn lock(&self, lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<Lock, SearchError> {
        let path = self.at.join(LOCK);
        // The file stays: a lock on a file that is removed and made anew would be two locks.
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(SearchError::place(&path))?;
        let started = Instant::now();
        loop {
            match lock(&file) {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::WouldBlock) if started.elapsed() < self.patience => {
                    std::thread::sleep(PAUSE)
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(SearchError::Busy { at: self.at.clone(), seconds: self.patience.as_secs() });
                }
                Err(TryLockError::Error(error)) => return Err(SearchError::place(&path)(error)),
            }
        }
    }

    /// Removes the index of words and its manifests. Vectors stay: they are found by what passages say.
    pub(super) fn clear(&self, held: &Lock) -> Result<(), SearchError> {
        let words = self.words();
        match std::fs::remove_dir_all(&words) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SearchError::place(&words)(error)),
            _ => self.tidy(None, held),
        }
    }

    /// Removes everything but mark and lock.
    pub(super) fn empty(&self, held: &Lock) -> Result<(), SearchError> {
        self.clear(held)?;
        for name in self.names()?.iter().filter(|name| name.starts_with(VECTORS)) {
            let path = self.at.join(name);
            std::fs::remove_file(&path).map_err(SearchError::place(&path))?;
        }
        Ok(())
    }

    /// Removes all manifests but the one called `keep`, and what processes that ended half way have left.
    pub(super) fn tidy(&self, keep: Option<&str>, _held: &Lock) -> Result<(), SearchError> {
        let keep = keep.map(|name| self.manifest(name));
        for name in self.names()? {
            let path = self.at.join(&name);
            let manifest = name.starts_with(MANIFEST) || name.starts_with(&format!(".{MANIFEST}"));
            if manifest && keep.as_ref() != Some(&path) {
                // What stays is only room that is lost.
                let _best_effort = std::fs::remove_file(&path);
            }
        }
        Ok(())
    }
}
