//! The folder of readings: for each, what it is (`about.json`), its texts (`documents.json`) and what was read
//! (`reading.loci`).

use std::io;
use std::path::Path;

use loci_engine::documents::Document;
use loci_engine::saved::Facts;
use loci_engine::{Reading, files};
use serde::{Deserialize, Serialize};

use super::DocumentView;

/// Name of the saved reading in its folder.
pub(super) const READING: &str = "reading.loci";
const ABOUT: &str = "about.json";
const DOCUMENTS: &str = "documents.json";
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

#[derive(Serialize, Deserialize)]
struct Text {
    name: String,
    text: String,
}

pub(super) struct Found {
    pub(super) meta: Meta,
    pub(super) facts: Option<Box<Facts>>,
    pub(super) bytes: Option<u64>,
}

/// All readings of `folder`, which is made if need be; what was left half way is removed.
pub(super) fn scan(folder: &Path) -> io::Result<Vec<Found>> {
    std::fs::create_dir_all(folder)?;
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
            Ok(meta) if meta.id == name => found.push(look(&path, meta)),
            Ok(meta) => tracing::warn!("{} calls itself {} and is left alone", path.display(), meta.id),
            Err(error) => tracing::warn!("{} is no reading ({error}) and is left alone", path.display()),
        }
    }
    Ok(found)
}

/// Removes what a process that was killed had begun to write.
fn sweep(path: &Path) {
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if ![ABOUT, DOCUMENTS, READING].iter().any(|known| name == *known)
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

fn look(path: &Path, mut meta: Meta) -> Found {
    let file = path.join(READING);
    sweep(path);
    let Ok(size) = std::fs::metadata(&file) else { return Found { meta, facts: None, bytes: None } };
    match Reading::describe(&file) {
        Ok(facts) => Found { meta, facts: Some(Box::new(facts)), bytes: Some(size.len()) },
        Err(error) => {
            tracing::warn!("{error}; it will be read again");
            meta.error = None;
            Found { meta, facts: None, bytes: None }
        }
    }
}

/// Puts a new reading into `folder`: whole or not at all.
pub(super) fn create(folder: &Path, meta: &Meta, documents: &[Document]) -> io::Result<()> {
    let passing = folder.join(format!("{PASSING}{}", meta.id));
    std::fs::create_dir(&passing)?;
    let texts: Vec<Text> = documents
        .iter()
        .map(|document| Text { name: document.name.clone(), text: document.text.clone() })
        .collect();
    let put = || -> io::Result<()> {
        files::write(&passing.join(DOCUMENTS), serde_json::to_vec(&texts)?)?;
        write_meta(&passing, meta)?;
        std::fs::rename(&passing, folder.join(&meta.id))?;
        files::sync_names(&passing);
        Ok(())
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
pub(super) fn remove(folder: &Path, id: &str) -> io::Result<()> {
    let passing = folder.join(format!("{PASSING}{id}"));
    std::fs::rename(folder.join(id), &passing)?;
    files::sync_names(&passing);
    std::fs::remove_dir_all(passing)
}
