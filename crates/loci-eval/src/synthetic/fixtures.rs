//! Small data files of our own in the formats that some tasks read.

use tempfile::TempDir;

/// A folder with all of them.
pub(super) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}
