//! Files that some generated tasks take their questions from.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::error::EvalError;
use crate::task::Request;

/// The first file of the data folder that one of `names` matches: a name, or the beginning and the end of one with `*`
/// between them.
///
/// # Errors
/// [`EvalError::Nothing`] without a folder or such a file, [`EvalError::File`] for a folder that cannot be read.
pub(super) fn find(
    request: &Request<'_>,
    task: &str,
    names: &[&str],
    what: &str,
) -> Result<PathBuf, EvalError> {
    let wanted = names.join(" or ");
    let Some(folder) = request.data else {
        return Err(EvalError::Nothing(format!(
            "{task} needs {what}: put {wanted} into a folder and name the folder as the data folder"
        )));
    };
    let mut there: Vec<String> = std::fs::read_dir(folder)
        .map_err(|source| EvalError::File { path: folder.display().to_string(), source })?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    there.sort();
    let fits = |name: &str, file: &str| match name.split_once('*') {
        Some((begin, end)) => {
            file.len() >= begin.len() + end.len() && file.starts_with(begin) && file.ends_with(end)
        }
        None => file == name,
    };
    names
        .iter()
        .find_map(|name| there.iter().find(|file| fits(name, file)))
        .map(|file| folder.join(file))
        .ok_or_else(|| {
            EvalError::Nothing(format!(
                "{task} needs {what}: there is no {wanted} in {}; put it there",
                folder.display()
            ))
        })
}

/// A file's text.
///
/// # Errors
/// [`EvalError::File`].
pub(super) fn read(path: &Path) -> Result<String, EvalError> {
    std::fs::read_to_string(path)
        .map_err(|source| EvalError::File { path: path.display().to_string(), source })
}

/// A text as JSON.
///
/// # Errors
/// [`EvalError::Line`] for what is not of the format.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, EvalError> {
    serde_json::from_str(text).map_err(|error| EvalError::Line {
        path: path.display().to_string(),
        line: error.line(),
        message: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Words;

    #[test]
    fn files_are_found_by_pattern_and_their_lack_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("qa1_x_test.txt"), "text").unwrap();
        let values = crate::synthetic::passkey_values();
        let request = Request { data: Some(folder.path()), ..Request::new(&values, &Words) };
        let found = find(&request, "task", &["qa2_*.txt", "qa1_*_test.txt"], "stories").unwrap();
        assert_eq!(read(&found).unwrap(), "text");
        let error = find(&request, "task", &["qa3_*.txt"], "stories").unwrap_err().to_string();
        assert!(error.contains("qa3_*.txt") && error.contains("stories"), "{error}");
        let error =
            find(&Request { data: None, ..request }, "task", &["a.json"], "stories").unwrap_err().to_string();
        assert!(error.contains("a.json") && error.contains("folder"), "{error}");
        assert!(matches!(parse::<Vec<u8>>(&found, "[1,\nx]"), Err(EvalError::Line { line: 2, .. })));
    }
}
