//! Searching a conversation, hidden text included. Nothing visible changes.

use std::ops::Range;

use super::schema::Arguments;
use super::{Outcome, Sculpture, Told, quoted, whose};

/// A match of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    id: String,
    message: usize,
    /// Bytes of the message's original text, which tools do not change.
    range: Range<usize>,
}

impl Sculpture {
    /// Lists where a text stands, each match with an id.
    ///
    /// The paper searches the conversation's history; that this means the originals, that matches may overlap, and that
    /// characters of context stand on each side are inferred.
    pub(super) fn search(&mut self, arguments: &Arguments<'_>) -> Told {
        let (query, role) = (arguments.text("query"), arguments.text("role"));
        let (most, context) = (arguments.whole("max_results"), arguments.whole("context_size"));
        let mut found = Vec::new();
        // A text that was copied from beside fragments may be escaped.
        for query in super::as_said(query) {
            // One more than is listed tells that there are more.
            found = self.matches(&query, role, most + 1);
            if !found.is_empty() {
                break;
            }
        }
        if found.is_empty() {
            let near = self.near(role, 0, query);
            return Ok(Outcome::read(format!("No match for {} in {}.{near}", quoted(query), whose(role))));
        }
        let more = if found.len() > most {
            format!("More than {most} matches, the first {most}")
        } else {
            matches(found.len())
        };
        found.truncate(most);
        let ids = self.ids.take('s', found.len()).ok_or_else(super::no_ids)?;
        let mut text = format!("{more}, in the order of the conversation:");
        for (id, (message, range)) in ids.into_iter().zip(found) {
            text.push_str(&format!("\n{id} {}", self.place(message, &range, context)));
            self.hits.push(Hit { id, message, range });
        }
        Ok(Outcome::read(text))
    }

    /// Shows more of the text around a match.
    pub(super) fn detail(&self, arguments: &Arguments<'_>) -> Told {
        let (id, context) = (arguments.text("search_id"), arguments.whole("extended_context"));
        let Some(hit) = self.hits.iter().find(|hit| hit.id == id) else {
            let known = match self.hits.last() {
                Some(last) => format!("the newest match is {}", last.id),
                None => "there are none yet".to_owned(),
            };
            return Err(format!("There is no match {}; {known}. Call search_context for ids.", quoted(id)));
        };
        Ok(Outcome::read(format!("{id} {}", self.place(hit.message, &hit.range, context))))
    }

    /// Up to `most` places of `query` in messages of `role`, in the order of messages; matches may overlap.
    fn matches(&self, query: &str, role: &str, most: usize) -> Vec<(usize, Range<usize>)> {
        let mut found = Vec::new();
        // The next match may begin one character after the last.
        let step = query.chars().next().map_or(1, char::len_utf8);
        for (message, held) in self.of_role(role) {
            let text = held.original();
            let mut from = 0;
            while found.len() < most
                && let Some(at) = text.get(from..).and_then(|text| text.find(query))
            {
                let start = from + at;
                found.push((message, start..start + query.len()));
                from = start + step;
            }
        }
        found
    }

    /// A match in words: where it stands, whether it is hidden, and `context` characters on each side.
    fn place(&self, message: usize, range: &Range<usize>, context: usize) -> String {
        let Some(held) = self.messages.get(message) else { return String::new() };
        let text = held.original();
        let hidden: Vec<&str> = held
            .touched(range)
            .into_iter()
            .filter(|(_, fragment)| fragment.is_hidden())
            .map(|(_, fragment)| fragment.id())
            .collect();
        let hidden = match hidden.as_slice() {
            [] => String::new(),
            ids => format!(", hidden in {} (restore_fragment shows it)", ids.join(", ")),
        };
        let window = window(&text, range, context);
        let before = if window.start > 0 { "…" } else { "" };
        let behind = if window.end < text.len() { "…" } else { "" };
        let shown = text.get(window).unwrap_or_default();
        format!("(message {}, {}{hidden}): {before}{shown}{behind}", message + 1, held.role())
    }
}

fn matches(count: usize) -> String {
    if count == 1 { "1 match".to_owned() } else { format!("{count} matches") }
}

/// `range` with up to `characters` on each side.
fn window(text: &str, range: &Range<usize>, characters: usize) -> Range<usize> {
    let before = text.get(..range.start).unwrap_or_default();
    let behind = text.get(range.end..).unwrap_or_default();
    let start = match characters.checked_sub(1) {
        Some(last) => before.char_indices().rev().nth(last).map_or(0, |(at, _)| at),
        None => range.start,
    };
    let end = behind.char_indices().nth(characters).map_or(text.len(), |(at, _)| range.end + at);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_count_characters() {
        let text = "éà一ö x";
        let at = |part: &str| {
            let start = text.find(part).unwrap();
            start..start + part.len()
        };
        for (characters, shown) in [(0, "一"), (1, "à一ö"), (2, "éà一ö "), (3, text), (100, text)] {
            assert_eq!(&text[window(text, &at("一"), characters)], shown);
        }
    }
}
