//! How far an order is from the right one (Li et al., LooGLE, 2023).

/// Distances of a permutation from the identity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Distances {
    /// Mean square of how far each is from its place.
    pub(super) location_square: f64,
    /// Mean of how far each is from its place.
    pub(super) location_mean: f64,
    /// Least number of swaps.
    pub(super) swaps: f64,
    /// Places moved over by swaps, the best of which is made each time.
    pub(super) swap_distance: f64,
}

impl Distances {
    /// Of a permutation: `places[i]` is where the thing stands that should stand at `i`. `None` for what is no
    /// permutation.
    pub(super) fn of(places: &[usize]) -> Option<Self> {
        let n = places.len();
        let mut sorted = places.to_vec();
        sorted.sort_unstable();
        if n == 0 || sorted.into_iter().ne(0..n) {
            return None;
        }
        let off = |power: i32| {
            let sum: f64 =
                places.iter().enumerate().map(|(at, place)| (at.abs_diff(*place) as f64).powi(power)).sum();
            sum / n as f64
        };
        Some(Self {
            location_square: off(2),
            location_mean: off(1),
            swaps: (n - cycles(places)) as f64,
            swap_distance: greedy(places.to_vec()),
        })
    }

    /// The largest of each over all permutations of `n`, which is charged where an answer is no permutation. That of
    /// `swap_distance` is the reversal's (ours: it is the largest for up to 7).
    pub(super) fn largest(n: usize) -> Self {
        let (n, halves) = (n.max(1), (n * n / 2) as f64);
        Self {
            location_square: (n * n - 1) as f64 / 3.0,
            location_mean: halves / n as f64,
            swaps: (n - 1) as f64,
            swap_distance: Self::of(&(0..n).rev().collect::<Vec<_>>()).map_or(0.0, |of| of.swap_distance),
        }
    }
}

fn cycles(places: &[usize]) -> usize {
    let mut seen = vec![false; places.len()];
    let mut count = 0;
    for start in 0..places.len() {
        let mut at = start;
        let mut new = false;
        while let Some(mark) = seen.get_mut(at).filter(|mark| !**mark) {
            *mark = true;
            new = true;
            at = places.get(at).copied().unwrap_or(at);
        }
        count += usize::from(new);
    }
    count
}

fn greedy(mut places: Vec<usize>) -> f64 {
    let mut moved = 0;
    // Every swap brings things nearer by at least 2 in sum, so this ends.
    loop {
        let mut best: Option<(f64, usize, usize)> = None;
        for (left, first) in places.iter().enumerate() {
            for (right, second) in places.iter().enumerate().skip(left + 1) {
                let now = first.abs_diff(left) + second.abs_diff(right);
                let then = second.abs_diff(left) + first.abs_diff(right);
                let gain = (now as f64 - then as f64) / (right - left) as f64;
                if gain > best.map_or(0.0, |(gain, ..)| gain) {
                    best = Some((gain, left, right));
                }
            }
        }
        let Some((_, left, right)) = best else { return moved as f64 };
        places.swap(left, right);
        moved += right - left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permutations(n: usize) -> Vec<Vec<usize>> {
        if n == 0 {
            return vec![Vec::new()];
        }
        let mut all = Vec::new();
        for shorter in permutations(n - 1) {
            for at in 0..n {
                let mut longer = shorter.clone();
                longer.insert(at, n - 1);
                all.push(longer);
            }
        }
        all
    }

    #[test]
    fn the_identity_is_no_distance_away_and_worked_ones() {
        let none = Distances { location_square: 0.0, location_mean: 0.0, swaps: 0.0, swap_distance: 0.0 };
        assert_eq!(Distances::of(&[0, 1, 2, 3]), Some(none));
        let swapped = Distances::of(&[2, 1, 0]).unwrap();
        assert_eq!((swapped.location_square, swapped.swaps, swapped.swap_distance), (8.0 / 3.0, 1.0, 2.0));
        assert_eq!((Distances::of(&[0, 0]), Distances::of(&[1, 2]), Distances::of(&[])), (None, None, None));
    }

    #[test]
    fn the_largest_are_the_largest_of_all_permutations() {
        for n in 1..=6 {
            let all: Vec<_> = permutations(n).iter().map(|one| Distances::of(one).unwrap()).collect();
            let most = |of: fn(&Distances) -> f64| all.iter().map(of).fold(0.0, f64::max);
            let largest = Distances::largest(n);
            assert!((most(|one| one.location_square) - largest.location_square).abs() < 1e-12);
            assert!((most(|one| one.location_mean) - largest.location_mean).abs() < 1e-12);
            assert_eq!(most(|one| one.swaps), largest.swaps);
            assert_eq!(most(|one| one.swap_distance), largest.swap_distance, "n = {n}");
        }
    }

    #[test]
    fn greedy_swaps_always_sort() {
        for one in permutations(6) {
            // Without an order left to gain from, nothing may be out of place: a cycle always has a pair that gains.
            let away = one.iter().enumerate().any(|(at, place)| at != *place);
            assert_eq!(away, greedy(one) > 0.0);
        }
    }
}
