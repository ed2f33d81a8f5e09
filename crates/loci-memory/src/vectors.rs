//! Finding items by meaning: an exact scan over vectors, which are held in memory and in a file that can be made again.
//!
//! The file, little-endian: mark, hash of store and space (32 bytes), how often anything had been removed (8), dimension (8) and
//! count (8); for each vector its number, item and scope (8 bytes each); the vectors as f32; BLAKE3 of all of it.

use std::path::{Path, PathBuf};

use loci_engine::files;
use loci_kernels::isa::Isa;
use loci_kernels::vector::dot;

use crate::error::MemoryError;
use crate::rows::{Rows, ScopeRow, StoredVector};
use crate::search::best_items;

const MARK: &[u8; 8] = b"LOCIMEM1";
/// Vectors that are taken from the store at once.
const BATCH: usize = 4_096;
/// From so many vectors on several threads look through them.
const MANY: usize = 20_000;
/// So many new vectors are worth writing the file anew.
const WORTH: usize = 1_024;

/// The vectors of one space, of all scopes of a store.
#[derive(Debug)]
pub(crate) struct Vectors {
    /// What they are of: store and encoder.
    of: [u8; 32],
    path: Option<PathBuf>,
    space: String,
    dimension: usize,
    removed: u64,
    last: i64,
    /// Item and scope of each.
    places: Vec<(i64, i64)>,
    /// `[n, dimension]`.
    numbers: Vec<f32>,
    /// How many of them the file has.
    filed: usize,
}

/// The folder's file for the vectors of `space`.
fn path(folder: &Path, space: &str) -> PathBuf {
    let hash = blake3::hash(space.as_bytes()).to_hex();
    folder.join(format!("vectors-{}.bin", hash.get(..16).unwrap_or("")))
}

impl Vectors {
    /// Those of an encoder called `space` in the store with this `secret`, as far as the file in `folder` has them.
    pub(crate) fn open(folder: Option<&Path>, secret: &[u8; 32], space: &str, dimension: usize) -> Self {
        let mut vectors = Self {
            of: *blake3::keyed_hash(secret, space.as_bytes()).as_bytes(),
            path: folder.map(|folder| path(folder, space)),
            space: space.to_owned(),
            dimension,
            removed: 0,
            last: 0,
            places: Vec::new(),
            numbers: Vec::new(),
            filed: 0,
        };
        if let Some(bytes) = vectors.path.as_ref().and_then(|path| std::fs::read(path).ok())
            && vectors.take(&bytes).is_none()
        {
            vectors.clear();
        }
        vectors
    }

    pub(crate) fn space(&self) -> &str {
        &self.space
    }

    fn clear(&mut self) {
        (self.removed, self.last, self.filed) = (0, 0, 0);
        self.places.clear();
        self.numbers.clear();
    }

    /// Takes the vectors of a file; nothing where it is not what it should be.
    fn take(&mut self, bytes: &[u8]) -> Option<()> {
        let (content, sum) = bytes.split_last_chunk::<32>()?;
        if blake3::hash(content).as_bytes() != sum {
            return None;
        }
        let (mark, rest) = content.split_first_chunk::<8>()?;
        let (of, rest) = rest.split_first_chunk::<32>()?;
        let (removed, rest) = rest.split_first_chunk::<8>()?;
        let (dimension, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<8>()?;
        let count = usize::try_from(u64::from_le_bytes(*count)).ok()?;
        let same = mark == MARK && *of == self.of && u64::from_le_bytes(*dimension) == self.dimension as u64;
        if !same || count.checked_mul(self.dimension.checked_mul(4)?.checked_add(24)?)? != rest.len() {
            return None;
        }
        let (places, numbers) = rest.split_at_checked(count.checked_mul(24)?)?;
        let (places, _) = places.as_chunks::<8>();
        let (numbers, _) = numbers.as_chunks::<4>();
        self.removed = u64::from_le_bytes(*removed);
        let places: Vec<i64> = places.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
        let (places, _) = places.as_chunks::<3>();
        self.places = places.iter().map(|[_, item, scope]| (*item, *scope)).collect();
        self.last = places.last().map_or(0, |[number, _, _]| *number);
        self.numbers = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
        self.filed = count;
        Some(())
    }

    /// Brings them to the store's state. Where anything was removed since, all are taken anew.
    ///
    /// # Errors
    /// What the store fails with, and [`MemoryError::Damaged`] for a vector of another dimension.
    pub(crate) fn refresh(&mut self, rows: &dyn Rows) -> Result<(), MemoryError> {
        let (last, removed) = (rows.newest_vector(&self.space)?, rows.removed()?);
        if removed != self.removed {
            self.clear();
            self.removed = removed;
        }
        while self.last < last {
            let batch = rows.vectors(&self.space, self.last, BATCH)?;
            let Some(newest) = batch.last() else { break };
            self.last = newest.row;
            for StoredVector { row, item, scope, numbers } in batch {
                if numbers.len() != self.dimension {
                    return Err(MemoryError::Damaged(format!(
                        "vector {row} has {} numbers instead of {}",
                        numbers.len(),
                        self.dimension
                    )));
                }
                self.places.push((item, scope.0));
                self.numbers.extend(numbers);
            }
        }
        Ok(())
    }

    /// Writes the file if enough has come since; a failure costs only time later.
    pub(crate) fn file(&mut self) {
        if self.places.len() < self.filed + WORTH && self.filed > 0 || self.places.len() < WORTH {
            return;
        }
        let Some(path) = &self.path else { return };
        let mut bytes = Vec::with_capacity(128 + self.places.len() * (24 + 4 * self.dimension));
        bytes.extend_from_slice(MARK);
        bytes.extend_from_slice(&self.of);
        for number in [self.removed, self.dimension as u64, self.places.len() as u64] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for (index, (item, scope)) in self.places.iter().enumerate() {
            // Only the newest number is needed again.
            let number = if index + 1 == self.places.len() { self.last } else { 0 };
            for value in [number, *item, *scope] {
                bytes.extend_from_slice(&value.to_le_bytes());
            }
        }
        self.numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        let sum = blake3::hash(&bytes);
        bytes.extend_from_slice(sum.as_bytes());
        if files::write(path, &bytes).is_ok() {
            self.filed = self.places.len();
        }
    }

    /// The best `most` items of a scope by the inner product of their best key with `query`, best first.
    pub(crate) fn by_meaning(&self, scope: ScopeRow, query: &[f32], most: usize) -> Vec<(i64, f64)> {
        let isa = Isa::active();
        let dimension = self.dimension.max(1);
        let scan = |places: &[(i64, i64)], numbers: &[f32]| -> Vec<(i64, f64)> {
            let own =
                places.iter().zip(numbers.chunks_exact(dimension)).filter(|((_, of), _)| *of == scope.0);
            own.map(|((item, _), vector)| (*item, f64::from(dot(isa, vector, query)))).collect()
        };
        let threads = match self.places.len() < MANY {
            true => 1,
            false => std::thread::available_parallelism().map_or(1, |count| count.get().min(8)),
        };
        let part = self.places.len().div_ceil(threads).max(1);
        let parts = self.places.chunks(part).zip(self.numbers.chunks(part * dimension));
        let scores = match threads {
            1 => scan(&self.places, &self.numbers),
            _ => std::thread::scope(|scope| {
                let scan = &scan;
                let scans: Vec<_> =
                    parts.map(|(places, numbers)| scope.spawn(move || scan(places, numbers))).collect();
                let joined = |scan: std::thread::ScopedJoinHandle<'_, Vec<(i64, f64)>>| {
                    scan.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                };
                scans.into_iter().flat_map(joined).collect()
            }),
        };
        best_items(scores, most)
    }
}

/// Removes the files of a store's vectors: they are made again from what is left.
///
/// # Errors
/// [`MemoryError::File`] when a file is there and cannot be removed.
pub(crate) fn remove_files(folder: Option<&Path>) -> Result<usize, MemoryError> {
    let Some(entries) = folder.and_then(|folder| std::fs::read_dir(folder).ok()) else { return Ok(0) };
    let mut removed = 0;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.trim_start_matches('.').starts_with("vectors-"));
        if ours {
            let path = entry.path();
            std::fs::remove_file(&path).map_err(|source| MemoryError::File { path, source })?;
            removed += 1;
        }
    }
    Ok(removed)
}
