//! Weights repacked at load, and their products with activations.
//!
//! Quantised weights are multiplied in integers: activations are rounded to signed bytes with one f32 scale for
//! each 32 of them, a block's products are summed exactly in 32 bits, and only the sums of blocks are added in
//! f32. Dense weights are multiplied with the activations as they are.
//!
//! **Equality.** The f32 operations behind one output number and their order depend on nothing but the weights,
//! the row of activations and the instruction set. So a row gives the same bits alone and in any batch, on any
//! number of threads. The integer sums are the same on all instruction sets.

mod activations;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod layout;
mod pack;
mod portable;

pub use pack::{PackError, PackedMatrix};

use crate::quant::GgmlType;
use crate::{Isa, Pool};
use activations::{Activations, Buffers, Needs};
use layout::{PANEL, with_blocks};
use std::cell::Cell;
use std::ops::Range;

/// Activations of one task in bytes: with the panels they meet they should stay in a core's L2 cache.
const ROW_BYTES: usize = 256 << 10;
/// Bytes of weights in one task with many rows: small, so that threads end together.
const PANEL_BYTES: usize = 32 << 10;
/// Up to this many rows a product is as fast as its weights come from memory.
const FEW_ROWS: usize = 12;
/// Tasks a thread with few rows: every task begins a new stream, which costs as much as 10 KB of reading, but
/// threads that are late should find less left to do.
const STREAMS: usize = 2;
/// Smallest task with few rows.
const STREAM_BYTES: usize = 16 << 10;
/// Row blocks are multiples of the largest tile of all instruction sets.
const ROW_STEP: usize = 12;
/// Weights handled in one parallel region.
const MAX_WEIGHTS: usize = 8;

/// Number formats of dense panels; kernels are generic over it.
trait Source {
    /// Bytes of a number.
    const BYTES: usize;
    /// Whether two bytes are an f16 (else a bf16).
    const HALF: bool;
}
struct F32;
struct F16;
struct BF16;
impl Source for F32 {
    const BYTES: usize = 4;
    const HALF: bool = false;
}
impl Source for F16 {
    const BYTES: usize = 2;
    const HALF: bool = true;
}
impl Source for BF16 {
    const BYTES: usize = 2;
    const HALF: bool = false;
}

/// Some panels of one matrix times some rows of activations.
///
/// Kernels rely on it that panels and rows exist, that the activations were prepared as the weights need, that
/// `rows` begins at a multiple of [`ROW_STEP`] and ends there or at the last row, and that no other task writes
/// the same part of `output` `[all rows, out_features]`.
struct Task<'a> {
    weights: &'a PackedMatrix,
    inputs: &'a Activations,
    panels: Range<usize>,
    rows: Range<usize>,
    output: *mut f32,
}

impl Task<'_> {
    /// # Safety
    /// What [`Task`] says, and the processor has `isa`.
    unsafe fn run(&self, isa: Isa) {
        let ty = self.weights.ty;
        // SAFETY: as for this function; the layouts are those of the matrix.
        unsafe {
            match (isa, ty) {
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx512, GgmlType::F32) => avx512::dense::<F32>(self),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx512, GgmlType::F16) => avx512::dense::<F16>(self),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx512, GgmlType::BF16) => avx512::dense::<BF16>(self),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx512, _) => {
                    use avx512::quantised;
                    with_blocks!(ty, quantised(self))
                }
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx2, GgmlType::F32) => avx2::dense::<F32>(self),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx2, GgmlType::F16) => avx2::dense::<F16>(self),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx2, GgmlType::BF16) => avx2::dense::<BF16>(self),
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx2, _) => {
                    use avx2::quantised;
                    with_blocks!(ty, quantised(self))
                }
                (_, GgmlType::F32) => portable::dense::<F32>(self),
                (_, GgmlType::F16) => portable::dense::<F16>(self),
                (_, GgmlType::BF16) => portable::dense::<BF16>(self),
                _ => {
                    use portable::quantised;
                    with_blocks!(ty, quantised(self))
                }
            }
        }
    }
}

/// How one product is cut into tasks. No output number is shared between tasks, so the cut does not matter for
/// the result.
#[derive(Clone, Copy, Debug)]
struct Plan {
    panels: usize,
    panel_step: usize,
    rows: usize,
    row_step: usize,
}

impl Plan {
    fn new(weights: &PackedMatrix, rows: usize, row_step: usize, threads: usize) -> Self {
        let panels = weights.out_features().div_ceil(PANEL);
        let panel_bytes = weights.panel_bytes.max(1);
        let panel_step = if rows <= FEW_ROWS {
            panels.div_ceil(threads * STREAMS).max(STREAM_BYTES / panel_bytes)
        } else {
            PANEL_BYTES / panel_bytes
        };
        Self { panels, panel_step: panel_step.max(1), rows, row_step }
    }

    /// Rows in a task: as many as fit into the cache.
    fn row_step(in_features: usize) -> usize {
        let rows = ROW_BYTES / in_features.max(1) / ROW_STEP * ROW_STEP;
        rows.clamp(2 * ROW_STEP, 16 * ROW_STEP)
    }

    fn tasks(&self) -> usize {
        self.panels.div_ceil(self.panel_step) * self.rows.div_ceil(self.row_step)
    }

    /// Tasks that share rows follow each other: threads meet in the same activations.
    fn task(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let columns = self.panels.div_ceil(self.panel_step);
        let (row, panel) = (index / columns * self.row_step, index % columns * self.panel_step);
        let panels = panel..(panel + self.panel_step).min(self.panels);
        (panels, row..(row + self.row_step).min(self.rows))
    }
}

thread_local! {
    /// Buffers of the calling thread, so that a call in a steady state allocates nothing.
    static BUFFERS: Cell<Buffers> = Cell::default();
}

/// Output pointers that tasks on all threads write disjoint parts of.
struct Outputs([*mut f32; MAX_WEIGHTS]);
// SAFETY: tasks are disjoint in what they write.
unsafe impl Sync for Outputs {}
impl Outputs {
    fn get(&self, index: usize) -> *mut f32 {
        self.0[index]
    }
}

/// Products of one batch of activations with several matrices:
/// `outputs[i] [rows, weights[i].out_features] = input [rows, in_features] x weights[i]^T`.
///
/// The input is quantised once for all of them. Input that holds an infinite or undefined number gives
/// undefined outputs for that row.
///
/// # Panics
/// When lengths do not fit each other, or this processor lacks `isa`.
pub fn matmul(
    isa: Isa,
    pool: &Pool,
    input: &[f32],
    rows: usize,
    weights: &[&PackedMatrix],
    outputs: &mut [&mut [f32]],
) {
    assert!(isa == Isa::Portable || isa <= Isa::best(), "this processor lacks {}", isa.name());
    assert_eq!(weights.len(), outputs.len(), "one output a matrix");
    let Some(in_features) = weights.first().map(|weight| weight.in_features()) else { return };
    assert_eq!(input.len(), rows * in_features, "input of {rows} rows");
    let mut needs = Needs::default();
    for (weight, output) in weights.iter().zip(outputs.iter()) {
        assert_eq!(weight.in_features(), in_features, "columns of all matrices");
        assert_eq!(output.len(), rows * weight.out_features(), "output of {rows} rows");
        needs.dense |= weight.ty.is_dense();
        needs.codes |= !weight.ty.is_dense();
    }
    let mut buffers = BUFFERS.take();
    let activations = buffers.prepare(needs, rows, in_features);
    let row_step = Plan::row_step(in_features);
    let fill = |task: usize| {
        // Tiles of a part are those of the whole batch, as parts begin at multiples of the largest tile.
        let rows = task * ROW_STEP..((task + 1) * ROW_STEP).min(rows);
        // SAFETY: the buffers are prepared, each task has its own rows, and `isa` and `input` were checked.
        unsafe { activations.fill(isa, needs, input, rows) };
    };
    pool.run(rows.div_ceil(ROW_STEP), &fill);
    for (weights, outputs) in weights.chunks(MAX_WEIGHTS).zip(outputs.chunks_mut(MAX_WEIGHTS)) {
        let mut starts = Outputs([std::ptr::null_mut(); MAX_WEIGHTS]);
        for (start, output) in starts.0.iter_mut().zip(outputs) {
            *start = output.as_mut_ptr();
        }
        let tasks =
            weights.iter().map(|weight| Plan::new(weight, rows, row_step, pool.threads()).tasks()).sum();
        pool.run(tasks, &|mut index| {
            for (which, weights) in weights.iter().enumerate() {
                let plan = Plan::new(weights, rows, row_step, pool.threads());
                if index >= plan.tasks() {
                    index -= plan.tasks();
                    continue;
                }
                let (panels, rows) = plan.task(index);
                let output = starts.get(which);
                // SAFETY: lengths were checked above, tasks are disjoint, the activations are complete.
                unsafe { Task { weights, inputs: &activations, panels, rows, output }.run(isa) };
                return;
            }
        });
    }
    BUFFERS.set(buffers);
}

/// The plain form of [`matmul`] for one matrix: every weight as f32, activations unquantised, sums in f64.
///
/// # Panics
/// When lengths do not fit each other.
pub fn matmul_reference(input: &[f32], rows: usize, weight: &PackedMatrix, output: &mut [f32]) {
    assert_eq!(input.len(), rows * weight.in_features(), "input of {rows} rows");
    assert_eq!(output.len(), rows * weight.out_features(), "output of {rows} rows");
    let mut weights = vec![0.0; weight.in_features()];
    for column in 0..weight.out_features() {
        weight.read_row(column, &mut weights);
        for row in 0..rows {
            let numbers = &input[row * weights.len()..][..weights.len()];
            let products = numbers.iter().zip(&weights).map(|(a, b)| f64::from(*a) * f64::from(*b));
            output[row * weight.out_features() + column] = products.sum::<f64>() as f32;
        }
    }
}
