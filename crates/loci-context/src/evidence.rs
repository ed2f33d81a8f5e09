//! Where attention went while an answer was written.

use loci_models::memory::TokenEvidence;

/// Tokens that are reported together.
const BUCKET: usize = 16;

/// Attention mass by position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    mass: Vec<f32>,
    recalled: Vec<bool>,
    /// Queries recorded, counted once a layer and head.
    queries: usize,
}

impl Evidence {
    /// Makes room for positions below `read`.
    pub(crate) fn grow(&mut self, read: usize) {
        if self.mass.len() < read {
            self.mass.resize(read, 0.0);
            self.recalled.resize(read, false);
        }
    }

    /// Counts queries of one layer, all heads together.
    pub(crate) fn count(&mut self, queries: usize) {
        self.queries += queries;
    }

    /// Adds the mass of a tile that begins at `base`; `recalled`: it lies beyond the window.
    pub(crate) fn add(&mut self, base: usize, sums: &[f32], recalled: bool) {
        let end = (base + sums.len()).min(self.mass.len());
        for (position, sum) in (base..end).zip(sums) {
            self.mass[position] += sum;
            self.recalled[position] |= recalled && *sum > 0.0;
        }
    }

    pub(crate) fn recalled(&self) -> usize {
        self.recalled.iter().filter(|seen| **seen).count()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.mass.capacity() * size_of::<f32>() + self.recalled.capacity()
    }

    /// Buckets with mass, heaviest first.
    pub(crate) fn ranges(&self) -> Vec<TokenEvidence> {
        #[allow(clippy::cast_precision_loss)] // a share needs no more digits
        let total = self.queries.max(1) as f32;
        let buckets = self.mass.chunks(BUCKET).enumerate().map(|(bucket, mass)| TokenEvidence {
            tokens: bucket * BUCKET..bucket * BUCKET + mass.len(),
            mass: mass.iter().sum::<f32>() / total,
        });
        let mut ranges: Vec<TokenEvidence> = buckets.filter(|range| range.mass > 0.0).collect();
        ranges.sort_by(|a, b| b.mass.total_cmp(&a.mass).then(a.tokens.start.cmp(&b.tokens.start)));
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_relative_to_the_queries_and_sorted() {
        let mut evidence = Evidence::default();
        evidence.grow(40);
        evidence.count(2);
        evidence.add(0, &[0.5; 16], true);
        evidence.add(32, &[1.0; 16], false);
        let ranges = evidence.ranges();
        assert_eq!(ranges[0].tokens, 0..16);
        assert!((ranges[0].mass - 4.0).abs() < 1e-6);
        assert_eq!(ranges[1].tokens, 32..40);
        assert_eq!(evidence.recalled(), 16);
    }
}
