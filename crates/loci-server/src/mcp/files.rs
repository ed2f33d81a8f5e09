//! Files that a tool may read: those in folders that the user named, and no others.

use std::path::{Path, PathBuf};

use loci_engine::documents::{self, Document};

use crate::error::ApiError;

/// Reads files of `allowed` folders.
///
/// # Errors
/// [`ApiError`] for a file elsewhere, wherever links lead, and for one that cannot be read.
pub(super) fn read(files: &[String], allowed: &[PathBuf]) -> Result<Vec<Document>, ApiError> {
    files.iter().map(|file| read_one(Path::new(file), allowed)).collect()
}

fn read_one(file: &Path, allowed: &[PathBuf]) -> Result<Document, ApiError> {
    let refused = |message: String| ApiError::invalid("file_not_allowed", message).at("files");
    if allowed.is_empty() {
        return Err(refused(
            "this server reads no files; start it with --allow FOLDER, or give the texts in documents"
                .to_owned(),
        ));
    }
    if !file.is_absolute() {
        return Err(refused(format!("{} is no absolute path; give the whole path", file.display())));
    }
    // What does not exist and what is not allowed look alike: a path outside tells nothing of what is there.
    let outside = || {
        let folders: Vec<String> = allowed.iter().map(|folder| folder.display().to_string()).collect();
        refused(format!("{} is no file in {}", file.display(), folders.join(" or ")))
    };
    let real = file.canonicalize().map_err(|_| outside())?;
    let inside = allowed.iter().any(|folder| folder.canonicalize().is_ok_and(|root| real.starts_with(root)));
    if !inside || !real.is_file() {
        return Err(outside());
    }
    let read =
        documents::read(&real).map_err(|error| ApiError::invalid("invalid_document", error).at("files"))?;
    Ok(Document {
        name: file.file_name().map_or(read.name, |name| name.to_string_lossy().into_owned()),
        text: read.text,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    #[test]
    fn only_files_in_allowed_folders_are_read() {
        let place = tempfile::tempdir().unwrap();
        let (open, shut) = (place.path().join("open"), place.path().join("shut"));
        std::fs::create_dir_all(open.join("deep")).unwrap();
        std::fs::create_dir(&shut).unwrap();
        std::fs::write(open.join("deep/a.txt"), "seen").unwrap();
        std::fs::write(shut.join("b.txt"), "secret").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(shut.join("b.txt"), open.join("link.txt")).unwrap();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let allowed = [open.clone()];
        let read = |path: PathBuf| read(&[text(path)], &allowed);
        let found = read(open.join("deep/a.txt")).unwrap();
        assert_eq!((found[0].name.as_str(), found[0].text.as_str()), ("a.txt", "seen"));
        for path in [
            shut.join("b.txt"),
            open.join("../shut/b.txt"),
            open.join("link.txt"),
            open.join("deep"),
            open.join("none"),
        ] {
            let error = read(path.clone()).unwrap_err().to_string();
            assert!(error.contains("is no file in"), "{}: {error}", path.display());
        }
        assert!(super::read(&["a.txt".to_owned()], &allowed).unwrap_err().to_string().contains("absolute"));
        assert!(
            super::read(&[text(open.join("deep/a.txt"))], &[]).unwrap_err().to_string().contains("--allow")
        );
    }
}
