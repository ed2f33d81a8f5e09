//! How a group of queries asks the index as one.

use loci_kernels::vector::rotate;
use loci_models::memory::{AttentionShape, MemoryError};

use super::SelectView;
use crate::saved::{Reader, Writer};

/// Makes one query out of the queries of a group, all heads side by side.
#[derive(Clone, Debug)]
pub enum Probe {
    /// Their mean (InfLLM).
    Mean,
    /// Their mean weighted by how unusual each is (ActQKV).
    Activation(Activation),
}

impl Probe {
    /// The probe `[heads * head_dim]` of a group, rotated to distance `at`.
    pub(super) fn ask(&mut self, view: &SelectView<'_>, at: f64) -> Vec<f32> {
        let head_dim = view.shape.head_dim;
        match self {
            Self::Mean => view.mean_query(at),
            Self::Activation(activation) => {
                let mut rotated = view.queries.to_vec();
                let (mut cos, mut sin) = (vec![0.0; head_dim / 2], vec![0.0; head_dim / 2]);
                view.schedule.rotation(at, &mut cos, &mut sin);
                for head in rotated.chunks_exact_mut(head_dim) {
                    rotate(view.rows.isa(), head, &cos, &sin);
                }
                activation.probe(view.layer, &rotated)
            }
        }
    }

    /// Whether it must see every group, also those that have nothing to choose from.
    pub(super) const fn is_running(&self) -> bool {
        matches!(self, Self::Activation(_))
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Mean => 0,
            Self::Activation(activation) => activation.layers.iter().map(Moments::bytes).sum(),
        }
    }

    pub(super) fn most_bytes(&self, shape: AttentionShape) -> usize {
        match self {
            Self::Mean => 0,
            Self::Activation(activation) => {
                activation.layers.len() * 2 * shape.heads * shape.head_dim * size_of::<f32>()
            }
        }
    }

    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        let Self::Activation(activation) = self else { return Ok(()) };
        activation.layers.iter().try_for_each(|moments| {
            out.number(moments.groups)?;
            out.floats(&moments.mean)?;
            out.floats(&moments.variance)
        })
    }

    pub(super) fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
        let Self::Activation(activation) = self else { return Ok(()) };
        for moments in &mut activation.layers {
            let read = Moments { groups: from.number()?, mean: from.floats()?, variance: from.floats()? };
            let held = if read.groups == 0 { 0 } else { activation.width };
            if [read.mean.len(), read.variance.len()] != [held; 2] {
                return Err(MemoryError::Saved(format!(
                    "it has statistics of {} and {} numbers where there should be {held}",
                    read.mean.len(),
                    read.variance.len()
                )));
            }
            *moments = read;
        }
        Ok(())
    }
}

/// Weights the queries of a group by their activation bias: the mean over all numbers of a query of
/// `(q - mean)^2 / (variance + mean variance / 100)`, with mean and variance of each number over the groups read so
/// far, this one included.
///
/// Source: Xiao et al., "Activation-aware Probe-Query", 2025.
#[derive(Clone, Debug)]
pub struct Activation {
    width: usize,
    /// Groups that the past counts for at most; what is older fades.
    cap: usize,
    /// First groups whose queries all weigh the same.
    uniform: usize,
    /// Whether a query that comes alone counts as a group.
    alone: bool,
    /// One for each layer, or one for all of them.
    layers: Vec<Moments>,
}

/// Mean and variance of each of `[heads * head_dim]` numbers; empty before the first group.
#[derive(Clone, Debug, Default)]
struct Moments {
    groups: usize,
    mean: Vec<f32>,
    variance: Vec<f32>,
}

impl Activation {
    /// Statistics for each layer, which count the past as at most `cap` groups.
    pub fn new(shape: AttentionShape, cap: usize) -> Self {
        let layers = vec![Moments::default(); shape.layers];
        Self { width: shape.heads * shape.head_dim, cap, uniform: 0, alone: false, layers }
    }

    /// As the published code has it: one statistic for all layers, which single queries change too, and equal weights
    /// for the first `cap + 1` calls.
    pub fn as_released(shape: AttentionShape, cap: usize) -> Self {
        let own = Self::new(shape, cap);
        Self { uniform: cap.saturating_add(1), alone: true, layers: vec![Moments::default()], ..own }
    }

    /// The weighted mean `[heads * head_dim]` of `queries` `[m, heads * head_dim]`, which change the statistics of
    /// `layer` first.
    pub fn probe(&mut self, layer: usize, queries: &[f32]) -> Vec<f32> {
        let weights = self.weights(layer, queries);
        let mut probe = vec![0.0_f64; self.width];
        for (query, weight) in queries.chunks_exact(self.width).zip(weights) {
            probe.iter_mut().zip(query).for_each(|(sum, number)| *sum += weight * f64::from(*number));
        }
        #[allow(clippy::cast_possible_truncation)] // a mean of 32-bit numbers
        probe.into_iter().map(|number| number as f32).collect()
    }

    /// The weight of each of `queries` `[m, heads * head_dim]`; they are not negative and sum to 1. The statistics of
    /// `layer` take the queries in first.
    pub fn weights(&mut self, layer: usize, queries: &[f32]) -> Vec<f64> {
        let count = queries.len() / self.width;
        let shared = layer.min(self.layers.len() - 1);
        let moments = &mut self.layers[shared];
        let earlier = moments.groups;
        // A single query has no variance, so it cannot be the first.
        if count > 1 || (self.alone && count == 1 && earlier > 0) {
            moments.take_in(queries, self.width, self.cap);
        }
        #[allow(clippy::cast_precision_loss)] // a group has a few hundred queries
        let equal = vec![1.0 / count.max(1) as f64; count];
        if count < 2 || earlier < self.uniform {
            return equal;
        }
        let biases: Vec<f64> = queries.chunks_exact(self.width).map(|query| moments.bias(query)).collect();
        let sum: f64 = biases.iter().sum();
        if !(sum > 0.0 && sum.is_finite()) {
            return equal;
        }
        biases.into_iter().map(|bias| bias / sum).collect()
    }
}

impl Moments {
    fn bytes(&self) -> usize {
        (self.mean.capacity() + self.variance.capacity()) * size_of::<f32>()
    }

    /// Counts one more group: the exact mean and unbiased variance of everything as long as groups are equally long
    /// and fewer than `cap`.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    fn take_in(&mut self, queries: &[f32], width: usize, cap: usize) {
        // Made with the first group, so that a memory that was only opened holds nothing.
        self.mean.resize(width, 0.0);
        self.variance.resize(width, 0.0);
        let count = (queries.len() / width) as f64;
        let mut mean = vec![0.0_f64; width];
        for query in queries.chunks_exact(width) {
            mean.iter_mut().zip(query).for_each(|(sum, number)| *sum += f64::from(*number));
        }
        mean.iter_mut().for_each(|sum| *sum /= count);
        let mut variance = vec![0.0_f64; width];
        for query in queries.chunks_exact(width) {
            for ((sum, number), mean) in variance.iter_mut().zip(query).zip(&mean) {
                *sum += (f64::from(*number) - mean).powi(2);
            }
        }
        let earlier = self.groups.min(cap) as f64;
        for (number, (mean, sum)) in mean.into_iter().zip(variance).enumerate() {
            let (old_mean, old) = (f64::from(self.mean[number]), f64::from(self.variance[number]));
            let moved = if earlier > 0.0 { (mean - old_mean).powi(2) / (1.0 + 1.0 / earlier) } else { 0.0 };
            let past = if earlier > 0.0 { old * (earlier - 1.0 / count) } else { 0.0 };
            self.variance[number] = ((past + sum / count + moved) / (earlier + 1.0 - 1.0 / count)) as f32;
            self.mean[number] = ((old_mean * earlier + mean) / (earlier + 1.0)) as f32;
        }
        self.groups += 1;
    }

    /// How unusual a query is.
    fn bias(&self, query: &[f32]) -> f64 {
        #[allow(clippy::cast_precision_loss)] // a few thousand numbers
        let width = query.len() as f64;
        let floor = self.variance.iter().map(|variance| f64::from(*variance)).sum::<f64>() / width / 100.0;
        let deviation = |((number, mean), variance): ((&f32, &f32), &f32)| {
            let away = (f64::from(*number) - f64::from(*mean)).powi(2);
            // Where nothing ever varied, nothing is unusual.
            if away > 0.0 { away / (f64::from(*variance) + floor).max(f64::MIN_POSITIVE) } else { 0.0 }
        };
        query.iter().zip(&self.mean).zip(&self.variance).map(deviation).sum::<f64>() / width
    }
}
