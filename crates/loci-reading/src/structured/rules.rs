//! Outlines without a model, from the headings of a text.
//!
//! The paper's structurizer is a model of 7 billion parameters. Where an author has marked the structure, reading it off costs
//! nothing and errs less; what counts as a heading is ours.

use std::ops::Range;

use super::on_one_line;
use super::outline::{Aspect, Outline};
use crate::passages::sentences;

/// A text without full stops is cut into sentences of so many words.
const MOST_WORDS: usize = 100;
/// A line of more words is text, whatever it begins with.
const MOST_WORDS_OF_HEADING: usize = 12;
/// Deepest level of a numbered heading; what has more numbers is something else.
const DEEPEST: usize = 6;
/// Fewer capital letters are an abbreviation.
const LEAST_CAPITALS: usize = 4;
/// What stands before the first heading is called so.
const BEGINNING: &str = "Beginning";
/// Names of aspects that stand for a scope which the text does not give.
const NAMES_IN_SCOPE: usize = 3;

/// A text by its headings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headed {
    /// Headings are the aspects, those below them parts; the text's title is the scope.
    pub outline: Outline,
    /// The sentences that the outline counts, byte ranges that cover the text; a heading is the first one of its aspect.
    pub sentences: Vec<Range<usize>>,
}

/// Cuts a text into sentences: byte ranges that cover it without gaps, none for the empty text. A heading is a sentence, with
/// the blank lines behind it.
///
/// As in [`sentences`], a full stop before white space ends one, also that of an abbreviation.
pub fn sentences_of(text: &str) -> Vec<Range<usize>> {
    with_headings(text, &headings(text)).0
}

/// The outline of a text with headings; nothing where it has none.
///
/// Headings are Markdown's (`## Title`, or underlined with `===` or `---`), numbered lines (`2.1 Title`) and lines in capital
/// letters, the last two behind a blank line and short; inside of fenced code there are none. A first heading that is alone
/// on its level is the title.
pub fn headed(text: &str) -> Option<Headed> {
    let headings = headings(text);
    let (sentences, firsts) = with_headings(text, &headings);
    let mut marks: Vec<Mark<'_>> = headings
        .iter()
        .zip(firsts)
        .map(|(heading, sentence)| Mark { name: &heading.name, level: heading.level, sentence })
        .collect();
    let first = marks.first().copied()?;
    let is_title =
        first.sentence == 0 && marks.len() > 1 && marks.iter().skip(1).all(|mark| mark.level > first.level);
    if is_title {
        marks.remove(0);
    }
    let mut aspects = nested(&marks, sentences.len());
    let start = aspects.first().map_or(0, |aspect| aspect.sentences.start);
    match aspects.first_mut() {
        // A title with nothing below it goes with what follows.
        Some(next) if is_title && start == 1 => next.sentences.start = 0,
        _ if start > 0 => {
            aspects.insert(0, Aspect { name: BEGINNING.to_owned(), sentences: 0..start, sub: Vec::new() });
        }
        _ => {}
    }
    aspects.iter_mut().for_each(Aspect::drop_single_parts);
    let names: Vec<&str> = aspects.iter().map(|aspect| aspect.name.as_str()).take(NAMES_IN_SCOPE).collect();
    let scope = if is_title { first.name.to_owned() } else { names.join(", ") };
    Some(Headed { outline: Outline { scope, aspects }, sentences })
}

/// A heading by its first sentence.
#[derive(Clone, Copy)]
struct Mark<'t> {
    name: &'t str,
    level: usize,
    sentence: usize,
}

/// Each heading up to the next one that is not below it.
fn nested(marks: &[Mark<'_>], end: usize) -> Vec<Aspect> {
    let mut aspects = Vec::new();
    let mut rest = marks;
    while let Some((mark, behind)) = rest.split_first() {
        let below = behind.iter().take_while(|next| next.level > mark.level).count();
        let (parts, next) = behind.split_at(below);
        let own_end = next.first().map_or(end, |next| next.sentence);
        aspects.push(Aspect {
            name: mark.name.to_owned(),
            sentences: mark.sentence..own_end,
            sub: nested(parts, own_end),
        });
        rest = next;
    }
    aspects
}

/// The sentences of `text`, and which of them the headings are.
fn with_headings(text: &str, headings: &[Heading]) -> (Vec<Range<usize>>, Vec<usize>) {
    let (mut found, mut firsts) = (Vec::new(), Vec::with_capacity(headings.len()));
    let mut end = 0;
    let plain = |range: Range<usize>, found: &mut Vec<Range<usize>>| {
        let part = text.get(range.clone()).unwrap_or_default();
        let shifted = sentences(part, MOST_WORDS);
        found.extend(shifted.into_iter().map(|own| range.start + own.start..range.start + own.end));
    };
    for heading in headings {
        plain(end..heading.range.start, &mut found);
        firsts.push(found.len());
        found.push(heading.range.clone());
        end = heading.range.end;
    }
    plain(end..text.len(), &mut found);
    (found, firsts)
}

/// A heading: its lines with the blank ones behind it (of the first one also those before it), and its depth from 1.
struct Heading {
    range: Range<usize>,
    name: String,
    level: usize,
}

fn headings(text: &str) -> Vec<Heading> {
    let mut lines: Vec<(Range<usize>, &str)> = Vec::new();
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        lines.push((end..end + line.len(), line.trim()));
        end += line.len();
    }
    let line = |at: usize| lines.get(at).map_or("", |(_, line)| *line);
    let blank_before = |at: usize| at.checked_sub(1).is_none_or(|before| line(before).is_empty());
    let mut found: Vec<Heading> = Vec::new();
    let (mut at, mut fenced) = (0, false);
    while let Some((range, own)) = lines.get(at) {
        let mut taken = 1;
        let following = || (at + 1..lines.len()).map(line).find(|line| !line.is_empty()).unwrap_or_default();
        fenced ^= own.starts_with("```") || own.starts_with("~~~");
        let heading = if fenced || own.is_empty() {
            None
        } else if let Some(heading) = marked(own) {
            Some(heading)
        } else if !blank_before(at) || own.split_whitespace().count() > MOST_WORDS_OF_HEADING {
            None
        } else if let Some(level) = underline(line(at + 1)) {
            taken = 2;
            Some((level, (*own).to_owned()))
        } else if ends_open(own) {
            // Numbered lines that follow each other are a list.
            numbered(own).filter(|_| numbered(following()).is_none()).or_else(|| in_capitals(own))
        } else {
            None
        };
        if let Some((level, name)) = heading {
            while lines.get(at + taken).is_some_and(|(_, line)| line.is_empty()) {
                taken += 1;
            }
            let before = text.get(..range.start).unwrap_or_default();
            let start = if before.trim().is_empty() { 0 } else { range.start };
            let end = lines.get(at + taken - 1).map_or(range.end, |(range, _)| range.end);
            found.push(Heading { range: start..end, name, level });
        }
        at += taken;
    }
    found
}

/// `## Title`.
fn marked(line: &str) -> Option<(usize, String)> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    let name = on_one_line(rest.trim_end_matches('#'));
    ((1..=DEEPEST).contains(&level) && rest.starts_with([' ', '\t']) && !name.is_empty())
        .then_some((level, name))
}

/// The level that a line below a heading gives it.
fn underline(line: &str) -> Option<usize> {
    let all = |mark: char| line.len() >= 3 && line.chars().all(|one| one == mark);
    if all('=') { Some(1) } else { all('-').then_some(2) }
}

/// `2.1 Title` or `2. Title`.
fn numbered(line: &str) -> Option<(usize, String)> {
    let (number, name) = line.split_once(char::is_whitespace)?;
    let bare = number.trim_end_matches(['.', ')']);
    let digits =
        |part: &str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let level = bare.split('.').count();
    let name = name.trim();
    let right = bare.split('.').all(digits)
        && (1..=DEEPEST).contains(&level)
        // A bare number is a quantity.
        && (level > 1 || number.len() == bare.len() + 1)
        && name.chars().next().is_some_and(|first| first.is_alphabetic() && !first.is_lowercase());
    right.then(|| (level, name.to_owned()))
}

/// `THE TITLE`.
fn in_capitals(line: &str) -> Option<(usize, String)> {
    let capitals = line.chars().filter(|one| one.is_uppercase()).count();
    let right = capitals >= LEAST_CAPITALS && !line.chars().any(char::is_lowercase);
    right.then(|| (1, line.to_owned()))
}

/// Whether a line ends as headings do, not as sentences and list items do.
fn ends_open(line: &str) -> bool {
    !line.ends_with(['.', ',', ';', ':', '!', '?', '。', '，', '；', '：', '！', '？'])
}

#[cfg(test)]
mod tests {
    use super::super::outline::parse;
    use super::*;
    use proptest::prelude::*;

    /// An outline as one line: names with their sentences, parts in brackets.
    fn drawn(aspects: &[Aspect]) -> String {
        let one = |aspect: &Aspect| {
            let parts =
                if aspect.sub.is_empty() { String::new() } else { format!(" ({})", drawn(&aspect.sub)) };
            format!("{} {}..{}{parts}", aspect.name, aspect.sentences.start, aspect.sentences.end)
        };
        aspects.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn of(text: &str) -> (String, String) {
        let headed = headed(text).unwrap();
        let outline = headed.outline;
        assert_eq!(parse(&outline.render(), headed.sentences.len()), Ok(outline.clone()), "a valid outline");
        (outline.scope.clone(), drawn(&outline.aspects))
    }

    fn pair(scope: &str, aspects: &str) -> (String, String) {
        (scope.to_owned(), aspects.to_owned())
    }

    #[test]
    fn headings_of_all_kinds() {
        let text = "\n# Harbour \n\nIt is old. It is small.\n## History\nDug in 1836.\n### Later\nGrain. Boats.\n## Use ##\n\nNone.\n\
                    ```\n# no heading\n```\n";
        assert_eq!(of(text), pair("Harbour", "Beginning 0..3, History 3..8 (Later 5..8), Use 8..11"));
        let text = "Harbour\n=======\n\nHistory\n---\nDug.\n\nUse\n---\nNone.";
        assert_eq!(of(text), pair("Harbour", "History 0..3, Use 3..5"));
        let text = "Before. All.\n\n1. History\nDug.\n\n1.1 Of grain\n\nMuch. Long.\n\n2) Use\n\nNone.";
        assert_eq!(
            of(text),
            pair("Beginning, History, Use", "Beginning 0..2, History 2..7 (Of grain 4..7), Use 7..9")
        );
        let text = "HISTORY\n\nDug in 1836.\n\nUSE TODAY\n\nNone.";
        assert_eq!(of(text), pair("HISTORY, USE TODAY", "HISTORY 0..2, USE TODAY 2..4"));
        assert_eq!(of("# A. B. C.\n# B\n"), pair("A. B. C., B", "A. B. C. 0..1, B 1..2"));
    }

    #[test]
    fn what_is_no_heading() {
        for text in [
            "",
            " \n",
            "Plain text.\nMore.",
            "#hash",
            "#",
            "####### seven",
            "```\n# code\n```",
            "\n\nUSA\n\nyes",
            "1. Milk\n2. Bread\n",
            "3.5 percent rose",
            "12 Men came",
            "WE SHOUTED.\n",
            "So it was\nDONE NOW\n",
            "1.2.3.4.5.6.7 Deep",
            "text\n---\n".trim_start_matches("text"),
        ] {
            assert_eq!(headed(text), None, "{text}");
        }
    }

    #[test]
    fn a_heading_is_one_sentence() {
        let text = "# Dr. Who\n\nHe came. He went.\n";
        let said: Vec<&str> = sentences_of(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(said, ["# Dr. Who\n\n", "He came. ", "He went.\n"]);
    }

    proptest! {
        #[test]
        fn sentences_cover_the_text_and_outlines_are_valid(
            pieces in prop::collection::vec(prop_oneof![
                Just("# Ä b"), Just("## C"), Just("### D e"), Just("\n"), Just("\n\n"), Just("==="), Just("---"), Just("1. One"),
                Just("1.1 Two"), Just("LOUD WORDS"), Just("A sentence. "), Just("another "), Just("```"), Just("\t"), Just("一。"),
            ], 0..24),
        ) {
            let text = pieces.concat();
            let sentences = sentences_of(&text);
            let mut end = 0;
            for range in &sentences {
                prop_assert!(range.start == end && range.end > end);
                end = range.end;
            }
            prop_assert_eq!(end, text.len());
            if let Some(headed) = headed(&text) {
                prop_assert_eq!(&headed.sentences, &sentences);
                let read = parse(&headed.outline.render(), sentences.len());
                prop_assert_eq!(read, Ok(headed.outline), "{:?}", text);
            }
        }
    }
}
