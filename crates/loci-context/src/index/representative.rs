//! A block is found by the keys that its neighbours looked at most (InfLLM).

use loci_kernels::Pool;
use loci_models::memory::MemoryError;

use super::vectors::{BlockVectors, by_vectors};
use super::{BlockView, Index};
use crate::recipes::ModelFacts;
use crate::saved::{Reader, Writer};
use crate::select::largest;

/// For each query head, the mean of the unrotated keys of the `tokens` rows with the largest attention mass. The
/// heads' means stand side by side in one vector a block, `[heads * head_dim]`; a block's score is its product with
/// the probe.
///
/// Source: Xiao et al., "InfLLM", 2024.
#[derive(Clone, Debug)]
pub struct Representative {
    tokens: usize,
    vectors: BlockVectors,
}

impl Representative {
    /// An empty index that describes a block by `tokens` of its rows.
    pub fn new(facts: &ModelFacts, tokens: usize) -> Self {
        Self { tokens, vectors: BlockVectors::new(facts) }
    }
}

impl Index for Representative {
    fn wants_mass(&self) -> bool {
        true
    }

    fn reads_raw_keys(&self) -> bool {
        true
    }

    fn add(&mut self, block: &BlockView<'_>) -> Result<(), MemoryError> {
        let shape = self.vectors.shape();
        let head_dim = shape.head_dim;
        let mut key = vec![0.0; head_dim];
        let mut mean = vec![0.0_f32; self.vectors.width()];
        for (head, (mean, mass)) in mean.chunks_exact_mut(head_dim).zip(block.mass).enumerate() {
            let chosen = largest(mass, self.tokens);
            #[allow(clippy::cast_precision_loss)] // a handful of rows
            let share = 1.0 / chosen.len().max(1) as f32;
            for row in chosen {
                block.store.read_raw_key(head / shape.group(), block.rows.start + row, &mut key)?;
                mean.iter_mut().zip(&key).for_each(|(mean, key)| *mean += key * share);
            }
        }
        self.vectors.push(block.layer, &mean);
        Ok(())
    }

    by_vectors!();
}
