//! Files that some generated tasks take their questions from.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

pub(super) use crate::datasets::files::text as read;
use crate::error::EvalError;
use crate::task::Request;

/// The first file of the data folder, or of a folder directly in it, that one of `names` matches: a name, or the beginning
/// and the end of one with `*` between them; plain or with `.zst` behind it.
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
    let failed = |source| EvalError::File { path: folder.display().to_string(), source };
    let mut there = inside(folder).map_err(failed)?;
    let deeper = there.iter().filter(|path| path.is_dir()).filter_map(|path| inside(path).ok());
    there.extend(deeper.flatten().collect::<Vec<_>>());
    let fits = |name: &str, path: &Path| {
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or("");
        let file = file.strip_suffix(".zst").unwrap_or(file);
        match name.split_once('*') {
            Some((begin, end)) => {
                file.len() >= begin.len() + end.len() && file.starts_with(begin) && file.ends_with(end)
            }
            None => file == name,
        }
    };
    names
        .iter()
        .find_map(|name| there.iter().find(|path| fits(name, path) && path.is_file()))
        .cloned()
        .ok_or_else(|| {
            EvalError::Nothing(format!(
                "{task} needs {what}: there is no {wanted} in {}; put it there",
                folder.display()
            ))
        })
}

/// What stands directly in a folder, in order.
fn inside(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    Ok(paths)
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
        std::fs::create_dir(folder.path().join("stories")).unwrap();
        std::fs::write(folder.path().join("stories/qa1_x_test.txt"), "text").unwrap();
        std::fs::write(folder.path().join("stories/qa5_x.txt.zst"), "").unwrap();
        let values = crate::synthetic::passkey_values();
        let request = Request { data: Some(folder.path()), ..Request::new(&values, &Words) };
        let found = find(&request, "task", &["qa2_*.txt", "qa1_*_test.txt"], "stories").unwrap();
        assert_eq!(read(&found).unwrap(), "text");
        assert!(
            find(&request, "task", &["qa5_*.txt"], "stories").unwrap().ends_with("stories/qa5_x.txt.zst")
        );
        let error = find(&request, "task", &["qa3_*.txt"], "stories").unwrap_err().to_string();
        assert!(error.contains("qa3_*.txt") && error.contains("stories"), "{error}");
        let error =
            find(&Request { data: None, ..request }, "task", &["a.json"], "stories").unwrap_err().to_string();
        assert!(error.contains("a.json") && error.contains("folder"), "{error}");
        assert!(matches!(parse::<Vec<u8>>(&found, "[1,\nx]"), Err(EvalError::Line { line: 2, .. })));
    }
}
