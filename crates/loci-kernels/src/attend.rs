//! Attention of a strip of query rows over tiles of keys and values: several parts, one softmax.
//!
//! [`attend`] takes the query rows that share a kv head (a few queries times the heads of the group) and any
//! number of [`Part`]s. A part has its own rotated queries, its own tiles and its own visibility rule, so a
//! local window at true distances, far blocks at a capped distance and a shared prefix are one call and one
//! softmax. Partial results over disjoint keys become one with [`merge`].
//!
//! **How.** Blocks of 64 keys (4 tiles, counted from the start of the part) are visited once, as in
//! FlashAttention (Dao et al. 2022): scores of up to 4 rows, running maximum, weights, weighted values.
//! Everything is in powers of two; `scale` and log2(e) are part of the prepared query.
//!
//! **Int8.** With `I8` keys each query row is rounded to 8 bits with one scale a part, and scores are exact
//! integer products of the rounded rows. With `I8` values the scale of each key is folded into its weight
//! and the 64 weights of a row and block are rounded to 8 bits relative to *their own* largest: a key
//! that takes nearly all the weight costs precision only in its own block of 64, not in all others. The
//! denominator is summed from the unrounded weights. What rounding costs: the error of a score has a standard
//! deviation of about `scale * |key| * max|query| / 440` from the query and as much with the roles exchanged
//! from the stored key (440 = 127 * sqrt(12)); an output is off by at most 1/510 of the largest weighted
//! value of each block, and by far less where errors average.
//!
//! **Equality.** A row's result depends only on its own queries, visible keys and the order of parts: it is
//! the same, bit by bit, in a strip of 1 row or of 48, and whether an invisible tile is skipped or masked.
//! The number of threads can therefore not matter, nor how callers cut strips. Different instruction sets
//! agree up to rounding.

mod avx2;
mod avx512;
mod kernels;
mod mass;
mod portable;
mod query;
mod strip;

use crate::isa::Isa;
use crate::tiles::{KeyTile, ValueTile};
pub use strip::Scratch;

/// One tile of a part: 16 keys, their values, and which of them exist for this call.
#[derive(Clone, Copy, Debug)]
pub struct TilePair<'a> {
    /// Keys.
    pub keys: KeyTile<'a>,
    /// Values.
    pub values: ValueTile<'a>,
    /// Bit `r` set: row `r` of the tile takes part. Bits of rows that the tile does not hold are ignored.
    pub present: u16,
}

/// Keys that one set of rotated queries meets under one visibility rule.
///
/// All keys of a part have one row type, and all values; the two may differ, and so may other parts.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// `[rows, numbers in a key]`, already rotated for this part. Keys usually have `head_dim` numbers; those of a part
    /// may have fewer, where some were left out of keys and queries alike.
    pub queries: &'a [f32],
    /// Tiles, in any order and from any storage of the same lengths.
    pub tiles: &'a [TilePair<'a>],
    /// Per query row, the visible rows `from..to` of the part, counted as `16 * tile + row`; `None`: all.
    /// A range may reach beyond the part or be empty.
    pub bounds: Option<&'a [(u32, u32)]>,
}

/// Where attention mass goes: for each head of the group, the softmax weights summed over queries.
///
/// Mass is relative to this call's softmax. A caller that cuts the keys over several calls and merges them
/// may rescale by `exp(lse of the call - lse of the total)` only where a head has a single query in the
/// strip, because the factor differs from query to query; otherwise mass needs one call over all keys.
#[derive(Debug)]
pub struct Mass<'a> {
    /// Query row `r` belongs to head `r % heads`.
    pub heads: usize,
    /// `[heads, total]` where total = 16 * (tiles of all parts together), part after part; added to.
    pub sums: &'a mut [f32],
}

/// One softmax over all parts.
///
/// * `scale` multiplies the products of queries and keys, usually `1 / sqrt(head_dim)`; finite.
/// * `rows` query rows of `head_dim` numbers, all against the same kv head.
/// * `out` `[rows, head_dim]` and `lse` `[rows]` are overwritten. `lse` is the natural logarithm of the sum
///   of `exp(score)`; a row that sees nothing gets `-inf` and zeros.
/// * `mass`, if wanted, is added to; it costs about a fifth of the time, and two bytes of scratch per row
///   and key.
///
/// Runs on the calling thread and allocates only while `scratch` grows. An instruction set that the
/// processor lacks is replaced by the best it has.
///
/// # Panics
/// When a length does not fit, or the row types within a part differ.
pub fn attend(
    isa: Isa,
    scale: f32,
    parts: &[Part<'_>],
    rows: usize,
    head_dim: usize,
    scratch: &mut Scratch,
    out: &mut [f32],
    lse: &mut [f32],
    mass: Option<Mass<'_>>,
) {
    assert!(head_dim > 0, "a row has at least one number");
    assert_eq!(out.len(), rows * head_dim, "out is [rows, head_dim]");
    assert_eq!(lse.len(), rows, "lse is [rows]");
    if let Some(mass) = &mass {
        let tiles: usize = parts.iter().map(|part| part.tiles.len()).sum();
        assert!(mass.heads > 0, "mass needs at least one head");
        assert_eq!(mass.sums.len(), mass.heads * tiles * crate::tiles::TILE, "sums are [heads, 16 * tiles]");
    }
    if rows == 0 {
        return;
    }
    scratch.begin(rows, head_dim);
    if mass.is_some() {
        scratch.begin_mass(parts);
    }
    let isa = isa.min(Isa::best());
    for part in parts {
        scratch.add(isa, scale, part, mass.is_some());
    }
    scratch.finish(out, lse);
    if let Some(mass) = mass {
        scratch.add_mass(isa, parts, mass);
    }
}

/// Merges a partial result into `out` and `lse`, as if both had been one call over the keys of both.
///
/// `out`, `other_out`: `[rows, head_dim]`; `lse`, `other_lse`: `[rows]`, `-inf` where nothing was visible.
///
/// # Panics
/// When a length does not fit.
pub fn merge(out: &mut [f32], lse: &mut [f32], other_out: &[f32], other_lse: &[f32], head_dim: usize) {
    assert_eq!(out.len(), lse.len() * head_dim, "out is [rows, head_dim]");
    assert_eq!((out.len(), lse.len()), (other_out.len(), other_lse.len()), "both results have one shape");
    for (row, (lse, other_lse)) in lse.iter_mut().zip(other_lse).enumerate() {
        let (own, other) = (f64::from(*lse), f64::from(*other_lse));
        if other == f64::NEG_INFINITY {
            continue;
        }
        let top = own.max(other);
        let (own, other) = ((own - top).exp(), (other - top).exp());
        let sum = own + other;
        *lse = (top + sum.ln()) as f32;
        let (own, other) = ((own / sum) as f32, (other / sum) as f32);
        let range = row * head_dim..(row + 1) * head_dim;
        for (number, more) in out[range.clone()].iter_mut().zip(&other_out[range]) {
            *number = own * *number + other * more;
        }
    }
}
