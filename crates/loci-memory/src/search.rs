//! Finding items by words: BM25 within one scope.

use std::collections::{BTreeSet, HashMap, HashSet};

use loci_reading::tokens::words;

use crate::error::MemoryError;
use crate::rows::{Rows, ScopeRow};

/// How soon further occurrences of a word stop to matter, and how much long keys are held back.
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// The rarest words of a query count whose occurrences together are at most so many; the rarest always does. Words that most keys
/// have cost most and tell least.
const OCCURRENCES: u64 = 3_000;

/// Words that were found to stand in more keys than can count: it takes long to count them, and once is enough. Holds until something
/// is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Common {
    removed: u64,
    words: HashSet<(ScopeRow, String)>,
}

impl Common {
    /// In how many keys each of the `words` stands, rarest first, without those in none. Common ones are left out while there are
    /// others.
    fn counted(
        &mut self,
        rows: &dyn Rows,
        scope: ScopeRow,
        words: BTreeSet<String>,
    ) -> Result<Vec<(u64, String)>, MemoryError> {
        let removed = rows.removed()?;
        if removed != self.removed {
            *self = Self { removed, words: HashSet::new() };
        }
        let (mut counted, mut common) = (Vec::with_capacity(words.len()), Vec::new());
        for word in words {
            let known = (scope, word);
            if self.words.contains(&known) {
                common.push(known.1);
                continue;
            }
            match rows.frequency(scope, &known.1)? {
                0 => {}
                count if count > OCCURRENCES => {
                    common.push(known.1.clone());
                    self.words.insert(known);
                }
                count => counted.push((count, known.1)),
            }
        }
        if counted.is_empty() {
            for word in common {
                counted.push((rows.frequency(scope, &word)?, word));
            }
        }
        counted.sort_unstable();
        Ok(counted)
    }
}

/// The words by which a text is found.
pub(crate) fn index_words(text: &str) -> Vec<String> {
    words(text)
}

/// The best `most` items by the words that their best key shares with a query, best first; of equal scores the newer first.
///
/// Okapi BM25 with idf = ln(1 + (N - n + 0.5) / (n + 0.5)), which never is negative: keys are short and few at first, when a
/// word that most of them have must not count against them. N, n and mean length are those of the scope.
///
/// # Errors
/// What the store fails with.
pub(crate) fn by_words(
    rows: &dyn Rows,
    scope: ScopeRow,
    query: &str,
    most: usize,
    common: &mut Common,
) -> Result<Vec<(i64, f64)>, MemoryError> {
    let size = rows.size(scope)?;
    let counted = common.counted(rows, scope, index_words(query).into_iter().collect())?;
    let all = size.keys as f64;
    let mean = (size.words as f64 / all.max(1.0)).max(1.0);
    let mut keys: HashMap<i64, (i64, f64)> = HashMap::new();
    let mut occurrences = 0;
    for (count, word) in &counted {
        if occurrences > 0 && occurrences + count > OCCURRENCES {
            break;
        }
        occurrences += count;
        let count = *count as f64;
        let idf = (1.0 + (all - count + 0.5).max(0.0) / (count + 0.5)).ln();
        for posting in rows.postings(scope, word)? {
            let times = f64::from(posting.count);
            let held = K1 * (1.0 - B + B * f64::from(posting.words) / mean);
            keys.entry(posting.key).or_insert((posting.item, 0.0)).1 +=
                idf * times * (K1 + 1.0) / (times + held);
        }
    }
    Ok(best_items(keys.into_values().collect(), most))
}

/// The best `most` items by the best score of their keys, best first; of equal scores the newer first.
pub(crate) fn best_items(mut keys: Vec<(i64, f64)>, most: usize) -> Vec<(i64, f64)> {
    let order = |one: &(i64, f64), other: &(i64, f64)| other.1.total_cmp(&one.1).then(other.0.cmp(&one.0));
    // Of many keys only the best have to be put in order; an item has few, so that four times as many will do, most of the time.
    let enough = most.saturating_mul(4);
    let mut all = std::mem::take(&mut keys);
    loop {
        let cut = enough < all.len() && keys.is_empty();
        if cut {
            let _ = all.select_nth_unstable_by(enough, order);
            keys = all.get(..enough).unwrap_or(&[]).to_vec();
        } else {
            keys = std::mem::take(&mut all);
        }
        keys.sort_unstable_by(order);
        let mut seen = HashSet::with_capacity(keys.len());
        keys.retain(|(item, _)| seen.insert(*item));
        if keys.len() >= most || !cut {
            keys.truncate(most);
            return keys;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_best_items_are_those_of_the_whole_order(
            keys in prop::collection::vec((0..12_i64, 0..40_i32), 0..120),
            most in 0..14_usize,
        ) {
            let keys: Vec<(i64, f64)> = keys.into_iter().map(|(item, score)| (item, f64::from(score))).collect();
            let mut whole: Vec<(i64, f64)> = Vec::new();
            for item in 0..12 {
                let own = keys.iter().filter(|(of, _)| *of == item).map(|(_, score)| *score);
                whole.extend(own.reduce(f64::max).map(|score| (item, score)));
            }
            whole.sort_by(|one, other| other.1.total_cmp(&one.1).then(other.0.cmp(&one.0)));
            whole.truncate(most);
            prop_assert_eq!(best_items(keys, most), whole);
        }
    }
}
