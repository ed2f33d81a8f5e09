//! The header: version, metadata, list of tensors.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use loci_kernels::quant::GgmlType;

use super::cursor::{Cursor, text_at};
use super::value::{Stored, Value};
use super::{MAGIC, TensorInfo};
use crate::error::ModelError;

/// Alignment of tensor data when the file does not state one.
const DEFAULT_ALIGNMENT: usize = 32;
/// Dimensions that GGUF allows.
const MAX_DIMENSIONS: u32 = 4;
/// Length, type and value of the shortest metadata entry.
const LEAST_ENTRY: usize = 8 + 4 + 1;
/// Name length, number of dimensions, type and offset of the shortest tensor entry.
const LEAST_TENSOR: usize = 8 + 4 + 4 + 8;

pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, Stored>,
    pub(super) tensors: BTreeMap<String, TensorInfo>,
}

pub(super) fn parse(path: &Path, file: &[u8]) -> Result<Header, ModelError> {
    let mut cursor = Cursor::new(path, file);
    if !file.starts_with(MAGIC) {
        let found = match file.len() {
            0 => "an empty file".to_owned(),
            _ => format!(
                "a file that starts with {:?}",
                String::from_utf8_lossy(file.get(..4).unwrap_or(file))
            ),
        };
        return Err(ModelError::NotAModel {
            path: path.to_owned(),
            found,
            remedy: "name a .gguf file or the folder of a safetensors model",
        });
    }
    cursor.skip(MAGIC.len() as u64, "magic")?;
    let version = cursor.u32("version")?;
    if !(2..=3).contains(&version) {
        // A big-endian file shows its version in the upper byte.
        let found = if version & 0xffff == 0 {
            format!("{} (big endian)", version.swap_bytes())
        } else {
            version.to_string()
        };
        return Err(ModelError::unsupported(path, "GGUF version", found, "2 and 3, little endian"));
    }
    let tensor_count = cursor.count(LEAST_TENSOR, "tensors")?;
    let entry_count = cursor.count(LEAST_ENTRY, "metadata entries")?;
    let mut metadata = BTreeMap::new();
    for _ in 0..entry_count {
        let range = cursor.text("a metadata key")?;
        let key = text_at(file, range).to_owned();
        let value = Stored::read(&mut cursor, &key)?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(cursor.damaged("every metadata key once", format!("{key:?} twice")));
        }
    }
    let alignment = alignment(&cursor, &metadata, file)?;
    let mut entries = Vec::new();
    for _ in 0..tensor_count {
        entries.push(Entry::read(&mut cursor, file)?);
    }
    let data = cursor.position().checked_next_multiple_of(alignment).unwrap_or(usize::MAX);
    let tensors = place(&cursor, file.len(), data, alignment, entries)?;
    Ok(Header { metadata, tensors })
}

fn alignment(
    cursor: &Cursor<'_>,
    metadata: &BTreeMap<String, Stored>,
    file: &[u8],
) -> Result<usize, ModelError> {
    match metadata.get("general.alignment").map(|stored| stored.view(file)) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(value) => match value.size() {
            Some(size) if size.is_power_of_two() && size <= 1 << 20 => Ok(size),
            _ => Err(wrong_alignment(cursor, value)),
        },
    }
}

fn wrong_alignment(cursor: &Cursor<'_>, value: Value<'_>) -> ModelError {
    ModelError::setting(cursor.path, "general.alignment", "a power of two up to 1048576", value.to_string())
}

/// A tensor entry before its offset is known to be sound.
struct Entry {
    name: String,
    ty: GgmlType,
    shape: Vec<usize>,
    offset: u64,
    length: usize,
}

impl Entry {
    fn read(cursor: &mut Cursor<'_>, file: &[u8]) -> Result<Self, ModelError> {
        let range = cursor.text("a tensor name")?;
        let name = text_at(file, range).to_owned();
        let dimensions = cursor.u32("dimensions")?;
        if dimensions > MAX_DIMENSIONS {
            return Err(cursor.damaged(
                format!("at most {MAX_DIMENSIONS} dimensions of tensor {name}"),
                dimensions.to_string(),
            ));
        }
        let mut sizes = Vec::new();
        for _ in 0..dimensions {
            sizes.push(cursor.u64("a dimension")?);
        }
        let id = cursor.u32("a tensor type")?;
        let offset = cursor.u64("a tensor offset")?;
        let ty = GgmlType::from_id(id).ok_or_else(|| {
            ModelError::unsupported(
                cursor.path,
                format!("type of tensor {name}:"),
                type_name(id),
                KNOWN_TYPES,
            )
        })?;
        let mut shape: Vec<usize> = Vec::new();
        for size in sizes.iter().rev() {
            match usize::try_from(*size) {
                Ok(size) if size > 0 => shape.push(size),
                _ => {
                    return Err(cursor.damaged(
                        format!("dimensions of at least 1 in tensor {name}"),
                        format!("{sizes:?}"),
                    ));
                }
            }
        }
        let row = shape.last().copied().unwrap_or(1);
        let weights = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        // Rows are stored one after the other, so each must be made of whole blocks.
        let length =
            weights.filter(|_| row.is_multiple_of(ty.block_len())).and_then(|weights| ty.bytes_for(weights));
        match length {
            Some(length) => Ok(Self { name, ty, shape, offset, length }),
            None => Err(cursor.damaged(
                format!(
                    "rows of whole blocks of {} weights ({}) in tensor {name}",
                    ty.block_len(),
                    ty.name()
                ),
                format!("the shape {shape:?}"),
            )),
        }
    }
}

/// Turns offsets into ranges of the file. Tensors must lie inside it, aligned, and must not overlap: together
/// they are then no larger than the file, whatever the header says.
fn place(
    cursor: &Cursor<'_>,
    file_len: usize,
    data: usize,
    alignment: usize,
    mut entries: Vec<Entry>,
) -> Result<BTreeMap<String, TensorInfo>, ModelError> {
    entries.sort_by_key(|entry| entry.offset);
    let mut tensors = BTreeMap::new();
    let mut free = data;
    for Entry { name, ty, shape, offset, length } in entries {
        let range = usize::try_from(offset)
            .ok()
            .filter(|offset| offset.is_multiple_of(alignment))
            .and_then(|offset| data.checked_add(offset))
            .filter(|start| *start >= free)
            .and_then(|start| Some(Range { start, end: start.checked_add(length)? }));
        let Some(range) = range else {
            return Err(cursor.damaged(
                format!("tensor {name} at a multiple of {alignment} behind the tensor before it"),
                format!("offset {offset}"),
            ));
        };
        if range.end > file_len {
            return Err(cursor.damaged(
                format!("tensor {name} in bytes {}..{}", range.start, range.end),
                format!("a file of {file_len} bytes"),
            ));
        }
        free = range.end;
        if tensors.insert(name.clone(), TensorInfo { ty, shape, bytes: range }).is_some() {
            return Err(cursor.damaged("every tensor name once", format!("{name:?} twice")));
        }
    }
    Ok(tensors)
}

/// What [`GgmlType::from_id`] knows, in words.
const KNOWN_TYPES: &str = "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K";

/// Name and number of a tensor type that is not supported.
fn type_name(id: u32) -> String {
    let name = match id {
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return format!("number {id}"),
    };
    format!("{name} (number {id})")
}
