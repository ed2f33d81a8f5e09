//! The file of a reading: a prelude, and sections behind it, each with a checksum.
//!
//! | bytes | what |
//! |---|---|
//! | 0..16 | [`MAGIC`] |
//! | 16..20 | version, u32 |
//! | 20..24 | number of sections, u32 |
//! | 24..32 | bytes of the whole file, u64 |
//! | 32.. | of each section: offset u64, length u64, checksum 32 bytes |
//! | 4064..4096 | BLAKE3 of the bytes before |
//! | 4096.. | the sections, in order, each from a multiple of 4096 on, with zeros between |
//!
//! All numbers are little-endian. A checksum is the BLAKE3 of the BLAKE3s of a section's pieces of 1 MiB, so that a large
//! section is checked by several threads.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use loci_kernels::map::Mapping;

use super::error::ReadingError;
use crate::files;

/// First bytes of every version.
pub(super) const MAGIC: [u8; 16] = *b"loci reading\0\r\n\x1a";

/// The version that is written and read.
pub(super) const VERSION: u32 = 1;

/// Bytes of the prelude, and what sections are aligned to: a page of most systems.
const PAGE: usize = 4096;
const HASH: usize = 32;
const ENTRY: usize = 16 + HASH;
const PIECE: usize = 1 << 20;

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Facts,
    Texts,
    Tokens,
    Carried,
    Memory,
}

impl Section {
    /// In the order of the file.
    pub(super) const ALL: [Self; 5] = [Self::Facts, Self::Texts, Self::Tokens, Self::Carried, Self::Memory];

    const fn name(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Texts => "texts",
            Self::Tokens => "tokens",
            Self::Carried => "state of the session",
            Self::Memory => "memory",
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    offset: u64,
    length: u64,
    hash: [u8; HASH],
}

/// A file that is being written. What is not [finished](Self::finish) is removed.
pub(super) struct Writing {
    out: BufWriter<File>,
    part: PathBuf,
    target: PathBuf,
    entries: Vec<Entry>,
    at: u64,
}

/// Writes a section and hashes it on the way.
struct Hashing<'a> {
    out: &'a mut BufWriter<File>,
    piece: blake3::Hasher,
    in_piece: usize,
    pieces: blake3::Hasher,
    length: u64,
}

impl Writing {
    /// Begins a file that will be `target`, under a name of its own in the same folder. A `private` one can be read by its
    /// owner only.
    pub(super) fn begin(target: &Path, private: bool) -> io::Result<Self> {
        let part = files::part(target);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        if private {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        #[cfg(not(unix))]
        let _ = private;
        let file = options.open(&part)?;
        let mut writing = Self {
            out: BufWriter::with_capacity(PIECE, file),
            part,
            target: target.to_owned(),
            entries: Vec::new(),
            at: 0,
        };
        writing.pad(PAGE as u64)?;
        Ok(writing)
    }

    fn pad(&mut self, to: u64) -> io::Result<()> {
        io::copy(&mut io::repeat(0).take(to - self.at), &mut self.out)?;
        self.at = to;
        Ok(())
    }

    /// Writes the next of [`Section::ALL`].
    pub(super) fn section<E: From<io::Error>>(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<(), E> {
        self.pad(self.at.next_multiple_of(PAGE as u64))?;
        let mut hashing = Hashing {
            out: &mut self.out,
            piece: blake3::Hasher::new(),
            in_piece: 0,
            pieces: blake3::Hasher::new(),
            length: 0,
        };
        write(&mut hashing)?;
        let (hash, length) = hashing.end();
        self.entries.push(Entry { offset: self.at, length, hash });
        self.at += length;
        Ok(())
    }

    /// Writes the prelude and gives the file its name; returns its bytes.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        let prelude = prelude(&self.entries, self.at);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&prelude)?;
        self.out.flush()?;
        files::install(&self.part, &self.target)?;
        Ok(self.at)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Under its new name it is not there any more.
        let _best_effort = std::fs::remove_file(&self.part);
    }
}

impl Hashing<'_> {
    fn end_piece(&mut self) {
        self.pieces.update(self.piece.finalize().as_bytes());
        self.piece.reset();
        self.in_piece = 0;
    }

    fn end(mut self) -> ([u8; HASH], u64) {
        if self.in_piece > 0 {
            self.end_piece();
        }
        (*self.pieces.finalize().as_bytes(), self.length)
    }
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.get(..bytes.len().min(PIECE - self.in_piece)).unwrap_or(bytes);
        self.out.write_all(taken)?;
        self.piece.update(taken);
        self.in_piece += taken.len();
        self.length += taken.len() as u64;
        if self.in_piece == PIECE {
            self.end_piece();
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn prelude(entries: &[Entry], length: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(u32::try_from(entries.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(length.to_le_bytes());
    for entry in entries {
        bytes.extend(entry.offset.to_le_bytes());
        bytes.extend(entry.length.to_le_bytes());
        bytes.extend(entry.hash);
    }
    bytes.resize(PAGE - HASH, 0);
    let hash = blake3::hash(&bytes);
    bytes.extend(hash.as_bytes());
    bytes
}

/// Where the sections of a file lie, as its prelude says; checked against each other and the file's length.
fn entries(path: &Path, bytes: &[u8], length: u64) -> Result<Vec<Entry>, ReadingError> {
    let damaged = |what: &str| ReadingError::damaged(path, what);
    let number = |at: usize| {
        let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        u64::from_le_bytes(bytes)
    };
    if !bytes.starts_with(&MAGIC) {
        return Err(ReadingError::Other { path: path.to_owned() });
    }
    let Some(prelude) = bytes.get(..PAGE) else { return Err(damaged("it ends within its prelude")) };
    let found = u32::try_from(number(16) & u64::from(u32::MAX)).unwrap_or(0);
    if found != VERSION {
        return Err(ReadingError::Version { path: path.to_owned(), found, expected: VERSION });
    }
    let (hashed, hash) = prelude.split_at(PAGE - HASH);
    if blake3::hash(hashed).as_bytes() != hash {
        return Err(damaged("the checksum of its prelude is wrong"));
    }
    if number(24) != length {
        return Err(damaged(&format!("it has {length} bytes and should have {}", number(24))));
    }
    let mut free = PAGE as u64;
    let mut entries = Vec::with_capacity(Section::ALL.len());
    for index in 0..Section::ALL.len() {
        let at = 32 + index * ENTRY;
        let hash = bytes.get(at + 16..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        let entry = Entry { offset: number(at), length: number(at + 8), hash };
        let end = entry.offset.checked_add(entry.length).filter(|end| *end <= length);
        match end {
            Some(end) if entry.offset == free.next_multiple_of(PAGE as u64) => free = end,
            _ => return Err(damaged("its sections overlap or end behind it")),
        }
        entries.push(entry);
    }
    if (number(16) >> 32) != Section::ALL.len() as u64 || free != length {
        return Err(damaged("it has other sections than a reading"));
    }
    Ok(entries)
}

/// Reads the facts alone.
pub(super) fn facts(path: &Path) -> Result<Vec<u8>, ReadingError> {
    let failed = |source| ReadingError::file(path, source);
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut prelude = Vec::with_capacity(PAGE);
    Read::by_ref(&mut file).take(PAGE as u64).read_to_end(&mut prelude).map_err(failed)?;
    let entries = entries(path, &prelude, length)?;
    let Some(entry) = entries.first() else { return Err(ReadingError::damaged(path, "it has no facts")) };
    file.seek(SeekFrom::Start(entry.offset)).map_err(failed)?;
    let mut facts = Vec::new();
    file.take(entry.length).read_to_end(&mut facts).map_err(failed)?;
    let hashes: blake3::Hasher = facts.chunks(PIECE).fold(blake3::Hasher::new(), |mut all, piece| {
        all.update(blake3::hash(piece).as_bytes());
        all
    });
    match *hashes.finalize().as_bytes() == entry.hash {
        true => Ok(facts),
        false => Err(ReadingError::damaged(path, "the checksum of its facts is wrong")),
    }
}

/// Whether the file begins like a saved reading, of whatever version.
pub fn is_reading(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    path.is_file()
        && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == MAGIC
}

/// A mapped file all of whose checksums are right.
pub(super) struct Opened {
    bytes: Bytes,
    entries: Vec<Entry>,
}

impl Opened {
    /// Maps the file and checks all of it. What is `scarce` leaves RAM again where the system can do that: a file that was
    /// checked is in the system's cache, and counts as resident until then.
    pub(super) fn open(path: &Path, scarce: bool) -> Result<Self, ReadingError> {
        if cfg!(target_endian = "big") {
            let what = "its rows are little-endian and this machine is not";
            return Err(ReadingError::damaged(path, what));
        }
        let mapping = Mapping::open(path).map_err(|source| ReadingError::file(path, source))?;
        let entries = entries(path, &mapping, mapping.len() as u64)?;
        let mut pieces = Vec::new();
        let mut end = PAGE;
        for (section, entry) in Section::ALL.iter().zip(&entries) {
            let range = range(entry);
            if mapping.get(end..range.start).is_none_or(|between| between.iter().any(|byte| *byte != 0)) {
                let what = format!("before its {} stand other bytes than zeros", section.name());
                return Err(ReadingError::damaged(path, what));
            }
            end = range.end;
            let within = range.clone().step_by(PIECE).map(|at| at..(at + PIECE).min(range.end));
            pieces.push((*section, entry.hash, within.collect::<Vec<_>>()));
        }
        let all: Vec<&Range<usize>> = pieces.iter().flat_map(|(.., pieces)| pieces).collect();
        let hashes = hashes(&mapping, &all);
        let mut hashes = hashes.iter();
        for (section, hash, pieces) in &pieces {
            let mut whole = blake3::Hasher::new();
            hashes.by_ref().take(pieces.len()).for_each(|hash| {
                whole.update(hash.as_bytes());
            });
            if whole.finalize().as_bytes() != hash {
                let what = format!("the checksum of its {} is wrong", section.name());
                return Err(ReadingError::damaged(path, what));
            }
        }
        if scarce {
            mapping.release(0..mapping.len());
        }
        Ok(Self { bytes: mapping.into_bytes(), entries })
    }

    /// The bytes of a section, as they are mapped.
    pub(super) fn section(&self, section: Section) -> Bytes {
        let entry = Section::ALL.iter().zip(&self.entries).find(|(found, _)| **found == section);
        entry.map(|(_, entry)| self.bytes.slice(range(entry))).unwrap_or_default()
    }
}

/// The bytes of an entry that was checked against the length of the mapping.
fn range(entry: &Entry) -> Range<usize> {
    let start = usize::try_from(entry.offset).unwrap_or(usize::MAX);
    start..start.saturating_add(usize::try_from(entry.length).unwrap_or(usize::MAX))
}

/// BLAKE3 of each piece, by as many threads as there are processors.
fn hashes(bytes: &[u8], pieces: &[&Range<usize>]) -> Vec<blake3::Hash> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(pieces.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(index) else { return found };
            found.push((index, blake3::hash(bytes.get((*piece).clone()).unwrap_or(&[]))));
        }
    };
    let mut found = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut found = work();
        for other in others {
            // A thread that ended early would leave pieces out, which is found out below.
            found.extend(other.join().unwrap_or_default());
        }
        found
    });
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, hash)| hash).collect()
}
