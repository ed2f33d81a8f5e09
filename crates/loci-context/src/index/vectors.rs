//! One vector a block and query head.

use std::ops::Range;

use loci_kernels::pool::Parts;
use loci_kernels::vector::{dot, dot_codes, round_to_16_bits};
use loci_kernels::{Isa, Pool};
use loci_models::memory::{AttentionShape, MemoryError};

use crate::recipes::ModelFacts;
use crate::saved::{Reader, Writer};

/// Blocks for which room is made at a time.
const GROWTH: usize = 16;

/// Blocks that one task looks through.
const TASK: usize = 64;

/// Vectors `[heads * head_dim]` of blocks, per layer, by the number format of the rows: with 8-bit or 4-bit rows as 8-bit codes
/// with a scale for each head, otherwise in f32. A search reads all of them for every token that is written, so their
/// bytes are its cost.
#[derive(Clone, Debug)]
pub(super) struct BlockVectors {
    shape: AttentionShape,
    isa: Isa,
    coded: bool,
    layers: Vec<Layer>,
}

#[derive(Clone, Debug, Default)]
struct Layer {
    /// `[blocks, heads * head_dim]`; empty where they are coded.
    exact: Vec<f32>,
    /// The same, rounded; empty where they are exact.
    codes: Vec<i8>,
    /// `[blocks, heads]`, of the codes.
    scales: Vec<f32>,
    /// `[blocks]`: Euclidean lengths of the vectors.
    lengths: Vec<f32>,
}

/// A probe in the number format that the vectors can be multiplied with.
enum Asked<'a> {
    Exact(&'a [f32]),
    /// 16 bits, with their scale: products of whole numbers take half the time of those of f32.
    Rounded(Vec<i16>, f32),
}

impl BlockVectors {
    /// None yet, for rows of `row_type`.
    pub(super) fn new(facts: &ModelFacts) -> Self {
        let ModelFacts { shape, isa, .. } = *facts;
        let layers = vec![Layer::default(); shape.layers];
        Self { shape, isa, coded: facts.row_type.is_integer(), layers }
    }

    pub(super) const fn shape(&self) -> AttentionShape {
        self.shape
    }

    pub(super) const fn isa(&self) -> Isa {
        self.isa
    }

    pub(super) const fn width(&self) -> usize {
        self.shape.heads * self.shape.head_dim
    }

    /// Makes room for more blocks of a layer. Growth by doubling would spend up to half of the budget on nothing.
    fn reserve(&mut self, layer: usize, blocks: usize) {
        let width = self.width();
        let held = &mut self.layers[layer];
        held.lengths.reserve_exact(blocks);
        if self.coded {
            held.codes.reserve_exact(blocks * width);
            held.scales.reserve_exact(blocks * self.shape.heads);
        } else {
            held.exact.reserve_exact(blocks * width);
        }
    }

    /// Adds the next block of a layer.
    pub(super) fn push(&mut self, layer: usize, vector: &[f32]) {
        let held = &self.layers[layer];
        let full = match self.coded {
            true => held.codes.len() == held.codes.capacity(),
            false => held.exact.len() == held.exact.capacity(),
        };
        if full {
            self.reserve(layer, GROWTH);
        }
        let length = dot(self.isa, vector, vector).sqrt();
        let held = &mut self.layers[layer];
        held.lengths.push(length);
        if !self.coded {
            held.exact.extend_from_slice(vector);
            return;
        }
        for head in vector.chunks_exact(self.shape.head_dim) {
            let largest = head.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
            let scale = largest / 127.0;
            let inverse = if scale > f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
            #[allow(clippy::cast_possible_truncation)] // within 127
            held.codes.extend(head.iter().map(|number| (number * inverse).round() as i8));
            held.scales.push(scale);
        }
    }

    /// Blocks of a layer.
    fn blocks(&self, layer: usize) -> usize {
        self.layers[layer].lengths.len()
    }

    fn ask<'a>(&self, probe: &'a [f32]) -> Asked<'a> {
        match self.coded {
            true => {
                let (rounded, scale) = round_to_16_bits(probe);
                Asked::Rounded(rounded, scale)
            }
            false => Asked::Exact(probe),
        }
    }

    /// Product of the part of a block's vector that belongs to `heads` with a probe `[heads.len() * head_dim]`.
    fn product(&self, layer: usize, block: usize, heads: Range<usize>, probe: &Asked<'_>) -> f32 {
        let (all, head_dim) = (self.shape.heads, self.shape.head_dim);
        let start = block * all + heads.start;
        let (from, to) = (start * head_dim, (start + heads.len()) * head_dim);
        let held = &self.layers[layer];
        match probe {
            Asked::Rounded(probe, scale) => {
                let scales = &held.scales[start..start + heads.len()];
                dot_codes(self.isa, &held.codes[from..to], scales, probe) * scale
            }
            Asked::Exact(probe) => dot(self.isa, &held.exact[from..to], probe),
        }
    }

    /// Products of the first `blocks` vectors with `probe`.
    pub(super) fn score(
        &self,
        layer: usize,
        probe: &[f32],
        blocks: usize,
        pool: &Pool,
        scores: &mut Vec<f32>,
    ) {
        scores.clear();
        scores.resize(blocks.min(self.blocks(layer)), 0.0);
        let (tasks, probe) = (scores.len().div_ceil(TASK), self.ask(probe));
        let parts = Parts::new(scores, TASK);
        pool.run(tasks, &|task| {
            for (block, score) in (task * TASK..).zip(parts.take(task).into_iter().flatten()) {
                *score = self.product(layer, block, 0..self.shape.heads, &probe);
            }
        });
    }

    /// Cosines of the first `blocks` vectors with `probe`.
    pub(super) fn score_cosine(
        &self,
        layer: usize,
        probe: &[f32],
        blocks: usize,
        pool: &Pool,
        scores: &mut Vec<f32>,
    ) {
        self.score(layer, probe, blocks, pool, scores);
        let own = dot(self.isa, probe, probe).sqrt();
        for (score, length) in scores.iter_mut().zip(&self.layers[layer].lengths) {
            let lengths = own * length;
            *score = if lengths > 0.0 { *score / lengths } else { 0.0 };
        }
    }

    /// Products of one head's part of the first `blocks` vectors with `probe`.
    pub(super) fn score_head(
        &self,
        layer: usize,
        head: usize,
        probe: &[f32],
        blocks: usize,
        scores: &mut Vec<f32>,
    ) {
        scores.clear();
        let blocks = blocks.min(self.blocks(layer));
        let probe = self.ask(probe);
        scores.extend((0..blocks).map(|block| self.product(layer, block, head..head + 1, &probe)));
    }

    pub(super) fn truncate(&mut self, layer: usize, blocks: usize) {
        let (heads, width) = (self.shape.heads, self.width());
        let held = &mut self.layers[layer];
        held.exact.truncate(blocks * width);
        held.codes.truncate(blocks * width);
        held.scales.truncate(blocks * heads);
        held.lengths.truncate(blocks);
    }

    pub(super) fn bytes(&self) -> usize {
        let of = |layer: &Layer| {
            let floats = layer.exact.capacity() + layer.scales.capacity() + layer.lengths.capacity();
            floats * size_of::<f32>() + layer.codes.capacity()
        };
        self.layers.iter().map(of).sum()
    }

    pub(super) const fn bytes_per_block(&self) -> usize {
        let vector = match self.coded {
            true => self.width() + self.shape.heads * size_of::<f32>(),
            false => self.width() * size_of::<f32>(),
        };
        vector + size_of::<f32>()
    }

    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        self.layers.iter().try_for_each(|layer| {
            out.floats(&layer.exact)?;
            out.bytes(bytemuck::cast_slice(&layer.codes))?;
            out.floats(&layer.scales)?;
            out.floats(&layer.lengths)
        })
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), MemoryError> {
        let (heads, width) = (self.shape.heads, self.width());
        for layer in &mut self.layers {
            let exact = from.floats()?;
            let codes = bytemuck::cast_slice(&from.bytes()?).to_vec();
            let scales = from.floats()?;
            let lengths = from.floats()?;
            let blocks = lengths.len();
            let fits = match self.coded {
                true => exact.is_empty() && codes.len() == blocks * width && scales.len() == blocks * heads,
                false => exact.len() == blocks * width && codes.is_empty() && scales.is_empty(),
            };
            if !fits {
                return Err(MemoryError::Saved("its index is held in another number format".into()));
            }
            *layer = Layer { exact, codes, scales, lengths };
        }
        Ok(())
    }
}

/// The part of [`Index`](super::Index) that indexes over [`BlockVectors`] (their field `vectors`) share.
macro_rules! by_vectors {
    () => {
        fn score(&self, layer: usize, probe: &[f32], blocks: usize, pool: &Pool, scores: &mut Vec<f32>) {
            self.vectors.score(layer, probe, blocks, pool, scores);
        }

        fn score_cosine(
            &self,
            layer: usize,
            probe: &[f32],
            blocks: usize,
            pool: &Pool,
            scores: &mut Vec<f32>,
        ) {
            self.vectors.score_cosine(layer, probe, blocks, pool, scores);
        }

        fn score_head(&self, layer: usize, head: usize, probe: &[f32], blocks: usize, scores: &mut Vec<f32>) {
            self.vectors.score_head(layer, head, probe, blocks, scores);
        }

        fn truncate(&mut self, layer: usize, blocks: usize) {
            self.vectors.truncate(layer, blocks);
        }

        fn bytes(&self) -> usize {
            self.vectors.bytes()
        }

        fn bytes_per_block(&self) -> usize {
            self.vectors.bytes_per_block()
        }

        fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
            self.vectors.save(out)
        }

        fn load(&mut self, from: &mut Reader<'_>) -> Result<(), MemoryError> {
            self.vectors.load(from)
        }

        fn clone_box(&self) -> Box<dyn Index> {
            Box::new(self.clone())
        }
    };
}
pub(super) use by_vectors;

#[cfg(test)]
mod tests {
    use super::*;
    use loci_kernels::tiles::RowType;
    use loci_testing::Numbers;

    #[test]
    fn codes_stay_close_and_threads_change_nothing() {
        let shape = AttentionShape { layers: 1, heads: 3, kv_heads: 1, head_dim: 16 };
        let pool = Pool::new(2);
        for seed in 0..20 {
            let mut numbers = Numbers::new(seed);
            let with = |row_type| {
                BlockVectors::new(&ModelFacts {
                    shape,
                    trained_window: 64,
                    isa: Isa::active(),
                    row_type,
                    heads: None,
                })
            };
            let (mut exact, mut coded) = (with(RowType::F32), with(RowType::I8));
            let blocks = 1 + numbers.below(300);
            for _ in 0..blocks {
                let vector: Vec<f32> =
                    (0..48).map(|at| numbers.value() * [1.0, 9.0, 0.01][at / 16]).collect();
                exact.push(0, &vector);
                coded.push(0, &vector);
            }
            let probe: Vec<f32> = (0..48).map(|_| numbers.value()).collect();
            let (mut scores, mut close) = (Vec::new(), Vec::new());
            exact.score(0, &probe, blocks, &pool, &mut scores);
            coded.score(0, &probe, blocks, &pool, &mut close);
            for (a, b) in scores.iter().zip(&close) {
                assert!((a - b).abs() < 0.4, "{a} {b}");
            }
            let (mut alone, one) = (Vec::new(), Pool::new(1));
            coded.score(0, &probe, blocks, &one, &mut alone);
            assert_eq!(alone, close);
            assert!(coded.bytes() * 3 < exact.bytes());
        }
    }
}
