//! Reading a reply that is YAML of one simple shape, or JSON.
//!
//! Small models write YAML with unquoted colons, fences and remarks around it, which a strict reader refuses as a whole. This
//! one knows mappings, lists and scalars by indentation, and nothing else of YAML; what it cannot place ends the reading, and
//! the checks of the outline then find what is missing. Scalars stay text: a name such as `1984` is one.

use serde_json::{Map, Value};

/// Deepest nesting that is read: an outline takes two levels for each of its own.
const MOST_LEVELS: usize = 64;

/// The mapping that `reply` holds, if it holds one.
pub(super) fn read(reply: &str) -> Option<Value> {
    let mut rest = reply;
    loop {
        let line = rest.lines().next()?;
        if line.trim_start().starts_with('{') {
            let json = rest.trim_start();
            return serde_json::Deserializer::from_str(json).into_iter::<Value>().next()?.ok();
        }
        if begins_outline(line) {
            break;
        }
        rest = rest.split_once('\n').map_or("", |(_, behind)| behind);
    }
    let lines: Vec<Line<'_>> = rest
        .lines()
        .take_while(|line| !line.trim_start().starts_with("```"))
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(Line::of)
        .collect();
    let mut block = Block { lines, at: 0 };
    let indent = block.lines.first()?.indent;
    block.value(indent, 0).filter(Value::is_object)
}

/// The member of an object that is called `name`, whatever its case and whatever stands between its words.
pub(super) fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let plain =
        |key: &str| key.chars().filter(|one| one.is_alphanumeric()).collect::<String>().to_lowercase();
    let name = plain(name);
    value.as_object()?.iter().find(|(key, _)| plain(key) == name).map(|(_, value)| value)
}

fn begins_outline(line: &str) -> bool {
    let start = line.trim_start_matches(['"', '\'', ' ']).get(..5).unwrap_or_default();
    start.eq_ignore_ascii_case("scope") && entry(line.trim()).is_some()
}

/// A line by its leading spaces; a tab counts as two.
#[derive(Clone, Copy)]
struct Line<'t> {
    indent: usize,
    text: &'t str,
}

impl<'t> Line<'t> {
    fn of(line: &'t str) -> Self {
        let text = line.trim();
        let before = line.chars().take_while(|one| one.is_whitespace());
        Self { indent: before.map(|one| if one == '\t' { 2 } else { 1 }).sum(), text }
    }

    /// What stands behind the dash of a list's item, as a line of its own.
    fn item(self) -> Option<Self> {
        let rest = self.text.strip_prefix('-')?;
        let text = rest.trim_start();
        let width = 1 + rest.len() - text.len();
        (text.is_empty() || width > 1).then_some(Self { indent: self.indent + width, text })
    }
}

struct Block<'t> {
    lines: Vec<Line<'t>>,
    at: usize,
}

impl<'t> Block<'t> {
    fn next(&self) -> Option<Line<'t>> {
        self.lines.get(self.at).copied()
    }

    /// The value that begins at the current line, whose lines stand at `indent`.
    fn value(&mut self, indent: usize, level: usize) -> Option<Value> {
        if level > MOST_LEVELS {
            return None;
        }
        let line = self.next()?;
        if line.item().is_some() {
            return self.list(indent, level);
        }
        if entry(line.text).is_some() {
            return self.mapping(indent, level);
        }
        self.at += 1;
        Some(scalar(line.text))
    }

    fn list(&mut self, indent: usize, level: usize) -> Option<Value> {
        let mut items = Vec::new();
        while let Some(line) = self.next().filter(|line| line.indent == indent)
            && let Some(item) = line.item()
        {
            if item.text.is_empty() {
                self.at += 1;
                items.push(self.deeper(indent, level)?);
                continue;
            }
            // What stands behind the dash is the first line of the item.
            if let Some(place) = self.lines.get_mut(self.at) {
                *place = item;
            }
            items.push(self.value(item.indent, level + 1)?);
        }
        Some(Value::Array(items))
    }

    fn mapping(&mut self, indent: usize, level: usize) -> Option<Value> {
        let mut members = Map::new();
        while let Some(line) = self.next().filter(|line| line.indent == indent && line.item().is_none())
            && let Some((key, rest)) = entry(line.text)
        {
            self.at += 1;
            let value = match rest {
                // A list may stand as deep as the key it belongs to.
                "" if self.next().is_some_and(|line| line.indent == indent && line.item().is_some()) => {
                    self.list(indent, level + 1)?
                }
                "" => self.deeper(indent, level)?,
                rest => scalar(rest),
            };
            members.insert(key, value);
        }
        Some(Value::Object(members))
    }

    /// The value of the lines deeper than `indent`; nothing is null.
    fn deeper(&mut self, indent: usize, level: usize) -> Option<Value> {
        match self.next().filter(|line| line.indent > indent) {
            Some(line) => self.value(line.indent, level + 1),
            None => Some(Value::Null),
        }
    }
}

/// Key and rest of `key: rest`; the first colon outside of quotation marks, before white space or the end.
fn entry(text: &str) -> Option<(String, &str)> {
    let (key, rest) = match text.strip_prefix('"') {
        Some(behind) => {
            behind.split_once('"').and_then(|(key, rest)| Some((key, rest.strip_prefix(':')?)))?
        }
        None => {
            let at = text.match_indices(':').map(|(at, _)| at).find(|at| {
                text.get(at + 1..)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
            })?;
            (text.get(..at)?, text.get(at + 1..)?)
        }
    };
    let key = key.trim().trim_matches(['\'', '*']);
    (!key.is_empty()).then(|| (key.to_owned(), rest.trim()))
}

/// A value on one line: quoted, in JSON's brackets, `{start: 1, end: 2}`, nothing, or text.
fn scalar(text: &str) -> Value {
    if matches!(text, "~" | "null") {
        return Value::Null;
    }
    if let Some(inner) = between(text, "'", "'") {
        return Value::from(inner.replace("''", "'"));
    }
    if text.starts_with(['"', '[', '{'])
        && let Ok(value) = serde_json::from_str(text)
    {
        return value;
    }
    if let Some(inner) = between(text, "{", "}") {
        let members = inner.split(',').map(|part| entry(part.trim()));
        let members: Option<Map<String, Value>> =
            members.map(|entry| entry.map(|(key, rest)| (key, Value::from(rest)))).collect();
        return members.map_or(Value::Null, Value::Object);
    }
    Value::from(between(text, "\"", "\"").unwrap_or(text))
}

fn between<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn replies_as_models_write_them() {
        let expected = json!({"Scope": "War: a history", "Aspects": [
            {"AspectName": "It's 1", "SentenceRange": {"start": "1", "end": "2"}, "SubAspects": []},
            {"AspectName": "\"b\" c", "SentenceRange": {"start": "3", "end": "3"}, "SubAspects": null},
        ]});
        let reply = "Here it is:\n```yaml\nScope: War: a history\n\nAspects:\n  - AspectName: 'It''s 1'\n    SentenceRange:\n      \
                     start: 1\n      end: 2\n    SubAspects: []\n  - AspectName: \"\\\"b\\\" c\"\n    SentenceRange: {start: 3, \
                     end: 3}\n    SubAspects:\n```\nScope: no";
        assert_eq!(read(reply), Some(expected.clone()));
        // Dashes below their key's first letter, tabs, no fence, talk behind it.
        let reply = "Scope: War: a history\nAspects:\n-   AspectName: It's 1\n    SentenceRange:\n    \tstart: 1\n    \tend: 2\n    \
                     SubAspects: []\n-\n  AspectName: \"\\\"b\\\" c\"\n  SentenceRange:\n    start: 3\n    end: 3\n  SubAspects: \
                     ~\nThat is all.";
        assert_eq!(read(reply), Some(expected));
        assert_eq!(
            read("```json\n{\"Scope\": \"a\", \"Aspects\": []}\n```"),
            Some(json!({"Scope": "a", "Aspects": []}))
        );
        let said_before = "My Scope: a\nScope: a\nAspects: []";
        assert_eq!(read(said_before), Some(json!({"Scope": "a", "Aspects": []})));
        for reply in ["", "No.", "{\"Scope\": ", "scope", "Scopes"] {
            assert_eq!(read(reply), None, "{reply}");
        }
    }

    #[test]
    fn members_by_any_spelling() {
        let value = json!({"sentence_range": 1, "Aspect Name": 2});
        assert_eq!(member(&value, "SentenceRange"), Some(&json!(1)));
        assert_eq!(member(&value, "AspectName"), Some(&json!(2)));
        assert!(member(&value, "Scope").is_none() && member(&json!([]), "Scope").is_none());
    }

    #[test]
    fn depth_is_limited() {
        let deep: String = (0..10_000).map(|level| format!("{}a:\n", " ".repeat(level % 3_000))).collect();
        assert_eq!(read(&format!("Scope: a\nAspects:\n{deep}")), None);
        assert_eq!(read(&format!("Scope: a\nAspects:\n{}x", "- ".repeat(10_000))), None);
        assert_eq!(read(&"{\"a\":".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(
            pieces in prop::collection::vec(prop_oneof![
                Just("Scope: "), Just("\n"), Just("  "), Just("- "), Just("-"), Just("Aspects:"), Just("a: "), Just("\""),
                Just("'"), Just("{"), Just("}"), Just("["), Just("é"), Just("\t"), Just("```"), Just(","), Just(":"),
            ], 0..40),
        ) {
            let _ = read(&format!("Scope: a\n{}", pieces.concat()));
        }
    }
}
