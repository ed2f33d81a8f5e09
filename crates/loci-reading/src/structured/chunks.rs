//! Cutting a long text into chunks of whole lines, each structured by itself.

use std::ops::Range;

use crate::passages::sentences;

/// A line of so many tokens may overflow a chunk in the released form.
const LARGE_LINE: usize = 64;
/// A title has fewer tokens than this.
const TITLE: usize = 32;

/// How a text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkOptions {
    /// Most tokens of a chunk: 1024 in the paper, where 512 to 2048 are sensible. Those of a chunk are the sum over its lines.
    pub tokens: usize,
    /// Keeps to that. Otherwise, as in the released code, a line of 64 tokens or more that does not fit any more is still taken
    /// into a chunk that is not above the limit yet, so that a chunk can exceed it by one line.
    ///
    /// Strict chunks cut a line that is longer than a chunk between sentences, and a sentence that is, near its middle; a
    /// title at the end of a chunk moves to the next one, if it fits there.
    pub strict: bool,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self { tokens: 1024, strict: true }
    }
}

/// Byte ranges that cover `text` without gaps, none of them empty; `count` gives the tokens of a text.
///
/// In strict form no chunk has more than the limit, except for a single character that does.
pub fn chunks(text: &str, options: ChunkOptions, count: &mut dyn FnMut(&str) -> usize) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut open, mut tokens): (Vec<Unit>, usize) = (Vec::new(), 0);
    for unit in units(text, options, count) {
        let over = !open.is_empty() && tokens + unit.tokens > options.tokens;
        let taken = !options.strict && unit.tokens >= LARGE_LINE && tokens <= options.tokens;
        if over && !taken {
            let moved = if options.strict { title_at_end(&open, &unit, options.tokens) } else { 0 };
            let next = open.split_off(open.len() - moved);
            found.extend(covered(&open));
            open = next;
            tokens = open.iter().map(|unit| unit.tokens).sum();
        }
        tokens += unit.tokens;
        open.push(unit);
    }
    found.extend(covered(&open));
    found
}

/// What is never cut: a line, or in strict form a part of one that is too long.
struct Unit {
    range: Range<usize>,
    tokens: usize,
    blank: bool,
    /// A whole line that can be a title.
    title: bool,
}

fn covered(units: &[Unit]) -> Option<Range<usize>> {
    Some(units.first()?.range.start..units.last()?.range.end)
}

fn units(text: &str, options: ChunkOptions, count: &mut dyn FnMut(&str) -> usize) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        let start = end;
        end += line.len();
        let tokens = count(line);
        if options.strict && tokens > options.tokens {
            for sentence in sentences(line, usize::MAX) {
                let sentence = start + sentence.start..start + sentence.end;
                fit(text, sentence, options.tokens, count, &mut units);
            }
            continue;
        }
        let said = line.trim();
        let blank = said.is_empty();
        let title = tokens < TITLE && said.chars().last().is_some_and(char::is_alphanumeric);
        units.push(Unit { range: start..end, tokens, blank, title });
    }
    units
}

/// Cuts `range` in two near its middle until every part is within the limit, or a single character.
fn fit(
    text: &str,
    range: Range<usize>,
    limit: usize,
    count: &mut dyn FnMut(&str) -> usize,
    units: &mut Vec<Unit>,
) {
    let part = text.get(range.clone()).unwrap_or_default();
    let tokens = count(part);
    let middle = part.floor_char_boundary(part.len() / 2);
    // Of more than one character, some begin behind the middle.
    let middle = if middle > 0 { middle } else { part.chars().next().map_or(0, char::len_utf8) };
    if tokens <= limit || middle >= part.len() {
        units.push(Unit { range, tokens, blank: part.trim().is_empty(), title: false });
        return;
    }
    // The last white space in the second quarter, so that both parts are much shorter.
    let quarter = part.floor_char_boundary(part.len() / 4);
    let space =
        part.get(quarter..middle).and_then(|near| near.rfind(char::is_whitespace)).map(|at| quarter + at);
    let cut = space.and_then(|at| Some(at + part.get(at..)?.chars().next()?.len_utf8())).unwrap_or(middle);
    fit(text, range.start..range.start + cut, limit, count, units);
    fit(text, range.start + cut..range.end, limit, count, units);
}

/// How many of the last units of a chunk belong in front of `next`: a title and the blank lines behind it.
fn title_at_end(open: &[Unit], next: &Unit, limit: usize) -> usize {
    let moved = 1 + open.iter().rev().take_while(|unit| unit.blank).count();
    let Some(at) = open.len().checked_sub(moved) else { return 0 };
    let (before, behind) = open.split_at(at);
    let is_title = behind.first().is_some_and(|unit| unit.title);
    let fits = behind.iter().map(|unit| unit.tokens).sum::<usize>() + next.tokens <= limit;
    // A chunk of a title alone would be left if nothing stood before it.
    let alone = before.iter().all(|unit| unit.blank);
    if is_title && fits && !alone { moved } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn of(text: &str, tokens: usize, strict: bool) -> Vec<&str> {
        let ranges = chunks(text, ChunkOptions { tokens, strict }, &mut |text| words(text));
        ranges.into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn lines_fill_chunks() {
        let text = "a b.\nc d.\ne f.\n";
        for strict in [false, true] {
            assert_eq!(of(text, 4, strict), ["a b.\nc d.\n", "e f.\n"]);
            assert_eq!(of(text, 100, strict), [text]);
            assert!(of("", 4, strict).is_empty());
        }
        assert_eq!(of("a b c d e. f g.\n", 4, true), ["a b ", "c d e. ", "f g.\n"].to_vec());
    }

    #[test]
    fn a_large_line_overflows_once_in_the_released_form() {
        let large = format!("{}\n", "w ".repeat(64));
        let text = format!("a.\n{large}{large}");
        assert_eq!(of(&text, 64, false), [format!("a.\n{large}"), large.clone()]);
        let small = format!("{}\n", "w ".repeat(63));
        assert_eq!(of(&format!("a.\n{small}"), 63, false), ["a.\n".to_owned(), small]);
        assert_eq!(of(&text, 64, true).len(), 3);
    }

    #[test]
    fn titles_go_with_what_follows() {
        let text = "a b c.\nTitle\n\nd e.\n";
        assert_eq!(of(text, 4, true), ["a b c.\n", "Title\n\nd e.\n"]);
        assert_eq!(of(text, 4, false), ["a b c.\nTitle\n\n", "d e.\n"]);
        assert_eq!(of("a b c.\nTitle.\nd e.\n", 4, true), ["a b c.\nTitle.\n", "d e.\n"], "a sentence");
        assert_eq!(of("a b c.\nTitle\nd e f g.\n", 4, true), ["a b c.\nTitle\n", "d e f g.\n"], "no room");
        assert_eq!(of("One\nTwo\nThree\n", 1, true), ["One\n", "Two\n", "Three\n"]);
    }

    proptest! {
        #[test]
        fn no_line_is_lost(text in "([a-c]{1,3}|[ \\n.é一]){0,80}", tokens in 0..12_usize, strict in any::<bool>()) {
            let options = ChunkOptions { tokens, strict };
            // Characters are tokens here, so that text without spaces is long too.
            let mut count = |text: &str| text.chars().filter(|one| !one.is_whitespace()).count();
            let ranges = chunks(&text, options, &mut count);
            let mut end = 0;
            for range in &ranges {
                prop_assert!(range.start == end && range.end > end && text.is_char_boundary(range.end));
                end = range.end;
                let own = count(&text[range.clone()]);
                if strict {
                    prop_assert!(own <= tokens.max(1), "{own} in {:?}", &text[range.clone()]);
                }
                let line_starts = range.start == 0 || text[..range.start].ends_with('\n');
                prop_assert!(strict || line_starts);
            }
            prop_assert_eq!(end, text.len());
        }

        #[test]
        fn short_lines_stay_whole(lines in prop::collection::vec("[a-c]( [a-c]){0,3}[.]?", 0..30)) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            for strict in [false, true] {
                let found: Vec<&str> = of(&text, 4, strict);
                prop_assert!(found.iter().all(|chunk| chunk.ends_with('\n') && words(chunk) <= 4));
            }
        }
    }
}
