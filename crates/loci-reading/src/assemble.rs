//! From chosen places of documents to the text that a model reads.

use loci_engine::documents::Document;

use crate::strategy::Span;

/// Where a part of a document stands in an assembled text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First byte in the text.
    pub at: usize,
    /// What stands there.
    pub span: Span,
}

impl Piece {
    /// The place of a document that bytes `start..end` of the assembled text show, as far as they are of this piece.
    fn shows(&self, start: usize, end: usize) -> Option<Span> {
        let length = self.span.end - self.span.start;
        let from = start.max(self.at) - self.at;
        let to = end.min(self.at + length).checked_sub(self.at)?;
        (from < to && end > self.at).then(|| Span {
            document: self.span.document,
            start: self.span.start + from,
            end: self.span.start + to,
        })
    }
}

/// The places of documents that bytes `start..end` of a text show which holds `pieces`.
pub fn shown(pieces: &[Piece], start: usize, end: usize) -> Vec<Span> {
    pieces.iter().filter_map(|piece| piece.shows(start, end)).collect()
}

/// A text that is put together.
#[derive(Clone, Debug, Default)]
pub struct Assembly {
    /// The text so far.
    pub text: String,
    /// Parts of documents in it.
    pub pieces: Vec<Piece>,
}

impl Assembly {
    /// Adds words of one's own.
    pub fn say(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a part of a document as it stands there.
    pub fn show(&mut self, documents: &[Document], span: &Span) {
        let text = span.text(documents);
        if !text.is_empty() {
            self.pieces.push(Piece { at: self.text.len(), span: span.clone() });
            self.text.push_str(text);
        }
    }

    /// Ends a passage: white space at the end gives way to a blank line. Not at the very beginning.
    pub fn break_off(&mut self) {
        self.text.truncate(self.text.trim_end().len());
        if let Some(last) = self.pieces.last_mut() {
            let room = self.text.len().saturating_sub(last.at);
            last.span.end = last.span.end.min(last.span.start + room);
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
    }
}

/// `spans` of `documents` in the order given. What follows its neighbour stands as it does in the document; a blank line
/// stands between others, and a line with the document's name where there are several documents and another one begins.
pub fn assemble(documents: &[Document], spans: &[Span]) -> Assembly {
    let mut all = Assembly::default();
    let mut before: Option<&Span> = None;
    for span in spans {
        let goes_on = before.is_some_and(|last| last.document == span.document && last.end == span.start);
        if !goes_on {
            all.break_off();
            let same = before.is_some_and(|last| last.document == span.document);
            if documents.len() > 1
                && !same
                && let Some(document) = documents.get(span.document)
            {
                all.say(&format!("# {}\n\n", document.name));
            }
        }
        all.show(documents, span);
        before = Some(span);
    }
    all
}

/// All of `documents`.
pub fn whole(documents: &[Document]) -> Assembly {
    let spans: Vec<Span> = documents
        .iter()
        .enumerate()
        .map(|(index, document)| Span::new(index, 0..document.text.len()))
        .collect();
    assemble(documents, &spans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn documents() -> Vec<Document> {
        [("a", "One two. Three.\n\nFour."), ("b", "Fünf sechs.")]
            .map(|(name, text)| Document { name: name.to_owned(), text: text.to_owned() })
            .to_vec()
    }

    #[test]
    fn neighbours_stand_as_in_the_document() {
        let documents = documents();
        let spans = [Span::new(0, 0..9), Span::new(0, 9..17), Span::new(1, 0..5), Span::new(0, 17..22)];
        let all = assemble(&documents, &spans);
        assert_eq!(all.text, "# a\n\nOne two. Three.\n\n# b\n\nFünf\n\n# a\n\nFour.");
        for piece in &all.pieces {
            let text = piece.span.text(&documents);
            assert_eq!(&all.text[piece.at..piece.at + text.len()], text);
        }
        assert_eq!(assemble(&documents[..1], &spans[..1]).text, "One two. ");
        assert_eq!(whole(&documents[..1]).text, documents[0].text);
    }

    #[test]
    fn what_a_text_shows_is_found_again() {
        let documents = documents();
        let all = assemble(&documents, &[Span::new(1, 0..5), Span::new(0, 17..22)]);
        let at = all.text.find("Four").unwrap();
        assert_eq!(shown(&all.pieces, at, at + 4), [Span::new(0, 17..21)]);
        assert_eq!(shown(&all.pieces, 0, all.text.len()).len(), 2);
        assert!(shown(&all.pieces, 0, 4).is_empty(), "a name is no part of a document");
    }

    proptest! {
        #[test]
        fn every_piece_is_where_it_is_said_to_be(cuts in prop::collection::vec((0..2_usize, 0..22_usize, 0..22_usize), 0..6)) {
            let documents = documents();
            let spans: Vec<Span> = cuts.into_iter().map(|(document, one, other)| {
                let text = &documents[document].text;
                let place = |at: usize| text.floor_char_boundary(at);
                Span::new(document, place(one.min(other))..place(one.max(other)))
            }).collect();
            let all = assemble(&documents, &spans);
            for piece in &all.pieces {
                let text = piece.span.text(&documents);
                prop_assert_eq!(all.text.get(piece.at..piece.at + text.len()), Some(text));
            }
        }
    }
}
