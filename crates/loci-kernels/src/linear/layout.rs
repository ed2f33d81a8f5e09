//! How packed weights lie in memory.
//!
//! A panel holds [`PANEL`] output rows. Its quantised form is cut into blocks of [`BLOCK`] columns:
//!
//! ```text
//! super-factors | codes of block 0 | factors of block 0 | … | codes of block 7 | factors of block 7 | super-…
//! ```
//!
//! in exactly the order in which a product walks through it: a single row of activations is as fast as memory
//! delivers one unbroken stream, and processors fetch such a stream ahead by themselves.
//!
//! Codes are groups of 64 bytes, four neighbouring columns for each of the 16 outputs: the operand of one
//! byte-product instruction. With 4-bit codes the low nibbles of group `j` hold columns `4j..4j+4` and the high
//! nibbles columns `16+4j..`. Factors are 16 lanes each, one an output: f16 scales, then f16 mins if there are
//! any. K-formats keep their compact form: 8-bit factors for each block and f16 ones for each eight blocks.
//! All of it is lossless, so a row can be read back exactly.
//!
//! Dense panels are `[column][16 outputs]` in the format of the source.

use crate::quant::GgmlType;

/// Output rows in one panel: the lanes of one AVX-512 register of 32-bit numbers.
pub(super) const PANEL: usize = 16;
/// Columns in one block of quantised weights and activations.
pub(super) const BLOCK: usize = 32;
/// Blocks under one super-factor of the K-formats.
pub(super) const SUPER: usize = 8;

/// What tells the packed quantised layouts apart; kernels are generic over it.
pub(super) trait Blocks {
    /// 4-bit codes, two in a byte; else a byte each.
    const NIBBLES: bool;
    /// Mins are stored; else the zero point is 8 (nibbles) or 128 (bytes).
    const MINS: bool;
    /// Scales belong to 16 columns instead of 32.
    const HALVES: bool;
    /// 8-bit factors under f16 super-factors.
    const SUPERS: bool;
    /// Bytes of the codes of one block.
    const CODE_BYTES: usize = if Self::NIBBLES { PANEL * BLOCK / 2 } else { PANEL * BLOCK };
    /// Bytes of the factors of one block: one or two f16, or two 8-bit numbers, an output.
    const FACTOR_BYTES: usize = if Self::MINS && !Self::SUPERS { 64 } else { 32 };
    /// Bytes of one block.
    const BYTES: usize = Self::CODE_BYTES + Self::FACTOR_BYTES;
    /// Bytes of the super-factors of eight blocks.
    const SUPER_BYTES: usize = if !Self::SUPERS {
        0
    } else if Self::MINS {
        64
    } else {
        32
    };
    /// The code of the weight 0 where no mins are stored.
    const ZERO: u8 = match (Self::MINS, Self::NIBBLES) {
        (true, _) => 0,
        (false, true) => 8,
        (false, false) => 128,
    };
}

macro_rules! layouts {
    ($($(#[$doc:meta])* $name:ident: $nibbles:literal, $mins:literal, $halves:literal, $supers:literal;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;
        impl Blocks for $name {
            const NIBBLES: bool = $nibbles;
            const MINS: bool = $mins;
            const HALVES: bool = $halves;
            const SUPERS: bool = $supers;
        }
    )*};
}

layouts! {
    // nibbles, mins, halves, supers
    /// `Q4_0`.
    Nibbles: true, false, false, false;
    /// `Q4_1`.
    NibblesMin: true, true, false, false;
    /// `Q4_K`.
    NibblesSuper: true, true, false, true;
    /// `Q8_0`, and `Q5_0` with its zero point moved.
    Bytes: false, false, false, false;
    /// `Q5_1`; codes up to 31.
    BytesMin: false, true, false, false;
    /// `Q5_K`; codes up to 31.
    BytesSuper: false, true, false, true;
    /// `Q6_K` with its zero point moved; codes 96 to 159.
    BytesHalves: false, false, true, true;
}

/// Calls a function that is generic over [`Blocks`] with the layout that packs a quantised [`GgmlType`].
///
/// The format must be quantised.
macro_rules! with_blocks {
    ($ty:expr, $function:ident($($argument:expr),*)) => {
        match $ty {
            GgmlType::Q4_0 => $function::<$crate::linear::layout::Nibbles>($($argument),*),
            GgmlType::Q4_1 => $function::<$crate::linear::layout::NibblesMin>($($argument),*),
            GgmlType::Q4_K => $function::<$crate::linear::layout::NibblesSuper>($($argument),*),
            GgmlType::Q5_1 => $function::<$crate::linear::layout::BytesMin>($($argument),*),
            GgmlType::Q5_K => $function::<$crate::linear::layout::BytesSuper>($($argument),*),
            GgmlType::Q6_K => $function::<$crate::linear::layout::BytesHalves>($($argument),*),
            GgmlType::Q5_0 | GgmlType::Q8_0 | GgmlType::F32 | GgmlType::F16 | GgmlType::BF16 => {
                $function::<$crate::linear::layout::Bytes>($($argument),*)
            }
        }
    };
}
pub(super) use with_blocks;

/// Bytes of a panel of `columns` columns, a multiple of 64.
pub(super) fn panel_bytes(ty: GgmlType, columns: usize) -> usize {
    let bytes = if ty.is_dense() {
        columns * PANEL * ty.block_bytes()
    } else {
        with_blocks!(ty, end_of_blocks(columns / BLOCK))
    };
    bytes.next_multiple_of(64)
}

fn end_of_blocks<B: Blocks>(blocks: usize) -> usize {
    blocks * B::BYTES + blocks.div_ceil(SUPER) * B::SUPER_BYTES
}

/// Where things of one block lie in a panel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// First code.
    pub(super) codes: usize,
    /// First factor.
    pub(super) factors: usize,
    /// First super-factor.
    pub(super) supers: usize,
}

/// Where block `block` lies in a panel.
pub(super) fn place<B: Blocks>(block: usize) -> Place {
    let supers = block / SUPER * (SUPER * B::BYTES + B::SUPER_BYTES);
    let codes = supers + B::SUPER_BYTES + block % SUPER * B::BYTES;
    Place { codes, factors: codes + B::CODE_BYTES, supers }
}
