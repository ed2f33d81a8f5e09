//! One vector a block and query head.

use loci_kernels::Isa;
use loci_models::memory::{AttentionShape, MemoryError};

use crate::saved::{Reader, Writer};

/// Blocks for which room is made at a time.
const GROWTH: usize = 16;

/// Vectors `[heads * head_dim]` of blocks, per layer.
#[derive(Clone, Debug)]
pub(super) struct BlockVectors {
    shape: AttentionShape,
    isa: Isa,
    /// Per layer, `[blocks, heads * head_dim]`.
    layers: Vec<Vec<f32>>,
}

impl BlockVectors {
    pub(super) fn new(shape: AttentionShape, isa: Isa) -> Self {
        Self { shape, isa, layers: vec![Vec::new(); shape.layers] }
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
        let held = &mut self.layers[layer];
        if held.len() == held.capacity() {
            // Growth by doubling would spend up to half of the budget on nothing.
            held.reserve_exact(GROWTH * vector.len());
        }
        held.extend_from_slice(vector);
    }

    /// Products of the first `blocks` vectors with `probe`.
    pub(super) fn score(&self, layer: usize, probe: &[f32], blocks: usize, scores: &mut Vec<f32>) {
        scores.clear();
        let held = self.layers[layer].chunks_exact(self.width()).take(blocks);
        scores.extend(held.map(|block| loci_kernels::vector::dot(self.isa, block, probe)));
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
        let held = self.layers[layer].chunks_exact(self.width()).take(blocks);
        scores.extend(held.map(|block| loci_kernels::vector::dot(self.isa, &block[own.clone()], probe)));
    }

    pub(super) fn truncate(&mut self, layer: usize, blocks: usize) {
        let width = self.width();
        self.layers[layer].truncate(blocks * width);
    }

    pub(super) fn bytes(&self) -> usize {
        self.layers.iter().map(|layer| layer.capacity() * size_of::<f32>()).sum()
    }

    pub(super) const fn bytes_per_block(&self) -> usize {
        self.width() * size_of::<f32>()
    }

    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        self.layers.iter().try_for_each(|layer| out.floats(layer))
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), MemoryError> {
        for layer in &mut self.layers {
            *layer = from.floats()?;
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
