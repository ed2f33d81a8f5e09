//! Ranking by meaning: an exact scan over vectors.

use loci_engine::EngineError;
use loci_kernels::isa::Isa;
use loci_kernels::vector::dot;

/// Vectors that queries are compared with one by one: what is found is exact, and a hundred thousand vectors of 384 numbers
/// take some tens of milliseconds.
#[derive(Clone, Debug)]
pub struct Dense {
    dimension: usize,
    /// `[n, dimension]`.
    vectors: Vec<f32>,
}

impl Dense {
    /// `vectors`, `[n, dimension]`, one behind the other.
    ///
    /// # Errors
    /// [`EngineError::Internal`] when they are no whole number of vectors of `dimension` numbers.
    pub fn new(dimension: usize, vectors: Vec<f32>) -> Result<Self, EngineError> {
        if dimension == 0 || !vectors.len().is_multiple_of(dimension) {
            return Err(EngineError::Internal(format!(
                "{} numbers are no vectors of dimension {dimension}",
                vectors.len()
            )));
        }
        Ok(Self { dimension, vectors })
    }

    /// `vectors`, each of `dimension` numbers, as an encoder gives them.
    ///
    /// # Errors
    /// [`EngineError::Internal`] when one has another number of numbers.
    pub fn of(dimension: usize, vectors: &[Vec<f32>]) -> Result<Self, EngineError> {
        match vectors.iter().find(|vector| vector.len() != dimension) {
            Some(other) => Err(of_other_dimension(other.len(), dimension)),
            None => Self::new(dimension, vectors.concat()),
        }
    }

    /// How many vectors there are.
    pub const fn len(&self) -> usize {
        // A dimension of 0 was refused.
        self.vectors.len() / self.dimension
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.vectors.is_empty()
    }

    /// The inner product of `query`, `[dimension]`, with each vector, in their order.
    ///
    /// # Errors
    /// [`EngineError::Internal`] for a query of another dimension.
    pub fn scores(&self, query: &[f32]) -> Result<Vec<f64>, EngineError> {
        if query.len() != self.dimension {
            return Err(of_other_dimension(query.len(), self.dimension));
        }
        let isa = Isa::active();
        Ok(self
            .vectors
            .chunks_exact(self.dimension)
            .map(|vector| f64::from(dot(isa, vector, query)))
            .collect())
    }

    /// All vectors with their inner products, best first; of equal ones the one given first stands first.
    ///
    /// # Errors
    /// [`EngineError::Internal`] for a query of another dimension.
    pub fn rank(&self, query: &[f32]) -> Result<Vec<(usize, f64)>, EngineError> {
        let mut ranked: Vec<(usize, f64)> = self.scores(query)?.into_iter().enumerate().collect();
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
        Ok(ranked)
    }
}

fn of_other_dimension(found: usize, dimension: usize) -> EngineError {
    EngineError::Internal(format!("a vector of {found} numbers stands where {dimension} are expected"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_nearest_comes_first_and_of_equal_ones_the_first() {
        let dense = Dense::of(2, &[vec![0.0, 1.0], vec![1.0, 0.0], vec![0.6, 0.8], vec![1.0, 0.0]]).unwrap();
        let ranked = dense.rank(&[1.0, 0.0]).unwrap();
        assert_eq!(ranked.iter().map(|(item, _)| *item).collect::<Vec<_>>(), [1, 3, 2, 0]);
        assert_eq!((ranked[0].1, ranked[3].1, dense.len()), (1.0, 0.0, 4));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Dense::new(0, vec![]).is_err() && Dense::new(2, vec![1.0; 3]).is_err());
        assert!(Dense::of(2, &[vec![1.0, 0.0], vec![1.0]]).is_err());
        let none = Dense::new(3, vec![]).unwrap();
        assert!(none.is_empty() && none.rank(&[0.0; 3]).unwrap().is_empty());
        assert!(none.rank(&[0.0; 2]).unwrap_err().to_string().contains('3'));
    }

    proptest! {
        #[test]
        fn scores_are_the_plain_sums_and_the_ranking_is_every_vector_once(
            dimension in 1..70_usize,
            numbers in prop::collection::vec(-1.0_f32..1.0, 0..700),
        ) {
            let count = numbers.len() / dimension;
            let (vectors, rest) = numbers.split_at(count * dimension);
            let query: Vec<f32> = rest.iter().copied().chain(std::iter::repeat(0.5)).take(dimension).collect();
            let dense = Dense::new(dimension, vectors.to_vec()).unwrap();
            let ranked = dense.rank(&query).unwrap();
            for (item, score) in &ranked {
                let own = &vectors[item * dimension..(item + 1) * dimension];
                let plain: f64 = own.iter().zip(&query).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                prop_assert!((plain - score).abs() < 1e-4, "{plain} {score}");
            }
            prop_assert!(ranked.is_sorted_by(|a, b| a.1 > b.1 || (a.1 == b.1 && a.0 < b.0)));
            let mut all: Vec<usize> = ranked.into_iter().map(|(item, _)| item).collect();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..count));
        }
    }
}
