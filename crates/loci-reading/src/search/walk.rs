//! Which files a folder holds.

use std::fs::{DirEntry, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use loci_engine::Control;

use super::error::SearchError;
use super::manifest::{LeftOut, Reason};

/// Folders of what other programs make, which nobody wrote to be read.
const SKIPPED: &[&str] = &["target", "node_modules"];

/// A file to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path in the folder, with `/` between names.
    pub(super) file: String,
    /// Its path for the system.
    pub(super) path: PathBuf,
    /// Bytes.
    pub(super) size: u64,
    /// When it was changed last, in nanoseconds since 1970.
    pub(super) modified: Option<i64>,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Sorted by path.
    pub(super) files: Vec<Found>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Walks through `folder`, but not into `except`. Hidden files and folders, and those of [`SKIPPED`], are passed over; links
/// are not followed.
pub(super) fn walk(folder: &Path, except: &Path, control: &Control<'_>) -> Result<Seen, SearchError> {
    let mut seen = Seen::default();
    // A list instead of recursion: folders may be nested deeper than a stack is.
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((path, prefix)) = open.pop() {
        if control.stopped() {
            return Err(SearchError::Interrupted { done: 0, total: seen.files.len(), what: "files" });
        }
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(source) if prefix.is_empty() => {
                return Err(SearchError::Folder { folder: folder.to_owned(), source });
            }
            Err(error) => {
                seen.left_out.push(left_out(prefix, Reason::Unreadable, &error.to_string()));
                continue;
            }
        };
        for entry in entries {
            match entry {
                Ok(entry) => look(&entry, &prefix, except, &mut open, &mut seen),
                Err(error) => {
                    seen.left_out.push(left_out(prefix.clone(), Reason::Unreadable, &error.to_string()))
                }
            }
        }
    }
    seen.files.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(seen)
}

fn look(entry: &DirEntry, prefix: &str, except: &Path, open: &mut Vec<(PathBuf, String)>, seen: &mut Seen) {
    let name = entry.file_name();
    let Some(known) = name.to_str() else {
        if !name.as_encoded_bytes().starts_with(b".") {
            let file = inside(prefix, &name.to_string_lossy());
            seen.left_out.push(left_out(file, Reason::Name, "its name is not UTF-8; rename it"));
        }
        return;
    };
    if known.starts_with('.') {
        return;
    }
    let (file, path) = (inside(prefix, known), entry.path());
    // Of the entry itself, not of what a link leads to.
    let kind = match entry.file_type() {
        Ok(kind) => kind,
        Err(error) => return seen.left_out.push(left_out(file, Reason::Unreadable, &error.to_string())),
    };
    if kind.is_symlink() {
        seen.left_out.push(left_out(file, Reason::Link, "it is a symbolic link, which is not followed"));
    } else if kind.is_dir() {
        if !SKIPPED.contains(&known) && path != except {
            open.push((path, file));
        }
    } else if kind.is_file() {
        match entry.metadata() {
            Ok(metadata) => {
                seen.files.push(Found { file, path, size: metadata.len(), modified: modified(&metadata) });
            }
            Err(error) => seen.left_out.push(left_out(file, Reason::Unreadable, &error.to_string())),
        }
    } else {
        seen.left_out.push(left_out(file, Reason::Special, "it is neither a file nor a folder"));
    }
}

fn inside(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
}

fn left_out(file: String, reason: Reason, message: &str) -> LeftOut {
    LeftOut { file, reason, message: message.to_owned() }
}

/// Nanoseconds from 1970 to the last change.
pub(super) fn modified(metadata: &Metadata) -> Option<i64> {
    match metadata.modified().ok()?.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).ok(),
        Err(before) => i64::try_from(before.duration().as_nanos()).ok().map(|nanoseconds| -nanoseconds),
    }
}
