//! The rows that the newest queries look at.

use loci_kernels::vector::{dot, softmax};
use loci_models::memory::{AttentionShape, MemoryError};

use super::{Keep, PromptView};
use crate::parallel;
use crate::queries::of_head;
use crate::select::largest;
use crate::store::HeadPacking;

/// When a prompt has been read, each kv head keeps `budget` rows of it: the last `window`, and of those before them the
/// ones at which the newest `window + 1` queries look most. A row's score is the largest softmax weight that any of
/// these queries, of any head of the group, gives it, pooled over `kernel` neighbouring positions.
///
/// Source: Li et al., "SnapKV: LLM Knows What You are Looking for Before Generation", 2024, with the largest weight
/// instead of the sum, as Galim et al., "Draft-based Approximate Inference for LLMs", 2025, use it.
#[derive(Clone, Debug)]
pub struct ObservedRows {
    /// Rows kept.
    pub budget: usize,
    /// Newest rows, kept in any case.
    pub window: usize,
    /// Positions over which scores are pooled; odd.
    pub kernel: usize,
}

/// For each kv head, of each row before `end` the largest softmax weight that a query of the view gives it in any head
/// of the group; every query sees the rows up to itself.
///
/// # Errors
/// When a cold block cannot be read.
pub fn window_scores(view: &PromptView<'_>, end: usize) -> Result<Vec<Vec<f32>>, MemoryError> {
    let AttentionShape { heads, kv_heads, head_dim, .. } = view.shape;
    let group = view.shape.group();
    let queries = view.rotated();
    let count = queries.len() / (heads * head_dim);
    #[allow(clippy::cast_precision_loss)] // a head has a few hundred numbers
    let scale = 1.0 / (head_dim as f32).sqrt();
    parallel::for_each(view.pool, kv_heads, |kv_head| {
        let present = view.rows.present(kv_head, 0..view.first + count);
        let mut keys = vec![0.0; present.len() * head_dim];
        for (key, position) in keys.chunks_exact_mut(head_dim).zip(&present) {
            view.rows.read_rotated_key(kv_head, *position, key)?;
        }
        let mut best = vec![0.0_f32; end];
        for head in kv_head * group..(kv_head + 1) * group {
            for (query, position) in of_head(&queries, head, view.shape).zip(view.first..) {
                let seen = present.partition_point(|held| *held <= position);
                let product = |key: &[f32]| dot(view.isa, key, query) * scale;
                let mut weights: Vec<f32> = keys.chunks_exact(head_dim).take(seen).map(product).collect();
                softmax(view.isa, &mut weights);
                for (position, weight) in present.iter().zip(&weights) {
                    if let Some(best) = best.get_mut(*position) {
                        *best = best.max(*weight);
                    }
                }
            }
        }
        Ok(best)
    })
}

/// The largest of the `kernel` numbers around each.
pub fn pool_largest(numbers: &[f32], kernel: usize) -> Vec<f32> {
    let reach = kernel / 2;
    let around = |at: usize| &numbers[at.saturating_sub(reach)..(at + reach + 1).min(numbers.len())];
    (0..numbers.len()).map(|at| around(at).iter().copied().fold(f32::NEG_INFINITY, f32::max)).collect()
}

impl ObservedRows {
    /// The rows that stay of those before `end`, for each kv head.
    pub(super) fn rows(&self, prompt: &PromptView<'_>) -> Result<Vec<Vec<usize>>, MemoryError> {
        let old = prompt.end.saturating_sub(self.window);
        let scores = window_scores(&prompt.newest(self.window + 1), old)?;
        let choose = |scores: &Vec<f32>| {
            let chosen = largest(&pool_largest(scores, self.kernel), self.budget.saturating_sub(self.window));
            chosen.into_iter().chain(old..prompt.end).collect()
        };
        Ok(scores.iter().map(choose).collect())
    }
}

impl Keep for ObservedRows {
    fn is_uniform(&self) -> bool {
        false
    }

    fn prompt_queries(&self) -> usize {
        self.window + 1
    }

    fn at_prompt_end(&mut self, prompt: &PromptView<'_>) -> Result<Vec<HeadPacking>, MemoryError> {
        if prompt.end <= self.budget {
            return Ok(Vec::new());
        }
        let rows = self.rows(prompt)?;
        Ok(rows.into_iter().map(|rows| HeadPacking { rows, ..HeadPacking::default() }).collect())
    }

    fn most_bytes(&self, shape: AttentionShape, read: usize) -> usize {
        // Keys in f32 and scores while the prompt's end is decided about, for one layer at a time.
        shape.kv_heads * read * (shape.head_dim + 4) * size_of::<f32>()
    }

    fn clone_box(&self) -> Box<dyn Keep> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_takes_the_largest_neighbour() {
        assert_eq!(pool_largest(&[0.0, 3.0, 0.0, 0.0, 1.0], 3), [3.0, 3.0, 3.0, 1.0, 1.0]);
        assert_eq!(pool_largest(&[2.0, 1.0], 1), [2.0, 1.0]);
    }
}
