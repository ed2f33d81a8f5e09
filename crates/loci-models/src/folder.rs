//! Reader of Hugging Face model folders: `config.json` and safetensors, in one file or in shards.
//!
//! The crate `safetensors` checks a header's JSON; the files stay mapped, and every length is checked against
//! the file before it is used.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use loci_kernels::map::Mapping;
use loci_kernels::quant::GgmlType;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde_json::{Map, Value};

use crate::error::ModelError;

/// The configuration of the model.
pub const CONFIG: &str = "config.json";
/// All weights in one file.
pub const SINGLE: &str = "model.safetensors";
/// List of shards, when the weights are in several files.
pub const INDEX: &str = "model.safetensors.index.json";

/// JSON files beside the weights are read whole; larger ones are refused. Tokenizer files reach 35 MB.
const MAX_JSON: usize = 256 << 20;
/// Headers larger than this are refused, as in the format's description.
const MAX_HEADER: usize = 100_000_000;
/// Bytes of the header's length at the start of a file.
const PREFIX: usize = 8;

/// An opened model folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    config: Map<String, Value>,
    shards: Vec<Shard>,
    /// Tensor name to its place.
    tensors: BTreeMap<String, Place>,
}

#[derive(Debug)]
struct Shard {
    path: PathBuf,
    mapping: Mapping,
}

/// One tensor of a folder.
#[derive(Clone, Debug)]
struct Place {
    shard: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

/// A tensor of a folder and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct FolderTensor<'a> {
    /// Number format.
    pub ty: GgmlType,
    /// Shape, rows first.
    pub shape: &'a [usize],
    /// Its data.
    pub bytes: &'a [u8],
}

impl Folder {
    /// Reads the configuration and the headers of all shards, and maps the shards.
    ///
    /// # Errors
    /// [`ModelError`] when a file is missing, cannot be read or is damaged.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let config_path = path.join(CONFIG);
        if !config_path.is_file() {
            return Err(ModelError::NotAModel {
                path: path.to_owned(),
                found: format!("a folder without {CONFIG}"),
                remedy: "name the folder that holds config.json and the .safetensors files",
            });
        }
        let config = object(&config_path)?;
        let mut folder = Self { path: path.to_owned(), config, shards: Vec::new(), tensors: BTreeMap::new() };
        let index_path = path.join(INDEX);
        if index_path.is_file() {
            folder.open_shards(&index_path)?;
        } else if path.join(SINGLE).is_file() {
            folder.open_shard(SINGLE, None)?;
        } else {
            return Err(ModelError::MissingFile { path: config_path, file: format!("{SINGLE} or {INDEX}") });
        }
        Ok(folder)
    }

    fn open_shards(&mut self, index_path: &Path) -> Result<(), ModelError> {
        let index = object(index_path)?;
        let Some(Value::Object(weights)) = index.get("weight_map") else {
            return Err(ModelError::setting(index_path, "weight_map", "an object", "none"));
        };
        let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (tensor, file) in weights {
            // Only plain names: an index must not lead out of its folder.
            match file.as_str() {
                Some(file) if Path::new(file).file_name().is_some_and(|name| name == file) => {
                    files.entry(file).or_default().push(tensor);
                }
                _ => {
                    return Err(ModelError::setting(
                        index_path,
                        format!("weight_map.{tensor}"),
                        "the name of a file in this folder",
                        file.to_string(),
                    ));
                }
            }
        }
        for (file, tensors) in files {
            if !self.path.join(file).is_file() {
                return Err(ModelError::MissingFile { path: index_path.to_owned(), file: file.to_owned() });
            }
            self.open_shard(file, Some(&tensors))?;
        }
        Ok(())
    }

    /// Maps one file and takes over its tensors; `wanted` are those that the index promises.
    fn open_shard(&mut self, file: &str, wanted: Option<&[&str]>) -> Result<(), ModelError> {
        let path = self.path.join(file);
        let mapping = Mapping::open(&path).map_err(|source| ModelError::io(&path, source))?;
        let (start, metadata) = header(&path, &mapping)?;
        let shard = self.shards.len();
        for (name, info) in metadata.tensors() {
            let (from, to) = info.data_offsets;
            let bytes = start + from..start + to;
            let place = Place { shard, dtype: info.dtype, shape: info.shape.clone(), bytes };
            if self.tensors.insert(name.clone(), place).is_some() {
                return Err(ModelError::damaged(
                    &path,
                    "every tensor in one shard",
                    format!("{name:?} in two"),
                ));
            }
        }
        for name in wanted.unwrap_or(&[]) {
            if self.tensors.get(*name).is_none_or(|place| place.shard != shard) {
                return Err(ModelError::MissingTensor { path, tensor: (*name).to_owned() });
            }
        }
        self.shards.push(Shard { path, mapping });
        Ok(())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path of the configuration.
    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// The configuration.
    pub const fn config(&self) -> &Map<String, Value> {
        &self.config
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor, if there.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] when its numbers are not F32, F16 or BF16.
    pub fn tensor(&self, name: &str) -> Result<Option<FolderTensor<'_>>, ModelError> {
        let Some(place) = self.tensors.get(name) else { return Ok(None) };
        let Some(shard) = self.shards.get(place.shard) else { return Ok(None) };
        let ty = match place.dtype {
            Dtype::F32 => GgmlType::F32,
            Dtype::F16 => GgmlType::F16,
            Dtype::BF16 => GgmlType::BF16,
            other => {
                return Err(ModelError::unsupported(
                    &shard.path,
                    format!("type of tensor {name}:"),
                    format!("{other:?}"),
                    "F32, F16, BF16",
                ));
            }
        };
        let bytes = shard.mapping.get(place.bytes.clone()).unwrap_or(&[]);
        Ok(Some(FolderTensor { ty, shape: &place.shape, bytes }))
    }

    /// Tells the system that a tensor's bytes will not be read again soon.
    pub fn release(&self, name: &str) {
        if let Some(place) = self.tensors.get(name)
            && let Some(shard) = self.shards.get(place.shard)
        {
            shard.mapping.release(place.bytes.clone());
        }
    }
}

/// Reads a JSON object from a file.
///
/// # Errors
/// [`ModelError`] when the file cannot be read, is too large, or holds something else.
pub fn object(path: &Path) -> Result<Map<String, Value>, ModelError> {
    match json(path)? {
        Value::Object(object) => Ok(object),
        _ => Err(ModelError::damaged(path, "a JSON object", "another JSON value")),
    }
}

/// Reads any JSON value from a file.
///
/// # Errors
/// As [`object`].
pub(crate) fn json(path: &Path) -> Result<Value, ModelError> {
    let mapping = Mapping::open(path).map_err(|source| ModelError::io(path, source))?;
    if mapping.len() > MAX_JSON {
        return Err(ModelError::damaged(
            path,
            format!("at most {MAX_JSON} bytes"),
            mapping.len().to_string(),
        ));
    }
    serde_json::from_slice(&mapping).map_err(|error| ModelError::damaged(path, "JSON", error.to_string()))
}

/// Where the data of a safetensors file begins, and its header. All ranges are checked to lie in the file.
fn header(path: &Path, file: &[u8]) -> Result<(usize, Metadata), ModelError> {
    let damaged = |expected: &str, found: String| ModelError::damaged(path, expected, found);
    let prefix = file
        .first_chunk::<PREFIX>()
        .ok_or_else(|| damaged("a safetensors header", format!("a file of {} bytes", file.len())))?;
    let length = u64::from_le_bytes(*prefix);
    let end = usize::try_from(length)
        .ok()
        .filter(|length| *length <= MAX_HEADER)
        .map(|length| length + PREFIX)
        .filter(|end| *end <= file.len())
        .ok_or_else(|| damaged("a header that fits the file", format!("a header of {length} bytes")))?;
    let text = file.get(PREFIX..end).unwrap_or(&[]);
    let metadata: Metadata =
        serde_json::from_slice(text).map_err(|error| damaged("a safetensors header", error.to_string()))?;
    // Parsing has made sure that tensors follow one another, so that the last one's end bounds them all.
    match end.checked_add(metadata.data_len()) {
        Some(expected) if expected == file.len() => Ok((end, metadata)),
        _ => Err(damaged(
            "a file that ends with its last tensor",
            format!(
                "{} bytes of tensors behind byte {end} of a file of {} bytes",
                metadata.data_len(),
                file.len()
            ),
        )),
    }
}
