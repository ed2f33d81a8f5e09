//! Where a quote stands in documents.

use std::ops::Range;

use loci_engine::documents::Document;

use crate::strategy::Span;
use crate::tokens::words;

/// Places of a quote that are told, at most: a text that repeats itself has no better one.
const MOST_PLACES: usize = 8;

/// How a quote was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Byte for byte, at these places.
    Exactly(Vec<Span>),
    /// The same but for white space, quotation marks, dashes and case, at these places.
    Loosely(Vec<Span>),
    /// Nowhere: invented, or changed.
    Nowhere,
}

impl Found {
    /// The places.
    pub fn spans(&self) -> &[Span] {
        match self {
            Self::Exactly(spans) | Self::Loosely(spans) => spans,
            Self::Nowhere => &[],
        }
    }
}

/// Where `quote` stands in `documents`: all places, up to 8 of them, in the order of the texts. White space and quotation
/// marks around the quote do not count.
pub fn locate(documents: &[Document], quote: &str) -> Found {
    let quote = bare(quote);
    if quote.is_empty() {
        return Found::Nowhere;
    }
    let exact = places(documents, |text| {
        text.match_indices(quote).map(|(start, found)| start..start + found.len()).take(MOST_PLACES).collect()
    });
    if !exact.is_empty() {
        return Found::Exactly(exact);
    }
    let sought = folded(quote);
    let loose = places(documents, |text| loosely(text, &sought.text));
    if loose.is_empty() { Found::Nowhere } else { Found::Loosely(loose) }
}

/// `quote` without list marks, quotation marks and white space around it.
pub fn bare(quote: &str) -> &str {
    let quote = quote.trim();
    let quote = ["- ", "* ", "• "].iter().find_map(|mark| quote.strip_prefix(mark)).unwrap_or(quote);
    quote.trim_matches(|symbol: char| symbol.is_whitespace() || is_quotation(symbol))
}

fn places(documents: &[Document], within: impl Fn(&str) -> Vec<Range<usize>>) -> Vec<Span> {
    let of = |(index, document): (usize, &Document)| {
        within(&document.text).into_iter().map(move |range| Span::new(index, range)).collect::<Vec<_>>()
    };
    documents.iter().enumerate().flat_map(of).take(MOST_PLACES).collect()
}

/// A text without what does not count, and of each byte of it the byte of the text that it is from.
struct Folded {
    text: String,
    from: Vec<usize>,
}

/// `text` in lower case, with one space for any white space, and one form of quotation marks and dashes.
fn folded(text: &str) -> Folded {
    let mut out =
        Folded { text: String::with_capacity(text.len()), from: Vec::with_capacity(text.len() + 1) };
    for (at, symbol) in text.char_indices() {
        let before = out.text.len();
        match symbol {
            _ if symbol.is_whitespace() => {
                if !out.text.ends_with(' ') {
                    out.text.push(' ');
                }
            }
            _ if is_quotation(symbol) => out.text.push('"'),
            '\u{2010}'..='\u{2015}' => out.text.push('-'),
            _ => out.text.extend(symbol.to_lowercase()),
        }
        out.from.resize(out.text.len().max(before), at);
    }
    out.from.push(text.len());
    out
}

fn loosely(text: &str, sought: &str) -> Vec<Range<usize>> {
    let within = folded(text);
    let place = |(at, found): (usize, &str)| {
        let start = within.from.get(at).copied()?;
        let last = within.from.get((at + found.len()).checked_sub(1)?).copied()?;
        let end = last + text.get(last..)?.chars().next()?.len_utf8();
        Some(start..end)
    };
    within.text.match_indices(sought).take(MOST_PLACES).filter_map(place).collect()
}

const fn is_quotation(symbol: char) -> bool {
    matches!(
        symbol,
        '"' | '\'' | '`' | '\u{2018}'..='\u{201f}' | '«' | '»' | '‹' | '›' | '「' | '」' | '『' | '』'
    )
}

/// Share of the words of `quote` that stand in `sentence` too, each word as often as it does there; 0 for no words. How
/// near a quote that is nowhere comes to what was meant.
#[allow(clippy::cast_precision_loss)] // numbers of words
pub fn overlap(quote: &str, sentence: &str) -> f64 {
    let (quote, mut there) = (words(quote), words(sentence));
    let mut shared = 0_usize;
    for word in &quote {
        if let Some(at) = there.iter().position(|other| other == word) {
            there.swap_remove(at);
            shared += 1;
        }
    }
    if quote.is_empty() { 0.0 } else { shared as f64 / quote.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn documents(texts: &[&str]) -> Vec<Document> {
        texts.iter().map(|text| Document { name: String::new(), text: (*text).to_owned() }).collect()
    }

    #[test]
    fn exact_before_loose_and_every_place() {
        let documents = documents(&["The key is 5.\nThe  key is 5.", "the key is 5."]);
        assert_eq!(
            locate(&documents, "- “The key is 5.”"),
            Found::Exactly(vec![Span::new(0, 0..13)]),
            "the other places differ"
        );
        let Found::Loosely(places) = locate(&documents, "THE KEY\tis 5.") else { panic!("not found") };
        let texts: Vec<&str> = places.iter().map(|span| span.text(&documents)).collect();
        assert_eq!(texts, ["The key is 5.", "The  key is 5.", "the key is 5."]);
        assert_eq!(locate(&documents, "the key is 6."), Found::Nowhere);
        assert_eq!(locate(&documents, " \"\" "), Found::Nowhere);
    }

    #[test]
    fn marks_and_letters_of_several_bytes() {
        let documents = documents(&["Er sagte: »Grüße aus İstanbul – bald!«"]);
        let found = locate(&documents, "grüße aus İSTANBUL - bald!");
        assert_eq!(found.spans()[0].text(&documents), "Grüße aus İstanbul – bald!");
    }

    #[test]
    fn overlap_counts_words() {
        assert!((overlap("the the cat", "The cat sat") - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(overlap("", "x"), 0.0);
    }

    proptest! {
        #[test]
        fn what_stands_there_is_found(text in "[a-cA-C \n“é–]{1,30}", one in 0..30_usize, other in 0..30_usize) {
            let place = |at: usize| text.floor_char_boundary(at.min(text.len()));
            let quote = &text[place(one.min(other))..place(one.max(other))];
            let documents = documents(&[&text]);
            let found = locate(&documents, quote);
            if bare(quote).is_empty() {
                prop_assert_eq!(found, Found::Nowhere);
            } else {
                prop_assert!(matches!(found, Found::Exactly(_)));
                prop_assert!(found.spans().iter().all(|span| span.text(&documents) == bare(quote)));
                // The same with other white space and case is found too, and there.
                let changed = bare(quote).replace(' ', "\n ").to_uppercase();
                prop_assert!(locate(&documents, &changed) != Found::Nowhere, "{changed:?}");
            }
        }
    }
}
