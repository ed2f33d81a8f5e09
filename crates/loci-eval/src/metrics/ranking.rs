//! How early what is sought stands in a ranking, best first.

use super::share;

/// Share of the sought items among the first `k`; 0 with nothing sought.
pub fn recall_at<T: PartialEq>(ranked: &[T], sought: &[T], k: usize) -> f64 {
    let found = sought.iter().filter(|item| ranked.iter().take(k).any(|other| other == *item)).count();
    share(found as f64, sought.len())
}

/// Whether any sought item is among the first `k` (LongMemEval's `recall_any`).
pub fn recall_any<T: PartialEq>(ranked: &[T], sought: &[T], k: usize) -> bool {
    recall_at(ranked, sought, k) > 0.0
}

/// Whether all sought items are among the first `k` (LongMemEval's `recall_all`, its headline). With nothing sought
/// it is false, while the published scorer says true: leave such questions out.
pub fn recall_all<T: PartialEq>(ranked: &[T], sought: &[T], k: usize) -> bool {
    recall_at(ranked, sought, k) >= 1.0
}

/// 1 / place of the first sought item, from 1; 0 if none is ranked. Its mean over questions is MRR.
pub fn reciprocal_rank<T: PartialEq>(ranked: &[T], sought: &[T]) -> f64 {
    let first = ranked.iter().position(|item| sought.contains(item));
    first.map_or(0.0, |place| 1.0 / (place + 1) as f64)
}

/// How much a gain counts at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discount {
    /// 1 / log2(place + 1), places from 1 (Järvelin and Kekäläinen 2002, as commonly used).
    Usual,
    /// 1 / log2(place), and 1 for the first: places 1 and 2 weigh the same (LongMemEval's code).
    FirstTwoAlike,
}

/// Normalised discounted cumulative gain of the first `k`: their discounted gains over the most that the same gains
/// could give in the best order. `gains` are those of the whole ranking in its order, so that what was found too late
/// counts as missed; 0 if all are 0.
pub fn ndcg_at(gains: &[f64], k: usize, discount: Discount) -> f64 {
    let dcg = |gains: &[f64]| -> f64 {
        let discounted = gains.iter().take(k).enumerate().map(|(index, gain)| match discount {
            Discount::Usual => gain / (index as f64 + 2.0).log2(),
            Discount::FirstTwoAlike if index == 0 => *gain,
            Discount::FirstTwoAlike => gain / (index as f64 + 1.0).log2(),
        });
        discounted.sum()
    };
    let mut ideal = gains.to_vec();
    ideal.sort_by(|a, b| b.total_cmp(a));
    let most = dcg(&ideal);
    if most > 0.0 { dcg(gains) / most } else { 0.0 }
}

/// How many of the ranking to take until `k` different items are among them, or all of it (LongMemEval's way from turns
/// to sessions: give each turn's session, and use the result as `k`).
pub fn until_different<T: Ord>(ranked: &[T], k: usize) -> usize {
    let mut seen = std::collections::BTreeSet::new();
    for (index, item) in ranked.iter().enumerate() {
        if seen.len() >= k && index >= k {
            return index;
        }
        seen.insert(item);
    }
    ranked.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn recalls_and_first_place() {
        let ranked = ["c", "a", "b"];
        assert_eq!(recall_at(&ranked, &["a", "b"], 2), 0.5);
        assert!(recall_any(&ranked, &["a", "b"], 2) && !recall_all(&ranked, &["a", "b"], 2));
        assert!(
            recall_all(&ranked, &["a", "b"], 9)
                && !recall_all(&ranked, &[], 9)
                && !recall_any(&ranked, &[], 9)
        );
        assert_eq!((reciprocal_rank(&ranked, &["b", "a"]), reciprocal_rank(&ranked, &["x"])), (0.5, 0.0));
    }

    #[test]
    fn places_one_and_two_weigh_the_same_in_one_discount_only() {
        assert_eq!(ndcg_at(&[0.0, 1.0, 0.0], 3, Discount::FirstTwoAlike), 1.0);
        assert!((ndcg_at(&[0.0, 1.0, 0.0], 3, Discount::Usual) - 0.630_929_753_571_457_3).abs() < 1e-12);
        // Found at place 4 only, looked at to 3; and one of two found.
        assert_eq!(ndcg_at(&[0.0, 0.0, 0.0, 1.0], 3, Discount::Usual), 0.0);
        assert_eq!(ndcg_at(&[1.0, 0.0, 1.0], 2, Discount::FirstTwoAlike), 0.5);
        assert_eq!(ndcg_at(&[0.0; 4], 3, Discount::Usual), 0.0);
        assert_eq!(ndcg_at(&[], 3, Discount::Usual), 0.0);
    }

    #[test]
    fn k_grows_until_there_are_enough_sessions() {
        let sessions = ["s1", "s1", "s2", "s1", "s3"];
        assert_eq!((1..=4).map(|k| until_different(&sessions, k)).collect::<Vec<_>>(), [1, 3, 5, 5]);
        assert_eq!((until_different(&sessions, 0), until_different::<u8>(&[], 3)), (0, 0));
    }

    proptest! {
        #[test]
        fn from_0_to_1_and_1_in_the_best_order(
            mut gains in prop::collection::vec(0.0..3.0_f64, 1..9),
            k in 1..9_usize,
        ) {
            for discount in [Discount::Usual, Discount::FirstTwoAlike] {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&ndcg_at(&gains, k, discount)));
            }
            gains.sort_by(|a, b| b.total_cmp(a));
            prop_assert!((ndcg_at(&gains, k, Discount::Usual) - 1.0).abs() < 1e-12 || gains.iter().all(|g| *g == 0.0));
        }
    }
}
