//! Plain binary form of a saved memory: little-endian numbers, lengths before contents.

use std::io::Write;

use bytes::Bytes;
use loci_models::memory::MemoryError;

/// Rows begin at multiples of this, counted from the beginning of the state, so that they can be read where they lie.
const ALIGNMENT: usize = 64;

/// Writes the state of a memory.
pub struct Writer<'a> {
    out: &'a mut dyn Write,
    written: usize,
}

/// Reads the state of a memory.
pub struct Reader {
    from: Bytes,
    at: usize,
}

fn failed(error: std::io::Error) -> MemoryError {
    MemoryError::Saved(error.to_string())
}

fn padding(at: usize) -> usize {
    at.next_multiple_of(ALIGNMENT) - at
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, written: 0 }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), MemoryError> {
        self.written += bytes.len();
        self.out.write_all(bytes).map_err(failed)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), MemoryError> {
        self.number(bytes.len())?;
        self.put(bytes)
    }

    /// Bytes whose number the reader knows, from the next aligned place on.
    pub(crate) fn aligned(&mut self, bytes: &[u8]) -> Result<(), MemoryError> {
        self.put(&[0; ALIGNMENT][..padding(self.written)])?;
        self.put(bytes)
    }

    pub(crate) fn number(&mut self, number: usize) -> Result<(), MemoryError> {
        self.put(&(number as u64).to_le_bytes())
    }

    pub(crate) fn numbers(&mut self, numbers: &[usize]) -> Result<(), MemoryError> {
        self.number(numbers.len())?;
        numbers.iter().try_for_each(|number| self.number(*number))
    }

    pub(crate) fn floats(&mut self, numbers: &[f32]) -> Result<(), MemoryError> {
        self.number(numbers.len())?;
        match cfg!(target_endian = "little") {
            true => self.put(bytemuck::cast_slice(numbers)),
            false => numbers.iter().try_for_each(|number| self.put(&number.to_le_bytes())),
        }
    }
}

impl Reader {
    pub(crate) fn new(from: Bytes) -> Self {
        Self { from, at: 0 }
    }

    /// The next `count` bytes. A damaged count asks for more than there is, and for no memory.
    fn take(&mut self, count: usize) -> Result<&[u8], MemoryError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.from.len());
        let end = end.ok_or_else(|| {
            MemoryError::Saved(format!(
                "it ends after {} bytes, where {count} more should follow byte {}",
                self.from.len(),
                self.at
            ))
        })?;
        let taken = &self.from[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// The next number is the length of a list whose elements take `size` bytes each: the bytes of the list.
    fn list(&mut self, size: usize) -> Result<&[u8], MemoryError> {
        let bytes = self.number()?.saturating_mul(size);
        self.take(bytes)
    }

    /// Everything was read.
    pub(crate) fn finish(&self) -> Result<(), MemoryError> {
        match self.from.len() - self.at {
            0 => Ok(()),
            left => Err(MemoryError::Saved(format!("{left} bytes stand behind its end"))),
        }
    }

    pub(crate) fn number(&mut self) -> Result<usize, MemoryError> {
        let bytes = self.take(8)?.first_chunk().copied().unwrap_or_default();
        usize::try_from(u64::from_le_bytes(bytes))
            .map_err(|_| MemoryError::Saved("a number does not fit this machine".into()))
    }

    pub(crate) fn numbers(&mut self) -> Result<Vec<usize>, MemoryError> {
        let (numbers, _) = self.list(8)?.as_chunks::<8>();
        let number = |bytes: &[u8; 8]| usize::try_from(u64::from_le_bytes(*bytes)).ok();
        numbers
            .iter()
            .map(number)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| MemoryError::Saved("a number does not fit this machine".into()))
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, MemoryError> {
        Ok(self.list(1)?.to_vec())
    }

    /// The next `count` bytes, written by [`Writer::aligned`]; not copied.
    pub(crate) fn aligned(&mut self, count: usize) -> Result<Bytes, MemoryError> {
        self.take(padding(self.at))?;
        let start = self.at;
        self.take(count)?;
        Ok(self.from.slice(start..self.at))
    }

    pub(crate) fn floats(&mut self) -> Result<Vec<f32>, MemoryError> {
        let (numbers, _) = self.list(4)?.as_chunks::<4>();
        Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_aligned_bytes_are_not_copied() -> Result<(), MemoryError> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.numbers(&[3, 5])?;
        writer.floats(&[1.5, -2.0])?;
        writer.aligned(b"abc")?;
        writer.aligned(&[])?;
        writer.bytes(b"xy")?;
        let bytes = Bytes::from(out);
        let mut reader = Reader::new(bytes.clone());
        assert_eq!((reader.numbers()?, reader.floats()?), (vec![3, 5], vec![1.5, -2.0]));
        let abc = reader.aligned(3)?;
        assert_eq!((&abc[..], abc.as_ptr()), (&b"abc"[..], bytes[ALIGNMENT..].as_ptr()));
        assert!(reader.aligned(0)?.is_empty() && reader.finish().is_err());
        assert_eq!(reader.bytes()?, b"xy");
        reader.finish()
    }

    #[test]
    fn a_length_that_is_not_there_is_refused() {
        let huge = Bytes::from(u64::MAX.to_le_bytes().to_vec());
        assert!(Reader::new(huge.clone()).numbers().is_err());
        assert!(Reader::new(huge.clone()).floats().is_err());
        assert!(Reader::new(huge.clone()).bytes().is_err());
        assert!(Reader::new(huge).aligned(usize::MAX).is_err());
        assert!(Reader::new(Bytes::new()).number().is_err());
    }
}
