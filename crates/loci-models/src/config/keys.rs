//! Settings of a JSON object, read with errors that name them.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::ModelError;

/// A JSON object whose settings are read with errors that name them.
pub(crate) struct Keys<'a> {
    /// The file, for errors.
    pub(crate) path: PathBuf,
    object: &'a Map<String, Value>,
}

impl<'a> Keys<'a> {
    pub(crate) fn new(path: &Path, object: &'a Map<String, Value>) -> Self {
        Self { path: path.to_owned(), object }
    }

    /// The setting, unless it is missing or null.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// The error for a setting of the wrong kind.
    pub(crate) fn wrong(&self, key: &str, expected: &str, found: &Value) -> ModelError {
        ModelError::setting(&self.path, key, expected, found.to_string())
    }

    /// A whole number, if given.
    pub(crate) fn size(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_u64().and_then(|value| usize::try_from(value).ok()) {
            Some(size) => Ok(Some(size)),
            None => Err(self.wrong(key, "a whole number", value)),
        }
    }

    /// A whole number that must be given.
    pub(crate) fn need(&self, key: &str) -> Result<usize, ModelError> {
        self.size(key)?.ok_or_else(|| ModelError::setting(&self.path, key, "a whole number", "nothing"))
    }

    /// A number, if given.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_f64() {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, "a number", value)),
        }
    }

    /// A yes or no, if given.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, ModelError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_bool() {
            Some(flag) => Ok(Some(flag)),
            None => Err(self.wrong(key, "true or false", value)),
        }
    }
}
