//! Finding items by words: BM25 within one scope.

use std::collections::{BTreeMap, BTreeSet};

use loci_reading::tokens::words;

use crate::error::MemoryError;
use crate::rows::{Rows, ScopeRow};

/// How soon further occurrences of a word stop to matter, and how much long keys are held back.
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// Words that stand in more keys than this, and in more than a tenth of all, find nothing alone: they cost much and say little.
const COMMON: u64 = 2_000;

/// The words by which a text is found.
pub(crate) fn index_words(text: &str) -> Vec<String> {
    words(text)
}

/// Items by the words that their best key shares with a query, best first; of equal scores the newer first.
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
) -> Result<Vec<(i64, f64)>, MemoryError> {
    let size = rows.size(scope)?;
    let distinct: BTreeSet<String> = index_words(query).into_iter().collect();
    let mut counted = Vec::with_capacity(distinct.len());
    for word in distinct {
        let count = rows.frequency(scope, &word)?;
        if count > 0 {
            counted.push((count, word));
        }
    }
    counted.sort_unstable();
    let common = |count: u64| count > COMMON.max(size.keys / 10);
    let rare = counted.iter().filter(|(count, _)| !common(*count)).count();
    // Where all are common, the rarest one has to do.
    counted.truncate(rare.max(1));
    let all = size.keys as f64;
    let mean = (size.words as f64 / all.max(1.0)).max(1.0);
    let mut keys: BTreeMap<i64, (i64, f64)> = BTreeMap::new();
    for (count, word) in &counted {
        let count = *count as f64;
        let idf = (1.0 + (all - count + 0.5).max(0.0) / (count + 0.5)).ln();
        for posting in rows.postings(scope, word)? {
            let times = f64::from(posting.count);
            let held = K1 * (1.0 - B + B * f64::from(posting.words) / mean);
            keys.entry(posting.key).or_insert((posting.item, 0.0)).1 +=
                idf * times * (K1 + 1.0) / (times + held);
        }
    }
    Ok(best_of_items(keys.into_values()))
}

/// Items by the best score of their keys, best first; of equal scores the newer first.
pub(crate) fn best_of_items(keys: impl Iterator<Item = (i64, f64)>) -> Vec<(i64, f64)> {
    let mut items: BTreeMap<i64, f64> = BTreeMap::new();
    for (item, score) in keys {
        let best = items.entry(item).or_insert(f64::NEG_INFINITY);
        *best = best.max(score);
    }
    let mut ranked: Vec<(i64, f64)> = items.into_iter().collect();
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1).then(other.0.cmp(&one.0)));
    ranked
}
