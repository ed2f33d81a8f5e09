//! Files that are there as a whole or not at all.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a whole file or nothing: to a temporary name first, then renamed.
///
/// # Errors
/// When the system refuses.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // An ordinary file, so that it gets the rights of the user's other files; temporary ones are private.
    let part = part(path);
    let written = std::fs::write(&part, content).and_then(|()| install(&part, path));
    if written.is_err() {
        let _best_effort = std::fs::remove_file(&part);
    }
    written
}

/// A name in the folder of `target` for what is not finished yet. No other file has it: it ends in the number of the process,
/// a number of its own, and `part`.
pub(crate) fn part(target: &Path) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    target.with_file_name(format!(".{name}.{}.{number}.part", std::process::id()))
}

/// Moves a finished file to `target` in the same file system, so that a crash leaves the old state or the new.
///
/// # Errors
/// When the system refuses.
pub(crate) fn install(finished: &Path, target: &Path) -> io::Result<()> {
    File::open(finished)?.sync_all()?;
    std::fs::rename(finished, target)?;
    sync_names(target);
    Ok(())
}

/// Lets the new names in the folder of `path` last. Where folders cannot be synchronised, the system does it.
pub fn sync_names(path: &Path) {
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _best_effort = folder.sync_all();
    }
}
