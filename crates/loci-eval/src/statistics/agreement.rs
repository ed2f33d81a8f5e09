//! How far raters agree beyond chance. Intervals: [`bootstrap`](super::intervals::bootstrap) over the items rated.

use std::collections::BTreeMap;

/// Cohen's kappa (1960) of two raters, one pair for each item: (agreement - expected) / (1 - expected), where
/// expected is the agreement of raters who draw from the classes as often as these chose them. 1 is full agreement, 0
/// that of chance. `None` without items, or if both only ever chose one and the same class: chance agrees fully there
/// too.
pub fn cohens_kappa<T: Ord>(pairs: &[(T, T)]) -> Option<f64> {
    let n = pairs.len() as f64;
    let mut chosen: BTreeMap<&T, (usize, usize)> = BTreeMap::new();
    for (first, second) in pairs {
        chosen.entry(first).or_default().0 += 1;
        chosen.entry(second).or_default().1 += 1;
    }
    if chosen.len() < 2 {
        return None;
    }
    let agreed = pairs.iter().filter(|(first, second)| first == second).count() as f64 / n;
    let expected: f64 =
        chosen.values().map(|(first, second)| (*first as f64 / n) * (*second as f64 / n)).sum();
    (expected < 1.0).then(|| (agreed - expected) / (1.0 - expected))
}

/// Krippendorff's alpha (2004) for classes. `units` are the things rated, each with the ratings it got, from any
/// number of raters; missing ones are left out, and a unit with fewer than two says nothing.
///
/// 1 - observed / expected disagreement: the first among the ratings of one unit, the second among all ratings. `None`
/// without two ratings of a unit, or if all ratings are equal.
pub fn alpha_nominal<T: Ord>(units: &[Vec<T>]) -> Option<f64> {
    alpha(units, |ratings| {
        let mut counts: BTreeMap<&T, usize> = BTreeMap::new();
        for rating in ratings {
            *counts.entry(rating).or_default() += 1;
        }
        (ratings.len().pow(2) - counts.values().map(|count| count.pow(2)).sum::<usize>()) as f64
    })
}

/// As [`alpha_nominal`], for numbers with equal steps: ratings disagree by the square of their difference. `None`
/// also where a rating is not finite.
pub fn alpha_interval(units: &[Vec<f64>]) -> Option<f64> {
    alpha(units, |ratings| {
        let n = ratings.len() as f64;
        let mean = ratings.iter().map(|rating| **rating).sum::<f64>() / n;
        2.0 * n * ratings.iter().map(|rating| (**rating - mean).powi(2)).sum::<f64>()
    })
}

/// `between` is the sum of disagreements over all ordered pairs of ratings.
fn alpha<T>(units: &[Vec<T>], between: impl Fn(&[&T]) -> f64) -> Option<f64> {
    let rated = || units.iter().filter(|unit| unit.len() >= 2);
    let observed: f64 =
        rated().map(|unit| between(&unit.iter().collect::<Vec<_>>()) / (unit.len() - 1) as f64).sum();
    let all: Vec<&T> = rated().flatten().collect();
    let expected = between(&all) / all.len().checked_sub(1)? as f64;
    (expected > 0.0 && expected.is_finite()).then(|| 1.0 - observed / expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kappa_by_hand() {
        // 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: agreement 0.7, expected 0.5.
        let mut pairs = vec![(1, 1); 20];
        pairs.extend([(1, 0); 5]);
        pairs.extend([(0, 1); 10]);
        pairs.extend([(0, 0); 15]);
        assert!((cohens_kappa(&pairs).unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(cohens_kappa(&[("a", "a"), ("b", "b")]), Some(1.0));
        assert_eq!(cohens_kappa(&[("a", "b"), ("b", "a")]), Some(-1.0));
        assert_eq!((cohens_kappa::<u8>(&[]), cohens_kappa(&[(1, 1), (1, 1)])), (None, None));
        assert_eq!(cohens_kappa(&[(1, 2), (1, 2)]), Some(0.0));
    }

    #[test]
    fn alpha_by_hand() {
        // Two raters, ten binary items: Krippendorff's own example has alpha 0.095.
        let first = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0];
        let second = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0];
        let units: Vec<Vec<i32>> = first.iter().zip(second).map(|(a, b)| vec![*a, b]).collect();
        assert!((alpha_nominal(&units).unwrap() - 0.095).abs() < 5e-4);
        assert_eq!(alpha_nominal(&[vec![1, 1], vec![2, 2], vec![3]]), Some(1.0));
        assert_eq!((alpha_nominal::<u8>(&[]), alpha_nominal(&[vec![1], vec![2]])), (None, None));
        assert_eq!(alpha_nominal(&[vec![1, 1], vec![1, 1]]), None);
        assert_eq!(alpha_interval(&[vec![1.0, 1.0], vec![4.0, 4.0, 4.0]]), Some(1.0));
        assert_eq!((alpha_interval(&[vec![2.0, 2.0]]), alpha_interval(&[vec![f64::NAN, 1.0]])), (None, None));
    }
}
