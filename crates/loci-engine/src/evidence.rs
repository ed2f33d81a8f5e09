//! From attention mass on token positions to passages of the input.

use std::ops::Range;

use loci_models::memory::TokenEvidence;
use serde::Serialize;

use crate::documents::Document;
use crate::layout::{Prompt, Source};

/// At most this many bytes are added on each side of a passage so that it does not cut a word.
const WORD_REACH: usize = 24;

/// A passage that the answer attended to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Name of the document.
    pub file: String,
    /// First byte of the passage in the document's text.
    pub start: usize,
    /// Byte behind the passage.
    pub end: usize,
    /// The passage.
    pub text: String,
    /// Share of the attention mass, averaged over layers and heads: the largest that any 16 tokens of the answer in a row
    /// gave, on average; between 0 and 1.
    pub mass: f32,
}

/// The `limit` heaviest passages of `documents`, heaviest first.
///
/// Only tokens of documents count: template, headings and question are what was asked with, not what was
/// answered from. Ranges that touch become one passage, and passages are widened to whole words.
pub fn passages(
    evidence: &[TokenEvidence],
    prompt: &Prompt,
    documents: &[Document],
    limit: usize,
) -> Vec<Evidence> {
    let mut spans: Vec<(Source, f32)> = evidence.iter().flat_map(|found| spans(found, prompt)).collect();
    spans.retain(|(_, mass)| mass.is_finite() && *mass > 0.0);
    spans.sort_by(|a, b| b.1.total_cmp(&a.1));
    spans.truncate(limit);
    spans.sort_by_key(|(source, _)| (source.document, source.bytes.start));
    let mut passages: Vec<(Source, f32)> = Vec::new();
    for (source, mass) in spans {
        let Some(document) = documents.get(source.document) else { continue };
        let bytes = widen(&document.text, source.bytes);
        match passages.last_mut() {
            Some((last, sum)) if last.document == source.document && bytes.start <= last.bytes.end => {
                last.bytes.end = last.bytes.end.max(bytes.end);
                *sum += mass;
            }
            _ => passages.push((Source { document: source.document, bytes }, mass)),
        }
    }
    passages.sort_by(|a, b| b.1.total_cmp(&a.1));
    passages
        .into_iter()
        .filter_map(|(source, mass)| {
            let document = documents.get(source.document)?;
            Some(Evidence {
                file: document.name.clone(),
                start: source.bytes.start,
                end: source.bytes.end,
                text: document.text.get(source.bytes)?.to_owned(),
                mass,
            })
        })
        .collect()
}

/// The spans of documents inside one range of tokens. A range over several documents shares its mass out by
/// their numbers of tokens; the share of tokens that belong to no document is left out.
fn spans(found: &TokenEvidence, prompt: &Prompt) -> Vec<(Source, f32)> {
    let total = found.tokens.len();
    let mut spans: Vec<(Source, usize)> = Vec::new();
    let end = found.tokens.end.min(prompt.sources.len());
    for source in prompt.sources.get(found.tokens.start.min(end)..end).unwrap_or(&[]).iter().flatten() {
        match spans.last_mut() {
            // Between tokens that do not touch, some were left out: the model did not read them.
            Some((last, tokens))
                if last.document == source.document && source.bytes.start <= last.bytes.end =>
            {
                last.bytes.start = last.bytes.start.min(source.bytes.start);
                last.bytes.end = last.bytes.end.max(source.bytes.end);
                *tokens += 1;
            }
            _ => spans.push((source.clone(), 1)),
        }
    }
    spans.into_iter().map(|(source, tokens)| (source, found.mass * tokens as f32 / total as f32)).collect()
}

/// `bytes` widened to whole characters, and to whole words where one ends nearby.
fn widen(text: &str, bytes: Range<usize>) -> Range<usize> {
    let mut start = text.floor_char_boundary(bytes.start);
    let mut end = text.ceil_char_boundary(bytes.end.max(start));
    let nearest = text.ceil_char_boundary(start.saturating_sub(WORD_REACH));
    let inside = text.get(start..end).unwrap_or("");
    if !inside.starts_with(char::is_whitespace) {
        let before = text.get(nearest..start).unwrap_or("");
        if let Some(gap) = before.rfind(char::is_whitespace) {
            let width = before.get(gap..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            start = nearest + gap + width;
        } else if nearest == 0 {
            start = 0;
        }
    }
    if !inside.ends_with(char::is_whitespace) {
        let furthest = text.floor_char_boundary((end + WORD_REACH).min(text.len()));
        let after = text.get(end..furthest).unwrap_or("");
        if let Some(gap) = after.find(char::is_whitespace) {
            end += gap;
        } else if furthest == text.len() {
            end = furthest;
        }
    }
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two documents with one token for each word; the template's token stands before them.
    fn fixture() -> (Prompt, Vec<Document>) {
        let documents = vec![
            Document { name: "one".to_owned(), text: "The key is 71432 today.".to_owned() },
            Document { name: "two".to_owned(), text: "Grüße aus Köln".to_owned() },
        ];
        let mut prompt = Prompt::of_tokens(vec![0]);
        for (index, document) in documents.iter().enumerate() {
            let mut start = 0;
            for piece in document.text.split_inclusive(' ') {
                prompt.tokens.push(1);
                prompt.sources.push(Some(Source { document: index, bytes: start..start + piece.len() }));
                start += piece.len();
            }
        }
        (prompt, documents)
    }

    fn found(tokens: Range<usize>, mass: f32) -> TokenEvidence {
        TokenEvidence { tokens, mass }
    }

    #[test]
    fn touching_ranges_become_one_passage_heaviest_first() {
        let (prompt, documents) = fixture();
        let passages =
            passages(&[found(4..5, 0.4), found(7..8, 0.3), found(3..4, 0.2)], &prompt, &documents, 5);
        assert_eq!(passages.len(), 2);
        assert_eq!(passages[0].text, "is 71432 ");
        assert!((passages[0].mass - 0.6).abs() < 1e-6);
        assert_eq!(passages[1].file, "two");
        for passage in &passages {
            let document = documents.iter().find(|document| document.name == passage.file).unwrap();
            assert_eq!(document.text[passage.start..passage.end], passage.text);
        }
    }

    #[test]
    fn a_range_over_a_border_is_cut_and_template_tokens_never_appear() {
        let (prompt, documents) = fixture();
        let passages = passages(&[found(0..2, 0.5), found(5..7, 0.4)], &prompt, &documents, 9);
        assert_eq!(
            passages.iter().map(|p| p.text.as_str()).collect::<Vec<_>>(),
            ["The ", "today.", "Grüße "]
        );
        assert!(passages.iter().all(|passage| passage.mass <= 0.25));
        assert!(super::passages(&[found(0..1, 1.0), found(90..99, 1.0)], &prompt, &documents, 9).is_empty());
    }

    #[test]
    fn text_that_was_left_out_of_a_prompt_is_no_evidence() {
        let (prompt, documents) = fixture();
        // "The key … today.": the model did not read what stands between.
        let shortened = prompt.only(&[0, 1, 2, 5]);
        assert_eq!((shortened.len(), shortened.skipped), (4, prompt.len() - 4));
        let passages = passages(&[found(0..4, 0.8)], &shortened, &documents, 9);
        let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
        assert_eq!(texts, ["The key ", "today."]);
        assert!((passages[0].mass - 0.4).abs() < 1e-6 && (passages[1].mass - 0.2).abs() < 1e-6);
    }

    #[test]
    fn only_the_heaviest_are_shown() {
        let (prompt, documents) = fixture();
        let all = [found(1..2, 0.1), found(4..5, 0.5), found(7..8, 0.2), found(2..3, f32::NAN)];
        let passages = passages(&all, &prompt, &documents, 1);
        assert_eq!(passages.len(), 1);
        assert_eq!(passages[0].text, "71432 ");
    }

    #[test]
    fn passages_are_widened_to_characters_and_words() {
        let text = "Grüße aus Köln";
        assert_eq!(&text[widen(text, 3..5)], "Grüße");
        assert_eq!(&text[widen(text, 14..15)], "Köln");
        let long = "x".repeat(100);
        assert_eq!(widen(&long, 50..60), 50..60, "a word without end is not followed");
    }
}
