//! Where attention went while an answer was written.

use std::sync::Arc;

use loci_models::memory::{AttentionShape, TokenEvidence};
use loci_models::watch::Watch;

use crate::attention::Positions;

/// Tokens that are reported together.
const BUCKET: usize = 16;

/// Attention mass by position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    mass: Vec<f32>,
    recalled: Vec<bool>,
    heads: usize,
    /// `[layers * heads]`; `None`: all alike.
    weights: Option<Arc<[f32]>>,
    /// Queries recorded of each layer, times the weights of its heads.
    counts: Vec<f32>,
    /// `[layers][positions]`; empty unless asked for.
    layers: Vec<Vec<f32>>,
}

impl Evidence {
    /// Nothing yet.
    pub(crate) fn new(watch: &Watch, shape: AttentionShape) -> Self {
        Self {
            heads: shape.heads,
            weights: watch.weights.clone(),
            counts: vec![0.0; shape.layers],
            layers: if watch.by_layer { vec![Vec::new(); shape.layers] } else { Vec::new() },
            ..Self::default()
        }
    }

    /// Makes room for positions below `read`.
    pub(crate) fn grow(&mut self, read: usize) {
        if self.mass.len() < read {
            self.mass.resize(read, 0.0);
            self.recalled.resize(read, false);
        }
    }

    /// How much a head counts.
    fn weight(&self, layer: usize, head: usize) -> f32 {
        match &self.weights {
            Some(weights) => weights.get(layer * self.heads + head).copied().unwrap_or(0.0),
            None => 1.0,
        }
    }

    /// Counts queries of one layer, all heads together.
    pub(crate) fn count(&mut self, layer: usize, queries: usize) {
        let weights: f32 = (0..self.heads).map(|head| self.weight(layer, head)).sum();
        if let Some(count) = self.counts.get_mut(layer) {
            #[allow(clippy::cast_precision_loss)] // a share needs no more digits
            let queries = queries as f32;
            *count += queries * weights;
        }
    }

    /// Adds the mass that a head gave to rows; those before `window` lie beyond it.
    pub(crate) fn add(
        &mut self,
        layer: usize,
        head: usize,
        rows: &Positions<'_>,
        sums: &[f32],
        window: usize,
    ) {
        let weight = self.weight(layer, head);
        let mut of_layer = self.layers.get_mut(layer);
        if let Some(row) = of_layer.as_deref_mut() {
            row.resize(self.mass.len(), 0.0);
        }
        for (position, sum) in rows.zip(sums) {
            if let Some(mass) = self.mass.get_mut(position) {
                *mass += weight * sum;
                self.recalled[position] |= position < window && sum > 0.0;
                if let Some(row) = of_layer.as_deref_mut() {
                    row[position] += weight * sum;
                }
            }
        }
    }

    pub(crate) fn recalled(&self) -> usize {
        self.recalled.iter().filter(|seen| **seen).count()
    }

    pub(crate) fn bytes(&self) -> usize {
        let numbers = self.mass.capacity() + self.layers.iter().map(Vec::capacity).sum::<usize>();
        numbers * size_of::<f32>() + self.recalled.capacity()
    }

    /// Buckets with mass, heaviest first.
    pub(crate) fn ranges(&self) -> Vec<TokenEvidence> {
        let total = positive(self.counts.iter().sum());
        let buckets = self.mass.chunks(BUCKET).enumerate().map(|(bucket, mass)| TokenEvidence {
            tokens: bucket * BUCKET..bucket * BUCKET + mass.len(),
            mass: mass.iter().sum::<f32>() / total,
        });
        let mut ranges: Vec<TokenEvidence> = buckets.filter(|range| range.mass > 0.0).collect();
        ranges.sort_by(|a, b| b.mass.total_cmp(&a.mass).then(a.tokens.start.cmp(&b.tokens.start)));
        ranges
    }

    /// Shares of each layer's attention, `[layers][positions]`.
    pub(crate) fn by_layer(&self) -> Vec<Vec<f32>> {
        let rows = self.layers.iter().zip(&self.counts);
        rows.map(|(row, count)| row.iter().map(|mass| mass / positive(*count)).collect()).collect()
    }
}

/// What shares are relative to; where nothing was counted there is no mass either.
fn positive(count: f32) -> f32 {
    if count > 0.0 { count } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 2, kv_heads: 1, head_dim: 16 };

    #[test]
    fn shares_are_relative_to_the_queries_and_sorted() {
        let mut evidence = Evidence::new(&Watch::default(), SHAPE);
        evidence.grow(40);
        evidence.count(0, 1);
        evidence.add(0, 0, &Positions::From(0), &[0.5; 16], 16);
        evidence.add(0, 1, &Positions::From(32), &[1.0; 16], 16);
        evidence.add(0, 1, &Positions::Listed(&[7, 39]), &[0.0; 16], 40);
        let ranges = evidence.ranges();
        assert_eq!(ranges[0].tokens, 0..16);
        assert!((ranges[0].mass - 4.0).abs() < 1e-6);
        assert_eq!(ranges[1].tokens, 32..40);
        assert_eq!(evidence.recalled(), 16);
        assert!(evidence.by_layer().is_empty());
    }

    #[test]
    fn heads_count_by_their_weights_and_what_is_recalled_does_not() {
        let watch =
            Watch { weights: Some([0.0, 0.0, 0.25, 0.75].into()), by_layer: true, ..Watch::default() };
        let mut evidence = Evidence::new(&watch, SHAPE);
        evidence.grow(48);
        evidence.count(0, 1);
        evidence.count(1, 1);
        evidence.add(0, 0, &Positions::From(0), &[1.0; 1], 32);
        evidence.add(1, 0, &Positions::From(16), &[1.0; 1], 32);
        evidence.add(1, 1, &Positions::From(32), &[1.0; 1], 32);
        let ranges = evidence.ranges();
        assert_eq!(ranges.len(), 2);
        assert_eq!((ranges[0].tokens.clone(), ranges[1].tokens.clone()), (32..48, 16..32));
        assert!((ranges[0].mass - 0.75).abs() < 1e-6 && (ranges[1].mass - 0.25).abs() < 1e-6);
        assert_eq!(evidence.recalled(), 2, "a head without weight reads too");
        let layers = evidence.by_layer();
        assert!(layers[0].iter().all(|share| *share == 0.0));
        assert!((layers[1].iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((layers[1][32] - 0.75).abs() < 1e-6);
    }
}
