//! Passages of documents, ranked for questions: the first stage of every strategy that does not read everything.

use loci_engine::EngineError;
use loci_engine::documents::Document;

use std::sync::Arc;

use crate::bm25::Weights;
use crate::encode::TextEncoder;
use crate::passages::passages;
use crate::ranker::{By, Ranker};
use crate::strategy::Span;
use crate::tokens::words;

/// A head of more words than this is text, not an instruction.
const MOST_WORDS_OF_HEAD: usize = 60;

/// How documents are cut and ranked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranking {
    /// Most words of a passage.
    pub words: usize,
    /// By what passages are ranked.
    pub by: By,
    /// How words are weighed.
    pub weights: Weights,
}

/// Documents that were cut and counted: several questions are asked about the same ones.
#[derive(Debug)]
pub struct Candidates {
    documents: Vec<Document>,
    /// Instructions that are kept in front, where there are any.
    pub head: Option<Span>,
    /// The passages, in the order of the documents.
    pub spans: Vec<Span>,
    ranking: Ranking,
    ranker: Ranker,
}

impl Candidates {
    /// Those of `documents`, as they were `kept` if they are still the same.
    ///
    /// # Errors
    /// As [`Ranker::new`].
    pub fn of<'k>(
        kept: &'k mut Option<Self>,
        documents: &[Document],
        ranking: Ranking,
        encoder: Option<&Arc<dyn TextEncoder>>,
    ) -> Result<&'k Self, EngineError> {
        let same = kept.as_ref().is_some_and(|kept| kept.documents == documents && kept.ranking == ranking);
        let own = match kept.take().filter(|_| same) {
            Some(kept) => kept,
            None => Self::new(documents, ranking, encoder)?,
        };
        Ok(kept.insert(own))
    }

    fn new(
        documents: &[Document],
        ranking: Ranking,
        encoder: Option<&Arc<dyn TextEncoder>>,
    ) -> Result<Self, EngineError> {
        // The text of a prompt begins with what is to be done; files do not.
        let head = match documents {
            [Document { name, text }] if name.is_empty() => head(text),
            _ => 0,
        };
        let mut spans = Vec::new();
        for (index, document) in documents.iter().enumerate() {
            let behind = document.text.get(head..).unwrap_or("");
            let place =
                |passage: std::ops::Range<usize>| Span::new(index, head + passage.start..head + passage.end);
            spans.extend(passages(behind, ranking.words).into_iter().map(place));
        }
        let texts: Vec<&str> = spans.iter().map(|span| span.text(documents)).collect();
        let ranker = Ranker::new(&texts, ranking.by, ranking.weights, encoder.cloned())?;
        let head = (head > 0).then(|| Span::new(0, 0..head));
        Ok(Self { documents: documents.to_vec(), head, spans, ranking, ranker })
    }

    /// The passages, best first.
    ///
    /// # Errors
    /// [`EngineError::Nothing`] for a question without words.
    pub fn ranked(&self, question: &str) -> Result<Vec<Span>, EngineError> {
        if words(question).is_empty() {
            return Err(EngineError::Nothing { what: "the question".to_owned(), purpose: "search for" });
        }
        let ranked = self.ranker.rank(question)?.into_iter();
        Ok(ranked.filter_map(|(place, _)| self.spans.get(place).cloned()).collect())
    }
}

/// Where the instruction that `text` begins with ends, with the white space behind it; 0 where there is none.
fn head(text: &str) -> usize {
    let ends = |border: &str| {
        let (before, _) = text.split_once(border)?;
        let count = before.split_whitespace().count();
        let behind = text.get(before.len()..)?;
        let end = text.len() - behind.trim_start().len();
        // Nothing behind it: then it is the text.
        ((1..=MOST_WORDS_OF_HEAD).contains(&count) && end < text.len()).then_some(end)
    };
    ends("\n\n").or_else(|| ends("\n")).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_one_line_are_kept_and_long_ones_are_text() {
        assert_eq!(head("Find it.\nA b c."), 9);
        assert_eq!(head("Find it.\nSoon.\n\nA b c."), 16);
        assert_eq!((head("A b c."), head("A b c.\n"), head("\n\nA b c."), head("")), (0, 0, 0, 0));
        let long = "word ".repeat(61);
        assert_eq!(head(&format!("{long}\n\nA.")), 0);
        assert_eq!(head(&format!("Title\n{long}\n\nA.")), 6);
    }

    #[test]
    fn what_is_kept_is_used_for_the_same_documents_alone() {
        let document = |text: &str| vec![Document { name: "a".to_owned(), text: text.to_owned() }];
        let ranking = Ranking { words: 3, by: By::Words, weights: Weights { k1: 1.2, b: 0.75 } };
        let mut kept = None;
        let best = |kept: &mut Option<Candidates>, text: &str, ranking: Ranking| {
            let documents = document(text);
            let ranked = Candidates::of(kept, &documents, ranking, None).unwrap().ranked("the cat?").unwrap();
            ranked[0].text(&documents).trim().to_owned()
        };
        assert_eq!(best(&mut kept, "A dog. No one. One cat. It was. So.", ranking), "One cat.");
        assert_eq!(best(&mut kept, "Some cat. A dog. No. It was. So.", ranking), "Some cat.");
        let wide = Ranking { words: 4, ..ranking };
        assert_eq!(best(&mut kept, "Some cat. A dog. No. It was. So.", wide), "Some cat. A dog.");
        let none = Candidates::of(&mut kept, &document("a"), ranking, None).unwrap().ranked("?!");
        assert!(matches!(none, Err(EngineError::Nothing { .. })));
    }
}
