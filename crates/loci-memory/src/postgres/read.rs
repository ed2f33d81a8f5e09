//! What rows of Postgres say, and how words and vectors are written in them.

use std::collections::BTreeMap;
use std::error::Error;

use bytes::{BufMut, BytesMut};
use postgres::Row;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::raw::{RawEntry, RawItem};

/// The columns that [`item`] reads.
pub(super) const ITEM: &str = "row, id, learned, state, superseded_by, digest, content, salt, held_for";

/// Words longer than this are kept as hashes: an index takes no long ones.
const LONGEST: usize = 128;

pub(super) fn item(row: &Row) -> Result<RawItem, postgres::Error> {
    Ok(RawItem {
        row: row.try_get(0)?,
        id: row.try_get(1)?,
        learned: row.try_get(2)?,
        state: row.try_get(3)?,
        superseded_by: row.try_get(4)?,
        digest: row.try_get(5)?,
        content: row.try_get(6)?,
        salt: row.try_get(7)?,
        held_for: row.try_get(8)?,
    })
}

pub(super) fn entry(row: &Row) -> Result<RawEntry, postgres::Error> {
    Ok(RawEntry {
        seq: row.try_get(0)?,
        at: row.try_get(1)?,
        actor: row.try_get(2)?,
        action: row.try_get(3)?,
        tenant: row.try_get(4)?,
        user: row.try_get(5)?,
        body: row.try_get(6)?,
        prev: row.try_get(7)?,
        hash: row.try_get(8)?,
    })
}

/// A count as the database takes it.
pub(super) fn most(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A word as the table of words has it.
pub(super) fn kept(word: &str) -> String {
    match word.len() > LONGEST {
        true => format!("#{}", blake3::hash(word.as_bytes()).to_hex()),
        false => word.to_owned(),
    }
}

/// The words of a key as the table has them, each with how often it stands there.
pub(super) fn counted(words: &[String]) -> BTreeMap<String, i32> {
    let mut counted = BTreeMap::new();
    for word in words {
        *counted.entry(kept(word)).or_insert(0) += 1;
    }
    counted
}

/// A vector as pgvector has it: dimension and a zero as 16 bits each, then the numbers, most significant byte first.
#[derive(Debug)]
pub(super) struct Numbers(pub(super) Vec<f32>);

impl ToSql for Numbers {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_u16(u16::try_from(self.0.len()).map_err(|_| "a vector has at most 16000 numbers")?);
        out.put_u16(0);
        self.0.iter().for_each(|number| out.put_f32(*number));
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        of.name() == "vector"
    }

    to_sql_checked!();
}

impl<'r> FromSql<'r> for Numbers {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let (head, numbers) = raw.split_first_chunk::<4>().ok_or("a vector without a head")?;
        let (numbers, rest) = numbers.as_chunks::<4>();
        if usize::from(u16::from_be_bytes([head[0], head[1]])) != numbers.len() || !rest.is_empty() {
            return Err("a vector of another dimension than it says".into());
        }
        Ok(Self(numbers.iter().map(|number| f32::from_be_bytes(*number)).collect()))
    }

    fn accepts(of: &Type) -> bool {
        of.name() == "vector"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_back_as_they_were() {
        let numbers = vec![0.1_f32, -0.0, f32::MIN_POSITIVE, 3e38];
        let mut bytes = BytesMut::new();
        Numbers(numbers.clone()).to_sql(&Type::TEXT, &mut bytes).unwrap();
        let back = Numbers::from_sql(&Type::TEXT, &bytes).unwrap();
        assert_eq!(
            back.0.iter().map(|n| n.to_bits()).collect::<Vec<_>>(),
            numbers.iter().map(|n| n.to_bits()).collect::<Vec<_>>()
        );
        assert!(
            Numbers::from_sql(&Type::TEXT, &bytes[..9]).is_err()
                && Numbers::from_sql(&Type::TEXT, &[0]).is_err()
        );
    }

    #[test]
    fn long_words_are_hashes_and_no_word_is_one() {
        let words = ["a".repeat(128), "a".repeat(129), "a".repeat(129), "a".repeat(130)];
        let counted = counted(&words);
        assert_eq!(counted.len(), 3);
        assert_eq!(counted[&"a".repeat(128)], 1);
        assert!(counted.iter().any(|(word, count)| word.len() == 65 && *count == 2));
    }
}
