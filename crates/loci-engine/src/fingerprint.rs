//! What names a model whatever it is called and wherever it lies.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Pieces of a model file that its fingerprint is made of, and bytes of each.
const PIECES: u64 = 16;
const PIECE: u64 = 1 << 16;

/// Kinds of files that a model in a folder consists of.
const KINDS: [&str; 4] = ["safetensors", "json", "jinja", "model"];

/// Of a file its size and pieces of it, hashed; of a folder the same of its configuration, tokenizer and weights together.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn of(path: &Path) -> io::Result<String> {
    if path.is_file() {
        return of_file(path);
    }
    let mut parts = Vec::new();
    for file in std::fs::read_dir(path)? {
        let file = file?.path();
        let kind = file.extension().and_then(OsStr::to_str).unwrap_or_default();
        if KINDS.contains(&kind) && file.is_file() {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            parts.push(format!("{name} {}\n", of_file(&file)?));
        }
    }
    parts.sort();
    let hash = blake3::hash(parts.concat().as_bytes()).to_hex();
    Ok(hash.get(..32).unwrap_or(&hash).to_owned())
}

/// Its size and sixteen pieces of it, hashed. Reading all of a large file would take longer than an answer.
fn of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut hash = Sha256::new();
    hash.update(size.to_le_bytes());
    let (mut piece, reach) = (Vec::new(), size.saturating_sub(PIECE));
    for number in 0..PIECES {
        // The last piece ends where the file does; in two steps, so that no product is too large.
        let start = reach / (PIECES - 1) * number + reach % (PIECES - 1) * number / (PIECES - 1);
        file.seek(SeekFrom::Start(start))?;
        piece.clear();
        Read::by_ref(&mut file).take(PIECE).read_to_end(&mut piece)?;
        hash.update(&piece);
    }
    let mut name = String::new();
    for byte in hash.finalize().iter().take(16) {
        // Writing to a string cannot fail.
        let _done = write!(name, "{byte:02x}");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_tell_files_apart_by_content_not_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            of_file(&path).unwrap()
        };
        let mut bytes = vec![7; 3_000_000];
        let first = file("a", &bytes);
        assert_eq!(first, file("b", &bytes));
        *bytes.last_mut().unwrap() = 8;
        assert_ne!(first, file("a", &bytes));
        assert_ne!(file("c", b""), file("d", b"x"));
        assert!(of_file(folder.path()).is_err(), "a folder is no file");
        file("x.safetensors", b"one");
        let whole = of(folder.path()).unwrap();
        file("notes.txt", b"x");
        assert_eq!(whole, of(folder.path()).unwrap());
        file("x.safetensors", b"two");
        assert_ne!(whole, of(folder.path()).unwrap());
    }
}
