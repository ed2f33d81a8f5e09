//! Reading forward through bytes without ever looking behind their end.

use std::ops::Range;
use std::path::Path;

use crate::error::ModelError;

/// A place in the bytes of a file.
pub(super) struct Cursor<'a> {
    pub(super) path: &'a Path,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        Self { path, bytes, at: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `length` bytes, as a range of the file.
    pub(super) fn skip(&mut self, length: u64, what: &str) -> Result<Range<usize>, ModelError> {
        match usize::try_from(length) {
            Ok(length) if length <= self.left() => {
                let start = self.at;
                self.at += length;
                Ok(start..self.at)
            }
            _ => Err(self.damaged(
                format!("{length} bytes of {what} at byte {}", self.at),
                format!("{} bytes", self.left()),
            )),
        }
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], ModelError> {
        let range = self.skip(N as u64, what)?;
        let mut out = [0; N];
        if let Some(bytes) = self.bytes.get(range) {
            out.copy_from_slice(bytes);
        }
        Ok(out)
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, ModelError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, ModelError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A count of things of which each takes at least `least` bytes: more than the rest of the file could hold
    /// is refused here, before anybody makes room for them.
    pub(super) fn count(&mut self, least: usize, what: &str) -> Result<usize, ModelError> {
        let at = self.at;
        let count = self.u64(what)?;
        match usize::try_from(count) {
            Ok(count) if count <= self.left() / least.max(1) => Ok(count),
            _ => Err(self.damaged(
                format!("a number of {what} at byte {at} that fits the {} bytes that follow", self.left()),
                count.to_string(),
            )),
        }
    }

    /// The range of a length-prefixed text, checked to be UTF-8.
    pub(super) fn text(&mut self, what: &str) -> Result<Range<usize>, ModelError> {
        let length = self.u64(what)?;
        let range = self.skip(length, what)?;
        match self.bytes.get(range.clone()).map(std::str::from_utf8) {
            Some(Ok(_)) => Ok(range),
            _ => Err(self.damaged(format!("UTF-8 text for {what} at byte {}", range.start), "other bytes")),
        }
    }

    pub(super) fn damaged(&self, expected: impl Into<String>, found: impl Into<String>) -> ModelError {
        ModelError::damaged(self.path, expected, found)
    }
}

/// The text of a range that [`Cursor::text`] returned.
pub(super) fn text_at(bytes: &[u8], range: Range<usize>) -> &str {
    bytes.get(range).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
}
