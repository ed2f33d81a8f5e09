//! k-means: sorts vectors into groups whose members lie close to their mean.

use std::sync::atomic::{AtomicBool, Ordering};

use loci_kernels::linear::{PackedMatrix, matmul};
use loci_kernels::pool::Parts;
use loci_kernels::quant::GgmlType;
use loci_kernels::vector::{argmax, dot};
use loci_kernels::{Isa, Pool};
use loci_models::memory::MemoryError;

use crate::random::Random;

/// Points that are compared with all centres at a time.
const BATCH: usize = 256;

/// Points of a task.
const TASK: usize = 64;

/// A point whose squared distance from a centre is below this is that centre, up to rounding: it is no second one.
const SAME: f32 = 1e-6;

/// How vectors are grouped.
#[derive(Clone, Copy, Debug)]
pub struct KMeans {
    /// Groups, at most; fewer when there are fewer distinct vectors.
    pub clusters: usize,
    /// Rounds at most; it ends when no vector changes its group.
    pub iterations: usize,
    /// Of the choice of first centres.
    pub seed: u64,
}

impl KMeans {
    /// The group of each of `points` `[n, dim]`, below the number of groups; a group may be empty.
    ///
    /// First centres are drawn with a probability that grows with the squared distance from those drawn before
    /// (k-means++). The same input and seed give the same groups, whatever the number of threads.
    ///
    /// # Errors
    /// [`MemoryError::Misuse`] when centres cannot be packed for the product.
    pub fn group(&self, points: &[f32], dim: usize, isa: Isa, pool: &Pool) -> Result<Vec<u32>, MemoryError> {
        let mut centres = self.first_centres(points, dim, isa, pool);
        let mut labels = vec![u32::MAX; points.len() / dim];
        for _ in 0..self.iterations.max(1) {
            if !assign(points, &centres, dim, isa, pool, &mut labels)? {
                break;
            }
            move_centres(points, &labels, dim, &mut centres);
        }
        Ok(labels)
    }

    /// Centres drawn from the points, `[clusters or fewer, dim]`.
    fn first_centres(&self, points: &[f32], dim: usize, isa: Isa, pool: &Pool) -> Vec<f32> {
        let count = points.len() / dim;
        let mut random = Random::new(self.seed);
        let mut centres = Vec::with_capacity(self.clusters.min(count) * dim);
        let mut distances = vec![f32::INFINITY; count];
        let lengths: Vec<f32> = points.chunks_exact(dim).map(|point| dot(isa, point, point)).collect();
        let mut next = random.below(count);
        while let Some(point) = next.filter(|_| centres.len() < self.clusters * dim) {
            let centre = &points[point * dim..(point + 1) * dim];
            let length = lengths[point];
            let parts = Parts::new(&mut distances, TASK);
            pool.run(count.div_ceil(TASK), &|task| {
                let Some(part) = parts.take(task) else { return };
                let points = points[task * TASK * dim..].chunks_exact(dim);
                for ((distance, point), own) in part.iter_mut().zip(points).zip(&lengths[task * TASK..]) {
                    let own = own + length - 2.0 * dot(isa, point, centre);
                    *distance = distance.min(if own < SAME { 0.0 } else { own });
                }
            });
            drop(parts);
            centres.extend_from_slice(centre);
            next = random.weighted(&distances);
        }
        centres
    }
}

/// Gives each point the centre nearest to it, the first of equals; whether any changed.
fn assign(
    points: &[f32],
    centres: &[f32],
    dim: usize,
    isa: Isa,
    pool: &Pool,
    labels: &mut [u32],
) -> Result<bool, MemoryError> {
    let clusters = centres.len() / dim;
    let bytes: Vec<u8> = centres.iter().flat_map(|number| number.to_le_bytes()).collect();
    let packed = PackedMatrix::pack(GgmlType::F32, &bytes, clusters, dim, &|row| row, pool)
        .map_err(|error| MemoryError::Misuse(format!("centres of clusters cannot be packed: {error}")))?;
    drop(bytes);
    // |x - c|^2 is smallest where x.c - |c|^2 / 2 is largest.
    let halves: Vec<f32> = centres.chunks_exact(dim).map(|centre| dot(isa, centre, centre) / 2.0).collect();
    let mut products = vec![0.0; BATCH.min(labels.len()) * clusters];
    let changed = AtomicBool::new(false);
    for (points, labels) in points.chunks(BATCH * dim).zip(labels.chunks_mut(BATCH)) {
        let products = &mut products[..labels.len() * clusters];
        matmul(isa, pool, points, labels.len(), &[&packed], &mut [&mut *products]);
        let tasks = labels.len().div_ceil(TASK);
        let (labels, products) = (Parts::new(labels, TASK), Parts::new(products, TASK * clusters));
        pool.run(tasks, &|task| {
            let (Some(labels), Some(products)) = (labels.take(task), products.take(task)) else { return };
            for (label, products) in labels.iter_mut().zip(products.chunks_exact_mut(clusters)) {
                products.iter_mut().zip(&halves).for_each(|(product, half)| *product -= half);
                let nearest = argmax(isa, products).map_or(0, |nearest| nearest as u32);
                if *label != nearest {
                    *label = nearest;
                    changed.store(true, Ordering::Relaxed);
                }
            }
        });
    }
    Ok(changed.into_inner())
}

/// Moves each centre to the mean of its points; one without points stays.
fn move_centres(points: &[f32], labels: &[u32], dim: usize, centres: &mut [f32]) {
    let mut counts = vec![0_u32; centres.len() / dim];
    labels.iter().for_each(|label| counts[*label as usize] += 1);
    for (centre, count) in centres.chunks_exact_mut(dim).zip(&counts) {
        if *count > 0 {
            centre.fill(0.0);
        }
    }
    for (point, label) in points.chunks_exact(dim).zip(labels) {
        let centre = &mut centres[*label as usize * dim..][..dim];
        centre.iter_mut().zip(point).for_each(|(sum, number)| *sum += number);
    }
    for (centre, count) in centres.chunks_exact_mut(dim).zip(&counts) {
        #[allow(clippy::cast_precision_loss)] // a mean needs no more digits
        let count = (*count).max(1) as f32;
        centre.iter_mut().for_each(|sum| *sum /= count);
    }
}

/// Scales each of `points` `[n, dim]` to length 1; one whose length is 0 or no number becomes 0.
pub fn normalise(points: &mut [f32], dim: usize, isa: Isa) {
    for point in points.chunks_exact_mut(dim) {
        let length = dot(isa, point, point).sqrt();
        if length > f32::MIN_POSITIVE && length.is_finite() {
            point.iter_mut().for_each(|number| *number /= length);
        } else {
            point.fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn group(points: &[f32], dim: usize, clusters: usize, seed: u64) -> Vec<u32> {
        KMeans { clusters, iterations: 50, seed }.group(points, dim, Isa::active(), &Pool::new(2)).unwrap()
    }

    #[test]
    #[allow(clippy::cast_precision_loss)]
    fn far_groups_are_found() {
        let centres = [[0.0_f32, 0.0], [5.0, 0.0], [0.0, 7.0]];
        let points: Vec<f32> = (0..600)
            .flat_map(|i| {
                let wobble = (i * 37 % 101) as f32 / 1000.0;
                [centres[i % 3][0] + wobble, centres[i % 3][1] - wobble]
            })
            .collect();
        for seed in 0..5 {
            let labels = group(&points, 2, 3, seed);
            assert!((0..600).all(|i| labels[i] == labels[i % 3]), "seed {seed}");
            assert!(labels[0] != labels[1] && labels[1] != labels[2] && labels[0] != labels[2]);
        }
    }

    #[test]
    fn first_centres_are_drawn_as_by_looking_at_every_point() {
        let (dim, clusters) = (8, 60);
        let mut random = Random::new(11);
        #[allow(clippy::cast_possible_truncation)]
        let mut points: Vec<f32> = (0..700 * dim).map(|_| random.unit() as f32 - 0.5).collect();
        normalise(&mut points, dim, Isa::active());
        for seed in 0..5 {
            let kmeans = KMeans { clusters, iterations: 1, seed };
            let centres = kmeans.first_centres(&points, dim, Isa::active(), &Pool::new(2));
            let mut random = Random::new(seed);
            let (mut distances, mut expected) = (vec![f32::INFINITY; 700], Vec::new());
            let mut next = random.below(700);
            while let Some(point) = next.filter(|_| expected.len() < clusters * dim) {
                let centre = &points[point * dim..][..dim];
                for (distance, point) in distances.iter_mut().zip(points.chunks_exact(dim)) {
                    let own: f32 = point.iter().zip(centre).map(|(a, b)| (a - b) * (a - b)).sum();
                    *distance = distance.min(if own < SAME { 0.0 } else { own });
                }
                expected.extend_from_slice(centre);
                next = random.weighted(&distances);
            }
            assert_eq!(centres, expected, "seed {seed}");
        }
    }

    #[test]
    fn there_are_no_more_groups_than_distinct_points() {
        let points = [1.0, 0.0, 0.0, 1.0].repeat(20);
        let labels = group(&points, 2, 10, 0);
        assert!(labels.iter().all(|label| *label < 2));
        assert_ne!(labels[0], labels[1]);
        assert!(group(&[], 2, 3, 0).is_empty());
        assert_eq!(group(&[0.0; 6], 2, 3, 0), [0; 3]);
    }

    #[test]
    fn as_many_groups_as_points_give_each_its_own() {
        let mut random = Random::new(3);
        #[allow(clippy::cast_possible_truncation)]
        let points: Vec<f32> = (0..300).map(|_| random.unit() as f32).collect();
        let mut labels = group(&points, 3, 100, 1);
        labels.sort_unstable();
        assert_eq!(labels, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn normalised_vectors_have_length_one_or_none() {
        let mut points = [3.0, 4.0, 0.0, 0.0, f32::NAN, 1.0];
        normalise(&mut points, 2, Isa::active());
        assert_eq!(points, [0.6, 0.8, 0.0, 0.0, 0.0, 0.0]);
    }
}
