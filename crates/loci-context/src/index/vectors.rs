//! One vector a block and query head.

use std::ops::Range;

use loci_kernels::pool::Parts;
use loci_kernels::vector::dot;
use loci_kernels::{Isa, Pool};
use loci_models::memory::{AttentionShape, MemoryError};

use super::halves::{Halves, Rounded};
use crate::recipes::ModelFacts;
use crate::saved::{Reader, Writer};
use crate::select::largest;

/// Blocks for which room is made at a time.
const GROWTH: usize = 16;

/// Blocks that one task looks through.
const TASK: usize = 64;

/// Blocks, beside those that are wanted and a quarter, of which both halves of the codes are read.
const MORE: usize = 4;

/// Vectors `[heads * head_dim]` of blocks, per layer, by the number format of the rows: with 8-bit or 4-bit rows as 8-bit codes
/// with a scale for each head, otherwise in f32. A search reads all of them for every token that is written, so their
/// bytes are its cost: it reads the upper halves of the codes first, and the lower ones of the best blocks only.
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
    codes: Halves,
    /// `[blocks]`: Euclidean lengths of the vectors.
    lengths: Vec<f32>,
}

/// A probe in the number format that the vectors can be multiplied with.
enum Asked<'a> {
    Exact(&'a [f32], Range<usize>),
    Rounded(Rounded),
}

impl BlockVectors {
    /// None yet, for rows of `row_type`.
    pub(super) fn new(facts: &ModelFacts) -> Self {
        let ModelFacts { shape, isa, .. } = *facts;
        let layers = vec![Layer::default(); shape.layers];
        Self { shape, isa, coded: facts.row_type.is_integer() && shape.head_dim.is_multiple_of(2), layers }
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
            held.codes.reserve(self.shape, blocks);
        } else {
            held.exact.reserve_exact(blocks * width);
        }
    }

    /// Adds the next block of a layer.
    pub(super) fn push(&mut self, layer: usize, vector: &[f32]) {
        let held = &self.layers[layer];
        let full = match self.coded {
            true => held.lengths.len() == held.codes.room(self.shape),
            false => held.exact.len() == held.exact.capacity(),
        };
        if full {
            self.reserve(layer, GROWTH);
        }
        let length = dot(self.isa, vector, vector).sqrt();
        let held = &mut self.layers[layer];
        held.lengths.push(length);
        match self.coded {
            true => held.codes.push(self.shape, vector),
            false => held.exact.extend_from_slice(vector),
        }
    }

    /// Blocks of a layer.
    fn blocks(&self, layer: usize) -> usize {
        self.layers[layer].lengths.len()
    }

    fn ask<'a>(&self, layer: usize, heads: Range<usize>, probe: &'a [f32]) -> Asked<'a> {
        match self.coded {
            true => Asked::Rounded(self.layers[layer].codes.ask(self.isa, self.shape, heads, probe)),
            false => Asked::Exact(probe, heads),
        }
    }

    /// Products of vectors, the part of the probe's heads, with the probe; `block` is the first. With `all` of the codes,
    /// or the upper halves.
    fn products(&self, layer: usize, block: usize, probe: &Asked<'_>, all: bool, out: &mut [f32]) {
        let (held, shape) = (&self.layers[layer], self.shape);
        match probe {
            Asked::Rounded(probe) => {
                held.codes.coarse(self.isa, shape, block, probe, out);
                if all {
                    let fine = |block| held.codes.fine(self.isa, shape, block, probe);
                    out.iter_mut().enumerate().for_each(|(next, out)| *out += fine(block + next));
                }
            }
            Asked::Exact(probe, heads) => {
                for (next, out) in out.iter_mut().enumerate() {
                    let start = ((block + next) * shape.heads + heads.start) * shape.head_dim;
                    *out = dot(self.isa, &held.exact[start..start + probe.len()], probe);
                }
            }
        }
    }

    /// Products of the first `blocks` vectors with `probe`; those of the `best` are as exact as the vectors are held.
    pub(super) fn score(
        &self,
        layer: usize,
        probe: &[f32],
        blocks: usize,
        best: usize,
        pool: &Pool,
        scores: &mut Vec<f32>,
    ) {
        scores.clear();
        scores.resize(blocks.min(self.blocks(layer)), 0.0);
        let (tasks, probe) = (scores.len().div_ceil(TASK), self.ask(layer, 0..self.shape.heads, probe));
        // What is nearly among the best may be among them.
        let again = best.saturating_add(best / 4 + MORE);
        let all = again >= scores.len() / 2;
        let parts = Parts::new(scores, TASK);
        pool.run(tasks, &|task| {
            if let Some(scores) = parts.take(task) {
                self.products(layer, task * TASK, &probe, all, scores);
            }
        });
        if let (Asked::Rounded(probe), false) = (probe, all) {
            let (codes, again) = (&self.layers[layer].codes, largest(scores, again));
            again.iter().for_each(|block| codes.fetch(self.shape, *block));
            for block in again {
                scores[block] += codes.fine(self.isa, self.shape, block, &probe);
            }
        }
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
        self.score(layer, probe, blocks, usize::MAX, pool, scores);
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
        scores.resize(blocks.min(self.blocks(layer)), 0.0);
        self.products(layer, 0, &self.ask(layer, head..head + 1, probe), true, scores);
    }

    pub(super) fn truncate(&mut self, layer: usize, blocks: usize) {
        let (shape, width) = (self.shape, self.width());
        let held = &mut self.layers[layer];
        held.exact.truncate(blocks * width);
        held.codes.truncate(shape, blocks);
        held.lengths.truncate(blocks);
    }

    pub(super) fn bytes(&self) -> usize {
        let of = |layer: &Layer| {
            let floats = layer.exact.capacity() + layer.lengths.capacity();
            floats * size_of::<f32>() + layer.codes.bytes()
        };
        self.layers.iter().map(of).sum()
    }

    pub(super) const fn bytes_per_block(&self) -> usize {
        let vector = match self.coded {
            true => Halves::bytes_per_block(self.shape),
            false => self.width() * size_of::<f32>(),
        };
        vector + size_of::<f32>()
    }

    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        self.layers.iter().try_for_each(|layer| {
            out.floats(&layer.exact)?;
            layer.codes.save(out)?;
            out.floats(&layer.lengths)
        })
    }

    pub(super) fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
        for layer in &mut self.layers {
            let loaded = Layer { exact: from.floats()?, codes: Halves::load(from)?, lengths: from.floats()? };
            let blocks = loaded.lengths.len();
            let (exact, coded) = if self.coded { (0, blocks) } else { (blocks, 0) };
            if loaded.exact.len() != exact * self.shape.heads * self.shape.head_dim
                || !loaded.codes.holds(self.shape, coded)
            {
                return Err(MemoryError::Saved("its index is held in another number format".into()));
            }
            *layer = loaded;
        }
        Ok(())
    }
}

/// The part of [`Index`](super::Index) that indexes over [`BlockVectors`] (their field `vectors`) share.
macro_rules! by_vectors {
    () => {
        fn score(
            &self,
            layer: usize,
            probe: &[f32],
            blocks: usize,
            best: usize,
            pool: &Pool,
            scores: &mut Vec<f32>,
        ) {
            self.vectors.score(layer, probe, blocks, best, pool, scores);
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

        fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
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

    /// Those that want few blocks read half of the codes, and find what those find that read all.
    #[test]
    fn the_best_blocks_are_found_by_half_of_the_codes() {
        let shape = AttentionShape { layers: 1, heads: 3, kv_heads: 1, head_dim: 16 };
        let (pool, best, mut missed) = (Pool::new(1), 8, 0);
        for seed in 0..50 {
            let mut numbers = Numbers::new(seed);
            let facts = ModelFacts {
                shape,
                trained_window: 64,
                isa: Isa::active(),
                row_type: RowType::I8,
                heads: None,
            };
            let mut vectors = BlockVectors::new(&facts);
            let common: Vec<f32> = (0..48).map(|at| numbers.value() * [20.0, 1.0, 0.1][at % 3]).collect();
            for _ in 0..300 {
                let vector: Vec<f32> = common.iter().map(|common| common + 0.5 * numbers.value()).collect();
                vectors.push(0, &vector);
            }
            let probe: Vec<f32> = (0..48).map(|_| numbers.value()).collect();
            let (mut all, mut few) = (Vec::new(), Vec::new());
            vectors.score(0, &probe, 300, 300, &pool, &mut all);
            vectors.score(0, &probe, 300, best, &pool, &mut few);
            let found = largest(&few, best);
            assert!(found.iter().all(|block| all[*block] == few[*block]), "the best are scored by all codes");
            assert!(all.iter().zip(&few).any(|(a, b)| a != b), "others by half of them");
            missed += largest(&all, best).iter().filter(|block| !found.contains(block)).count();
        }
        assert!(missed <= 4, "{missed} of 400");
    }

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
            exact.score(0, &probe, blocks, blocks, &pool, &mut scores);
            coded.score(0, &probe, blocks, blocks, &pool, &mut close);
            for (a, b) in scores.iter().zip(&close) {
                assert!((a - b).abs() < 0.4, "{a} {b}");
            }
            let (mut alone, one) = (Vec::new(), Pool::new(1));
            coded.score(0, &probe, blocks, blocks, &one, &mut alone);
            assert_eq!(alone, close);
            // Beside what they have in common, one vector.
            assert!((coded.bytes() - 48 * size_of::<f32>()) * 3 < exact.bytes());
        }
    }
}
