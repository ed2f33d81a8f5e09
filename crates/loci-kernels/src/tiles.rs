//! Packed storage of the keys and values of one kv head, in tiles of [`TILE`] rows.
//!
//! stub: signatures only

/// Rows in one tile: the lanes of one AVX-512 register of f32.
pub const TILE: usize = 16;

/// Number format of stored rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowType { /// 32-bit float
    F32, /// 16-bit float
    F16, /// 8-bit integers with one f32 scale a row
    I8 }
impl RowType {
    /// Bytes of one key or value row of `head_dim` numbers, scale included.
    pub fn row_bytes(self, _head_dim: usize) -> usize { unimplemented!() }
    /// `f32`, `f16` or `i8`
    pub const fn name(self) -> &'static str { match self { Self::F32 => "f32", Self::F16 => "f16", Self::I8 => "i8" } }
}

/// Keys of one kv head.
#[derive(Clone, Debug)]
pub struct KeyTiles {}
/// Values of one kv head.
#[derive(Clone, Debug)]
pub struct ValueTiles {}
/// One tile of keys.
#[derive(Clone, Copy, Debug)]
pub struct KeyTile<'a> { _p: &'a () }
/// One tile of values.
#[derive(Clone, Copy, Debug)]
pub struct ValueTile<'a> { _p: &'a () }

macro_rules! same { ($name:ident, $tile:ident) => {
impl $name {
    /// No rows yet; room for `capacity` rows (rounded up to whole tiles) is reserved at once and grows on demand.
    pub fn new(_row_type: RowType, _head_dim: usize, _capacity: usize) -> Self { unimplemented!() }
    /// rows stored
    pub fn rows(&self) -> usize { unimplemented!() }
    /// row type
    pub fn row_type(&self) -> RowType { unimplemented!() }
    /// head dim
    pub fn head_dim(&self) -> usize { unimplemented!() }
    /// appends one row of head_dim numbers
    pub fn push(&mut self, _row: &[f32]) { unimplemented!() }
    /// reads a row back as f32 (dequantised)
    pub fn read(&self, _row: usize, _out: &mut [f32]) { unimplemented!() }
    /// appends row `row` of `from` unchanged (same type and head_dim): no second rounding
    pub fn push_from(&mut self, _from: &Self, _row: usize) { unimplemented!() }
    /// keeps the first `rows` rows
    pub fn truncate(&mut self, _rows: usize) { unimplemented!() }
    /// bytes allocated
    pub fn bytes(&self) -> usize { unimplemented!() }
    /// number of tiles, the last possibly partly filled (its unused rows are zero)
    pub fn tiles(&self) -> usize { unimplemented!() }
    /// one tile
    pub fn tile(&self, _index: usize) -> $tile<'_> { unimplemented!() }
    /// writes all bytes for a cold file
    pub fn store(&self, _out: &mut Vec<u8>) { unimplemented!() }
    /// reads what `store` wrote; None when the length does not fit
    pub fn load(_row_type: RowType, _head_dim: usize, _rows: usize, _bytes: &[u8]) -> Option<Self> { unimplemented!() }
}
}}
same!(KeyTiles, KeyTile);
same!(ValueTiles, ValueTile);
