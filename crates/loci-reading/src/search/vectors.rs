//! The passages' vectors, in a file of their own that can always be made again.
//!
//! All numbers are little-endian: the mark, the encoder's fingerprint (32 bytes), the dimension and the number of vectors (8
//! bytes each), for each vector the blake3 of its passage's text (32 bytes), the vectors as f32, and the blake3 of all of it.

use std::collections::HashMap;

use loci_engine::{EngineError, files};

use super::error::SearchError;
use super::place::Place;
use crate::encode::TextEncoder;
use crate::ranker::one_vector;

const MARK: &[u8; 8] = b"LOCIVEC1";

/// A text whose vector tells one encoder from another of the same name.
const PROBE: &str = "The quick brown fox jumps over the lazy dog; 12 geese fly north.";

/// The blake3 of a passage's text.
pub(super) type TextHash = [u8; 32];

/// The hash of `text`.
pub(super) fn hash(text: &str) -> TextHash {
    *blake3::hash(text.as_bytes()).as_bytes()
}

/// Vectors by what their passages say.
#[derive(Debug)]
pub(super) struct Vectors {
    fingerprint: [u8; 32],
    dimension: usize,
    /// Which vector a text has.
    rows: HashMap<TextHash, usize>,
    /// `[n, dimension]`.
    numbers: Vec<f32>,
}

impl Vectors {
    /// Those that were kept for the encoder; none where there are none, or they are of another one, or damaged.
    pub(super) fn open(place: &Place, encoder: &dyn TextEncoder) -> Result<Self, SearchError> {
        let fingerprint = fingerprint(encoder)?;
        let mut vectors =
            Self { fingerprint, dimension: encoder.dimension(), rows: HashMap::new(), numbers: Vec::new() };
        if let Ok(bytes) = std::fs::read(place.vectors(encoder.name()))
            && vectors.read(&bytes).is_none()
        {
            vectors.rows.clear();
            vectors.numbers.clear();
        }
        Ok(vectors)
    }

    /// Takes vectors from the bytes of a file; nothing where they are not what they should be.
    fn read(&mut self, bytes: &[u8]) -> Option<()> {
        let (content, sum) = bytes.split_last_chunk::<32>()?;
        if blake3::hash(content).as_bytes() != sum {
            return None;
        }
        let (mark, rest) = content.split_first_chunk::<8>()?;
        let (fingerprint, rest) = rest.split_first_chunk::<32>()?;
        let (dimension, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<8>()?;
        let (dimension, count) = (
            usize::try_from(u64::from_le_bytes(*dimension)).ok()?,
            usize::try_from(u64::from_le_bytes(*count)).ok()?,
        );
        let same = mark == MARK && *fingerprint == self.fingerprint;
        if !same || dimension != self.dimension {
            return None;
        }
        let (hashes, numbers) = rest.split_at_checked(count.checked_mul(32)?)?;
        if numbers.len() != count.checked_mul(dimension)?.checked_mul(4)? {
            return None;
        }
        let (hashes, _) = hashes.as_chunks::<32>();
        self.rows = hashes.iter().enumerate().map(|(row, hash)| (*hash, row)).collect();
        let (numbers, _) = numbers.as_chunks::<4>();
        self.numbers = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
        Some(())
    }

    /// The vector of the text with this hash.
    pub(super) fn get(&self, text: &TextHash) -> Option<&[f32]> {
        let start = self.rows.get(text)?.checked_mul(self.dimension)?;
        self.numbers.get(start..start.checked_add(self.dimension)?)
    }

    /// Whether the text with this hash has a vector.
    pub(super) fn has(&self, text: &TextHash) -> bool {
        self.rows.contains_key(text)
    }

    /// Computes the vectors of `texts`, each with its hash.
    pub(super) fn add(
        &mut self,
        texts: &[(TextHash, String)],
        encoder: &dyn TextEncoder,
    ) -> Result<(), SearchError> {
        let own: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        for ((hash, _), vector) in texts.iter().zip(encoder.encode(&own)?) {
            if vector.len() != self.dimension {
                let (found, expected) = (vector.len(), self.dimension);
                let message = format!("{} gave {found} numbers instead of {expected}", encoder.name());
                return Err(EngineError::Internal(message).into());
            }
            self.rows.insert(*hash, self.numbers.len() / self.dimension);
            self.numbers.extend(vector);
        }
        Ok(())
    }

    /// Keeps those of the texts with the hashes `used`, of which none stands twice.
    pub(super) fn save(
        &self,
        place: &Place,
        encoder: &dyn TextEncoder,
        used: &[TextHash],
    ) -> Result<(), SearchError> {
        let kept: Vec<(&TextHash, &[f32])> =
            used.iter().filter_map(|hash| Some((hash, self.get(hash)?))).collect();
        let mut bytes = Vec::with_capacity(128 + kept.len() * (32 + 4 * self.dimension));
        bytes.extend(MARK);
        bytes.extend(self.fingerprint);
        bytes.extend((self.dimension as u64).to_le_bytes());
        bytes.extend((kept.len() as u64).to_le_bytes());
        bytes.extend(kept.iter().flat_map(|(hash, _)| **hash));
        bytes.extend(
            kept.iter().flat_map(|(_, vector)| vector.iter().flat_map(|number| number.to_le_bytes())),
        );
        let sum = blake3::hash(&bytes);
        bytes.extend(sum.as_bytes());
        let path = place.vectors(encoder.name());
        files::write(&path, bytes).map_err(SearchError::place(&path))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// What tells one encoder from another: its name, and the vector that it gives for a text.
fn fingerprint(encoder: &dyn TextEncoder) -> Result<[u8; 32], EngineError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(encoder.name().as_bytes());
    for number in one_vector(encoder, PROBE)? {
        hasher.update(&number.to_le_bytes());
    }
    Ok(*hasher.finalize().as_bytes())
}
