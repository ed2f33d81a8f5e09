//! Files that are there as a whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;

/// Writes a whole file or nothing: to a temporary name first, then renamed.
///
/// # Errors
/// When the system refuses.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // An ordinary file, so that it gets the rights of the user's other files; temporary ones are private.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = folder.join(format!(".{name}.{}.part", std::process::id()));
    let written = std::fs::write(&part, content).and_then(|()| install(&part, path));
    if written.is_err() {
        let _best_effort = std::fs::remove_file(&part);
    }
    written
}

/// Moves a finished file to `target` in the same file system, so that a crash leaves the old state or the new.
///
/// # Errors
/// When the system refuses.
pub(crate) fn install(finished: &Path, target: &Path) -> io::Result<()> {
    File::open(finished)?.sync_all()?;
    std::fs::rename(finished, target)?;
    // The new name lasts once its folder is written; where folders cannot be synchronised, the system does it.
    if let Some(folder) = target.parent().and_then(|folder| File::open(folder).ok()) {
        let _best_effort = folder.sync_all();
    }
    Ok(())
}
