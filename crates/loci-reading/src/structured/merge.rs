//! One outline of several chunks of a text.

use super::outline::{Aspect, Outline};

/// How the aspects of chunks become those of the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Merge {
    /// They stand one after the other.
    #[default]
    Join,
    /// Each chunk becomes an aspect named by its scope, and its aspects are parts of that.
    Lift,
}

/// The scopes of chunks as a text, "s1. s2. …": what is structured once more to find the scope of the whole.
pub fn joined_scopes<'s>(scopes: impl IntoIterator<Item = &'s str>) -> String {
    let ended = scopes.into_iter().map(|scope| format!("{}.", scope.trim().trim_end_matches('.')));
    ended.collect::<Vec<_>>().join(" ")
}

/// The outline of a text whose chunks have the outlines `chunks`, in order; sentences are numbered through. A single chunk's
/// aspects are not lifted.
///
/// Where one chunk has no valid outline, the method keeps the whole text as it is: collect into a `Result` first.
pub fn merge(chunks: Vec<Outline>, scope: &str, how: Merge) -> Outline {
    let single = chunks.len() == 1;
    let mut aspects = Vec::new();
    let mut before = 0;
    for chunk in chunks {
        let sentences = chunk.sentences();
        let mut own = chunk.aspects;
        own.iter_mut().for_each(|aspect| aspect.shift(before));
        if how == Merge::Lift && !single {
            let mut lifted = Aspect { name: chunk.scope, sentences: before..before + sentences, sub: own };
            // What was an aspect is now a part, and parts are no single sentences.
            lifted.drop_single_parts();
            aspects.push(lifted);
        } else {
            aspects.append(&mut own);
        }
        before += sentences;
    }
    Outline { scope: scope.to_owned(), aspects }
}

#[cfg(test)]
mod tests {
    use super::super::outline::parse;
    use super::*;

    fn outline(scope: &str, ends: &[usize]) -> Outline {
        let mut start = 0;
        let aspects = ends.iter().map(|end| {
            let sentences = std::mem::replace(&mut start, *end)..*end;
            let sub = Vec::new();
            Aspect { name: format!("{scope}{end}"), sentences, sub }
        });
        Outline { scope: scope.to_owned(), aspects: aspects.collect() }
    }

    #[test]
    fn sentences_are_numbered_through() {
        let mut first = outline("a", &[2, 5]);
        first.aspects[1].sub = vec![Aspect { name: "p".to_owned(), sentences: 3..5, sub: Vec::new() }];
        let chunks = vec![first.clone(), first, outline("b", &[1, 3])];
        let joined = merge(chunks.clone(), "whole", Merge::Join);
        let ranges: Vec<_> = joined.aspects.iter().map(|aspect| aspect.sentences.clone()).collect();
        assert_eq!(ranges, [0..2, 2..5, 5..7, 7..10, 10..11, 11..13]);
        assert_eq!(joined.aspects[3].sub[0].sentences, 8..10);
        assert_eq!(parse(&joined.render(), 13), Ok(joined));

        let lifted = merge(chunks, "whole", Merge::Lift);
        let ranges: Vec<_> = lifted.aspects.iter().map(|aspect| aspect.sentences.clone()).collect();
        assert_eq!(ranges, [0..5, 5..10, 10..13]);
        let names: Vec<&str> = lifted.aspects[2].sub.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["b3"], "b1 is one sentence");
        assert_eq!(parse(&lifted.render(), 13), Ok(lifted));
        assert_eq!(merge(vec![outline("a", &[1, 2])], "a", Merge::Lift), outline("a", &[1, 2]));
        assert!(merge(Vec::new(), "a", Merge::Join).aspects.is_empty());
    }

    #[test]
    fn scopes_are_sentences() {
        assert_eq!(joined_scopes(["The war", " Peace. "]), "The war. Peace.");
    }
}
