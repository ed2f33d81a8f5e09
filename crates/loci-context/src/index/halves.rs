//! Vectors of 8-bit codes in two halves of four bits, so that a search may read the upper ones alone.

use std::ops::Range;

use loci_kernels::vector::{dot, dot_nibbles, round_to_16_bits};
use loci_kernels::{Isa, prefetch};
use loci_models::memory::{AttentionShape, MemoryError};

use crate::saved::{Reader, Writer};

/// Largest code. Its upper half, rounded, then fits four bits.
const LARGEST: f32 = 119.0;

/// Vectors `[heads * head_dim]` of the blocks of a layer, less that of the first block, which says what they have in
/// common: `vector = centre + scale * (16 * upper + lower)`.
///
/// Without the centre most codes would be small and the upper halves would say little: keys have a few channels that are
/// large everywhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Halves {
    /// `[heads * head_dim]`; empty before the first block.
    centre: Vec<f32>,
    /// `[blocks, heads, head_dim / 2]` bytes of two codes, as [`dot_nibbles`] wants them.
    upper: Vec<u8>,
    /// The same for the lower halves.
    lower: Vec<u8>,
    /// `[blocks, heads]`.
    scales: Vec<f32>,
}

/// A probe, rounded to 16 bits: products of whole numbers take half the time of those of f32.
pub(super) struct Rounded {
    numbers: Vec<i16>,
    scale: f32,
    /// Product of the probe and the centre.
    common: f32,
    heads: Range<usize>,
}

/// Bytes of the upper, or of the lower half of a block.
const fn half_bytes(shape: AttentionShape) -> usize {
    shape.heads * shape.head_dim / 2
}

impl Halves {
    /// Bytes of a block.
    pub(super) const fn bytes_per_block(shape: AttentionShape) -> usize {
        2 * half_bytes(shape) + shape.heads * size_of::<f32>()
    }

    /// Blocks for which there is room.
    pub(super) fn room(&self, shape: AttentionShape) -> usize {
        self.scales.capacity() / shape.heads
    }

    /// Makes room for more blocks.
    pub(super) fn reserve(&mut self, shape: AttentionShape, blocks: usize) {
        self.upper.reserve_exact(blocks * half_bytes(shape));
        self.lower.reserve_exact(blocks * half_bytes(shape));
        self.scales.reserve_exact(blocks * shape.heads);
    }

    /// Adds the next block.
    pub(super) fn push(&mut self, shape: AttentionShape, vector: &[f32]) {
        if self.centre.is_empty() {
            self.centre = vector.to_vec();
        }
        let apart: Vec<f32> = vector.iter().zip(&self.centre).map(|(own, centre)| own - centre).collect();
        for head in apart.chunks_exact(shape.head_dim) {
            let largest = head.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
            let scale = largest / LARGEST;
            let inverse = if scale > f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
            // From 9 to 247: 128 more, and 8 more so that the upper half is the nearest one.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let code = |number: &f32| (number * inverse).round_ties_even() as i16 as u8;
            let (first, second) = head.split_at(shape.head_dim / 2);
            for (first, second) in first.iter().zip(second) {
                let codes = [code(first), code(second)].map(|code| code.wrapping_add(128 + 8));
                self.upper.push(codes[0] >> 4 | codes[1] & 0xf0);
                self.lower.push(codes[0] & 15 | codes[1] << 4);
            }
            self.scales.push(scale);
        }
    }

    /// A probe `[heads.len() * head_dim]` of some heads.
    pub(super) fn ask(&self, isa: Isa, shape: AttentionShape, heads: Range<usize>, probe: &[f32]) -> Rounded {
        let (numbers, scale) = round_to_16_bits(isa, probe);
        let centre = self.centre.get(heads.start * shape.head_dim..heads.end * shape.head_dim);
        Rounded { numbers, scale, common: centre.map_or(0.0, |centre| dot(isa, centre, probe)), heads }
    }

    /// What the upper halves of `out.len()` blocks, the first of which is `block`, say of their products with a probe.
    pub(super) fn coarse(
        &self,
        isa: Isa,
        shape: AttentionShape,
        block: usize,
        probe: &Rounded,
        out: &mut [f32],
    ) {
        self.multiply(isa, shape, &self.upper, block, probe, out);
        out.iter_mut().for_each(|out| *out = probe.common + 16.0 * probe.scale * *out);
    }

    /// What the lower half of a block adds to that.
    pub(super) fn fine(&self, isa: Isa, shape: AttentionShape, block: usize, probe: &Rounded) -> f32 {
        let mut out = [0.0];
        self.multiply(isa, shape, &self.lower, block, probe, &mut out);
        probe.scale * out[0]
    }

    /// Starts to fetch the lower half of a block.
    pub(super) fn fetch(&self, shape: AttentionShape, block: usize) {
        let bytes = half_bytes(shape);
        self.lower[block * bytes..(block + 1) * bytes].chunks(64).for_each(|line| prefetch(&line[0]));
    }

    fn multiply(
        &self,
        isa: Isa,
        shape: AttentionShape,
        half: &[u8],
        block: usize,
        probe: &Rounded,
        out: &mut [f32],
    ) {
        let of = |block: usize, out: &mut [f32]| {
            let start = block * shape.heads + probe.heads.start;
            let heads = start..start + out.len() * probe.heads.len();
            let bytes = heads.start * shape.head_dim / 2..heads.end * shape.head_dim / 2;
            dot_nibbles(isa, &half[bytes], &self.scales[heads], &probe.numbers, out);
        };
        // Only whole vectors lie side by side.
        match probe.heads.len() == shape.heads {
            true => of(block, out),
            false => out.chunks_mut(1).enumerate().for_each(|(next, out)| of(block + next, out)),
        }
    }

    /// Forgets all blocks but the first.
    pub(super) fn truncate(&mut self, shape: AttentionShape, blocks: usize) {
        if blocks == 0 {
            self.centre.clear();
        }
        self.upper.truncate(blocks * half_bytes(shape));
        self.lower.truncate(blocks * half_bytes(shape));
        self.scales.truncate(blocks * shape.heads);
    }

    /// Bytes in RAM.
    pub(super) fn bytes(&self) -> usize {
        let floats = self.centre.capacity() + self.scales.capacity();
        floats * size_of::<f32>() + self.upper.capacity() + self.lower.capacity()
    }

    /// Writes all blocks.
    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        out.floats(&self.centre)?;
        out.bytes(&self.upper)?;
        out.bytes(&self.lower)?;
        out.floats(&self.scales)
    }

    /// Reads what [`save`](Self::save) wrote.
    pub(super) fn load(from: &mut Reader) -> Result<Self, MemoryError> {
        Ok(Self {
            centre: from.floats()?,
            upper: from.bytes()?,
            lower: from.bytes()?,
            scales: from.floats()?,
        })
    }

    /// Whether all parts are those of so many blocks.
    pub(super) fn holds(&self, shape: AttentionShape, blocks: usize) -> bool {
        let width = shape.heads * shape.head_dim;
        self.centre.len() == if blocks == 0 { 0 } else { width }
            && [&self.upper, &self.lower].iter().all(|half| half.len() == blocks * half_bytes(shape))
            && self.scales.len() == blocks * shape.heads
    }
}
