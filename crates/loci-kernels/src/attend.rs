//! Attention of a strip of query rows over tiles of keys and values. stub: signatures only
use crate::isa::Isa;
use crate::tiles::{KeyTile, ValueTile};

/// One tile of a part: 16 keys, their values, and which of them exist for this call.
#[derive(Clone, Copy, Debug)]
pub struct TilePair<'a> {
    /// Keys.
    pub keys: KeyTile<'a>,
    /// Values.
    pub values: ValueTile<'a>,
    /// Bit `r` set: row `r` of the tile takes part.
    pub present: u16,
}

/// Keys that one set of rotated queries meets under one visibility rule.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// `[rows, head_dim]`, already rotated for this part.
    pub queries: &'a [f32],
    /// Tiles.
    pub tiles: &'a [TilePair<'a>],
    /// Per query row, the visible rows `from..to` of the part, counted as `16 * tile + row`; `None`: all.
    pub bounds: Option<&'a [(u32, u32)]>,
}

/// Buffers reused between calls.
#[derive(Debug, Default)]
pub struct Scratch {}

/// Where attention mass goes: for each head of the group, the softmax weights summed over queries.
#[derive(Debug)]
pub struct Mass<'a> {
    /// Query row `r` belongs to head `r % heads`.
    pub heads: usize,
    /// `[heads, total]` where total = 16 * (tiles of all parts together), part after part; added to.
    pub sums: &'a mut [f32],
}

/// One softmax over all parts: out `[rows, head_dim]`, lse `[rows]` (natural log; -inf and zeros when nothing is visible).
pub fn attend(_isa: Isa, _scale: f32, _parts: &[Part<'_>], _rows: usize, _head_dim: usize, _scratch: &mut Scratch,
    _out: &mut [f32], _lse: &mut [f32], _mass: Option<Mass<'_>>) { unimplemented!() }

/// Merges a partial result into `out`, `lse`: as if both had been one call.
pub fn merge(_out: &mut [f32], _lse: &mut [f32], _other_out: &[f32], _other_lse: &[f32], _head_dim: usize) { unimplemented!() }
