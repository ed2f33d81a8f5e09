//! Texts in memory, ranked for a question by words, by meaning, or by both.

use std::fmt;
use std::sync::Arc;

use loci_engine::EngineError;

use crate::bm25::{Bm25, Weights};
use crate::dense::Dense;
use crate::encode::TextEncoder;
use crate::fuse::fuse;
use crate::tokens::words;

/// What texts are ranked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// The words that they share with the question ([`Bm25`]).
    #[default]
    Words,
    /// The cosine of their vectors with that of the question.
    Meaning,
    /// Both rankings, fused by ranks ([`fuse`]).
    Fused,
}

impl By {
    /// Their words as typed, for a parameter's domain.
    pub const WORDS: &'static [&'static str] = &["words", "meaning", "fused"];

    /// What `word`, one of [`By::WORDS`], names; [`By::Words`] for any other.
    pub fn of(word: &str) -> Self {
        match word {
            "meaning" => Self::Meaning,
            "fused" => Self::Fused,
            _ => Self::Words,
        }
    }

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Meaning => "meaning",
            Self::Fused => "fused",
        }
    }

    /// Whether it needs a [`TextEncoder`].
    pub const fn needs_encoder(self) -> bool {
        !matches!(self, Self::Words)
    }

    /// `encoder` where this needs one, and nothing where it does not.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] where one is needed and none is given.
    pub(crate) fn encoder<E>(self, encoder: Option<E>) -> Result<Option<E>, EngineError> {
        match encoder {
            _ if !self.needs_encoder() => Ok(None),
            Some(encoder) => Ok(Some(encoder)),
            None => Err(EngineError::Unsupported(format!(
                "ranking by {self} needs a sentence encoder, and none is given; name one, such as minilm (loci pull minilm), \
                 or rank by words"
            ))),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An index in memory of texts, such as the passages of one text.
#[derive(Debug)]
pub struct Ranker {
    by: By,
    /// Where words count.
    bm25: Option<Bm25>,
    /// Where meaning counts: the texts' vectors, and what made them.
    dense: Option<(Dense, Arc<dyn TextEncoder>)>,
}

impl Ranker {
    /// An index of `texts`; `weights` are those of [`Bm25`], over [`words`]. Where meaning counts, all texts are encoded here.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] for [`By::Meaning`] and [`By::Fused`] without an encoder, and what the encoder fails with.
    pub fn new(
        texts: &[&str],
        by: By,
        weights: Weights,
        encoder: Option<Arc<dyn TextEncoder>>,
    ) -> Result<Self, EngineError> {
        let bm25 = (by != By::Meaning).then(|| Bm25::new(texts.iter().map(|text| words(text)), weights));
        let dense = match by.encoder(encoder)? {
            None => None,
            Some(encoder) => Some((Dense::of(encoder.dimension(), &encoder.encode(texts)?)?, encoder)),
        };
        Ok(Self { by, bm25, dense })
    }

    /// What it ranks by.
    pub const fn by(&self) -> By {
        self.by
    }

    /// Every text once with its score, best first; of equal scores the text given first stands first. Scores of different
    /// kinds of ranking cannot be compared.
    ///
    /// In a fused ranking a text whose words speak for nothing (a score of 0 or less) has no place by words: it would get one
    /// only by where it stands among the texts.
    ///
    /// # Errors
    /// What the encoder fails with.
    pub fn rank(&self, query: &str) -> Result<Vec<(usize, f64)>, EngineError> {
        let by_words = self.bm25.as_ref().map(|bm25| bm25.rank(words(query)));
        let by_meaning = match &self.dense {
            None => None,
            Some((dense, encoder)) => Some(dense.rank(&one_vector(encoder.as_ref(), query)?)?),
        };
        Ok(match (by_words, by_meaning) {
            (Some(by_words), Some(by_meaning)) => {
                let found = by_words.into_iter().filter(|(_, score)| *score > 0.0);
                let found = found.map(|(item, _)| item).collect();
                fuse(&[found, by_meaning.into_iter().map(|(item, _)| item).collect()])
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => Vec::new(),
        })
    }
}

/// The vector of one text.
pub(crate) fn one_vector(encoder: &dyn TextEncoder, text: &str) -> Result<Vec<f32>, EngineError> {
    let vector = encoder.encode(&[text])?.pop();
    vector.ok_or_else(|| EngineError::Internal(format!("the encoder {} gave no vector", encoder.name())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encode::tests::Groups;

    const WEIGHTS: Weights = Weights { k1: 1.2, b: 0.75 };
    const TEXTS: &[&str] =
        &["Nothing of the kind.", "A kitten naps on it.", "The bank was shut.", "Where the cat was not."];

    fn ranked(texts: &[&str], by: By, query: &str) -> Vec<usize> {
        let ranker = Ranker::new(texts, by, WEIGHTS, Some(Arc::new(Groups::default()))).unwrap();
        ranker.rank(query).unwrap().into_iter().map(|(item, _)| item).collect()
    }

    #[test]
    fn words_find_the_word_and_meaning_the_thing() {
        assert_eq!(ranked(TEXTS, By::Words, "cat"), [3, 0, 1, 2]);
        assert_eq!(ranked(TEXTS, By::Meaning, "cat"), [1, 3, 0, 2]);
        // First by words and second by meaning, against no place by words and first by meaning.
        assert_eq!(ranked(TEXTS, By::Fused, "cat"), [3, 1, 0, 2]);
        // No word is known: the order is that of meaning, and no text gains by standing first.
        assert_eq!(ranked(TEXTS, By::Fused, "猫"), ranked(TEXTS, By::Meaning, "猫"));
    }

    #[test]
    fn an_encoder_is_asked_for_only_where_it_is_needed() {
        for by in [By::Meaning, By::Fused] {
            let error = Ranker::new(TEXTS, by, WEIGHTS, None).unwrap_err().to_string();
            assert!(error.contains(by.name()) && error.contains("loci pull minilm"), "{error}");
        }
        let encoder = Arc::new(Groups::default());
        let ranker = Ranker::new(TEXTS, By::Words, WEIGHTS, Some(Arc::clone(&encoder) as _)).unwrap();
        assert_eq!(ranker.rank("kitten").unwrap()[0].0, 1);
        assert_eq!(encoder.encoded.load(std::sync::atomic::Ordering::Relaxed), 0);
    }

    #[test]
    fn words_name_what_is_ranked_by() {
        for word in By::WORDS {
            assert_eq!(By::of(word).name(), *word);
        }
        assert_eq!(By::of("nonsense"), By::Words);
    }

    proptest! {
        #[test]
        fn a_ranking_is_every_text_once(
            texts in prop::collection::vec("(cat|kitten|bank|sea|the|[ 猫a-c]){0,8}", 0..9),
            query in "(cat|bank|whale|[ 猫a-c]){0,4}",
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            for word in By::WORDS {
                let mut found = ranked(&texts, By::of(word), &query);
                found.sort_unstable();
                prop_assert!(found.into_iter().eq(0..texts.len()));
            }
        }
    }
}
