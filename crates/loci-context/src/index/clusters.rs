//! The keys of a fixed context are found by the clusters they lie in (Squeezed Attention).

use loci_kernels::vector::dot;
use loci_kernels::{Isa, Pool};
use loci_models::memory::MemoryError;

use crate::kmeans::{KMeans, normalise};
use crate::saved::{Reader, Writer};

/// How keys are clustered.
#[derive(Clone, Copy, Debug)]
pub struct Clustering {
    /// Clusters, as a share of the keys.
    pub share: f64,
    /// Clusters of clusters, as a share of the keys; `None`: one level.
    pub coarse_share: Option<f64>,
    /// Rounds of k-means, at most.
    pub iterations: usize,
    /// Of its first centres.
    pub seed: u64,
}

impl Clustering {
    /// Clusters of `keys` keys.
    pub fn clusters(&self, keys: usize) -> usize {
        part(self.share, keys)
    }

    /// Clusters of their clusters; 0 with one level.
    pub fn coarse_clusters(&self, keys: usize) -> usize {
        self.coarse_share.map_or(0, |share| part(share, keys))
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn part(share: f64, keys: usize) -> usize {
    // A hair more, so that a share which means a whole number of keys gives it.
    ((share * keys as f64 + 1e-9) as usize).clamp(1, keys.max(1))
}

/// Some clusters: for each its centroid and how many keys it speaks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Level {
    /// Means of the keys, `[clusters, head_dim]`.
    pub centroids: Vec<f32>,
    /// Keys.
    pub counts: Vec<u32>,
}

/// The clusters of one kv head's keys. None is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clusters {
    dim: usize,
    /// Cluster of each key.
    labels: Vec<u32>,
    fine: Level,
    /// Clusters of the fine clusters, and of each fine one which it lies in.
    coarse: Option<(Level, Vec<u32>)>,
}

impl Clusters {
    /// Clusters `keys` `[n, dim]` by direction. `points` is scratch.
    ///
    /// # Errors
    /// As [`KMeans::group`].
    pub fn build(
        keys: &[f32],
        dim: usize,
        how: &Clustering,
        points: &mut Vec<f32>,
        isa: Isa,
        pool: &Pool,
    ) -> Result<Self, MemoryError> {
        let count = keys.len() / dim;
        let mut group = |vectors: &[f32], clusters| {
            points.clear();
            points.extend_from_slice(vectors);
            normalise(points, dim, isa);
            KMeans { clusters, iterations: how.iterations, seed: how.seed }.group(points, dim, isa, pool)
        };
        let labels = group(keys, how.clusters(count))?;
        let mut clusters = Self::from_labels(keys, dim, labels);
        if how.coarse_share.is_some() {
            let parents = group(&clusters.fine.centroids, how.coarse_clusters(count))?;
            clusters.add_coarse(parents);
        }
        Ok(clusters)
    }

    /// The clusters that `labels` put `keys` `[n, dim]` into; numbers that no key has are left out.
    pub fn from_labels(keys: &[f32], dim: usize, mut labels: Vec<u32>) -> Self {
        let fine = Level::of(keys.chunks_exact(dim).map(|key| (key, 1)), dim, &mut labels, |_, count| count);
        Self { dim, labels, fine, coarse: None }
    }

    /// Puts the clusters into clusters: `parents` has one number for each.
    pub fn add_coarse(&mut self, mut parents: Vec<u32>) {
        let members = self.fine.centroids.chunks_exact(self.dim).zip(self.fine.counts.iter().copied());
        // The mean of the centroids, whatever they speak for; its count is that of their keys.
        let coarse = Level::of(members, self.dim, &mut parents, |members, _| members);
        self.coarse = Some((coarse, parents));
    }

    /// Cluster of each key.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The clusters.
    pub const fn fine(&self) -> &Level {
        &self.fine
    }

    /// Clusters of the clusters; `None` with one level.
    pub fn coarse(&self) -> Option<&Level> {
        self.coarse.as_ref().map(|(level, _)| level)
    }

    /// Which clusters `queries` (each `[dim]`, rotated) keep together: those whose score, averaged over them, is above
    /// `threshold`. With two levels, clusters whose own cluster is not above `coarse_threshold` are out before scores
    /// are taken, and count nothing in them.
    pub fn kept<'a>(
        &self,
        queries: impl Iterator<Item = &'a [f32]> + Clone,
        threshold: f64,
        coarse_threshold: f64,
        isa: Isa,
    ) -> Vec<bool> {
        let above = |scores: Vec<f64>, threshold: f64| -> Vec<bool> {
            scores.into_iter().map(|score| score > threshold).collect()
        };
        let Some((coarse, parents)) = &self.coarse else {
            return above(self.fine.scores(queries, isa), threshold);
        };
        let wide = above(coarse.scores(queries.clone(), isa), coarse_threshold);
        let inside = |cluster: usize| wide[parents[cluster] as usize];
        let counts: Vec<u32> =
            self.fine.counts.iter().enumerate().map(|(c, n)| if inside(c) { *n } else { 0 }).collect();
        let scores = average_scores(&self.fine.centroids, &counts, queries, isa);
        scores.into_iter().enumerate().map(|(c, score)| inside(c) && score > threshold).collect()
    }

    /// Bytes in RAM.
    pub fn bytes(&self) -> usize {
        let coarse = self.coarse.as_ref();
        let coarse =
            coarse.map_or(0, |(level, parents)| level.bytes() + parents.capacity() * size_of::<u32>());
        self.labels.capacity() * size_of::<u32>() + self.fine.bytes() + coarse
    }

    /// The most bytes in RAM for `keys` keys.
    pub fn most_bytes(how: &Clustering, keys: usize, dim: usize) -> usize {
        let level = |clusters: usize| clusters * (dim * size_of::<f32>() + size_of::<u32>());
        let (fine, coarse) = (how.clusters(keys), how.coarse_clusters(keys));
        (keys + fine) * size_of::<u32>() + level(fine) + level(coarse)
    }

    /// The most bytes of scratch while `keys` keys are clustered.
    pub fn scratch_bytes(how: &Clustering, keys: usize, dim: usize) -> usize {
        // Normalised keys, their lengths, distances and labels; centres four times (as they are, as bytes, packed, summed),
        // and products with some of the keys, twice over.
        let clusters = how.clusters(keys);
        let centres = 4 * (clusters + 16) * (dim + 4) * size_of::<f32>();
        keys * (dim + 3) * size_of::<f32>() + centres + 512 * (clusters + 2 * dim) * size_of::<f32>()
    }

    pub(crate) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        whole(out, &self.labels)?;
        self.fine.save(out)?;
        out.number(usize::from(self.coarse.is_some()))?;
        let Some((coarse, parents)) = &self.coarse else { return Ok(()) };
        coarse.save(out)?;
        whole(out, parents)
    }

    /// Reads what [`save`](Self::save) wrote for `keys` keys.
    pub(crate) fn read(from: &mut Reader, keys: usize, dim: usize) -> Result<Self, MemoryError> {
        let labels = read_whole(from)?;
        let fine = Level::read(from, dim)?;
        let coarse = match from.number()? {
            0 => None,
            _ => Some((Level::read(from, dim)?, read_whole(from)?)),
        };
        let fits = |labels: &[u32], count: usize, level: &Level| {
            labels.len() == count && labels.iter().all(|label| (*label as usize) < level.counts.len())
        };
        let coarse_fits =
            coarse.as_ref().is_none_or(|(level, parents)| fits(parents, fine.counts.len(), level));
        if !fits(&labels, keys, &fine) || !coarse_fits {
            return Err(MemoryError::Saved("its clusters do not fit its keys".into()));
        }
        Ok(Self { dim, labels, fine, coarse })
    }
}

impl Level {
    /// Means of the members by label. A member is a vector and the keys it speaks for; a mean is divided by what `weight`
    /// makes of the number of members and keys. Labels are renumbered without gaps.
    fn of<'a>(
        members: impl Iterator<Item = (&'a [f32], u32)>,
        dim: usize,
        labels: &mut [u32],
        weight: impl Fn(u32, u32) -> u32,
    ) -> Self {
        let most = labels.iter().max().map_or(0, |label| *label as usize + 1);
        let mut numbers = vec![u32::MAX; most];
        labels.iter().for_each(|label| numbers[*label as usize] = 0);
        let mut clusters = 0;
        for number in numbers.iter_mut().filter(|number| **number == 0) {
            *number = clusters;
            clusters += 1;
        }
        labels.iter_mut().for_each(|label| *label = numbers[*label as usize]);
        let clusters = clusters as usize;
        let mut sums = vec![0.0_f64; clusters * dim];
        let (mut counts, mut sizes) = (vec![0_u32; clusters], vec![0_u32; clusters]);
        for ((vector, keys), label) in members.zip(labels.iter()) {
            let label = *label as usize;
            sizes[label] += 1;
            counts[label] += keys;
            let sum = &mut sums[label * dim..(label + 1) * dim];
            sum.iter_mut().zip(vector).for_each(|(sum, number)| *sum += f64::from(*number));
        }
        let divisors = sizes.iter().zip(&counts).map(|(size, count)| f64::from(weight(*size, *count)));
        let means = sums.chunks_exact(dim.max(1)).zip(divisors);
        #[allow(clippy::cast_possible_truncation)] // means of 32-bit numbers
        let centroids =
            means.flat_map(|(sum, divisor)| sum.iter().map(move |sum| (sum / divisor) as f32)).collect();
        Self { centroids, counts }
    }

    /// Of each cluster, the softmax weight that one of its keys would have if all keys were their centroids, averaged
    /// over `queries` (each `[dim]`, rotated).
    pub fn scores<'a>(&self, queries: impl Iterator<Item = &'a [f32]>, isa: Isa) -> Vec<f64> {
        average_scores(&self.centroids, &self.counts, queries, isa)
    }

    fn bytes(&self) -> usize {
        self.centroids.capacity() * size_of::<f32>() + self.counts.capacity() * size_of::<u32>()
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        out.floats(&self.centroids)?;
        whole(out, &self.counts)
    }

    fn read(from: &mut Reader, dim: usize) -> Result<Self, MemoryError> {
        let level = Self { centroids: from.floats()?, counts: read_whole(from)? };
        if level.centroids.len() != level.counts.len() * dim {
            return Err(MemoryError::Saved("its clusters have other centroids than counts".into()));
        }
        Ok(level)
    }
}

/// See [`Level::scores`]; clusters of no keys take no part and score 0.
fn average_scores<'a>(
    centroids: &[f32],
    counts: &[u32],
    queries: impl Iterator<Item = &'a [f32]>,
    isa: Isa,
) -> Vec<f64> {
    let mut average = vec![0.0_f64; counts.len()];
    let mut logits = vec![f64::NEG_INFINITY; counts.len()];
    let mut number = 0.0;
    for query in queries {
        number += 1.0;
        #[allow(clippy::cast_precision_loss)] // a head has a few hundred numbers
        let scale = 1.0 / (query.len() as f64).sqrt();
        // Relative to the largest, or large keys would overflow the exponential.
        let mut top = f64::NEG_INFINITY;
        for ((logit, centroid), _) in
            logits.iter_mut().zip(centroids.chunks_exact(query.len())).zip(counts).filter(|(_, n)| **n > 0)
        {
            *logit = f64::from(dot(isa, query, centroid)) * scale;
            top = top.max(*logit);
        }
        let mut sum = 0.0;
        for (logit, count) in logits.iter_mut().zip(counts).filter(|(_, count)| **count > 0) {
            *logit = (*logit - top).exp();
            sum += *logit * f64::from(*count);
        }
        for ((average, weight), _) in average.iter_mut().zip(&logits).zip(counts).filter(|(_, n)| **n > 0) {
            *average += weight / sum;
        }
    }
    average.iter_mut().for_each(|score| *score /= f64::max(number, 1.0));
    average
}

fn whole(out: &mut Writer<'_>, numbers: &[u32]) -> Result<(), MemoryError> {
    out.number(numbers.len())?;
    numbers.iter().try_for_each(|number| out.number(*number as usize))
}

fn read_whole(from: &mut Reader) -> Result<Vec<u32>, MemoryError> {
    let narrow =
        |number| u32::try_from(number).map_err(|_| MemoryError::Saved("a number is too large".into()));
    from.numbers()?.into_iter().map(narrow).collect()
}

/// The `quantile`-quantile of `values`, each as often as its count says, by linear interpolation; below everything for 0
/// and without values. Sorts them.
#[allow(clippy::cast_precision_loss)] // counts stay far below 2^52
pub fn quantile(values: &mut [(f64, u32)], quantile: f64) -> f64 {
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total: u64 = values.iter().map(|(_, count)| u64::from(*count)).sum();
    if quantile <= 0.0 || total == 0 {
        return f64::NEG_INFINITY;
    }
    let place = quantile * (total - 1) as f64;
    let mut seen = 0;
    let mut before = None;
    for (value, count) in values.iter().filter(|(_, count)| *count > 0) {
        // It holds the places from `seen` on of the list written out; the wanted one may lie just before.
        if place < seen as f64 {
            let below = before.unwrap_or(*value);
            return below + (place - (seen - 1) as f64) * (value - below);
        }
        seen += u64::from(*count);
        before = Some(*value);
        if place <= (seen - 1) as f64 {
            return *value;
        }
    }
    before.unwrap_or(f64::NEG_INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_list_written_out() {
        let mut values = [(3.0, 2), (1.0, 1), (2.0, 3), (9.0, 0)];
        // 1 2 2 2 3 3
        for (part, expected) in [(0.2, 2.0), (0.1, 1.5), (0.6, 2.0), (0.7, 2.5), (0.8, 3.0), (1.0, 3.0)] {
            let found = quantile(&mut values, part);
            assert!((found - expected).abs() < 1e-12, "{part}: {found}");
        }
        assert!(quantile(&mut values, 0.0) < -1e300 && quantile(&mut [], 0.5) < -1e300);
    }
}
