//! The folder of readings: for each, what it is (`about.json`), its texts (`documents.json`) and what was read
//! (`reading.loci`).
//!
//! Several processes may use it at once. Folders come and go under the lock of the whole ([`Whole`]); a text is read by the
//! one that holds its lock ([`Claim`]). The system lets go of both when a process ends, however it ends.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use loci_engine::documents::Document;
use loci_engine::saved::Facts;
use loci_engine::{Reading, files};
use serde::{Deserialize, Serialize};

use super::DocumentView;

/// Name of the saved reading in its folder.
pub(super) const READING: &str = "reading.loci";
const ABOUT: &str = "about.json";
const DOCUMENTS: &str = "documents.json";
/// Names of the files that are locked.
const WHOLE: &str = ".lock";
const CLAIM: &str = "lock";
/// Beginning of names that mean nothing yet, or nothing any more.
const PASSING: &str = ".passing-";

/// What a reading is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// How requests call it.
    pub id: String,
    /// How people call it.
    pub name: String,
    /// The model that reads it.
    pub model: String,
    /// The method as asked for.
    pub method: Option<String>,
    /// Bytes that its context may take.
    pub budget: Option<usize>,
    /// Seconds since 1970.
    pub created: u64,
    /// Whether it is to be kept.
    pub pinned: bool,
    /// Why it could not be read.
    pub error: Option<String>,
    /// Its documents.
    pub documents: Vec<DocumentView>,
}

/// Nobody else makes, removes or looks for readings.
pub(super) struct Whole(#[expect(dead_code, reason = "held, not used")] File);

/// Nobody else reads this text.
#[derive(Debug)]
pub(super) struct Claim(#[expect(dead_code, reason = "held, not used")] File);

fn lock_file(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

/// Waits for the lock of `folder`.
pub(super) fn whole(folder: &Path) -> io::Result<Whole> {
    let file = lock_file(&folder.join(WHOLE))?;
    file.lock()?;
    Ok(Whole(file))
}

/// The lock of the reading in `path`, unless another holds it. Its file stays: a lock on a file that is removed and made
/// anew would be two locks.
pub(super) fn claim(path: &Path) -> io::Result<Option<Claim>> {
    let file = lock_file(&path.join(CLAIM))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Claim(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Notes that the reading in `path` is used now: its lock file bears the time.
pub(super) fn touch(path: &Path) -> io::Result<()> {
    lock_file(&path.join(CLAIM))?.set_modified(SystemTime::now())
}

/// When the reading in `path` was used last.
pub(super) fn used(path: &Path) -> io::Result<SystemTime> {
    std::fs::metadata(path.join(CLAIM))?.modified()
}

#[derive(Serialize, Deserialize)]
struct Text {
    name: String,
    text: String,
}

/// What is there of a reading.
#[derive(Default)]
pub(super) struct Found {
    pub(super) facts: Option<Box<Facts>>,
    pub(super) bytes: Option<u64>,
    /// There is a file, but a damaged one or of another version.
    pub(super) unusable: bool,
}

/// All readings of `folder`; what was left half way is removed. `known` are left as they are, but for their [`Meta`]. `say`
/// hears what is strange.
pub(super) fn scan(
    folder: &Path,
    _held: &Whole,
    known: impl Fn(&str) -> bool,
    say: &dyn Fn(String),
) -> io::Result<Vec<(Meta, Option<Found>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(PASSING) {
            std::fs::remove_dir_all(&path)?;
            continue;
        }
        if !path.is_dir() {
            continue;
        }
        match meta(&path) {
            Ok(meta) if meta.id == name => {
                let look = (!known(&name)).then(|| look(&path, say));
                found.push((meta, look));
            }
            Ok(meta) => say(format!("{} calls itself {} and is left alone", path.display(), meta.id)),
            Err(error) => say(format!("{} is no reading ({error}) and is left alone", path.display())),
        }
    }
    Ok(found)
}

/// Removes what a process that was killed had begun to write.
fn sweep(path: &Path) {
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if ![ABOUT, DOCUMENTS, READING, CLAIM].iter().any(|known| name == *known)
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            tracing::warn!("{} cannot be removed: {error}", entry.path().display());
        }
    }
}

fn meta(path: &Path) -> io::Result<Meta> {
    let bytes = std::fs::read(path.join(ABOUT))?;
    serde_json::from_slice(&bytes).map_err(io::Error::other)
}

fn look(path: &Path, say: &dyn Fn(String)) -> Found {
    let file = path.join(READING);
    // Whoever reads it just now writes there.
    if let Ok(Some(_ours)) = claim(path) {
        sweep(path);
    }
    let Ok(size) = std::fs::metadata(&file) else { return Found::default() };
    match Reading::describe(&file) {
        Ok(facts) => Found { facts: Some(Box::new(facts)), bytes: Some(size.len()), unusable: false },
        Err(error) => {
            say(format!("{error}; it will be read again"));
            Found { unusable: true, ..Found::default() }
        }
    }
}

/// Puts a new reading into `folder`, whole or not at all, for this process to read.
pub(super) fn create(folder: &Path, _held: &Whole, meta: &Meta, documents: &[Document]) -> io::Result<Claim> {
    let passing = folder.join(format!("{PASSING}{}", meta.id));
    std::fs::create_dir(&passing)?;
    let texts: Vec<Text> = documents
        .iter()
        .map(|document| Text { name: document.name.clone(), text: document.text.clone() })
        .collect();
    let path = folder.join(&meta.id);
    let put = || -> io::Result<Claim> {
        files::write(&passing.join(DOCUMENTS), serde_json::to_vec(&texts)?)?;
        write_meta(&passing, meta)?;
        std::fs::rename(&passing, &path)?;
        files::sync_names(&path);
        claim(&path)?.ok_or_else(|| io::Error::other("another process took it"))
    };
    put().inspect_err(|_| {
        let _left = std::fs::remove_dir_all(&passing);
    })
}

/// The texts of a reading.
pub(super) fn documents(path: &Path) -> io::Result<Vec<Document>> {
    let bytes = std::fs::read(path.join(DOCUMENTS))?;
    let texts: Vec<Text> = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
    Ok(texts.into_iter().map(|text| Document { name: text.name, text: text.text }).collect())
}

/// Writes what a reading is.
pub(super) fn write_meta(path: &Path, meta: &Meta) -> io::Result<()> {
    files::write(&path.join(ABOUT), serde_json::to_vec_pretty(meta)?)
}

/// Removes a reading: it is gone at once, its bytes soon.
pub(super) fn remove(folder: &Path, _held: &Whole, id: &str) -> io::Result<()> {
    let passing = folder.join(format!("{PASSING}{id}"));
    std::fs::rename(folder.join(id), &passing)?;
    files::sync_names(&passing);
    std::fs::remove_dir_all(passing)
}
