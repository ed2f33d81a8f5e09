//! A chunk is found by a key that its own attention makes (LongHeads).

use loci_kernels::pool::Parts;
use loci_kernels::vector::{dot, rotate, softmax};
use loci_kernels::{Isa, Pool};
use loci_models::memory::{AttentionShape, MemoryError};

use super::vectors::{BlockVectors, by_vectors};
use super::{BlockView, Index};
use crate::queries::{of_head, rotated};
use crate::recipes::ModelFacts;
use crate::saved::{Reader, Writer};

/// For each query head: every token of the chunk attends to the whole chunk, both ways, at positions counted from the
/// chunk's beginning; the mean of what they get is a query in the space of values, and what that query gets from the
/// chunk's rotated keys (as keys and as values) is the chunk's key. Heads of a group use their own queries.
///
/// Source: Lu et al., "LongHeads: Multi-Head Attention is Secretly a Long Context Processor", 2024.
#[derive(Clone, Debug)]
pub struct ChunkSummary {
    vectors: BlockVectors,
}

impl ChunkSummary {
    /// An empty index.
    pub fn new(facts: &ModelFacts) -> Self {
        Self { vectors: BlockVectors::new(facts) }
    }
}

/// The key of a chunk from one head's rotated queries; `keys` (rotated) and `values` are `[rows, head_dim]`.
fn summary<'a>(
    isa: Isa,
    head_dim: usize,
    queries: impl Iterator<Item = &'a [f32]>,
    keys: &[f32],
    values: &[f32],
    key: &mut [f32],
) {
    #[allow(clippy::cast_precision_loss)] // a head has a few hundred numbers
    let scale = 1.0 / (head_dim as f32).sqrt();
    let rows = keys.len() / head_dim;
    let mut total = vec![0.0_f32; rows];
    let mut weights = vec![0.0_f32; rows];
    let weigh = |query: &[f32], weights: &mut Vec<f32>| {
        for (weight, key) in weights.iter_mut().zip(keys.chunks_exact(head_dim)) {
            *weight = dot(isa, query, key) * scale;
        }
        softmax(isa, weights);
    };
    for query in queries {
        weigh(query, &mut weights);
        total.iter_mut().zip(&weights).for_each(|(total, weight)| *total += weight);
    }
    // The mean of the outputs is the output of the mean weights.
    let mut mean = vec![0.0_f32; head_dim];
    for (value, weight) in values.chunks_exact(head_dim).zip(&total) {
        #[allow(clippy::cast_precision_loss)] // a chunk has a few hundred rows
        let share = weight / rows as f32;
        mean.iter_mut().zip(value).for_each(|(mean, value)| *mean += share * value);
    }
    weigh(&mean, &mut weights);
    key.fill(0.0);
    for (row, weight) in keys.chunks_exact(head_dim).zip(&weights) {
        key.iter_mut().zip(row).for_each(|(key, number)| *key += weight * number);
    }
}

impl Index for ChunkSummary {
    fn wants_queries(&self) -> bool {
        true
    }

    fn add(&mut self, block: &BlockView<'_>) -> Result<(), MemoryError> {
        let (shape, isa) = (self.vectors.shape(), self.vectors.isa());
        let AttentionShape { heads, kv_heads, head_dim, .. } = shape;
        let rows = block.rows.len();
        let mut keys = vec![0.0; kv_heads * rows * head_dim];
        let mut values = vec![0.0; kv_heads * rows * head_dim];
        let places = keys.chunks_exact_mut(head_dim).zip(values.chunks_exact_mut(head_dim));
        let which = (0..kv_heads).flat_map(|head| block.rows.clone().map(move |row| (head, row)));
        for ((key, value), (head, position)) in places.zip(which) {
            block.store.read_rotated_key(head, position, key)?;
            block.store.read_value(head, position, value)?;
        }
        let (mut cos, mut sin) = (vec![0.0; head_dim / 2], vec![0.0; head_dim / 2]);
        // Positions count from the chunk's beginning, or the mean query would meet keys that stand elsewhere.
        #[allow(clippy::cast_precision_loss)] // positions stay far below 2^52
        block.schedule.turn(-(block.rows.start as f64), &mut cos, &mut sin);
        for key in keys.chunks_exact_mut(head_dim) {
            rotate(isa, key, &cos, &sin);
        }
        let queries = rotated(block.queries, 0..rows, shape, block.schedule, isa);
        let mut vector = vec![0.0; self.vectors.width()];
        let parts = Parts::new(&mut vector, head_dim);
        block.pool.run(heads, &|head| {
            let of = |head: usize| head * rows * head_dim..(head + 1) * rows * head_dim;
            let kv_head = head / shape.group();
            if let Some(key) = parts.take(head) {
                let queries = of_head(&queries, head, shape);
                summary(isa, head_dim, queries, &keys[of(kv_head)], &values[of(kv_head)], key);
            }
        });
        self.vectors.push(block.layer, &vector);
        Ok(())
    }

    by_vectors!();
}
