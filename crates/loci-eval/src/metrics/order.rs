//! How right an order is.
//!
//! An order of n things is given as `places`: for the thing that belongs at place i, the place from 0 where it was put.

use std::collections::BTreeMap;

/// The places of `order`'s items in `answer`; `None` unless the answer is a permutation of the order. Items that are
/// equal to each other are told apart by their order.
pub fn places<T: Ord>(answer: &[T], order: &[T]) -> Option<Vec<usize>> {
    if answer.len() != order.len() {
        return None;
    }
    let mut free: BTreeMap<&T, std::collections::VecDeque<usize>> = BTreeMap::new();
    for (place, item) in answer.iter().enumerate() {
        free.entry(item).or_default().push_back(place);
    }
    order.iter().map(|item| free.get_mut(item)?.pop_front()).collect()
}

/// Whether everything is in its place; nothing is in order.
pub fn exact_order(places: &[usize]) -> bool {
    places.iter().enumerate().all(|(index, place)| index == *place)
}

/// Share of the pairs that stand the right way round; 1 for fewer than two things. A pair at one place is half right.
pub fn pairwise_accuracy(places: &[usize]) -> f64 {
    let mut right = 0.0;
    for (index, first) in places.iter().enumerate() {
        for second in places.iter().skip(index + 1) {
            right += match first.cmp(second) {
                std::cmp::Ordering::Less => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Greater => 0.0,
            };
        }
    }
    let n = places.len();
    if n < 2 { 1.0 } else { right / (n * (n - 1) / 2) as f64 }
}

/// Kendall's tau of a permutation: (pairs right - pairs wrong) / pairs, from -1 to 1; 1 for fewer than two things.
pub fn kendall_tau(places: &[usize]) -> f64 {
    2.0 * pairwise_accuracy(places) - 1.0
}

/// Spearman's footrule as a score: 1 - (sum of |place - index|) / floor(n²/2), which is the sum's greatest value; 1 for
/// fewer than two things. Places beyond n count as the last.
pub fn footrule(places: &[usize]) -> f64 {
    let most = places.len() * places.len() / 2;
    if most == 0 { 1.0 } else { 1.0 - Displacement::of(places).mean * places.len() as f64 / most as f64 }
}

/// How far things stand from their places (LooGLE's reordering measures); 0 throughout where all is right.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Displacement {
    /// Mean of (place - index)².
    pub squared: f64,
    /// Mean of |place - index|.
    pub mean: f64,
    /// Fewest exchanges of two things that put all in order: n - cycles.
    pub swaps: f64,
    /// Sum of the distances of exchanges, each time of the two things that gain most for their distance.
    pub swap_distance: f64,
}

impl Displacement {
    /// Of a permutation. What is none (see [`places`]) is charged [`Displacement::most`]; places beyond the end,
    /// which no permutation has, count as the last.
    pub fn of(places: &[usize]) -> Self {
        let n = places.len();
        let mut places: Vec<usize> = places.iter().map(|place| (*place).min(n.saturating_sub(1))).collect();
        let apart = |power: i32| -> f64 {
            let each =
                places.iter().enumerate().map(|(index, place)| (index.abs_diff(*place) as f64).powi(power));
            super::share(each.sum(), n)
        };
        let (squared, mean) = (apart(2), apart(1));
        let swaps = n - cycles(&places);
        let mut swap_distance = 0;
        // Every exchange brings two things nearer to their places, and n² steps are more than enough.
        for _ in 0..n * n {
            let Some((i, j)) = best_exchange(&places) else { break };
            places.swap(i, j);
            swap_distance += j - i;
        }
        Self { squared, mean, swaps: swaps as f64, swap_distance: swap_distance as f64 }
    }

    /// The greatest that permutations of `n` things have: what an answer is charged that is no permutation.
    pub fn most(n: usize) -> Self {
        let reversed: Vec<usize> = (0..n).rev().collect();
        let of = Self::of(&reversed);
        Self { swaps: n.saturating_sub(1) as f64, swap_distance: (n * n / 4) as f64, ..of }
    }
}

fn cycles(places: &[usize]) -> usize {
    let mut seen = vec![false; places.len()];
    let mut cycles = 0;
    for start in 0..places.len() {
        let mut at = start;
        let mut new = false;
        while let Some(unseen) = seen.get_mut(at).filter(|seen| !**seen) {
            (*unseen, new) = (true, true);
            at = places.get(at).copied().unwrap_or(at);
        }
        cycles += usize::from(new);
    }
    cycles
}

/// The first of the exchanges with the greatest gain for their distance; `None` where none gains.
fn best_exchange(places: &[usize]) -> Option<(usize, usize)> {
    let mut best: Option<(f64, usize, usize)> = None;
    for (i, first) in places.iter().enumerate() {
        for (j, second) in places.iter().enumerate().skip(i + 1) {
            let now = first.abs_diff(i) + second.abs_diff(j);
            let then = second.abs_diff(i) + first.abs_diff(j);
            let gain = (now as f64 - then as f64) / (j - i) as f64;
            if gain > 0.0 && best.is_none_or(|(most, ..)| gain > most) {
                best = Some((gain, i, j));
            }
        }
    }
    best.map(|(_, i, j)| (i, j))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_of_answers() {
        assert_eq!(places(&["b", "a", "c"], &["a", "b", "c"]), Some(vec![1, 0, 2]));
        assert_eq!(places(&["a", "a", "b"], &["a", "b", "a"]), Some(vec![0, 2, 1]));
        assert_eq!(places(&["a", "a"], &["a", "b"]), None);
        assert_eq!(places(&["a"], &["a", "b"]), None);
    }

    #[test]
    fn hand_cases() {
        assert!((kendall_tau(&[0, 2, 1]) - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!((pairwise_accuracy(&[0, 2, 1]), pairwise_accuracy(&[2, 1, 0])), (2.0 / 3.0, 0.0));
        assert_eq!((footrule(&[1, 0, 2]), footrule(&[2, 1, 0])), (0.5, 0.0));
        assert_eq!((kendall_tau(&[]), footrule(&[0]), exact_order(&[])), (1.0, 1.0, true));
        let of = Displacement::of(&[2, 0, 1]);
        assert_eq!((of.squared, of.mean, of.swaps, of.swap_distance), (2.0, 4.0 / 3.0, 2.0, 2.0));
        // No permutation, and no endless loop.
        Displacement::of(&[0, 0, 9]);
        Displacement::of(&[5, 5, 5, 0, 0]);
    }

    fn all(n: usize) -> Vec<Vec<usize>> {
        if n == 0 {
            return vec![vec![]];
        }
        let put = |shorter: Vec<usize>| {
            (0..n).map(move |at| {
                let mut longer = shorter.clone();
                longer.insert(at, n - 1);
                longer
            })
        };
        all(n - 1).into_iter().flat_map(put).collect()
    }

    #[test]
    fn the_reversed_order_is_the_worst() {
        for n in 1..=6 {
            let most = Displacement::most(n);
            let every: Vec<Displacement> = all(n).iter().map(|places| Displacement::of(places)).collect();
            let largest = |part: fn(&Displacement) -> f64| every.iter().map(part).fold(0.0, f64::max);
            assert_eq!(most.squared, largest(|of| of.squared));
            assert_eq!(most.mean, largest(|of| of.mean));
            assert_eq!(most.swaps, largest(|of| of.swaps));
            assert_eq!(most.swap_distance, largest(|of| of.swap_distance));
            assert!((most.squared - (n * n - 1) as f64 / 3.0).abs() < 1e-12);
        }
    }

    proptest! {
        #[test]
        fn bounds_and_identity(places in Just((0..7_usize).collect::<Vec<_>>()).prop_shuffle()) {
            prop_assert!((-1.0..=1.0).contains(&kendall_tau(&places)) && (0.0..=1.0).contains(&footrule(&places)));
            let right: Vec<usize> = (0..places.len()).collect();
            prop_assert_eq!((kendall_tau(&right), footrule(&right)), (1.0, 1.0));
            prop_assert_eq!(Displacement::of(&right), Displacement::default());
            prop_assert_eq!(exact_order(&places), footrule(&places) == 1.0);
        }
    }
}
