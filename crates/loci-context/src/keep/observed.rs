//! The rows that the newest queries look at.

use loci_kernels::vector::{dot, softmax};
use loci_models::memory::{AttentionShape, MemoryError};

use super::{Keep, PromptView};
use crate::memory::QUERY_SLACK;
use crate::parallel;
use crate::queries::of_head;
use crate::select::largest;
use crate::store::{HeadPacking, PAGE};

/// When a prompt has been read, each kv head keeps `budget` rows of it: the last `window`, and of those before them the
/// ones at which the last `window + 1` queries of the prompt, and those of the look-ahead behind it, look most. A row's
/// score is the largest softmax weight that any of these queries, of any head of the group, gives it, pooled over
/// `kernel` neighbouring positions.
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
    /// Tokens of look-ahead that observe too, if a draft writes as many.
    pub look_ahead: usize,
}

/// For each kv head, of each row before `end` the largest softmax weight that a query of the view gives it in any head
/// of the group; every query sees the rows up to itself. `trust` says by the number of a query among those of the view
/// how much its weights count.
///
/// # Errors
/// When a cold block cannot be read.
pub fn window_scores(
    view: &PromptView<'_>,
    end: usize,
    trust: &(dyn Fn(usize) -> f32 + Sync),
) -> Result<Vec<Vec<f32>>, MemoryError> {
    fold_weights(view, end, &|best: &mut [f32], number, present, weights| {
        let trust = trust(number);
        for (position, weight) in present.iter().zip(weights) {
            if let Some(best) = best.get_mut(*position) {
                *best = best.max(trust * *weight);
            }
        }
    })
}

/// Takes in the weights of one query: what was found so far, the query's number among those of the view, positions of the
/// rows it sees, and its softmax weight for each of them.
pub(super) type TakeIn<'a> = dyn Fn(&mut [f32], usize, &[usize], &[f32]) + Sync + 'a;

/// For each kv head `size` numbers, at first 0, into which the softmax weights of every query of the view, in any head of
/// the group, are taken; every query sees the rows up to itself.
///
/// # Errors
/// When a cold block cannot be read.
pub(super) fn fold_weights(
    view: &PromptView<'_>,
    size: usize,
    take_in: &TakeIn<'_>,
) -> Result<Vec<Vec<f32>>, MemoryError> {
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
        let mut found = vec![0.0_f32; size];
        for head in kv_head * group..(kv_head + 1) * group {
            for (number, query) in of_head(&queries, head, view.shape).enumerate() {
                let seen = present.partition_point(|held| *held <= view.first + number);
                let product = |key: &[f32]| dot(view.isa, key, query) * scale;
                let mut weights: Vec<f32> = keys.chunks_exact(head_dim).take(seen).map(product).collect();
                softmax(view.isa, &mut weights);
                take_in(&mut found, number, &present, &weights);
            }
        }
        Ok(found)
    })
}

/// Bytes that [`window_scores`] takes, for one layer at a time: keys in f32, and scores.
pub(super) const fn scoring_bytes(shape: AttentionShape, read: usize) -> usize {
    shape.kv_heads * read * (shape.head_dim + 4) * size_of::<f32>()
}

/// Bytes that a draft takes which the model's own layers write on a fork of the memory: the pages to which the fork
/// writes, in the widest number format, and its copies of the newest queries.
fn look_ahead_bytes(shape: AttentionShape, queries: usize, look_ahead: usize) -> usize {
    if look_ahead == 0 {
        return 0;
    }
    let rows = (look_ahead + 2 * PAGE) * 2 * shape.kv_heads;
    let queries = (queries + 2 * look_ahead + QUERY_SLACK) * shape.heads;
    shape.layers * (rows + queries) * shape.head_dim * size_of::<f32>()
}

/// The largest of the `kernel` numbers around each; an even kernel reaches one further to the right.
pub fn pool_largest(numbers: &[f32], kernel: usize) -> Vec<f32> {
    let (before, behind) = (kernel.saturating_sub(1) / 2, kernel / 2);
    let around = |at: usize| &numbers[at.saturating_sub(before)..(at + behind + 1).min(numbers.len())];
    (0..numbers.len()).map(|at| around(at).iter().copied().fold(f32::NEG_INFINITY, f32::max)).collect()
}

impl ObservedRows {
    /// The rows that stay of those before `end`, for each kv head.
    pub(super) fn rows(&self, prompt: &PromptView<'_>) -> Result<Vec<Vec<usize>>, MemoryError> {
        let old = prompt.end.saturating_sub(self.window);
        // Behind the prompt's last token only look-ahead follows: all of it observes.
        let scores = window_scores(&prompt.from(old), old, &|_| 1.0)?;
        let choose = |(head, scores): (usize, &Vec<f32>)| {
            // What an earlier prompt of the same sequence dropped is gone, however high its neighbours score.
            let present = prompt.rows.present(head, 0..old);
            let pooled = pool_largest(scores, self.kernel);
            let pooled: Vec<f32> = present.iter().map(|position| pooled[*position]).collect();
            let chosen = largest(&pooled, self.budget.saturating_sub(self.window));
            let chosen = chosen.into_iter().map(|row| present[row]);
            chosen.chain(prompt.rows.present(head, old..prompt.end)).collect()
        };
        Ok(scores.iter().enumerate().map(choose).collect())
    }
}

impl Keep for ObservedRows {
    fn observed(&self) -> Option<ObservedRows> {
        Some(self.clone())
    }

    fn is_uniform(&self) -> bool {
        false
    }

    fn prompt_queries(&self) -> usize {
        self.window + 1
    }

    fn look_ahead(&self) -> usize {
        self.look_ahead
    }

    fn at_prompt_end(&mut self, prompt: &PromptView<'_>) -> Result<Vec<HeadPacking>, MemoryError> {
        if prompt.end <= self.budget {
            return Ok(Vec::new());
        }
        let rows = self.rows(prompt)?;
        Ok(rows.into_iter().map(|rows| HeadPacking { rows, ..HeadPacking::default() }).collect())
    }

    fn most_bytes(&self, shape: AttentionShape, read: usize) -> usize {
        scoring_bytes(shape, read) + look_ahead_bytes(shape, self.prompt_queries(), self.look_ahead)
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
        assert_eq!(pool_largest(&[0.0, 3.0, 0.0, 0.0, 1.0], 2), [3.0, 3.0, 0.0, 1.0, 1.0]);
        assert_eq!(pool_largest(&[5.0, 0.0, 0.0, 0.0, 1.0], 4), [5.0, 5.0, 1.0, 1.0, 1.0]);
    }
}
