//! Packed storage of the keys and values of one kv head, in tiles of [`TILE`] rows.
//!
//! Attention reads keys and values far more often than they are written, so a row is put where the kernels
//! of [`attend`](crate::attend) want it when it is appended. A tile holds 16 rows; `dims` is `head_dim`
//! rounded up to a multiple of 16 and filled with zeros:
//!
//! | row type | keys | values |
//! |---|---|---|
//! | `I8` | `[dims / 4][16 rows][4 dims]` bytes, code + 128; then 16 scales (f32) | `[4 groups][dims][4 rows]` bytes; then 16 scales |
//! | `I4` | two codes a byte, see `tiles/four_bits.rs` | the same |
//! | `F16`, `F32` | `[dims][16 rows]` | `[16 rows][dims]` |
//!
//! Four codes side by side are what one lane of an int8 dot product adds up: four dims of one key for
//! scores, four keys of one dim for outputs. Keys are stored with an offset of 128 because these
//! instructions multiply unsigned by signed bytes and the query is the signed side.
//!
//! Rows that do not exist yet are zero.

mod four_bits;
mod layout;
mod lines;

use bytemuck::{Pod, Zeroable};
use bytes::Bytes;
pub(crate) use four_bits::unpack;
use layout::Row;
pub(crate) use layout::Side;
use lines::Lines;

/// Rows in one tile: the lanes of one AVX-512 register of f32.
pub const TILE: usize = 16;

/// Number format of stored rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowType {
    /// 32-bit float: what was pushed is read back.
    F32,
    /// 16-bit float (IEEE half).
    F16,
    /// 8-bit integers from -127 to 127 with one f32 scale a row, the row's largest magnitude / 127.
    I8,
    /// 4-bit codes: one f32 scale a row, and for each 8 numbers of a key or 32 of a value a step and a start of one
    /// byte each.
    I4,
}

impl RowType {
    /// All of them, from exact to small.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::I8, Self::I4];

    /// Whether rows are rounded to whole numbers: they then count as compressed.
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::I8 | Self::I4)
    }

    /// What the kernels read: 4-bit rows are unpacked to 8-bit ones.
    pub(crate) const fn as_read(self) -> Self {
        match self {
            Self::I4 => Self::I8,
            other => other,
        }
    }

    /// Bytes that one key of `head_dim` numbers takes, padding and scale included.
    pub const fn key_bytes(self, head_dim: usize) -> usize {
        self.row_bytes(Side::Keys, head_dim)
    }

    /// Bytes that one value of `head_dim` numbers takes, padding and scale included.
    pub const fn value_bytes(self, head_dim: usize) -> usize {
        self.row_bytes(Side::Values, head_dim)
    }

    const fn row_bytes(self, side: Side, head_dim: usize) -> usize {
        let dims = head_dim.next_multiple_of(TILE);
        match self {
            Self::F32 => 4 * dims,
            Self::F16 => 2 * dims,
            Self::I8 => dims + 4,
            Self::I4 => four_bits::row_bytes(side, dims),
        }
    }

    /// `f32`, `f16`, `i8` or `i4`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::I8 => "i8",
            Self::I4 => "i4",
        }
    }

    /// Lines that one tile of keys or values takes; the bytes of 16 rows fill them exactly.
    pub(crate) const fn tile_lines(self, side: Side, head_dim: usize) -> usize {
        TILE * self.row_bytes(side, head_dim) / LINE
    }
}

/// Bytes of a [`Line`].
const LINE: usize = 64;

/// One cache line: the unit of storage, so that every tile starts on a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Line([u8; LINE]);

// SAFETY: an array of bytes, as long as its alignment, so without padding; all zero bytes are valid.
unsafe impl Zeroable for Line {}
// SAFETY: as above; any bytes are valid, the type is `Copy` and `repr(C)`.
unsafe impl Pod for Line {}

/// What [`KeyTiles`] and [`ValueTiles`] have in common: everything but the order inside a tile.
#[derive(Clone, Debug)]
struct Store {
    side: Side,
    row_type: RowType,
    head_dim: u16,
    rows: usize,
    lines: Lines,
}

/// Many small pages are held, so what each takes besides its rows counts.
const _: () = assert!(size_of::<Store>() <= 48);

impl Store {
    fn new(side: Side, row_type: RowType, head_dim: usize, capacity: usize) -> Self {
        assert!(head_dim <= usize::from(u16::MAX), "a head has at most 65,535 dimensions");
        let lines = Vec::with_capacity(capacity.div_ceil(TILE) * row_type.tile_lines(side, head_dim));
        // Just checked.
        Self { side, row_type, head_dim: head_dim as u16, rows: 0, lines: Lines::Owned(lines) }
    }

    fn head_dim(&self) -> usize {
        usize::from(self.head_dim)
    }

    fn tile_lines(&self) -> usize {
        self.row_type.tile_lines(self.side, self.head_dim())
    }

    fn tiles(&self) -> usize {
        self.rows.div_ceil(TILE)
    }

    fn tile(&self, index: usize) -> (&[Line], u8) {
        assert!(index < self.tiles(), "tile {index} of {}", self.tiles());
        let lines = self.tile_lines();
        // At most 16, so it fits.
        (&self.lines.as_slice()[index * lines..][..lines], (self.rows - index * TILE).min(TILE) as u8)
    }

    fn place(&self, row: usize) -> Row {
        Row::new(self.side, self.row_type, self.head_dim(), row % TILE)
    }

    fn tile_bytes(&self, row: usize) -> &[u8] {
        let lines = self.tile_lines();
        bytemuck::cast_slice(&self.lines.as_slice()[row / TILE * lines..][..lines])
    }

    fn tile_bytes_mut(&mut self, row: usize) -> &mut [u8] {
        let lines = self.tile_lines();
        bytemuck::cast_slice_mut(&mut self.lines.to_mut()[row / TILE * lines..][..lines])
    }

    /// Makes room for one more row, all zeros, and returns its index.
    fn add_row(&mut self) -> usize {
        let row = self.rows;
        if row.is_multiple_of(TILE) {
            let added = self.tile_lines();
            let lines = self.lines.to_mut();
            if lines.capacity() < lines.len() + added {
                // An eighth, not the doubling of `Vec`: what is allocated counts against the budget.
                let tiles = (row / TILE / 8).max(1);
                lines.reserve_exact(tiles * added);
            }
            lines.resize(lines.len() + added, Line::zeroed());
        }
        self.rows += 1;
        row
    }

    fn push(&mut self, numbers: &[f32]) {
        assert_eq!(numbers.len(), self.head_dim(), "a row has head_dim numbers");
        let row = self.add_row();
        let place = self.place(row);
        place.write(self.tile_bytes_mut(row), numbers);
    }

    fn read(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        assert_eq!(out.len(), self.head_dim(), "a row has head_dim numbers");
        self.place(row).read(self.tile_bytes(row), out);
    }

    fn push_from(&mut self, from: &Self, row: usize) {
        assert!(row < from.rows, "row {row} of {}", from.rows);
        assert_eq!((self.row_type, self.head_dim), (from.row_type, from.head_dim), "rows of one format");
        let to = self.add_row();
        let place = self.place(to);
        place.copy(self.tile_bytes_mut(to), &from.place(row), from.tile_bytes(row));
    }

    fn truncate(&mut self, rows: usize) {
        if rows >= self.rows {
            return;
        }
        let last = self.rows.min(rows.next_multiple_of(TILE));
        for row in rows..last {
            let place = self.place(row);
            place.clear(self.tile_bytes_mut(row));
        }
        self.rows = rows;
        self.lines.truncate(self.tiles() * self.tile_lines());
    }

    fn bytes(&self) -> usize {
        self.lines.bytes()
    }

    fn stored(&self) -> &[u8] {
        bytemuck::cast_slice(self.lines.as_slice())
    }

    /// `lines` are made only when the sizes fit.
    fn load(
        (side, row_type, head_dim): (Side, RowType, usize),
        rows: usize,
        bytes: usize,
        lines: impl FnOnce() -> Lines,
    ) -> Option<Self> {
        let narrow = u16::try_from(head_dim).ok()?;
        let tile = row_type.tile_lines(side, head_dim) * LINE;
        if rows.div_ceil(TILE).checked_mul(tile) != Some(bytes) {
            return None;
        }
        let filled = rows.next_multiple_of(TILE);
        let mut store = Self { side, row_type, head_dim: narrow, rows: filled, lines: lines() };
        // Rows beyond the last must be zero whatever the file says.
        store.truncate(rows);
        Some(store)
    }
}

macro_rules! tiles {
    ($name:ident, $tile:ident, $side:expr, $what:literal) => {
        #[doc = concat!($what, " of one kv head; see the [module documentation](self) for the layout.")]
        #[derive(Clone, Debug)]
        pub struct $name(Store);

        #[doc = concat!("One tile of ", stringify!($name), ", borrowed.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $tile<'a> {
            pub(crate) lines: &'a [Line],
            pub(crate) head_dim: u16,
            /// Rows that exist, 1 to 16.
            pub(crate) rows: u8,
            pub(crate) row_type: RowType,
        }

        impl $name {
            /// No rows yet. Room for `capacity` rows (rounded up to whole tiles) is reserved at once, and no
            /// more than that; beyond it the storage grows by an eighth at a time.
            ///
            /// # Panics
            /// When `head_dim` exceeds 65,535.
            pub fn new(row_type: RowType, head_dim: usize, capacity: usize) -> Self {
                Self(Store::new($side, row_type, head_dim, capacity))
            }

            /// Rows stored.
            pub fn rows(&self) -> usize {
                self.0.rows
            }

            /// Number format of the rows.
            pub fn row_type(&self) -> RowType {
                self.0.row_type
            }

            /// Numbers in a row.
            pub fn head_dim(&self) -> usize {
                self.0.head_dim()
            }

            /// Appends one row of `head_dim` numbers, rounded to the row type.
            ///
            /// # Panics
            /// When `row` has another length.
            pub fn push(&mut self, row: &[f32]) {
                self.0.push(row);
            }

            /// Reads row `row` back into `out` (`head_dim` numbers) as the kernels see it.
            ///
            /// # Panics
            /// When there is no such row or `out` has another length.
            pub fn read(&self, row: usize, out: &mut [f32]) {
                self.0.read(row, out);
            }

            /// Appends row `row` of `from` bit by bit: a moved row is not rounded a second time.
            ///
            /// # Panics
            /// When there is no such row, or row types or head dims differ.
            pub fn push_from(&mut self, from: &Self, row: usize) {
                self.0.push_from(&from.0, row);
            }

            /// Keeps the first `rows` rows; the storage stays reserved.
            pub fn truncate(&mut self, rows: usize) {
                self.0.truncate(rows);
            }

            /// Bytes allocated, reserved ones included.
            pub fn bytes(&self) -> usize {
                self.0.bytes()
            }

            /// Number of tiles, the last possibly partly filled (its unused rows are zero).
            pub fn tiles(&self) -> usize {
                self.0.tiles()
            }

            /// Tile `index`: rows `16 * index` to `16 * index + 15`.
            ///
            /// # Panics
            /// When there is no such tile.
            pub fn tile(&self, index: usize) -> $tile<'_> {
                let (lines, rows) = self.0.tile(index);
                $tile { lines, head_dim: self.0.head_dim, rows, row_type: self.0.row_type }
            }

            /// Appends all tiles to `out` as they stand in memory, [`RowType::key_bytes`] or [`RowType::value_bytes`] for each of their 16 rows;
            /// [`load`](Self::load) on the same kind of machine (little-endian) restores them exactly.
            pub fn store(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.0.stored());
            }

            /// What [`store`](Self::store) appends.
            pub fn stored(&self) -> &[u8] {
                self.0.stored()
            }

            /// Bytes that `rows` rows of `head_dim` numbers take when they are stored; `None` when that is no number.
            pub fn stored_bytes(row_type: RowType, head_dim: usize, rows: usize) -> Option<usize> {
                rows.div_ceil(TILE).checked_mul(row_type.tile_lines($side, head_dim) * LINE)
            }

            /// Copies what [`store`](Self::store) wrote; `None` when the length does not fit `rows` rows.
            pub fn load(row_type: RowType, head_dim: usize, rows: usize, bytes: &[u8]) -> Option<Self> {
                Store::load(($side, row_type, head_dim), rows, bytes.len(), || Lines::copied(bytes)).map(Self)
            }

            /// As [`load`](Self::load) without a copy, where `bytes` begin on a cache line: the tiles are read where they lie
            /// until they are written to.
            pub fn share(row_type: RowType, head_dim: usize, rows: usize, bytes: Bytes) -> Option<Self> {
                Store::load(($side, row_type, head_dim), rows, bytes.len(), || Lines::shared(bytes)).map(Self)
            }

            /// Whether the tiles lie in memory that somebody else holds.
            pub fn is_shared(&self) -> bool {
                matches!(self.0.lines, Lines::Shared(_))
            }
        }
    };
}

tiles!(KeyTiles, KeyTile, Side::Keys, "Keys");
tiles!(ValueTiles, ValueTile, Side::Values, "Values");
