//! Methods with their parameters in a TOML file.
//!
//! ```toml
//! [method]
//! id = "inf-llm"
//! window = 2048
//! top_k = 16
//! ```

use std::path::{Path, PathBuf};

use loci_context::MethodSpec;
use loci_models::method::ParameterError;

/// Why a method file was refused.
#[derive(Debug, thiserror::Error)]
pub enum MethodFileError {
    /// It could not be read.
    #[error("the method file {path} could not be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is not TOML, or not of the right form.
    #[error(
        "the method file {path} is not valid: {reason}; it needs a table [method] with id = \"…\" and the parameters that differ from their defaults"
    )]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A parameter was refused.
    #[error("the method file {path}: {source}")]
    Parameter {
        /// The file.
        path: PathBuf,
        /// Which one, and what would do.
        source: ParameterError,
    },
}

/// Reads the method of a TOML file.
///
/// # Errors
/// [`MethodFileError`] with the file's name.
pub fn read(path: &Path) -> Result<MethodSpec, MethodFileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| MethodFileError::Read { path: path.to_owned(), source })?;
    let typed = as_typed(&text).map_err(|reason| MethodFileError::Form { path: path.to_owned(), reason })?;
    MethodSpec::parse(&typed).map_err(|source| MethodFileError::Parameter { path: path.to_owned(), source })
}

/// The method as one would type it: `id:name=value,…`.
fn as_typed(text: &str) -> Result<String, String> {
    let file: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    if let Some(other) = file.keys().find(|key| *key != "method") {
        return Err(format!("{other:?} means nothing here"));
    }
    let Some(toml::Value::Table(method)) = file.get("method") else {
        return Err("there is no table [method]".to_owned());
    };
    let Some(toml::Value::String(id)) = method.get("id") else {
        return Err("[method] has no id".to_owned());
    };
    let mut items = Vec::new();
    for (name, value) in method.iter().filter(|(name, _)| *name != "id") {
        let value = match value {
            toml::Value::String(word) if !word.contains([',', '=']) => word.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            other => return Err(format!("{name} = {other} is neither a number, a word nor true or false")),
        };
        items.push(format!("{name}={value}"));
    }
    Ok(if items.is_empty() { id.clone() } else { format!("{id}:{}", items.join(",")) })
}

#[cfg(test)]
mod tests {
    use super::as_typed;

    #[test]
    fn a_table_becomes_the_typed_form() {
        let text = "[method]\nid = \"inf-llm\"\nwindow = 2048\ndecay = 0.5\nexact = true\nindex = \"mean\"\n";
        let mut parts: Vec<String> =
            as_typed(text).unwrap().strip_prefix("inf-llm:").unwrap().split(',').map(str::to_owned).collect();
        parts.sort();
        assert_eq!(parts, ["decay=0.5", "exact=true", "index=mean", "window=2048"]);
        assert_eq!(as_typed("[method]\nid = \"full\"").unwrap(), "full");
    }

    #[test]
    fn other_forms_are_refused_with_a_reason() {
        for (text, reason) in [
            ("", "no table"),
            ("method = 3", "no table"),
            ("[method]\nwindow = 1", "no id"),
            ("[method]\nid = \"full\"\n[extra]\na = 1", "extra"),
            ("[method]\nid = \"full\"\nwindow = [1, 2]", "window"),
            ("[method]\nid = \"full\"\nword = \"a,b=3\"", "word"),
            ("[method", "expected"),
        ] {
            let found = as_typed(text).unwrap_err();
            assert!(found.contains(reason), "{text:?}: {found}");
        }
    }
}
