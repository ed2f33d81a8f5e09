//! The file for cold pages: slots of one page each, read and written by offset.
//!
//! The file has no name (it is unlinked as soon as it is made), so nothing is left behind however the process ends.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use loci_models::memory::MemoryError;

use super::Layout;

pub(super) struct ColdFile {
    file: File,
    folder: PathBuf,
    page_bytes: usize,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    used: u64,
    free: Vec<u64>,
}

/// One page in the file; its room is used again when the last owner lets go.
pub(super) struct ColdSlot {
    file: Arc<ColdFile>,
    number: u64,
}

/// Where the file for cold pages is, or will be made when the first page is written to it.
pub(super) struct ColdPlace<'a> {
    pub(super) file: &'a mut Option<Arc<ColdFile>>,
    pub(super) folder: &'a Path,
    pub(super) layout: &'a Layout,
}

impl ColdPlace<'_> {
    pub(super) fn file(&mut self) -> Result<&Arc<ColdFile>, MemoryError> {
        let file = match self.file.take() {
            Some(file) => file,
            None => Arc::new(ColdFile::create(self.folder, self.layout.far_page_bytes())?),
        };
        Ok(self.file.insert(file))
    }
}

impl ColdFile {
    pub(super) fn create(folder: &Path, page_bytes: usize) -> Result<Self, MemoryError> {
        let file = tempfile::tempfile_in(folder)
            .map_err(|source| MemoryError::Cold { folder: folder.display().to_string(), source })?;
        Ok(Self { file, folder: folder.to_owned(), page_bytes, slots: Mutex::default() })
    }

    fn failed(&self, source: std::io::Error) -> MemoryError {
        MemoryError::Cold { folder: self.folder.display().to_string(), source }
    }

    /// Writes a page into a free slot.
    pub(super) fn write(self: &Arc<Self>, bytes: &[u8]) -> Result<ColdSlot, MemoryError> {
        if bytes.len() != self.page_bytes {
            return Err(MemoryError::Misuse(format!(
                "a cold page has {} bytes where slots have {}",
                bytes.len(),
                self.page_bytes
            )));
        }
        let number = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.free.pop().unwrap_or_else(|| {
                slots.used += 1;
                slots.used - 1
            })
        };
        // Made before writing, so that the slot is free again when writing fails.
        let slot = ColdSlot { file: Arc::clone(self), number };
        write_at(&self.file, bytes, number * self.page_bytes as u64).map_err(|source| self.failed(source))?;
        Ok(slot)
    }
}

impl ColdSlot {
    pub(super) fn read(&self) -> Result<Vec<u8>, MemoryError> {
        let mut bytes = vec![0; self.file.page_bytes];
        read_at(&self.file.file, &mut bytes, self.number * self.file.page_bytes as u64)
            .map_err(|source| self.file.failed(source))?;
        Ok(bytes)
    }
}

impl Drop for ColdSlot {
    fn drop(&mut self) {
        self.file.slots.lock().unwrap_or_else(PoisonError::into_inner).free.push(self.number);
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[read..];
        offset += read as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_keep_their_bytes_and_are_used_again() -> Result<(), MemoryError> {
        let folder = std::env::temp_dir();
        let file = Arc::new(ColdFile::create(&folder, 4)?);
        let first = file.write(b"abcd")?;
        let second = file.write(b"efgh")?;
        assert_eq!(first.read()?, b"abcd");
        drop(first);
        let third = file.write(b"ijkl")?;
        assert_eq!(third.number, 0);
        assert_eq!(second.read()?, b"efgh");
        assert_eq!(third.read()?, b"ijkl");
        assert!(file.write(b"too long").is_err());
        Ok(())
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let outcome = ColdFile::create(Path::new("/no/such/folder"), 4);
        assert!(
            matches!(outcome, Err(MemoryError::Cold { folder, .. }) if folder.contains("/no/such/folder"))
        );
    }
}
