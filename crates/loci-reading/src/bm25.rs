//! Okapi BM25: ranking by the words that a query and a document share.

use std::collections::{BTreeMap, HashMap};

/// What makes a word that most documents have count a little instead of against them: its share of the mean idf.
const NEGATIVE_IDF: f64 = 0.25;

/// How counts of a word become its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// How soon further occurrences of a word stop to matter; 0: at once.
    pub k1: f64,
    /// How much long documents are held back, from 0 (not at all) to 1.
    pub b: f64,
}

/// Okapi BM25 (Robertson et al., Okapi at TREC-3, 1994) over documents in memory.
///
/// A document's score is the sum over the query's tokens, repeated ones each time, of
///
/// idf · f (k1 + 1) / (f + k1 (1 - b + b · length / mean length)), idf = ln((N - n + 0.5) / (n + 0.5)),
///
/// with f how often the token stands in the document, n in how many of N documents it stands at all, and lengths in
/// tokens. An idf below 0 (more than half of the documents have the token) is replaced by a quarter of the mean idf of all
/// tokens, as the package `rank_bm25` does, whose figures are published for LongMemEval.
///
/// Where documents share most of their tokens, the mean itself is negative: tokens that most of them have then count
/// against a document. Of two documents a token that one of them has weighs nothing at all: ln(1.5 / 1.5).
#[derive(Clone, Debug)]
pub struct Bm25 {
    tokens: HashMap<String, Token>,
    /// k1 (1 - b + b · length / mean length) of each document.
    held_back: Vec<f64>,
    k1: f64,
}

/// A token: what it weighs, and each document that has it with how often.
#[derive(Clone, Debug, Default)]
struct Token {
    idf: f64,
    found: Vec<(usize, u32)>,
}

impl Bm25 {
    /// An index of `documents`, each given as its tokens.
    pub fn new<D, T>(documents: impl IntoIterator<Item = D>, weights: Weights) -> Self
    where
        D: IntoIterator<Item = T>,
        T: AsRef<str>,
    {
        let mut tokens: HashMap<String, Token> = HashMap::new();
        let mut lengths = Vec::new();
        for (document, own) in documents.into_iter().enumerate() {
            let mut length = 0_usize;
            for token in own {
                length += 1;
                let token = token.as_ref();
                if !tokens.contains_key(token) {
                    tokens.insert(token.to_owned(), Token::default());
                }
                let Some(Token { found, .. }) = tokens.get_mut(token) else { continue };
                match found.last_mut() {
                    Some((last, count)) if *last == document => *count += 1,
                    _ => found.push((document, 1)),
                }
            }
            lengths.push(length);
        }
        weigh(&mut tokens, lengths.len());
        let mean = lengths.iter().sum::<usize>() as f64 / lengths.len().max(1) as f64;
        let held_back = |length: usize| {
            // No document has a token: none is longer than the mean.
            let share = if mean > 0.0 { length as f64 / mean } else { 1.0 };
            weights.k1 * (1.0 - weights.b + weights.b * share)
        };
        Self { tokens, held_back: lengths.into_iter().map(held_back).collect(), k1: weights.k1 }
    }

    /// The score of each document, in the order in which they were given.
    pub fn scores<T: AsRef<str>>(&self, query: impl IntoIterator<Item = T>) -> Vec<f64> {
        let mut scores = vec![0.0; self.held_back.len()];
        for token in query {
            let Some(token) = self.tokens.get(token.as_ref()) else { continue };
            for (document, count) in &token.found {
                let held_back = self.held_back.get(*document).copied().unwrap_or(0.0);
                let count = f64::from(*count);
                if let Some(score) = scores.get_mut(*document) {
                    *score += token.idf * (count * (self.k1 + 1.0) / (count + held_back));
                }
            }
        }
        scores
    }

    /// All documents with their scores, best first; of equal scores the one given first stands first.
    pub fn rank<T: AsRef<str>>(&self, query: impl IntoIterator<Item = T>) -> Vec<(usize, f64)> {
        let mut ranked: Vec<(usize, f64)> = self.scores(query).into_iter().enumerate().collect();
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
        ranked
    }
}

/// Gives each token its idf.
fn weigh(tokens: &mut HashMap<String, Token>, documents: usize) {
    let idf = |n: usize| ((documents - n) as f64 + 0.5).ln() - (n as f64 + 0.5).ln();
    // The mean goes over tokens by how many documents have them, so that it does not depend on the table's order.
    let mut having: BTreeMap<usize, usize> = BTreeMap::new();
    for token in tokens.values() {
        *having.entry(token.found.len()).or_default() += 1;
    }
    let sum: f64 = having.iter().map(|(n, count)| *count as f64 * idf(*n)).sum();
    let floor = NEGATIVE_IDF * sum / tokens.len().max(1) as f64;
    for token in tokens.values_mut() {
        let own = idf(token.found.len());
        token.idf = if own < 0.0 { floor } else { own };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WEIGHTS: Weights = Weights { k1: 1.5, b: 0.75 };

    fn index(documents: &[&str]) -> Bm25 {
        Bm25::new(documents.iter().map(|document| document.split_whitespace()), WEIGHTS)
    }

    #[test]
    fn by_hand() {
        // Of three documents of two tokens one has x: idf = ln(2.5 / 1.5), and the length is the mean.
        let ranked = index(&["a b", "x c", "d e"]).rank(["x"]);
        assert_eq!(ranked.iter().map(|(document, _)| *document).collect::<Vec<_>>(), [1, 0, 2]);
        assert!((ranked[0].1 - (2.5_f64 / 1.5).ln()).abs() < 1e-12);
        assert_eq!((ranked[1].1, ranked[2].1), (0.0, 0.0));
    }

    #[test]
    fn nothing_given_nothing_ranked() {
        assert!(index(&[]).rank(["x"]).is_empty());
        assert_eq!(index(&["", ""]).rank(["x"]), [(0, 0.0), (1, 0.0)]);
        assert_eq!(index(&["a", "b"]).rank(Vec::<String>::new()), [(0, 0.0), (1, 0.0)]);
    }

    proptest! {
        #[test]
        fn a_ranking_is_every_document_once_and_falls(
            documents in prop::collection::vec("[a-e ]{0,12}", 0..9),
            query in "[a-f ]{0,6}",
        ) {
            let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
            let ranked = index(&documents).rank(query.split_whitespace());
            let falls = |pair: &[(usize, f64)]| {
                pair[0].1 > pair[1].1 || (pair[0].1 == pair[1].1 && pair[0].0 < pair[1].0)
            };
            prop_assert!(ranked.windows(2).all(falls));
            let mut all: Vec<usize> = ranked.iter().map(|(document, _)| *document).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..documents.len()).collect::<Vec<_>>());
        }
    }
}
