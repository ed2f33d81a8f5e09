//! The folder that models are kept in.

use std::path::PathBuf;

/// Environment variable that names the folder instead of the platform's own.
pub const CACHE_VARIABLE: &str = "LOCI_CACHE";

/// The folder for model files: `$LOCI_CACHE/models`, or `loci/models` in the platform's folder for caches.
/// `None` when the environment names neither.
pub fn model_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set(CACHE_VARIABLE) {
        return Some(folder.join("models"));
    }
    let caches = if cfg!(target_os = "macos") {
        set("HOME")?.join("Library").join("Caches")
    } else if cfg!(windows) {
        set("LOCALAPPDATA")?
    } else {
        // A relative value is to be ignored, says the specification of these variables.
        match set("XDG_CACHE_HOME").filter(|path| path.is_absolute()) {
            Some(folder) => folder,
            None => set("HOME")?.join(".cache"),
        }
    };
    Some(caches.join("loci").join("models"))
}
