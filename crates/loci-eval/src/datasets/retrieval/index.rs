//! Keys, expanded and ranked.

use std::sync::Arc;

use loci_engine::EngineError;
use loci_reading::expand::{Entry, Keyphrases, WhenEmpty, entries, facts, items};
use loci_reading::tokens::{between_spaces, words};
use loci_reading::{Bm25, Dense, fuse};

use super::cached::Cached;
use super::{KEYPHRASES, Retriever, Search, Setting, Source};
use crate::error::EvalError;

/// Makes indexes; what was encoded once is not encoded again.
pub(in super::super) struct Searcher {
    encoder: Option<Arc<Cached>>,
    when_empty: WhenEmpty,
}

impl Searcher {
    pub(in super::super) fn new(search: &Search) -> Self {
        let encoder = search.encoder.clone().map(|encoder| Arc::new(Cached::new(encoder)));
        Self { encoder, when_empty: search.when_empty }
    }

    /// An index of items with these `keys`; `titles` are theirs, where they have some.
    ///
    /// # Errors
    /// What the encoder fails with.
    pub(in super::super) fn index(
        &self,
        setting: &Setting,
        keys: &[&str],
        titles: &[&str],
    ) -> Result<Index, EvalError> {
        let expansions = expansions(&setting.source, keys, titles);
        let without_expansion = match setting.source {
            Source::None => 0,
            _ => expansions.iter().filter(|expansion| expansion.trim().is_empty()).count(),
        };
        // What is not expanded at all has no empty expansion.
        let when_empty =
            if matches!(setting.source, Source::None) { WhenEmpty::Keep } else { self.when_empty };
        let entries = entries(keys, &expansions, setting.join, when_empty);
        let texts: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let lexical = setting
            .by
            .weights()
            .map(|weights| Bm25::new(texts.iter().map(|text| pieces(setting.by, text)), weights));
        let dense = match self.encoder.as_ref().filter(|_| setting.by.needs_encoder()) {
            None => None,
            Some(encoder) => {
                Some((Dense::of(encoder.dimension(), &encoder.encode(&texts)?)?, Arc::clone(encoder)))
            }
        };
        Ok(Index { by: setting.by, entries, lexical, dense, without_expansion })
    }
}

/// What the words of a text are to a retriever.
fn pieces(by: Retriever, text: &str) -> Vec<String> {
    match by {
        Retriever::Words | Retriever::FusedWords => words(text),
        _ => between_spaces(text).map(str::to_owned).collect(),
    }
}

fn expansions(source: &Source, keys: &[&str], titles: &[&str]) -> Vec<String> {
    match source {
        Source::None => Vec::new(),
        Source::Facts => keys.iter().map(|key| facts(key).join(" ")).collect(),
        Source::Keyphrases => {
            let keyphrases = Keyphrases::new(keys);
            keys.iter().map(|key| keyphrases.of(key, KEYPHRASES).join(" ")).collect()
        }
        Source::Title => titles.iter().map(|title| (*title).to_owned()).collect(),
        Source::Given(given) => keys.iter().map(|key| given.of(key).to_owned()).collect(),
    }
}

/// Items that can be searched.
pub(in super::super) struct Index {
    by: Retriever,
    entries: Vec<Entry>,
    lexical: Option<Bm25>,
    dense: Option<(Dense, Arc<Cached>)>,
    /// Items whose expansion is empty.
    pub(in super::super) without_expansion: usize,
}

impl Index {
    /// The items that can be found, best first; of equal scores the item given first. Items that were dropped are missing.
    ///
    /// In a fused ranking an item whose words speak for nothing (a score of 0 or less) has no place by words: it would get one
    /// only by where it stands.
    ///
    /// # Errors
    /// What the encoder fails with.
    pub(in super::super) fn rank(&self, query: &str) -> Result<Vec<usize>, EvalError> {
        let lexical = self.lexical.as_ref().map(|bm25| bm25.rank(pieces(self.by, query)));
        let dense = match &self.dense {
            None => None,
            Some((dense, encoder)) => {
                let vector = encoder.encode(&[query])?.pop();
                let vector =
                    vector.ok_or_else(|| EngineError::Internal("no vector of the question".to_owned()))?;
                Some(dense.rank(&vector)?)
            }
        };
        let of = |ranking: Vec<(usize, f64)>, least: f64| {
            let found = ranking.into_iter().filter(|(_, score)| *score > least);
            items(&self.entries, found.map(|(place, _)| place))
        };
        Ok(match (lexical, dense) {
            (Some(lexical), Some(dense)) => {
                let fused = fuse(&[of(lexical, 0.0), of(dense, f64::NEG_INFINITY)]);
                fused.into_iter().map(|(item, _)| item).collect()
            }
            (Some(one), None) | (None, Some(one)) => of(one, f64::NEG_INFINITY),
            (None, None) => Vec::new(),
        })
    }
}
