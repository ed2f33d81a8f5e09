//! The models that `loci pull` knows: `catalogue.toml`, built into the program.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

const TEXT: &str = include_str!("../../catalogue.toml");

/// A model of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Name as typed.
    pub name: String,
    /// What it is, one line.
    pub title: String,
    /// Repository on the Hub.
    pub repo: String,
    /// The model's own folder in the folder for models; without it its one file lies there.
    pub folder: Option<String>,
    /// What it consists of.
    pub files: Vec<ModelFile>,
    /// Licence of the weights, as an SPDX expression.
    pub licence: String,
    /// Where the numbers above come from.
    pub note: String,
    /// A second source.
    pub fallback: Option<Fallback>,
}

impl Entry {
    /// The model's file or folder, seen from the folder for models.
    pub fn place(&self) -> &str {
        let file = || self.files.first().map_or("", |file| file.path.as_str());
        self.folder.as_deref().unwrap_or_else(file)
    }

    /// Where one of its files belongs, below the folder for models.
    pub fn target(&self, models: &Path, file: &ModelFile) -> PathBuf {
        match &self.folder {
            Some(folder) => models.join(folder).join(&file.path),
            None => models.join(&file.path),
        }
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Whether all files are there with their sizes. That tells cut files; hashes were checked when they were fetched.
    pub fn is_here(&self, models: &Path) -> bool {
        self.files.iter().all(|file| {
            std::fs::metadata(self.target(models, file)).is_ok_and(|found| found.len() == file.size)
        })
    }
}

/// A file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its place in the repository, and in the model's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// A Python package whose wheel holds the same files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// Package name on PyPI.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The folder inside the wheel that holds them.
    pub folder: String,
}

/// The built-in catalogue is not valid.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the built-in catalogue of models is not valid: {0}")]
pub struct CatalogueError(String);

#[derive(Deserialize)]
struct File {
    model: Vec<Entry>,
}

/// All entries.
///
/// # Errors
/// [`CatalogueError`] when the built-in file is not valid, which a test rules out.
pub fn entries() -> Result<&'static [Entry], CatalogueError> {
    static ENTRIES: OnceLock<Result<Vec<Entry>, CatalogueError>> = OnceLock::new();
    match ENTRIES.get_or_init(|| parse(TEXT)) {
        Ok(entries) => Ok(entries),
        Err(error) => Err(error.clone()),
    }
}

/// The entry called `name`.
///
/// # Errors
/// As [`entries`].
pub fn find(name: &str) -> Result<Option<&'static Entry>, CatalogueError> {
    Ok(entries()?.iter().find(|entry| entry.name == name))
}

/// The names of all entries.
///
/// # Errors
/// As [`entries`].
pub fn names() -> Result<Vec<&'static str>, CatalogueError> {
    Ok(entries()?.iter().map(|entry| entry.name.as_str()).collect())
}

fn parse(text: &str) -> Result<Vec<Entry>, CatalogueError> {
    let file: File = toml::from_str(text).map_err(|error| CatalogueError(error.to_string()))?;
    Ok(file.model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Component;

    #[test]
    fn the_catalogue_is_valid_and_its_names_are_unique() {
        let entries = entries().unwrap();
        assert!(find(crate::model_store::DEFAULT_MODEL).unwrap().is_some());
        assert!(find(crate::model_store::DEFAULT_ENCODER).unwrap().is_some());
        let plain =
            |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        for entry in entries {
            for file in &entry.files {
                assert_eq!(file.sha256.len(), 64, "{}", file.path);
                assert!(file.sha256.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)));
                assert!(file.size > 0 && plain(&file.path) && !file.path.contains('\\'));
            }
            assert!(
                !entry.licence.is_empty() && plain(entry.place()) && !entry.place().contains(['/', '\\'])
            );
            assert!(
                entry.files.len() == 1 || entry.folder.is_some(),
                "several files have a folder of their own"
            );
            assert_eq!(entries.iter().filter(|other| other.name == entry.name).count(), 1);
        }
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        assert!(parse("[[model]]\nname = \"x\"\nsha = \"y\"").is_err());
    }
}
