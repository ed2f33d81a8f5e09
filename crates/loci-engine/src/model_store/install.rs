//! Checking a file that was fetched.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::catalogue::ModelFile;

/// What a check of a file found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Size and hash are right.
    Right,
    /// They are not.
    Wrong {
        /// Bytes found.
        size: u64,
        /// SHA-256 found, in hexadecimal digits.
        sha256: String,
    },
}

impl Checked {
    /// The difference to `expected` in words, or `None` when there is none.
    pub fn complaint(&self, expected: &ModelFile) -> Option<String> {
        match self {
            Self::Right => None,
            Self::Wrong { size, sha256 } => Some(format!(
                "the file has {size} bytes and SHA-256 {sha256}, the catalogue says {} bytes and {}",
                expected.size, expected.sha256
            )),
        }
    }
}

/// Compares the file at `path` with the catalogue.
///
/// # Errors
/// When it cannot be read.
pub fn check(path: &Path, expected: &ModelFile) -> io::Result<Checked> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut size = 0_u64;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        size += count as u64;
        hash.update(buffer.get(..count).unwrap_or(&[]));
    }
    let mut sha256 = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a string cannot fail.
        let _done = write!(sha256, "{byte:02x}");
    }
    Ok(if size == expected.size && sha256 == expected.sha256 {
        Checked::Right
    } else {
        Checked::Wrong { size, sha256 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::install;

    #[test]
    fn size_and_hash_are_both_compared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "abc").unwrap();
        // The standard's own example.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        let mut file = ModelFile { path: "file".to_owned(), size: 3, sha256 };
        assert_eq!(check(&path, &file).unwrap(), Checked::Right);
        file.size = 4;
        let complaint = check(&path, &file).unwrap().complaint(&file).unwrap();
        assert!(complaint.contains("3 bytes") && complaint.contains("4 bytes"), "{complaint}");
        install(&path, &folder.path().join("there")).unwrap();
        assert!(!path.exists() && folder.path().join("there").exists());
    }
}
