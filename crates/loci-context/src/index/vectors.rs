//! One vector a block and query head.

use loci_kernels::pool::Parts;
use loci_kernels::vector::{dot, dot_codes};
use loci_kernels::{Isa, Pool};
use loci_models::memory::{AttentionShape, MemoryError};

use crate::saved::{Reader, Writer};
use crate::select::largest;

/// Blocks for which room is made at a time.
const GROWTH: usize = 16;

/// Blocks that one task looks through.
const TASK: usize = 64;

/// Vectors `[heads * head_dim]` of blocks, per layer.
///
/// Each vector is held twice: exactly, and as 8-bit codes with a scale for each head. A search looks through the codes,
/// a fourth of the bytes, and then only at the exact vectors that the rounding of the codes cannot rule out. Its result
/// is that of a search through all exact vectors.
#[derive(Clone, Debug)]
pub(super) struct BlockVectors {
    shape: AttentionShape,
    isa: Isa,
    layers: Vec<Layer>,
}

#[derive(Clone, Debug, Default)]
struct Layer {
    /// `[blocks, heads * head_dim]`
    exact: Vec<f32>,
    /// The same, rounded.
    codes: Vec<i8>,
    /// `[blocks, heads]`
    scales: Vec<f32>,
}

impl Layer {
    fn reserve(&mut self, blocks: usize, heads: usize, width: usize) {
        // Growth by doubling would spend up to half of the budget on nothing.
        if self.exact.len() + width > self.exact.capacity() {
            self.exact.reserve_exact(blocks * width);
            self.codes.reserve_exact(blocks * width);
            self.scales.reserve_exact(blocks * heads);
        }
    }

    fn push(&mut self, vector: &[f32], head_dim: usize) {
        self.exact.extend_from_slice(vector);
        for head in vector.chunks_exact(head_dim) {
            let largest = head.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
            let scale = largest / 127.0;
            let inverse = if scale > f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
            #[allow(clippy::cast_possible_truncation)] // within 127
            self.codes.extend(head.iter().map(|number| (number * inverse).round() as i8));
            self.scales.push(scale);
        }
    }
}

impl BlockVectors {
    pub(super) fn new(shape: AttentionShape, isa: Isa) -> Self {
        Self { shape, isa, layers: vec![Layer::default(); shape.layers] }
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

    /// Adds the next block of a layer.
    pub(super) fn push(&mut self, layer: usize, vector: &[f32]) {
        let (heads, width) = (self.shape.heads, self.width());
        self.layers[layer].reserve(GROWTH, heads, width);
        self.layers[layer].push(vector, self.shape.head_dim);
    }

    /// The first `blocks` vectors.
    fn exact(&self, layer: usize, blocks: usize) -> impl Iterator<Item = &[f32]> {
        self.layers[layer].exact.chunks_exact(self.width()).take(blocks)
    }

    /// Products of the first `blocks` vectors with `probe`.
    pub(super) fn score(&self, layer: usize, probe: &[f32], blocks: usize, scores: &mut Vec<f32>) {
        scores.clear();
        scores.extend(self.exact(layer, blocks).map(|block| dot(self.isa, block, probe)));
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
        let own = head * self.shape.head_dim..(head + 1) * self.shape.head_dim;
        scores.extend(self.exact(layer, blocks).map(|block| dot(self.isa, &block[own.clone()], probe)));
    }

    /// The `count` of the first `blocks` vectors with the largest products; see [`Index::top`](super::Index::top).
    pub(super) fn top(
        &self,
        layer: usize,
        probe: &[f32],
        blocks: usize,
        count: usize,
        pool: &Pool,
    ) -> Vec<usize> {
        let (heads, width) = (self.shape.heads, self.width());
        let held = &self.layers[layer];
        let blocks = blocks.min(held.scales.len() / heads);
        if count >= blocks {
            return (0..blocks).collect();
        }
        // A code is off by half a unit at most, so a product by half the sum of the probe's magnitudes; the last factor
        // covers the rounding of the sums themselves.
        let reach: Vec<f32> = probe
            .chunks_exact(self.shape.head_dim)
            .map(|head| head.iter().map(|number| number.abs()).sum::<f32>() * 0.501)
            .collect();
        let mut bounds = vec![(0.0_f32, 0.0_f32); blocks];
        let parts = Parts::new(&mut bounds, TASK);
        pool.run(blocks.div_ceil(TASK), &|task| {
            let Some(bounds) = parts.take(task) else { return };
            for (block, bound) in (task * TASK..).zip(bounds) {
                let scales = &held.scales[block * heads..(block + 1) * heads];
                let score =
                    dot_codes(self.isa, &held.codes[block * width..(block + 1) * width], scales, probe);
                let error = scales.iter().zip(&reach).map(|(scale, reach)| scale * reach).sum::<f32>();
                *bound = (score - error, score + error);
            }
        });
        drop(parts);
        let lower: Vec<f32> = bounds.iter().map(|bound| bound.0).collect();
        let safe = largest(&lower, count).into_iter().map(|block| lower[block]).fold(f32::INFINITY, f32::min);
        // Not `>=`: what is no number must be looked at too.
        let open: Vec<usize> = (0..blocks).filter(|block| !(bounds[*block].1 < safe)).collect();
        let product = |block: &usize| dot(self.isa, &held.exact[block * width..(block + 1) * width], probe);
        let scores: Vec<f32> = open.iter().map(product).collect();
        largest(&scores, count).into_iter().map(|place| open[place]).collect()
    }

    pub(super) fn truncate(&mut self, layer: usize, blocks: usize) {
        let (heads, width) = (self.shape.heads, self.width());
        let held = &mut self.layers[layer];
        held.exact.truncate(blocks * width);
        held.codes.truncate(blocks * width);
        held.scales.truncate(blocks * heads);
    }

    pub(super) fn bytes(&self) -> usize {
        let of = |layer: &Layer| {
            (layer.exact.capacity() + layer.scales.capacity()) * size_of::<f32>() + layer.codes.capacity()
        };
        self.layers.iter().map(of).sum()
    }

    pub(super) const fn bytes_per_block(&self) -> usize {
        self.width() * (size_of::<f32>() + size_of::<i8>()) + self.shape.heads * size_of::<f32>()
    }

    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        self.layers.iter().try_for_each(|layer| out.floats(&layer.exact))
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), MemoryError> {
        let (heads, width, head_dim) = (self.shape.heads, self.width(), self.shape.head_dim);
        for layer in &mut self.layers {
            let exact = from.floats()?;
            *layer = Layer::default();
            layer.reserve(exact.len() / width, heads, width);
            exact.chunks_exact(width).for_each(|vector| layer.push(vector, head_dim));
        }
        Ok(())
    }
}

/// The part of [`Index`](super::Index) that indexes over [`BlockVectors`] (their field `vectors`) share.
macro_rules! by_vectors {
    () => {
        fn score(&self, layer: usize, probe: &[f32], blocks: usize, scores: &mut Vec<f32>) {
            self.vectors.score(layer, probe, blocks, scores);
        }

        fn score_head(&self, layer: usize, head: usize, probe: &[f32], blocks: usize, scores: &mut Vec<f32>) {
            self.vectors.score_head(layer, head, probe, blocks, scores);
        }

        fn top(&self, layer: usize, probe: &[f32], blocks: usize, count: usize, pool: &Pool) -> Vec<usize> {
            self.vectors.top(layer, probe, blocks, count, pool)
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
    use loci_testing::Numbers;

    #[test]
    fn the_filtered_search_finds_what_the_exact_one_finds() {
        let shape = AttentionShape { layers: 1, heads: 3, kv_heads: 1, head_dim: 16 };
        let pool = Pool::new(2);
        for seed in 0..40 {
            let mut numbers = Numbers::new(seed);
            let mut vectors = BlockVectors::new(shape, Isa::active());
            let blocks = 1 + numbers.below(300);
            for block in 0..blocks {
                // Some equal ones, and magnitudes that differ by head.
                let vector: Vec<f32> = match block % 7 {
                    3 => vec![0.25; 48],
                    _ => (0..48).map(|at| numbers.value() * [1.0, 9.0, 0.01][at / 16]).collect(),
                };
                vectors.push(0, &vector);
            }
            let probe: Vec<f32> = (0..48).map(|_| numbers.value()).collect();
            let mut scores = Vec::new();
            vectors.score(0, &probe, blocks, &mut scores);
            for count in [0, 1, 5, blocks / 2, blocks] {
                let found = vectors.top(0, &probe, blocks, count, &pool);
                assert_eq!(found, largest(&scores, count), "{count} of {blocks}, seed {seed}");
            }
        }
    }
}
