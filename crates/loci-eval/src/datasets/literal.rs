//! Literals of Python, as some data sets and models write them: read as data, never run.

use serde_json::{Map, Value};

/// Deeper nesting is refused.
const MOST_DEPTH: usize = 64;

/// The value that all of `text` is: strings, numbers, lists, tuples, dictionaries, `None`, `True`, `False`, and
/// those of JSON. `None` where it is something else.
pub(super) fn literal(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

/// The first dictionary in `text`, whatever stands around it.
pub(super) fn dictionary(text: &str) -> Option<Map<String, Value>> {
    let mut reader = Reader { rest: text.get(text.find('{')?..)? };
    match reader.value(0)? {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// The first list in `text`, whatever stands around it.
pub(super) fn list(text: &str) -> Option<Vec<Value>> {
    let mut reader = Reader { rest: text.get(text.find('[')?..)? };
    match reader.value(0)? {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, start: &str) -> bool {
        match self.rest.strip_prefix(start) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > MOST_DEPTH {
            return None;
        }
        self.space();
        let words = [
            ("None", Value::Null),
            ("null", Value::Null),
            ("True", Value::Bool(true)),
            ("true", Value::Bool(true)),
            ("False", Value::Bool(false)),
            ("false", Value::Bool(false)),
        ];
        for (word, value) in words {
            if self.takes(word) {
                return Some(value);
            }
        }
        match self.rest.chars().next()? {
            '\'' | '"' => self.strings().map(Value::String),
            '[' => self.items('[', ']', depth),
            '(' => self.items('(', ')', depth),
            '{' => self.fields(depth),
            _ => self.number(),
        }
    }

    /// Strings that stand side by side are one.
    fn strings(&mut self) -> Option<String> {
        let mut out = self.string()?;
        loop {
            self.space();
            if !self.rest.starts_with(['\'', '"']) {
                return Some(out);
            }
            out.push_str(&self.string()?);
        }
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.rest.chars().next()?;
        let mut letters = self.rest.char_indices().skip(1);
        let mut out = String::new();
        while let Some((at, letter)) = letters.next() {
            if letter == quote {
                self.rest = self.rest.get(at + 1..)?;
                return Some(out);
            }
            if letter != '\\' {
                out.push(letter);
                continue;
            }
            let (_, escape) = letters.next()?;
            let digits = match escape {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            if digits > 0 {
                let code: Option<u32> =
                    (0..digits).try_fold(0, |code, _| Some(code * 16 + letters.next()?.1.to_digit(16)?));
                out.push(char::from_u32(code?).unwrap_or('\u{fffd}'));
                continue;
            }
            match escape {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                '0' => out.push('\0'),
                '\n' => {}
                '\\' | '\'' | '"' | '/' => out.push(escape),
                _ => out.extend(['\\', escape]),
            }
        }
        None
    }

    fn items(&mut self, open: char, close: char, depth: usize) -> Option<Value> {
        self.rest = self.rest.strip_prefix(open)?;
        let mut items = Vec::new();
        loop {
            self.space();
            if let Some(rest) = self.rest.strip_prefix(close) {
                self.rest = rest;
                return Some(Value::Array(items));
            }
            items.push(self.value(depth + 1)?);
            self.space();
            if !self.takes(",") && !self.rest.starts_with(close) {
                return None;
            }
        }
    }

    fn fields(&mut self, depth: usize) -> Option<Value> {
        self.rest = self.rest.strip_prefix('{')?;
        let mut fields = Map::new();
        loop {
            self.space();
            if self.takes("}") {
                return Some(Value::Object(fields));
            }
            let name = match self.value(depth + 1)? {
                Value::String(name) => name,
                Value::Number(name) => name.to_string(),
                _ => return None,
            };
            self.space();
            if !self.takes(":") {
                return None;
            }
            fields.insert(name, self.value(depth + 1)?);
            self.space();
            if !self.takes(",") && !self.rest.starts_with('}') {
                return None;
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let part = |letter: char| letter.is_ascii_alphanumeric() || "+-._".contains(letter);
        let end = self.rest.find(|letter: char| !part(letter)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        if let Ok(whole) = number.parse::<i64>() {
            return Some(whole.into());
        }
        serde_json::Number::from_f64(number.parse::<f64>().ok()?).map(Value::Number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn literals_are_read_with_either_quote_and_all_escapes() {
        let text =
            r#" [{'Q': 'It\'s "x"', "A": "b\n\x41\u00e9", 'n': [1, -2.5, None, True],}, ('a' 'b',), {}] "#;
        let value = json!([{"Q": "It's \"x\"", "A": "b\nA\u{e9}", "n": [1, -2.5, null, true]}, ["ab"], {}]);
        assert_eq!(literal(text), Some(value));
        assert_eq!(literal("'a\\qb'"), Some(json!("a\\qb")));
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        for text in ["", "[", "['a' 1]", "{'a'}", "{[]: 1}", "'a", "__import__('os')", "[1] 2", "1 + 1"] {
            assert_eq!(literal(text), None, "{text}");
        }
        assert_eq!(literal(&"[".repeat(100_000)), None);
    }

    #[test]
    fn dictionaries_and_lists_are_found_inside_an_answer() {
        let found = dictionary("Sure: {'<mask-0>': 'Bob', \"<mask-1>\": 'X'} is it.").unwrap();
        assert_eq!(found["<mask-0>"], json!("Bob"));
        assert_eq!((dictionary("none"), dictionary("{'a': ")), (None, None));
        assert_eq!(list("It is [\"a\", 'b']."), Some(vec![json!("a"), json!("b")]));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}'\",:a\\\\0-9xu é]{0,40}") {
            literal(&text);
            dictionary(&text);
        }

        #[test]
        fn json_texts_are_literals(text in "[a-z\\\\'é\" ]{0,20}") {
            let value = json!([text]);
            prop_assert_eq!(literal(&value.to_string()), Some(value));
        }
    }
}
