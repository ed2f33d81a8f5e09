//! The text files of the repository.

use std::io;
use std::path::Path;

/// A text file and its path relative to the root, with `/` between folders.
pub(crate) struct TextFile {
    /// Relative path.
    pub(crate) path: String,
    /// Content.
    pub(crate) text: String,
}

/// Folders that hold nothing written by hand.
const SKIPPED: &[&str] =
    &[".git", "target", "node_modules", ".venv", "__pycache__", "fixtures", "corpus", "artifacts"];
/// Results of measurements, written by programs.
const SKIPPED_PATHS: &[&str] = &["docs/results"];
const ENDINGS: &[&str] = &["rs", "py", "sh", "toml", "md", "yml", "yaml", "html", "css", "ts"];
const NAMES: &[&str] = &["Makefile", "run"];

/// Reads every text file below `root` that people write, in a fixed order.
pub(crate) fn read(root: &Path) -> io::Result<Vec<TextFile>> {
    let mut files = Vec::new();
    walk(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<TextFile>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED.contains(&name.as_str()) && !SKIPPED_PATHS.contains(&path.as_str()) {
                walk(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if kind.is_file() && is_source(&name) {
            // A file that is not UTF-8 is data, whatever its name.
            if let Ok(text) = std::fs::read_to_string(entry.path()) {
                files.push(TextFile { path, text });
            }
        }
    }
    Ok(())
}

fn is_source(name: &str) -> bool {
    NAMES.contains(&name) || name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}
