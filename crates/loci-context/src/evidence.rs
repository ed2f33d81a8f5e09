//! Where attention went while an answer was written.

use std::sync::Arc;

use loci_models::memory::{AttentionShape, TokenEvidence};
use loci_models::watch::Watch;

use crate::attention::Positions;

/// Tokens that are reported together.
const BUCKET: usize = 16;

/// Queries that are weighed together. What an answer rests on is often read once, while a few words of it are written:
/// in the mean over a long answer, whatever the rest of it repeats would stand before that.
const RUN: usize = 16;

/// Attention mass by position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// `[positions]`, of the present run of queries.
    mass: Vec<f32>,
    /// `[positions / BUCKET]`: largest share that a run before this one gave.
    largest: Vec<f32>,
    recalled: Vec<bool>,
    heads: usize,
    /// First positions whose mass does not count.
    sinks: usize,
    /// `[layers * heads]`; `None`: all alike.
    weights: Option<Arc<[f32]>>,
    /// Queries of the present run.
    run: usize,
    /// The same, times the weights of all heads of all layers.
    weighed: f32,
    /// Whether there was a run before it.
    closed: bool,
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
            sinks: watch.sinks,
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

    /// Counts queries of one layer, all heads together. Layers come in order.
    pub(crate) fn count(&mut self, layer: usize, queries: usize) {
        if layer == 0 {
            if self.run >= RUN {
                self.close();
            }
            self.run += queries;
        }
        let weights: f32 = (0..self.heads).map(|head| self.weight(layer, head)).sum();
        if let Some(count) = self.counts.get_mut(layer) {
            #[allow(clippy::cast_precision_loss)] // a share needs no more digits
            let queries = queries as f32;
            *count += queries * weights;
            self.weighed += queries * weights;
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
                *mass += if position < self.sinks { 0.0 } else { weight * sum };
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
        let numbers = self.mass.capacity()
            + self.largest.capacity()
            + self.layers.iter().map(Vec::capacity).sum::<usize>();
        numbers * size_of::<f32>() + self.recalled.capacity()
    }

    /// What the mass of the present run is relative to: all of it, or that of a whole run if there was one before, since a
    /// rest of few queries says little.
    fn total(&self) -> f32 {
        #[allow(clippy::cast_precision_loss)] // a share needs no more digits
        let missing = if self.closed { RUN as f32 / self.run.clamp(1, RUN) as f32 } else { 1.0 };
        positive(self.weighed * missing)
    }

    /// Ends a run of queries.
    fn close(&mut self) {
        let total = self.total();
        self.largest.resize(self.mass.len().div_ceil(BUCKET), 0.0);
        for (largest, mass) in self.largest.iter_mut().zip(self.mass.chunks_mut(BUCKET)) {
            *largest = largest.max(mass.iter().sum::<f32>() / total);
            mass.fill(0.0);
        }
        (self.run, self.weighed, self.closed) = (0, 0.0, true);
    }

    /// Buckets with mass, heaviest first: by the largest share of its attention that a run of queries gave.
    pub(crate) fn ranges(&self) -> Vec<TokenEvidence> {
        let total = self.total();
        let buckets = self.mass.chunks(BUCKET).enumerate().map(|(bucket, mass)| TokenEvidence {
            tokens: bucket * BUCKET..bucket * BUCKET + mass.len(),
            mass: (mass.iter().sum::<f32>() / total).max(self.largest.get(bucket).copied().unwrap_or(0.0)),
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
    fn what_was_read_once_stands_before_what_was_read_a_little_all_the_time() {
        let mut evidence = Evidence::new(&Watch::default(), SHAPE);
        evidence.grow(64);
        let mut query = |first_bucket: f32, rest: f32| {
            for layer in 0..2 {
                evidence.count(layer, 1);
                evidence.add(layer, 0, &Positions::From(0), &[first_bucket / 16.0; 16], 32);
                evidence.add(layer, 1, &Positions::From(48), &[rest / 16.0; 16], 32);
            }
        };
        (0..4).for_each(|_| query(1.0, 0.0));
        (0..60).for_each(|_| query(0.0, 0.2));
        // One more begins a run of its own.
        query(0.0, 1.0);
        let ranges = evidence.ranges();
        // Of two heads: 4 of 16 queries, and a fifth of all.
        assert_eq!((ranges[0].tokens.clone(), ranges[1].tokens.clone()), (0..16, 48..64));
        assert!((ranges[0].mass - 0.125).abs() < 1e-6, "{}", ranges[0].mass);
        assert!((ranges[1].mass - 0.1).abs() < 1e-6, "{}", ranges[1].mass);
    }

    #[test]
    fn the_first_tokens_do_not_count_where_they_are_sinks() {
        let mut evidence = Evidence::new(&Watch::for_evidence(None), SHAPE);
        evidence.grow(40);
        evidence.count(0, 1);
        evidence.add(0, 0, &Positions::From(0), &[0.9, 0.0, 0.0, 0.0, 0.02], 16);
        evidence.add(0, 1, &Positions::From(32), &[0.1; 1], 16);
        let ranges = evidence.ranges();
        // Of two heads.
        assert_eq!((ranges[0].tokens.clone(), ranges[1].tokens.clone()), (32..40, 0..16));
        assert!((ranges[0].mass - 0.05).abs() < 1e-6 && (ranges[1].mass - 0.01).abs() < 1e-6);
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
