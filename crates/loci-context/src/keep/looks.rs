//! Where the last queries of a prompt look, one by one.

use loci_models::memory::{AttentionShape, MemoryError};

use super::observed::{fold_weights, scoring_bytes};
use super::{Keep, PromptView};
use crate::store::HeadPacking;

/// Everything stays; when a prompt has been read, the softmax weights that each of its last `queries` queries gives to each
/// token are summed over the heads of one layer: `[queries, tokens]`, a row's sum being the number of heads.
///
/// Source: Ye et al., "Infinite Retrieval: Attention Enhanced LLMs in Long-Context Processing", 2025.
#[derive(Clone, Debug)]
pub struct Looks {
    queries: usize,
    layer: usize,
    sums: Vec<f32>,
}

impl Looks {
    /// Of the last `queries` queries, in `layer`.
    pub const fn new(queries: usize, layer: usize) -> Self {
        Self { queries, layer, sums: Vec::new() }
    }
}

impl Keep for Looks {
    fn prompt_queries(&self) -> usize {
        self.queries
    }

    fn importance(&self) -> &[f32] {
        &self.sums
    }

    fn at_prompt_end(&mut self, prompt: &PromptView<'_>) -> Result<Vec<HeadPacking>, MemoryError> {
        if prompt.layer != self.layer {
            return Ok(Vec::new());
        }
        let prompt = prompt.newest(self.queries);
        let length = prompt.first + prompt.count();
        let add = |sums: &mut [f32], number: usize, present: &[usize], weights: &[f32]| {
            let row = sums.get_mut(number * length..(number + 1) * length).unwrap_or_default();
            for (position, weight) in present.iter().zip(weights) {
                if let Some(sum) = row.get_mut(*position) {
                    *sum += weight;
                }
            }
        };
        self.sums = vec![0.0; prompt.count() * length];
        for of_head in fold_weights(&prompt, self.sums.len(), &add)? {
            self.sums.iter_mut().zip(of_head).for_each(|(sum, own)| *sum += own);
        }
        Ok(Vec::new())
    }

    fn most_bytes(&self, shape: AttentionShape, read: usize) -> usize {
        scoring_bytes(shape, read) + (shape.kv_heads + 1) * self.queries * read * size_of::<f32>()
    }

    fn clone_box(&self) -> Box<dyn Keep> {
        Box::new(self.clone())
    }
}
