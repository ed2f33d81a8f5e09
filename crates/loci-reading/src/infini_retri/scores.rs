//! From attention to the sentences that are kept.

use std::ops::Range;

/// How much each column counts: the rows' weights of `columns`, smoothed over `phrase` neighbours, summed over rows with
/// the square of each row's weight.
///
/// For column j a row gives the sum of its weights from j - phrase / 2 to j + (phrase - 1) / 2, what is outside `columns`
/// being 0: an even phrase reaches one further to the left, as in the published code.
pub(super) fn scores<'r>(
    rows: impl Iterator<Item = &'r [f32]>,
    weights: &[f64],
    columns: Range<usize>,
    phrase: usize,
) -> Vec<f64> {
    let (before, behind) = (phrase / 2, phrase.saturating_sub(1) / 2);
    let mut scores = vec![0.0; columns.len()];
    let mut sums = Vec::with_capacity(columns.len() + 1);
    for (row, weight) in rows.zip(weights) {
        let own = row.get(columns.clone()).unwrap_or(&[]);
        sums.clear();
        sums.push(0.0);
        let mut sum = 0.0;
        for share in own {
            sum += f64::from(*share);
            sums.push(sum);
        }
        for (at, score) in scores.iter_mut().enumerate() {
            let to = sums.get((at + behind + 1).min(own.len())).copied().unwrap_or(sum);
            let from = sums.get(at.saturating_sub(before)).copied().unwrap_or(0.0);
            *score += weight * weight * (to - from);
        }
    }
    scores
}

/// The `count` places with the highest scores; of equal scores the later one.
pub(super) fn best(scores: &[f64], count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..scores.len()).collect();
    let score = |place: usize| scores.get(place).copied().unwrap_or(0.0);
    places.sort_by(|one, other| score(*other).total_cmp(&score(*one)).then(other.cmp(one)));
    places.truncate(count);
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The sum as the sheet gives it, number by number.
    fn plain(rows: &[Vec<f32>], weights: &[f64], columns: Range<usize>, phrase: usize) -> Vec<f64> {
        columns
            .clone()
            .map(|column| {
                let mut score = 0.0;
                for (row, weight) in rows.iter().zip(weights) {
                    for other in 0..phrase {
                        let at = (column + other).checked_sub(phrase / 2);
                        if let Some(at) = at.filter(|at| columns.contains(at)) {
                            score += weight * weight * f64::from(row[at]);
                        }
                    }
                }
                score
            })
            .collect()
    }

    #[test]
    fn a_phrase_of_eight_reaches_from_four_before_to_three_behind() {
        let mut row = vec![0.0_f32; 20];
        row[10] = 1.0;
        let found = scores([row.as_slice()].into_iter(), &[1.0], 0..20, 8);
        let reached: Vec<usize> = (0..20).filter(|at| found[*at] > 0.5).collect();
        assert_eq!(reached, (7..=14).collect::<Vec<_>>());
    }

    #[test]
    fn of_equal_scores_the_later_place_wins() {
        assert_eq!(best(&[1.0, 2.0, 1.0, 0.0], 3), [1, 2, 0]);
        assert_eq!(best(&[1.0], 5), [0]);
    }

    proptest! {
        #[test]
        fn running_sums_are_the_plain_sum(
            rows in prop::collection::vec(prop::collection::vec(0.0..1.0_f32, 12), 1..4),
            weights in prop::collection::vec(0.0..2.0_f64, 3),
            from in 0..6_usize,
            length in 0..6_usize,
            phrase in 1..10_usize,
        ) {
            let columns = from..from + length;
            let weights = &weights[..rows.len().min(3)];
            let fast = scores(rows.iter().map(Vec::as_slice), weights, columns.clone(), phrase);
            for (fast, plain) in fast.iter().zip(plain(&rows, weights, columns, phrase)) {
                prop_assert!((fast - plain).abs() < 1e-9, "{fast} {plain}");
            }
        }
    }
}
