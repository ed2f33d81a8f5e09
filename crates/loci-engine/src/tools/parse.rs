//! From what a model wrote to its calls. Strict: what is no whole call of a tool that was offered is text.

use loci_models::sampling::longest_beginning;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{CLOSE, OPEN};

/// What an answer says, and what it calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The text beside the calls, without white space around it where there are calls.
    pub content: String,
    /// Name and arguments, a JSON object as the model wrote it, of each call.
    pub calls: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Call<'t> {
    name: String,
    #[serde(borrow, alias = "parameters")]
    arguments: Option<&'t RawValue>,
}

impl Call<'_> {
    /// Name and arguments, if the tool was offered and the arguments are an object.
    fn accepted<'n>(self, names: impl IntoIterator<Item = &'n str>) -> Option<(String, String)> {
        let arguments = self.arguments.map_or("{}", RawValue::get).trim();
        let known = names.into_iter().any(|name| name == self.name);
        (known && arguments.starts_with('{')).then(|| (self.name, arguments.to_owned()))
    }
}

/// Finds the calls of the tools `names` in `text`.
///
/// Calls stand between `<tool_call>` and `</tool_call>` (the latter may be missing at the end), or the whole text is one
/// JSON object `{"name", "arguments"}` or a list of them.
pub fn parse(text: &str, names: &[&str]) -> Parsed {
    if let Some(calls) = bare(text.trim(), names) {
        return Parsed { content: String::new(), calls };
    }
    let mut parsed = Parsed::default();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(OPEN) {
        parsed.content.push_str(before);
        match marked(behind, names) {
            Some((call, behind)) => {
                parsed.calls.push(call);
                rest = behind;
            }
            None => {
                parsed.content.push_str(OPEN);
                rest = behind;
            }
        }
    }
    parsed.content.push_str(rest);
    if !parsed.calls.is_empty() {
        parsed.content = parsed.content.trim().to_owned();
    }
    parsed
}

/// The call with which `text` begins, and what follows its end.
fn marked<'t>(text: &'t str, names: &[&str]) -> Option<((String, String), &'t str)> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Call<'_>>();
    let call = stream.next()?.ok()?;
    let behind = text.get(stream.byte_offset()..)?.trim_start();
    let behind = if behind.is_empty() { behind } else { behind.strip_prefix(CLOSE)? };
    Some((call.accepted(names.iter().copied())?, behind))
}

fn bare(text: &str, names: &[&str]) -> Option<Vec<(String, String)>> {
    let calls: Vec<Call<'_>> = match text.chars().next()? {
        '{' => vec![serde_json::from_str(text).ok()?],
        '[' => serde_json::from_str(text).ok()?,
        _ => return None,
    };
    let calls: Option<Vec<_>> = calls.into_iter().map(|call| call.accepted(names.iter().copied())).collect();
    calls.filter(|calls| !calls.is_empty())
}

/// Reads an answer as it is written: lets text through as long as it cannot belong to a call.
#[derive(Clone, Debug)]
pub struct CallReader {
    names: Vec<String>,
    held: String,
    /// Something was let through, so the answer as a whole is no bare call.
    shown: bool,
}

impl CallReader {
    /// A reader for calls of the tools `names`.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), held: String::new(), shown: false }
    }

    /// Takes what was written; returns what can be shown.
    pub fn push(&mut self, text: &str) -> String {
        self.held.push_str(text);
        let start = self.held.trim_start();
        if !self.shown && (start.is_empty() || start.starts_with(['{', '['])) {
            return String::new();
        }
        let keep = self.held.find(OPEN).unwrap_or(self.held.len() - longest_beginning(&self.held, OPEN));
        // White space before a call is no part of what is said.
        let keep = self.held.get(..keep).map_or(keep, |shown| shown.trim_end().len());
        let rest = self.held.split_off(keep);
        self.shown |= keep > 0;
        std::mem::replace(&mut self.held, rest)
    }

    /// Ends the answer: the calls, and the text that is still to be shown.
    pub fn finish(self) -> Parsed {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        if self.shown && !self.held.contains(OPEN) {
            return Parsed { content: self.held, calls: Vec::new() };
        }
        parse(&self.held, &names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAMES: &[&str] = &["add", "weather"];

    fn call(name: &str, arguments: &str) -> (String, String) {
        (name.to_owned(), arguments.to_owned())
    }

    #[test]
    fn calls_are_found_where_they_stand() {
        let text = "I look.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>\n\
                    <tool_call>{\"name\":\"add\",\"arguments\":{\"a\":123456789012345678901234567890}}";
        let parsed = parse(text, NAMES);
        assert_eq!(parsed.content, "I look.");
        assert_eq!(
            parsed.calls,
            [
                call("weather", "{\"city\": \"Rome\"}"),
                // Numbers stay as they were written.
                call("add", "{\"a\":123456789012345678901234567890}"),
            ]
        );
        assert_eq!(parse(" {\"name\": \"add\"}\n", NAMES).calls, [call("add", "{}")]);
        let two = "[{\"name\": \"add\", \"arguments\": {}}, {\"name\": \"weather\", \"parameters\": {}}]";
        assert_eq!(parse(two, NAMES).calls.len(), 2);
    }

    #[test]
    fn what_is_no_whole_call_is_text() {
        for text in [
            "<tool_call>{\"name\": \"add\", \"arguments\": {}",
            "<tool_call>{\"name\": \"other\", \"arguments\": {}}</tool_call>",
            "<tool_call>{\"name\": \"add\", \"arguments\": [1]}</tool_call>",
            "<tool_call>{\"name\": \"add\", \"arguments\": {}} and so on",
            "<tool_call></tool_call>",
            "{\"name\": \"other\"}",
            "{\"name\": 3}",
            "{\"name\": \"add\", \"name\": \"add\"}",
            "[]",
            "[1, 2]",
            "Call {\"name\": \"add\", \"arguments\": {}} now",
            "",
        ] {
            assert_eq!(parse(text, NAMES), Parsed { content: text.to_owned(), calls: Vec::new() });
        }
        let deep = format!("<tool_call>{{\"name\": \"add\", \"arguments\": {}", "{\"a\":".repeat(100_000));
        assert!(parse(&deep, NAMES).calls.is_empty());
    }

    proptest! {
        #[test]
        fn reading_piece_by_piece_gives_the_same(
            pieces in prop::collection::vec(prop_oneof![
                Just("<tool_call>"), Just("</tool_call>"), Just("<tool"), Just("_call>"), Just("\n"), Just("é "),
                Just("{\"name\": \"add\", \"arguments\": {}}"), Just("{\"name\""), Just("x"), Just("["),
            ], 0..8),
            cut in 1_usize..6,
        ) {
            let text = pieces.concat();
            let whole = parse(&text, NAMES);
            let mut reader = CallReader::new(NAMES.iter().copied());
            let symbols: Vec<char> = text.chars().collect();
            let mut shown = String::new();
            for piece in symbols.chunks(cut) {
                shown.push_str(&reader.push(&piece.iter().collect::<String>()));
            }
            let rest = reader.finish();
            prop_assert_eq!(&rest.calls, &whole.calls);
            let squeeze = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(squeeze(&(shown + &rest.content)), squeeze(&whole.content));
        }
    }
}
