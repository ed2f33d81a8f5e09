//! One ranking made of several.

use std::collections::BTreeMap;

/// What is added to each rank: with it a first place in one ranking weighs about as much as two places far down. The value is
/// that of the paper of [`fuse`].
pub const K: f64 = 60.0;

/// Reciprocal rank fusion (Cormack, Clarke and Büttcher, Reciprocal Rank Fusion outperforms Condorcet and individual Rank
/// Learning Methods, 2009): an item's score is the sum over the rankings that have it of 1 / (60 + rank), ranks counted
/// from 1.
///
/// Every item that any ranking has stands in the result once, best first; of equal scores the item with the smaller number
/// stands first. In which order the rankings are given changes nothing. Of an item that stands in one ranking several times
/// the best place counts.
pub fn fuse(rankings: &[Vec<usize>]) -> Vec<(usize, f64)> {
    // The ranks of each item, gathered so that they can be added in one order: sums of numbers depend on it.
    let mut ranks: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, ranking) in rankings.iter().enumerate() {
        for (place, item) in ranking.iter().enumerate() {
            let own = ranks.entry(*item).or_default();
            // One rank for each earlier ranking at most, so a full list means that this ranking has the item twice.
            if own.len() <= number {
                own.resize(number, usize::MAX);
                own.push(place + 1);
            }
        }
    }
    let score = |mut ranks: Vec<usize>| {
        ranks.retain(|rank| *rank != usize::MAX);
        ranks.sort_unstable();
        ranks.into_iter().map(|rank| 1.0 / (K + rank as f64)).sum::<f64>()
    };
    let mut fused: Vec<(usize, f64)> = ranks.into_iter().map(|(item, ranks)| (item, score(ranks))).collect();
    fused.sort_by(|one, other| other.1.total_cmp(&one.1));
    fused
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        let fused = fuse(&[vec![7, 3, 5], vec![3, 9]]);
        let items: Vec<usize> = fused.iter().map(|(item, _)| *item).collect();
        assert_eq!(items, [3, 7, 9, 5]);
        let expected = [1.0 / 62.0 + 1.0 / 61.0, 1.0 / 61.0, 1.0 / 62.0, 1.0 / 63.0];
        assert!(fused.iter().zip(expected).all(|((_, score), expected)| (score - expected).abs() < 1e-15));
    }

    #[test]
    fn nothing_and_ties_and_repetitions() {
        assert!(fuse(&[]).is_empty() && fuse(&[vec![], vec![]]).is_empty());
        assert_eq!(fuse(&[vec![2, 1], vec![1, 2]]).iter().map(|(item, _)| *item).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(fuse(&[vec![4, 4, 4]]), [(4, 1.0 / 61.0)]);
        assert_eq!(fuse(&[vec![], vec![4, 4], vec![4]])[0].1, 2.0 / 61.0);
    }

    proptest! {
        #[test]
        fn every_item_once_whatever_the_order_of_rankings(
            rankings in prop::collection::vec(prop::collection::vec(0..12_usize, 0..9), 0..5),
            turn in 0..5_usize,
        ) {
            let fused = fuse(&rankings);
            prop_assert!(fused.is_sorted_by(|a, b| a.1 > b.1 || (a.1 == b.1 && a.0 < b.0)));
            let mut found: Vec<usize> = fused.iter().map(|(item, _)| *item).collect();
            found.sort_unstable();
            let mut all = rankings.concat();
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(found, all);
            let mut turned = rankings;
            let count = turned.len().max(1);
            let turn = if turned.is_empty() { 0 } else { turn % count };
            turned.rotate_left(turn);
            prop_assert_eq!(fuse(&turned), fused);
        }

        #[test]
        fn one_ranking_stays_as_it_is(mut ranking in prop::collection::vec(0..50_usize, 0..20)) {
            let mut seen = std::collections::BTreeSet::new();
            ranking.retain(|item| seen.insert(*item));
            let fused: Vec<usize> = fuse(std::slice::from_ref(&ranking)).into_iter().map(|(item, _)| item).collect();
            prop_assert_eq!(fused, ranking);
        }
    }
}
