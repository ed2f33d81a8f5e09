//! Metadata values, decoded where they lie.

use std::fmt;
use std::ops::Range;

use super::cursor::{Cursor, text_at};
use crate::error::ModelError;

/// Arrays may hold arrays; deeper than this is refused, since reading recurses.
const MAX_DEPTH: usize = 4;

/// Type of a metadata value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum ValueType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Flag,
    Text,
    Array,
    U64,
    I64,
    F64,
}

impl ValueType {
    fn from_id(id: u32) -> Option<Self> {
        const TYPES: [ValueType; 13] = [
            ValueType::U8,
            ValueType::I8,
            ValueType::U16,
            ValueType::I16,
            ValueType::U32,
            ValueType::I32,
            ValueType::F32,
            ValueType::Flag,
            ValueType::Text,
            ValueType::Array,
            ValueType::U64,
            ValueType::I64,
            ValueType::F64,
        ];
        TYPES.get(usize::try_from(id).ok()?).copied()
    }

    /// Bytes of one value; `None` when they vary.
    const fn width(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Flag => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::Text | Self::Array => None,
        }
    }

    /// Fewest bytes a value of this type can take.
    const fn least_bytes(self) -> usize {
        match self {
            Self::Text => 8,
            Self::Array => 12,
            other => match other.width() {
                Some(width) => width,
                None => 1,
            },
        }
    }
}

/// A metadata value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A whole number of any width, not negative.
    Unsigned(u64),
    /// A whole number of any signed width.
    Signed(i64),
    /// A real number of either width.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// UTF-8 text.
    Text(&'a str),
    /// Several values of one type.
    Array(Array<'a>),
}

impl Value<'_> {
    /// The value as a size, when it is a whole number that is not negative.
    pub fn size(self) -> Option<usize> {
        match self {
            Self::Unsigned(value) => usize::try_from(value).ok(),
            Self::Signed(value) => usize::try_from(value).ok(),
            _ => None,
        }
    }

    /// The value as a finite number.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Unsigned(value) => Some(value as f64),
            Self::Signed(value) => Some(value as f64),
            Self::Number(value) if value.is_finite() => Some(value),
            _ => None,
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(value) => write!(f, "{value}"),
            Self::Signed(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Flag(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "{:?}", text.chars().take(80).collect::<String>()),
            Self::Array(array) => write!(f, "an array of {} values of type {:?}", array.len, array.element),
        }
    }
}

/// An array of the metadata, decoded element by element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Array<'a> {
    element: ValueType,
    len: usize,
    bytes: &'a [u8],
}

impl<'a> Array<'a> {
    /// Elements.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Type of the elements.
    pub const fn element(&self) -> ValueType {
        self.element
    }

    /// The elements in order. Elements that are arrays themselves are left out: no key of a model has any.
    pub fn values(self) -> impl Iterator<Item = Value<'a>> {
        let mut rest = self.bytes;
        let element = self.element;
        (0..self.len).map_while(move |_| {
            let length = match element {
                ValueType::Text => {
                    let (length, tail) = rest.split_first_chunk::<8>()?;
                    rest = tail;
                    usize::try_from(u64::from_le_bytes(*length)).ok()?
                }
                other => other.width()?,
            };
            let (bytes, tail) = rest.split_at_checked(length)?;
            rest = tail;
            decode(element, bytes)
        })
    }
}

/// A value as it is kept: a range of the file, already checked.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    Scalar(ValueType, Range<usize>),
    Text(Range<usize>),
    Array { element: ValueType, len: usize, bytes: Range<usize> },
}

impl Stored {
    /// Reads a value and its type.
    pub(super) fn read(cursor: &mut Cursor<'_>, key: &str) -> Result<Self, ModelError> {
        let ty = read_type(cursor, key)?;
        Ok(match ty {
            ValueType::Text => Self::Text(cursor.text(key)?),
            ValueType::Array => {
                let (element, len, bytes) = read_array(cursor, key, 0)?;
                Self::Array { element, len, bytes }
            }
            ty => Self::Scalar(ty, cursor.skip(ty.width().unwrap_or(0) as u64, key)?),
        })
    }

    pub(super) fn view<'a>(&self, file: &'a [u8]) -> Value<'a> {
        match self {
            Self::Scalar(ty, range) => {
                file.get(range.clone()).and_then(|bytes| decode(*ty, bytes)).unwrap_or(Value::Unsigned(0))
            }
            Self::Text(range) => Value::Text(text_at(file, range.clone())),
            Self::Array { element, len, bytes } => Value::Array(Array {
                element: *element,
                len: *len,
                bytes: file.get(bytes.clone()).unwrap_or(&[]),
            }),
        }
    }
}

fn read_type(cursor: &mut Cursor<'_>, key: &str) -> Result<ValueType, ModelError> {
    let id = cursor.u32(key)?;
    ValueType::from_id(id)
        .ok_or_else(|| cursor.damaged(format!("a value type from 0 to 12 for {key}"), id.to_string()))
}

/// Walks over an array, checking every length and text in it.
fn read_array(
    cursor: &mut Cursor<'_>,
    key: &str,
    depth: usize,
) -> Result<(ValueType, usize, Range<usize>), ModelError> {
    if depth == MAX_DEPTH {
        return Err(cursor.damaged(format!("arrays nested at most {MAX_DEPTH} deep in {key}"), "deeper ones"));
    }
    let element = read_type(cursor, key)?;
    let len = cursor.count(element.least_bytes(), &format!("elements of {key}"))?;
    let start = cursor.position();
    match element {
        ValueType::Text => {
            for _ in 0..len {
                cursor.text(key)?;
            }
        }
        ValueType::Array => {
            for _ in 0..len {
                read_array(cursor, key, depth + 1)?;
            }
        }
        other => {
            // `count` made sure that this product fits the file.
            cursor.skip((len * other.width().unwrap_or(1)) as u64, key)?;
        }
    }
    Ok((element, len, start..cursor.position()))
}

/// Decodes one value of a type other than array from exactly its bytes.
fn decode(ty: ValueType, bytes: &[u8]) -> Option<Value<'_>> {
    let word = || {
        let mut word = [0; 8];
        word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        u64::from_le_bytes(word)
    };
    // The casts cut the word to the value's own width.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
    Some(match ty {
        ValueType::U8 | ValueType::U16 | ValueType::U32 | ValueType::U64 => Value::Unsigned(word()),
        ValueType::I8 => Value::Signed(i64::from(word() as i8)),
        ValueType::I16 => Value::Signed(i64::from(word() as i16)),
        ValueType::I32 => Value::Signed(i64::from(word() as i32)),
        ValueType::I64 => Value::Signed(word() as i64),
        ValueType::F32 => Value::Number(f64::from(f32::from_bits(word() as u32))),
        ValueType::F64 => Value::Number(f64::from_bits(word())),
        ValueType::Flag => Value::Flag(word() != 0),
        ValueType::Text => Value::Text(std::str::from_utf8(bytes).ok()?),
        ValueType::Array => return None,
    })
}
