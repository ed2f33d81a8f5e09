//! Methods with their parameters in a TOML file.
//!
//! ```toml
//! [method]
//! id = "inf-llm"
//! window = 2048
//! top_k = 16
//! ```
//!
//! With an id of several methods, such as `snap-kv+i4` or `inf-llm+segment=em-llm`, a parameter goes to the one that has it;
//! where several have it, it stands in the id itself: `id = "snap-kv:window=32+think"`.

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
    let (id, parameters) =
        method(&text).map_err(|reason| MethodFileError::Form { path: path.to_owned(), reason })?;
    let spec = MethodSpec::parse(&id).and_then(|mut spec| {
        parameters.iter().try_for_each(|(name, value)| spec.set(name, value))?;
        Ok(spec)
    });
    spec.map_err(|source| MethodFileError::Parameter { path: path.to_owned(), source })
}

/// The id of a file's method, and its parameters as one would type them.
fn method(text: &str) -> Result<(String, Vec<(String, String)>), String> {
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
    let mut parameters = Vec::new();
    for (name, value) in method.iter().filter(|(name, _)| *name != "id") {
        let value = match value {
            toml::Value::String(word) if !word.contains([',', '=']) => word.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            other => return Err(format!("{name} = {other} is neither a number, a word nor true or false")),
        };
        parameters.push((name.clone(), value));
    }
    Ok((id.clone(), parameters))
}

#[cfg(test)]
mod tests {
    use super::{method, read};

    #[test]
    fn a_table_becomes_id_and_parameters() {
        let text = "[method]\nid = \"inf-llm\"\nwindow = 2048\ndecay = 0.5\nexact = true\nindex = \"mean\"\n";
        let (id, mut parameters) = method(text).unwrap();
        parameters.sort();
        let typed: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(id, "inf-llm");
        assert_eq!(typed, ["decay=0.5", "exact=true", "index=mean", "window=2048"]);
        assert_eq!(method("[method]\nid = \"full\"").unwrap(), ("full".to_owned(), Vec::new()));
    }

    #[test]
    fn parameters_go_to_the_part_that_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("method.toml");
        let of = |id: &str, rest: &str| {
            std::fs::write(&path, format!("[method]\nid = \"{id}\"\n{rest}")).unwrap();
            read(&path).map(|spec| spec.to_string()).map_err(|error| error.to_string())
        };
        let cut = of("inf-llm+segment=surprise+i4", "window = 1024\ngamma = 2.5").unwrap();
        assert!(cut.contains("window=1024") && cut.contains("gamma=2.5") && cut.ends_with("+i4"), "{cut}");
        assert!(of("full+think", "ratio = 0.3").unwrap().contains("+think:ratio=0.3"));
        let both = of("snap-kv+think", "budget = 100").unwrap_err();
        assert!(
            both.contains("several have a parameter budget") && both.contains("snap-kv:budget=100"),
            "{both}"
        );
        assert!(of("snap-kv:budget=100+think", "ratio = 0.3").unwrap().starts_with("snap-kv:budget=100,"));
        let none = of("full+think", "windo = 3").unwrap_err();
        assert!(none.contains("full and think none has a parameter \"windo\""), "{none}");
        // What another method cuts is not cut by block_size.
        assert!(of("inf-llm+segment=surprise", "block_size = 32").unwrap_err().contains("block_size"));
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
            let found = method(text).unwrap_err();
            assert!(found.contains(reason), "{text:?}: {found}");
        }
    }
}
