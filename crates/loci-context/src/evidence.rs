//! Where attention went while an answer was written.

use loci_models::memory::TokenEvidence;

use crate::attention::Positions;

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

    /// Adds the mass of rows; those before `window` lie beyond it.
    pub(crate) fn add(&mut self, rows: &Positions<'_>, sums: &[f32], window: usize) {
        for (position, sum) in rows.zip(sums) {
            if let Some(mass) = self.mass.get_mut(position) {
                *mass += sum;
                self.recalled[position] |= position < window && sum > 0.0;
            }
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
        evidence.add(&Positions::From(0), &[0.5; 16], 16);
        evidence.add(&Positions::From(32), &[1.0; 16], 16);
        evidence.add(&Positions::Listed(&[7, 39]), &[0.0; 16], 40);
        let ranges = evidence.ranges();
        assert_eq!(ranges[0].tokens, 0..16);
        assert!((ranges[0].mass - 4.0).abs() < 1e-6);
        assert_eq!(ranges[1].tokens, 32..40);
        assert_eq!(evidence.recalled(), 16);
    }
}
