//! Cache lines that are owned, or that lie in bytes which others hold too: those of a mapped file, say.

use bytemuck::Zeroable;
use bytes::Bytes;

use super::{LINE, Line};

/// The storage of tiles.
#[derive(Clone, Debug)]
pub(super) enum Lines {
    Owned(Vec<Line>),
    /// Whole lines that begin on a cache line; only [`Lines::shared`] makes them.
    Shared(Bytes),
}

impl Lines {
    /// A copy of `bytes`, whole lines.
    pub(super) fn copied(bytes: &[u8]) -> Self {
        let mut lines = vec![Line::zeroed(); bytes.len() / LINE];
        let whole = lines.len() * LINE;
        bytemuck::cast_slice_mut(&mut lines).copy_from_slice(&bytes[..whole]);
        Self::Owned(lines)
    }

    /// `bytes` as they lie; copied where they begin within a cache line.
    pub(super) fn shared(bytes: Bytes) -> Self {
        let fits = bytes.as_ptr().addr().is_multiple_of(LINE) && bytes.len().is_multiple_of(LINE);
        if fits { Self::Shared(bytes) } else { Self::copied(&bytes) }
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[Line] {
        match self {
            Self::Owned(lines) => lines,
            // Cannot fail: alignment and length were checked when it was made, and the bytes do not move.
            Self::Shared(bytes) => bytemuck::cast_slice(bytes),
        }
    }

    /// The lines, to be written to: from here on they are owned.
    pub(super) fn to_mut(&mut self) -> &mut Vec<Line> {
        if let Self::Shared(bytes) = self {
            *self = Self::copied(bytes);
        }
        match self {
            Self::Owned(lines) => lines,
            Self::Shared(_) => unreachable!("shared lines were just copied"),
        }
    }

    /// Keeps the first `lines` lines.
    pub(super) fn truncate(&mut self, lines: usize) {
        match self {
            Self::Owned(owned) => owned.truncate(lines),
            Self::Shared(bytes) => bytes.truncate(lines * LINE),
        }
    }

    /// Bytes held, reserved ones included.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Owned(lines) => lines.capacity() * LINE,
            Self::Shared(bytes) => bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiles::{RowType, ValueTiles};

    /// `rows` rows of 24 numbers, and their stored bytes where they begin on a cache line.
    fn fixture(rows: usize) -> (ValueTiles, Bytes) {
        let mut tiles = ValueTiles::new(RowType::I8, 24, rows);
        for row in 0..rows {
            tiles.push(&std::array::from_fn::<f32, 24, _>(|dim| (row * 24 + dim) as f32 / 7.0 - 30.0));
        }
        let stored = tiles.stored();
        let mut bytes = vec![0; stored.len() + LINE];
        let start = bytes.as_ptr().align_offset(LINE);
        bytes[start..start + stored.len()].copy_from_slice(stored);
        (tiles.clone(), Bytes::from(bytes).slice(start..start + stored.len()))
    }

    fn rows(tiles: &ValueTiles) -> Vec<[f32; 24]> {
        (0..tiles.rows())
            .map(|row| {
                let mut numbers = [0.0; 24];
                tiles.read(row, &mut numbers);
                numbers
            })
            .collect()
    }

    #[test]
    fn shared_tiles_read_like_owned_ones_and_are_copied_when_written_to() {
        let (owned, bytes) = fixture(48);
        let before = bytes.clone();
        let mut shared = ValueTiles::share(RowType::I8, 24, 48, bytes.clone()).unwrap();
        assert!(shared.is_shared() && shared.stored().as_ptr() == bytes.as_ptr());
        assert_eq!((rows(&shared), shared.bytes()), (rows(&owned), bytes.len()));
        let mut cut = shared.clone();
        cut.truncate(32);
        assert!(cut.is_shared(), "whole tiles fall away without a copy");
        assert_eq!(rows(&cut), rows(&owned)[..32]);
        cut.truncate(20);
        assert!(!cut.is_shared());
        cut.push(&[1.0; 24]);
        shared.push_from(&owned, 0);
        assert!(!shared.is_shared());
        assert_eq!((cut.rows(), rows(&shared)[..48] == rows(&owned)[..]), (21, true));
        assert_eq!(bytes, before);
    }

    #[test]
    fn bytes_within_a_cache_line_are_copied_and_wrong_lengths_refused() {
        let (owned, bytes) = fixture(40);
        let mut moved = vec![0];
        moved.extend_from_slice(&bytes);
        let moved = Bytes::from(moved).slice(1..);
        let off = moved.as_ptr().addr() % LINE != 0;
        let copied = ValueTiles::share(RowType::I8, 24, 40, moved).unwrap();
        assert_eq!((rows(&copied), copied.is_shared()), (rows(&owned), false), "the last tile is not full");
        assert!(off || rows(&copied) == rows(&owned));
        assert!(ValueTiles::share(RowType::I8, 24, 40, bytes.slice(..bytes.len() - 64)).is_none());
        assert_eq!(ValueTiles::stored_bytes(RowType::I8, 24, 40), Some(bytes.len()));
        assert_eq!(ValueTiles::stored_bytes(RowType::I8, 24, usize::MAX), None);
    }
}
