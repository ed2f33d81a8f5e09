//! Expansions of keys from a file.

use std::collections::HashMap;
use std::path::Path;

use super::super::files::records;
use crate::error::EvalError;

/// Expansions by the keys that they expand.
#[derive(Clone, Debug)]
pub struct Expansions {
    /// Name of the file.
    pub file: String,
    by_key: HashMap<blake3::Hash, String>,
}

impl Expansions {
    /// Those of a file of JSON objects, one a line: `key`, the text of a key or its BLAKE3 hash in hexadecimal, and
    /// `expansion`, a text or a list of texts, which are joined by spaces.
    ///
    /// # Errors
    /// [`EvalError::File`] and [`EvalError::Line`] for what cannot be read, has another form, or has a key twice.
    pub fn open(path: &Path) -> Result<Self, EvalError> {
        let mut by_key = HashMap::new();
        for record in records(path)? {
            let key = record.text("key")?;
            let hash = blake3::Hash::from_hex(key).unwrap_or_else(|_| blake3::hash(key.as_bytes()));
            if by_key.insert(hash, record.all_written("expansion")?.join(" ")).is_some() {
                return Err(
                    record.error("this key stands in the file before; join its expansions in one list")
                );
            }
        }
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { file, by_key })
    }

    /// The expansion of a key; empty where there is none.
    pub(crate) fn of(&self, key: &str) -> &str {
        self.by_key.get(&blake3::hash(key.as_bytes())).map_or("", String::as_str)
    }
}
