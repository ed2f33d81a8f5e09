//! Read-only mapping of a file into memory.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use bytes::Bytes;

/// A file mapped read-only; dereferences to its bytes.
///
/// The file must not be shortened while it is mapped: touching a page behind its new end would end the
/// process. Model files are written under a temporary name and renamed, so ours never are.
#[derive(Debug)]
pub struct Mapping {
    map: Option<memmap2::Mmap>,
}

impl Mapping {
    /// Maps the whole file at `path`. An empty file gives an empty mapping.
    ///
    /// # Errors
    /// When the file cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
        }
        if metadata.len() == 0 {
            return Ok(Self { map: None });
        }
        // SAFETY: the mapping is private and read-only; the file is not shortened by this program (see above).
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self { map: Some(map) })
    }

    /// The file's bytes, to be shared: the mapping lasts as long as any part of them is held.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// Tells the system that `range` will not be read again soon, so that its pages stop counting as
    /// resident. Only a hint: errors are ignored and the bytes stay readable.
    pub fn release(&self, range: std::ops::Range<usize>) {
        #[cfg(unix)]
        if let Some(map) = &self.map {
            let end = range.end.min(map.len());
            if range.start < end {
                // SAFETY: the mapping is read-only and backed by a file, so dropped pages are read again
                // from it unchanged.
                let _hint = unsafe {
                    map.unchecked_advise_range(
                        memmap2::UncheckedAdvice::DontNeed,
                        range.start,
                        end - range.start,
                    )
                };
            }
        }
        #[cfg(not(unix))]
        let _unused = range;
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.as_deref().unwrap_or(&[])
    }
}
