//! The folders that models and readings are kept in.

use std::path::PathBuf;

/// Environment variable that names the folder instead of the platform's own.
pub const CACHE_VARIABLE: &str = "LOCI_CACHE";

/// The folder for model files: `$LOCI_CACHE/models`, or `loci/models` in the platform's folder for caches.
/// `None` when the environment names neither.
pub fn model_folder() -> Option<PathBuf> {
    if let Some(folder) = set(CACHE_VARIABLE) {
        return Some(folder.join("models"));
    }
    Some(own("XDG_CACHE_HOME", ".cache", "Caches")?.join("models"))
}

/// The folder for what a user made and wants to keep: `loci` in the platform's folder for data. `None` when the environment
/// does not name it.
pub fn data_folder() -> Option<PathBuf> {
    own("XDG_DATA_HOME", ".local/share", "Application Support")
}

fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Our folder in one of the platform's, which is named by `variable` or lies at `usual` in the home folder; at `apple` in its
/// `Library` on macOS.
fn own(variable: &str, usual: &str, apple: &str) -> Option<PathBuf> {
    let folder = if cfg!(target_os = "macos") {
        set("HOME")?.join("Library").join(apple)
    } else if cfg!(windows) {
        set("LOCALAPPDATA")?
    } else {
        // A relative value is to be ignored, says the specification of these variables.
        match set(variable).filter(|path| path.is_absolute()) {
            Some(folder) => folder,
            None => set("HOME")?.join(usual),
        }
    };
    Some(folder.join("loci"))
}
