//! Plain binary form of a saved memory: little-endian numbers, lengths before contents.

use std::io::{Read, Write};

use loci_models::memory::MemoryError;

/// Numbers that are read at once, so that a damaged length cannot ask for memory that the file does not fill.
const CHUNK: usize = 1 << 16;

/// Writes the state of a memory.
pub struct Writer<'a> {
    out: &'a mut dyn Write,
}

/// Reads the state of a memory.
pub struct Reader<'a> {
    from: &'a mut dyn Read,
}

fn failed(error: std::io::Error) -> MemoryError {
    MemoryError::Saved(error.to_string())
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), MemoryError> {
        self.number(bytes.len())?;
        self.out.write_all(bytes).map_err(failed)
    }

    pub(crate) fn number(&mut self, number: usize) -> Result<(), MemoryError> {
        self.out.write_all(&(number as u64).to_le_bytes()).map_err(failed)
    }

    pub(crate) fn numbers(&mut self, numbers: &[usize]) -> Result<(), MemoryError> {
        self.number(numbers.len())?;
        numbers.iter().try_for_each(|number| self.number(*number))
    }

    pub(crate) fn floats(&mut self, numbers: &[f32]) -> Result<(), MemoryError> {
        self.number(numbers.len())?;
        numbers.iter().try_for_each(|number| self.out.write_all(&number.to_le_bytes()).map_err(failed))
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(from: &'a mut dyn Read) -> Self {
        Self { from }
    }

    pub(crate) fn number(&mut self) -> Result<usize, MemoryError> {
        let mut bytes = [0; 8];
        self.from.read_exact(&mut bytes).map_err(failed)?;
        usize::try_from(u64::from_le_bytes(bytes))
            .map_err(|_| MemoryError::Saved("a number does not fit this machine".into()))
    }

    pub(crate) fn numbers(&mut self) -> Result<Vec<usize>, MemoryError> {
        let mut numbers = Vec::new();
        for _ in 0..self.number()? {
            numbers.push(self.number()?);
        }
        Ok(numbers)
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, MemoryError> {
        let mut left = self.number()?;
        let mut bytes = Vec::new();
        while left > 0 {
            let start = bytes.len();
            bytes.resize(start + left.min(CHUNK), 0);
            self.from.read_exact(&mut bytes[start..]).map_err(failed)?;
            left -= bytes.len() - start;
        }
        Ok(bytes)
    }

    pub(crate) fn floats(&mut self) -> Result<Vec<f32>, MemoryError> {
        let mut left = self.number()?;
        let mut numbers = Vec::new();
        let mut buffer = [0; 4];
        while left > 0 {
            self.from.read_exact(&mut buffer).map_err(failed)?;
            numbers.push(f32::from_le_bytes(buffer));
            left -= 1;
        }
        Ok(numbers)
    }
}
