//! What a kernel of one instruction set has to provide: three steps over a block of 64 keys.

use super::{avx2, avx512, portable};
use crate::isa::Isa;
use crate::tiles::{Line, RowType, TILE};

/// Tiles in a block.
pub(super) const TILES: usize = 4;
/// Keys in a block.
pub(super) const KEYS: usize = TILES * TILE;
/// Rows handled together, at most: 4 rows by 4 tiles are 16 independent sums in registers.
pub(super) const GROUP: usize = 4;

/// Weights below this (relative to the running maximum) are rounded to zero together with their block, so
/// that no reciprocal overflows.
pub(super) const NEGLIGIBLE: f32 = 1e-30;
/// Largest code of a weight in the mass buffer.
pub(super) const MASS_CODES: f32 = 65535.0;

/// Coefficients of f, f^2, ... of 2^f on `0..=1`: minimax for the relative error (1e-7 in f32), with 1 at 0
/// so that a maximum that does not move rescales by exactly 1.
pub(super) const EXP2: [f32; 5] = [0.693_151_3, 0.240_164_44, 0.055_799_913, 0.009_017_03, 0.001_867_130_5];

/// Intermediate results of a group of rows over one block, and what goes with each row.
#[repr(C, align(64))]
pub(super) struct Work {
    /// Scores in units of `factor`; afterwards the weights (float values).
    pub(super) scores: [[f32; KEYS]; GROUP],
    /// Weights times value scales as bytes in units of `unit` (`I8` values): key `16 t + 4 g + j` of the
    /// block is byte `16 g + 4 t + j`, the order in which saturating packs leave them.
    pub(super) codes: [[u8; KEYS]; GROUP],
    /// By what earlier sums are multiplied because the running maximum has moved.
    pub(super) correction: [f32; GROUP],
    /// Unit of `codes`.
    pub(super) unit: [f32; GROUP],
}

impl Work {
    pub(super) fn new() -> Self {
        Self {
            scores: [[0.0; KEYS]; GROUP],
            codes: [[0; KEYS]; GROUP],
            correction: [0.0; GROUP],
            unit: [0.0; GROUP],
        }
    }
}

/// What the first step reads: `scores = keys * queries`.
pub(super) struct Scores<'a> {
    /// Keys of the block.
    pub(super) tiles: [&'a [Line]; TILES],
    /// Prepared query rows of the group, `[rows, dims]`: signed bytes for `I8` keys, f32 otherwise.
    pub(super) queries: &'a [u8],
    /// Per row, -128 times the sum of the query's codes (`I8` keys): takes out the offset of the keys.
    pub(super) start: &'a [i32],
    pub(super) dims: usize,
}

/// What the second step reads and updates: scores to weights, with the running maximum and sum.
pub(super) struct Softmax<'a> {
    /// Visible keys of each row, bit by bit; `None`: all.
    pub(super) masks: Option<&'a [u64; GROUP]>,
    /// Values of the block (for their scales, `I8`).
    pub(super) tiles: [&'a [Line]; TILES],
    pub(super) dims: usize,
    /// What a score is to be multiplied with to be a power of two. Positive.
    pub(super) factor: &'a [f32; GROUP],
    /// Running maximum; `-inf` at first.
    pub(super) top: &'a mut [f32; GROUP],
    /// Running sums of the weights, one a lane.
    pub(super) sum: &'a mut [[f32; TILE]],
    /// For the mass: the weights relative to the block's own maximum, and this maximum.
    pub(super) mass: Option<(&'a mut [[u16; KEYS]], &'a mut [f32])>,
}

/// What the third step reads and updates: `out = out * correction + weights * values`.
pub(super) struct Sums<'a> {
    /// Values of the block.
    pub(super) tiles: [&'a [Line]; TILES],
    /// `[rows, dims]`
    pub(super) out: &'a mut [f32],
    pub(super) dims: usize,
}

/// First step, for a fixed number of rows. All three steps are unsafe to call because the processor must
/// have the instruction set, and because they trust lengths: tiles are whole tiles of `dims` and of the
/// row type, and row arrays have as many rows as the kernel handles.
pub(super) type ScoresFn = unsafe fn(&Scores<'_>, &mut Work);
/// Second step.
pub(super) type SoftmaxFn = unsafe fn(&mut Softmax<'_>, &mut Work);
/// Third step.
pub(super) type SumsFn = unsafe fn(&mut Sums<'_>, &Work);

/// The three steps for 1 to [`GROUP`] rows (index: rows - 1).
pub(super) struct Kernels {
    pub(super) scores: &'static [ScoresFn; GROUP],
    pub(super) softmax: &'static [SoftmaxFn; GROUP],
    pub(super) sums: &'static [SumsFn; GROUP],
}

/// The functions of one instruction set, by row type.
pub(super) struct Table {
    pub(super) scores_i8: [ScoresFn; GROUP],
    pub(super) scores_f16: [ScoresFn; GROUP],
    pub(super) scores_f32: [ScoresFn; GROUP],
    /// Weights as bytes, for `I8` values.
    pub(super) softmax_codes: [SoftmaxFn; GROUP],
    /// Weights as f32.
    pub(super) softmax_floats: [SoftmaxFn; GROUP],
    pub(super) sums_i8: [SumsFn; GROUP],
    pub(super) sums_f16: [SumsFn; GROUP],
    pub(super) sums_f32: [SumsFn; GROUP],
}

impl Kernels {
    pub(super) fn of(isa: Isa, keys: RowType, values: RowType) -> Self {
        let table = match isa {
            Isa::Portable => &portable::TABLE,
            Isa::Avx2 => &avx2::TABLE,
            Isa::Avx512 => &avx512::TABLE,
        };
        // `add` has unpacked rows of fewer bits.
        let scores = match keys.as_read() {
            RowType::I8 | RowType::I4 => &table.scores_i8,
            RowType::F16 => &table.scores_f16,
            RowType::F32 => &table.scores_f32,
        };
        let (softmax, sums) = match values.as_read() {
            RowType::I8 | RowType::I4 => (&table.softmax_codes, &table.sums_i8),
            RowType::F16 => (&table.softmax_floats, &table.sums_f16),
            RowType::F32 => (&table.softmax_floats, &table.sums_f32),
        };
        Self { scores, softmax, sums }
    }
}

/// `f::<1>` to `f::<GROUP>` with further constants, for a [`Table`].
macro_rules! by_rows {
    ($function:ident $(, $constant:expr)*) => {
        [$function::<1 $(, $constant)*>, $function::<2 $(, $constant)*>,
         $function::<3 $(, $constant)*>, $function::<4 $(, $constant)*>]
    };
}
pub(super) use by_rows;
