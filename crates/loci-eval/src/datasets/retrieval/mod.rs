//! Ranking without a model that reads: by what, over which keys, and what is expanded.

mod cached;
mod expansions;
mod figures;
mod found_table;
mod index;

use std::sync::Arc;

use loci_reading::TextEncoder;
use loci_reading::bm25::Weights;
use loci_reading::expand::{Join, WhenEmpty};
use serde::Serialize;

pub use expansions::Expansions;
pub use figures::{Difference, FoundReport, FoundRow, LeftOut, Places};
pub(super) use figures::{Outcome, Tally};
pub use found_table::found_table;
pub(super) use index::Searcher;

use crate::error::EvalError;

/// LongMemEval's published scorer takes the defaults of the package `rank_bm25`.
const PUBLISHED: Weights = Weights { k1: 1.5, b: 0.75 };
/// What Loci ranks words with.
const OWN: Weights = Weights { k1: 1.2, b: 0.75 };
/// Words that stand for a key's phrases: about a line, and the paper leaves the number open.
const KEYPHRASES: usize = 10;

/// What ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retriever {
    /// BM25 over the pieces between spaces, as LongMemEval's published scorer has it (k1 1.5, b 0.75).
    Bm25,
    /// BM25 over words in lower case, as Loci ranks (k1 1.2, b 0.75).
    Words,
    /// The inner product of an encoder's vectors.
    Meaning,
    /// [`Self::Bm25`] and [`Self::Meaning`], fused by reciprocal ranks.
    Fused,
    /// [`Self::Words`] and [`Self::Meaning`], fused by reciprocal ranks.
    FusedWords,
}

impl Retriever {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bm25 => "bm25",
            Self::Words => "words",
            Self::Meaning => "meaning",
            Self::Fused => "fused",
            Self::FusedWords => "fused-words",
        }
    }

    /// Whether it needs a [`TextEncoder`].
    pub const fn needs_encoder(self) -> bool {
        matches!(self, Self::Meaning | Self::Fused | Self::FusedWords)
    }

    /// Whether and how words are weighed.
    const fn weights(self) -> Option<Weights> {
        match self {
            Self::Bm25 | Self::Fused => Some(PUBLISHED),
            Self::Words | Self::FusedWords => Some(OWN),
            Self::Meaning => None,
        }
    }

    /// What it is, in words, with an encoder of this name.
    pub(super) fn described(self, encoder: &str) -> String {
        let lexical = |weights: Weights, pieces: &str| {
            format!("BM25 (k1 {}, b {}) over {pieces}", weights.k1, weights.b)
        };
        let (bm25, words) =
            (lexical(PUBLISHED, "pieces between spaces"), lexical(OWN, "words in lower case"));
        let dense = format!("inner product of vectors by {encoder}");
        let fused = |one: &str| format!("{one} and {dense}, fused by reciprocal ranks");
        match self {
            Self::Bm25 => bm25,
            Self::Words => words,
            Self::Meaning => dense,
            Self::Fused => fused(&bm25),
            Self::FusedWords => fused(&words),
        }
    }
}

/// Where expansions of keys are from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Keys are not expanded.
    None,
    /// Sentences in which a user tells of himself, by rule ([`loci_reading::expand::facts`]).
    Facts,
    /// The ten most telling words of each key by tf-idf over all keys, by rule ([`loci_reading::expand::Keyphrases`]).
    Keyphrases,
    /// The first line of a passage, where passages have titles.
    Title,
    /// A file, which a model may have written.
    Given(Arc<Expansions>),
}

impl Source {
    /// Its word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Facts => "facts",
            Self::Keyphrases => "keyphrases",
            Self::Title => "title",
            Self::Given(_) => "given",
        }
    }

    /// What it is, in words.
    fn described(&self) -> String {
        match self {
            Self::None => "keys as they are".to_owned(),
            Self::Facts => "facts by rule, not by a model: sentences in the first person with a number, a name, or a verb of \
                            having or happening"
                .to_owned(),
            Self::Keyphrases => {
                format!("keyphrases by rule, not by a model: the {KEYPHRASES} words of most tf-idf over all keys")
            }
            Self::Title => "title: the first line of a passage".to_owned(),
            Self::Given(expansions) => format!("given: expansions of {}", expansions.file),
        }
    }
}

/// What is compared: every retriever with every source of expansions in every way of joining.
#[derive(Clone, Debug)]
pub struct Search {
    /// What ranks.
    pub by: Vec<Retriever>,
    /// What makes vectors, for those that need it.
    pub encoder: Option<Arc<dyn TextEncoder>>,
    /// Where expansions are from.
    pub expand: Vec<Source>,
    /// How they enter the index.
    pub join: Vec<Join>,
    /// What becomes of items whose expansion is empty.
    pub when_empty: WhenEmpty,
}

/// BM25 of the published scorer over keys as they are.
impl Default for Search {
    fn default() -> Self {
        Self {
            by: vec![Retriever::Bm25],
            encoder: None,
            expand: vec![Source::None],
            join: vec![Join::Merge],
            when_empty: WhenEmpty::Keep,
        }
    }
}

/// One of what is compared.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) by: Retriever,
    pub(super) source: Source,
    pub(super) join: Join,
}

impl Setting {
    /// How reports call its expansion.
    pub(super) fn expansion(&self) -> String {
        match self.source {
            Source::None => self.source.name().to_owned(),
            _ => format!("{}, {}", self.source.name(), self.join.name()),
        }
    }
}

impl Search {
    /// What is compared, in the order in which it was named: all expansions of a retriever behind each other.
    ///
    /// # Errors
    /// [`EvalError::Nothing`] where nothing is named, where a retriever lacks its encoder, and for a source that is not among
    /// `sources`, the words of those that `data_set` has.
    pub(super) fn settings(&self, data_set: &str, sources: &[&str]) -> Result<Vec<Setting>, EvalError> {
        let mut settings = Vec::new();
        for by in &self.by {
            if by.needs_encoder() && self.encoder.is_none() {
                return Err(EvalError::Nothing(format!(
                    "ranking by {} needs a sentence encoder, and none is given; name one, such as minilm, or rank by bm25 or \
                     words",
                    by.name()
                )));
            }
            for source in &self.expand {
                if !sources.contains(&source.name()) {
                    return Err(EvalError::Nothing(format!(
                        "{data_set} has no expansion {:?}; name some of {}",
                        source.name(),
                        sources.join(", ")
                    )));
                }
                // How nothing is joined does not matter.
                let joins =
                    self.join.iter().take(if matches!(source, Source::None) { 1 } else { usize::MAX });
                settings.extend(joins.map(|join| Setting { by: *by, source: source.clone(), join: *join }));
            }
        }
        match settings.is_empty() {
            false => Ok(settings),
            true => Err(EvalError::Nothing(
                "nothing is compared; name at least one retriever, one expansion (none is one) and one way to join".to_owned(),
            )),
        }
    }

    /// What each of `settings` is, in words, once; `without` says how many of `keys` keys each leaves without an expansion.
    pub(super) fn described(&self, settings: &[Setting], without: &[usize], keys: usize) -> Vec<String> {
        let encoder = self.encoder.as_ref().map_or("", |encoder| encoder.name());
        let mut all: Vec<String> = Vec::new();
        let mut say = |text: String| {
            if !all.contains(&text) {
                all.push(text);
            }
        };
        for setting in settings {
            say(format!("{}: {}", setting.by.name(), setting.by.described(encoder)));
        }
        for (number, setting) in settings.iter().enumerate() {
            if matches!(setting.source, Source::None) {
                continue;
            }
            let empty = without.get(number).filter(|empty| **empty > 0);
            let counted =
                empty.map_or_else(String::new, |empty| format!("; {empty} of {keys} keys have none"));
            say(format!("{}{counted}", setting.source.described()));
            if self.when_empty == WhenEmpty::Drop && setting.join != Join::Separate {
                say("items with an empty expansion are left out of the index, and of the gold: only for comparison with the \
                     published code"
                    .to_owned());
            }
        }
        all
    }
}

#[cfg(test)]
pub(super) mod tests;
