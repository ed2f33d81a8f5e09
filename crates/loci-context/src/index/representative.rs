//! A block is found by the keys that its neighbours looked at most (InfLLM).

use loci_kernels::Isa;
use loci_models::memory::{AttentionShape, MemoryError};

use super::{BlockView, Index};
use crate::saved::{Reader, Writer};

/// Blocks for which room is made at a time.
const GROWTH: usize = 16;

/// For each query head, the mean of the unrotated keys of the `tokens` rows with the largest attention mass. The
/// heads' means stand side by side in one vector a block, `[heads * head_dim]`; a block's score is its product with
/// the probe.
///
/// Source: Xiao et al., "InfLLM", 2024.
#[derive(Clone, Debug)]
pub struct Representative {
    shape: AttentionShape,
    tokens: usize,
    isa: Isa,
    /// Per layer, `[blocks, heads * head_dim]`.
    layers: Vec<Vec<f32>>,
}

impl Representative {
    /// An empty index that describes a block by `tokens` of its rows.
    pub fn new(shape: AttentionShape, tokens: usize, isa: Isa) -> Self {
        Self { shape, tokens, isa, layers: vec![Vec::new(); shape.layers] }
    }

    const fn width(&self) -> usize {
        self.shape.heads * self.shape.head_dim
    }
}

/// Indices of the `count` largest numbers, ascending; of equal numbers the earlier ones.
fn largest(numbers: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    if count < order.len() && count > 0 {
        order.select_nth_unstable_by(count - 1, |a, b| numbers[*b].total_cmp(&numbers[*a]).then(a.cmp(b)));
        order.truncate(count);
    }
    order.sort_unstable();
    order
}

impl Index for Representative {
    fn wants_mass(&self) -> bool {
        true
    }

    fn reads_raw_keys(&self) -> bool {
        true
    }

    fn add(&mut self, block: &BlockView<'_>) -> Result<(), MemoryError> {
        let head_dim = self.shape.head_dim;
        let mut key = vec![0.0; head_dim];
        let mut mean = vec![0.0_f32; self.width()];
        for (head, (mean, mass)) in mean.chunks_exact_mut(head_dim).zip(block.mass).enumerate() {
            let chosen = largest(mass, self.tokens);
            #[allow(clippy::cast_precision_loss)] // a handful of rows
            let share = 1.0 / chosen.len().max(1) as f32;
            for row in chosen {
                block.store.read_raw_key(head / self.shape.group(), block.rows.start + row, &mut key)?;
                mean.iter_mut().zip(&key).for_each(|(mean, key)| *mean += key * share);
            }
        }
        let described = &mut self.layers[block.layer];
        if described.len() == described.capacity() {
            // Growth by doubling would spend up to half of the budget on nothing.
            described.reserve_exact(GROWTH * mean.len());
        }
        described.extend_from_slice(&mean);
        Ok(())
    }

    fn score(&self, layer: usize, probe: &[f32], blocks: usize, scores: &mut Vec<f32>) {
        scores.clear();
        let described = self.layers[layer].chunks_exact(self.width()).take(blocks);
        scores.extend(described.map(|block| loci_kernels::vector::dot(self.isa, block, probe)));
    }

    fn truncate(&mut self, layer: usize, blocks: usize) {
        let width = self.width();
        self.layers[layer].truncate(blocks * width);
    }

    fn bytes(&self) -> usize {
        self.layers.iter().map(|layer| layer.capacity() * size_of::<f32>()).sum()
    }

    fn bytes_per_block(&self) -> usize {
        self.width() * size_of::<f32>()
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        self.layers.iter().try_for_each(|layer| out.floats(layer))
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<(), MemoryError> {
        for layer in &mut self.layers {
            *layer = from.floats()?;
        }
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Index> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_takes_the_earlier_of_equal_numbers() {
        assert_eq!(largest(&[1.0, 3.0, 3.0, 2.0, 3.0], 2), [1, 2]);
        assert_eq!(largest(&[1.0, 2.0], 5), [0, 1]);
        assert!(largest(&[], 2).is_empty());
    }
}
