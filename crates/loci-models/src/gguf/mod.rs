//! Reader of GGUF files, versions 2 and 3, little endian.
//!
//! A file is a header, `key: value` metadata, a list of tensors and, at an aligned offset, their data. The
//! reader copies nothing: strings, arrays and tensors stay where they are in the mapped file and are decoded
//! when asked for. Every length is checked against what is left of the file before it is used, so a hostile
//! header costs no memory.

mod cursor;
mod header;
mod value;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use loci_kernels::map::Mapping;
use loci_kernels::quant::GgmlType;

use crate::error::ModelError;
pub use value::{Array, Value, ValueType};

/// The first four bytes of every GGUF file.
pub const MAGIC: &[u8; 4] = b"GGUF";

/// One tensor of a GGUF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Number format.
    pub ty: GgmlType,
    /// Shape, rows first: the reverse of the order in the file. `[out_features, in_features]` for a matrix.
    pub shape: Vec<usize>,
    /// Where its data lies in the file.
    pub bytes: Range<usize>,
}

/// An opened GGUF file.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    content: Content,
    metadata: BTreeMap<String, value::Stored>,
    tensors: BTreeMap<String, TensorInfo>,
}

#[derive(Debug)]
enum Content {
    Mapped(Mapping),
    Owned(Vec<u8>),
}

impl std::ops::Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(mapping) => mapping,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Gguf {
    /// Maps the file and reads its header.
    ///
    /// # Errors
    /// [`ModelError`] when the file cannot be read, is damaged, or uses a version or tensor type that is not
    /// supported.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let mapping = Mapping::open(path).map_err(|source| ModelError::io(path, source))?;
        Self::parse(path, Content::Mapped(mapping))
    }

    /// Reads a file that is already in memory; `name` stands for its path in errors.
    ///
    /// # Errors
    /// As [`Gguf::open`].
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, ModelError> {
        Self::parse(Path::new(name), Content::Owned(bytes))
    }

    fn parse(path: &Path, content: Content) -> Result<Self, ModelError> {
        let header::Header { metadata, tensors } = header::parse(path, &content)?;
        Ok(Self { path: path.to_owned(), content, metadata, tensors })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The metadata value of `key`.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.metadata.get(key).map(|stored| stored.view(&self.content))
    }

    /// All metadata keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.metadata.keys().map(String::as_str)
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, info)| (name.as_str(), info))
    }

    /// A tensor and its bytes.
    pub fn tensor(&self, name: &str) -> Option<(&TensorInfo, &[u8])> {
        let info = self.tensors.get(name)?;
        Some((info, self.content.get(info.bytes.clone())?))
    }

    /// Tells the system that these bytes of the file will not be read again soon.
    pub fn release(&self, range: Range<usize>) {
        if let Content::Mapped(mapping) = &self.content {
            mapping.release(range);
        }
    }

    /// Text under `key`, if there.
    ///
    /// # Errors
    /// [`ModelError::Setting`] when the value is no text.
    pub fn text(&self, key: &str) -> Result<Option<&str>, ModelError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, "text", other)),
        }
    }

    /// A whole number that is not negative, under `key`, if there.
    ///
    /// # Errors
    /// [`ModelError::Setting`] when the value is something else.
    pub fn size(&self, key: &str) -> Result<Option<usize>, ModelError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.size() {
                Some(size) => Ok(Some(size)),
                None => Err(self.wrong(key, "a whole number", value)),
            },
        }
    }

    /// A number under `key`, if there.
    ///
    /// # Errors
    /// [`ModelError::Setting`] when the value is no finite number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.number() {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong(key, "a finite number", value)),
            },
        }
    }

    /// A flag under `key`, if there.
    ///
    /// # Errors
    /// [`ModelError::Setting`] when the value is no flag.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, ModelError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Flag(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.wrong(key, "true or false", other)),
        }
    }

    /// An array under `key`, if there.
    ///
    /// # Errors
    /// [`ModelError::Setting`] when the value is no array.
    pub fn array(&self, key: &str) -> Result<Option<Array<'_>>, ModelError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(array)) => Ok(Some(array)),
            Some(other) => Err(self.wrong(key, "an array", other)),
        }
    }

    fn wrong(&self, key: &str, expected: &str, found: Value<'_>) -> ModelError {
        ModelError::setting(&self.path, key, expected, found.to_string())
    }
}
