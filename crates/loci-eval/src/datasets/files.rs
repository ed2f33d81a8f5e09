//! Records from files: JSON in any of the forms that data sets are published in, plain or compressed with Zstandard.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ruzstd::decoding::StreamingDecoder;
use serde_json::{Map, Value};

use crate::error::EvalError;

/// More than this is not read: a small compressed file may hide a huge one.
const MOST_BYTES: u64 = 8 << 30;

/// The first of `folders` below `root` that holds one of `names`, plain or with `.zst` behind it.
pub(super) fn find(root: &Path, folders: &[&str], names: &[&str]) -> Option<PathBuf> {
    for folder in folders {
        for name in names {
            for suffix in ["", ".zst"] {
                let path = root.join(folder).join(format!("{name}{suffix}"));
                if path.is_file() {
                    return Some(path);
                }
            }
        }
    }
    None
}

/// The text of a file, decompressed if its name ends in `.zst`, without a byte order mark.
///
/// # Errors
/// [`EvalError::File`] for a file that cannot be read, is damaged, too large or not UTF-8.
pub(crate) fn text(path: &Path) -> Result<String, EvalError> {
    let failed = |source| EvalError::File { path: path.display().to_string(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "zst") {
        decompress(std::io::BufReader::new(file), &mut bytes).map_err(failed)?;
    } else {
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        too_large(bytes.len()).map_err(failed)?;
    }
    let text = String::from_utf8(bytes).map_err(|error| failed(std::io::Error::other(error.utf8_error())))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn too_large(bytes: usize) -> std::io::Result<()> {
    if bytes as u64 > MOST_BYTES {
        return Err(std::io::Error::other(format!("larger than {MOST_BYTES} bytes; split the file")));
    }
    Ok(())
}

/// All frames of a compressed file, one behind the other, each with its checksum compared.
fn decompress(mut from: impl std::io::BufRead, to: &mut Vec<u8>) -> std::io::Result<()> {
    while !from.fill_buf()?.is_empty() {
        let mut decoder = StreamingDecoder::new(&mut from).map_err(std::io::Error::other)?;
        let left = MOST_BYTES + 1 - to.len() as u64;
        decoder.by_ref().take(left).read_to_end(to)?;
        too_large(to.len())?;
        let frame = decoder.into_frame_decoder();
        let (said, is) = (frame.get_checksum_from_data(), frame.get_calculated_checksum());
        if said.is_some() && said != is {
            return Err(std::io::Error::other("damaged: the checksum differs; fetch the file again"));
        }
    }
    Ok(())
}

/// One JSON object of a file, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    path: Arc<str>,
    /// Line of its beginning, from 1.
    pub(super) line: usize,
    /// Name of the field of the file that it is, where it is one.
    within: Arc<str>,
    fields: Map<String, Value>,
}

/// The objects of a file: one after the other as in JSON Lines, or in one array.
///
/// # Errors
/// [`EvalError::File`] as [`text`]; [`EvalError::Line`] for what is not JSON, not an object, and for an empty file.
pub(crate) fn records(path: &Path) -> Result<Vec<Record>, EvalError> {
    let name: Arc<str> = path.display().to_string().into();
    let values = values(&name, &text(path)?)?;
    let mut records = Vec::with_capacity(values.len());
    for (line, value) in values {
        match value {
            Value::Object(fields) => {
                records.push(Record { path: Arc::clone(&name), line, within: Arc::from(""), fields });
            }
            other => return Err(wrong(&name, line, &format!("expected an object, not {}", kind(&other)))),
        }
    }
    Ok(records)
}

/// The one JSON object a file consists of.
///
/// # Errors
/// As [`records`].
pub(super) fn object(path: &Path) -> Result<Record, EvalError> {
    let mut records = records(path)?;
    match (records.pop(), records.is_empty()) {
        (Some(record), true) => Ok(record),
        _ => Err(wrong(&path.display().to_string(), 1, "expected one object, not several")),
    }
}

fn wrong(path: &str, line: usize, message: &str) -> EvalError {
    EvalError::Line { path: path.to_owned(), line, message: message.to_owned() }
}

/// Every value at the top of `text`, or in the array that `text` is, with its line.
fn values(name: &str, text: &str) -> Result<Vec<(usize, Value)>, EvalError> {
    let separators = |character: char| character.is_whitespace() || character == '\u{feff}';
    let mut rest = text.trim_start_matches(separators);
    let mut line = 1 + lines_between(text, rest);
    let in_array = rest.starts_with('[');
    if let Some(inside) = rest.strip_prefix('[') {
        rest = inside;
    }
    let mut found = Vec::new();
    loop {
        let next = rest.trim_start_matches(separators);
        line += lines_between(rest, next);
        rest = next;
        if in_array {
            if let Some(behind) = rest.strip_prefix(']') {
                if !behind.trim().is_empty() {
                    return Err(wrong(name, line, "something stands behind the end of the array"));
                }
                break;
            }
            if !found.is_empty() {
                let Some(behind) = rest.strip_prefix(',') else {
                    return Err(wrong(name, line, "not JSON: the array ends without ] or lacks a comma"));
                };
                let next = behind.trim_start_matches(separators);
                line += lines_between(behind, next);
                rest = next;
            }
        } else if rest.is_empty() {
            break;
        }
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                found.push((line, value));
                let behind = rest.get(stream.byte_offset()..).unwrap_or("");
                line += lines_between(rest, behind);
                rest = behind;
            }
            Some(Err(error)) => {
                let at = line + error.line().saturating_sub(1);
                return Err(wrong(name, at, &format!("not JSON: {error}")));
            }
            None => return Err(wrong(name, line, "not JSON: the array has no end")),
        }
    }
    if found.is_empty() {
        return Err(wrong(name, 1, "nothing in it; expected at least one JSON object"));
    }
    Ok(found)
}

fn lines_between(text: &str, rest: &str) -> usize {
    let passed = text.len() - rest.len();
    text.as_bytes().get(..passed).unwrap_or(&[]).iter().filter(|byte| **byte == b'\n').count()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Record {
    /// An error about this record.
    pub(crate) fn error(&self, message: impl Into<String>) -> EvalError {
        let message = message.into();
        let message = if self.within.is_empty() { message } else { format!("{}: {message}", self.within) };
        EvalError::Line { path: self.path.to_string(), line: self.line, message }
    }

    /// Whether it has a field of that name, and not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    /// Names of its fields, sorted.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.fields.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// A field.
    ///
    /// # Errors
    /// [`EvalError::Line`] where there is none.
    pub(crate) fn value(&self, name: &str) -> Result<&Value, EvalError> {
        self.fields.get(name).ok_or_else(|| {
            let names = self.names().join(", ");
            self.error(format!("no field {name:?}; there are: {names}"))
        })
    }

    fn expected(&self, name: &str, what: &str, value: &Value) -> EvalError {
        self.error(format!("field {name:?} should be {what}, not {}", kind(value)))
    }

    /// A text.
    ///
    /// # Errors
    /// [`EvalError::Line`] where it is missing or something else; so for all fields below.
    pub(crate) fn text(&self, name: &str) -> Result<&str, EvalError> {
        let value = self.value(name)?;
        value.as_str().ok_or_else(|| self.expected(name, "a text", value))
    }

    /// A text, or the empty one where it is missing or null.
    pub(crate) fn text_or_empty(&self, name: &str) -> Result<&str, EvalError> {
        if self.has(name) { self.text(name) } else { Ok("") }
    }

    /// A text, or a number as text.
    pub(crate) fn written(&self, name: &str) -> Result<String, EvalError> {
        let value = self.value(name)?;
        written(value).ok_or_else(|| self.expected(name, "a text or a number", value))
    }

    /// A whole number from 0.
    pub(crate) fn size(&self, name: &str) -> Result<usize, EvalError> {
        let value = self.value(name)?;
        let size = value.as_u64().and_then(|number| usize::try_from(number).ok());
        size.ok_or_else(|| self.expected(name, "a whole number from 0", value))
    }

    /// True or false.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, EvalError> {
        let value = self.value(name)?;
        value.as_bool().ok_or_else(|| self.expected(name, "true or false", value))
    }

    /// A list.
    pub(crate) fn list(&self, name: &str) -> Result<&[Value], EvalError> {
        let value = self.value(name)?;
        value.as_array().map(Vec::as_slice).ok_or_else(|| self.expected(name, "a list", value))
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, EvalError> {
        self.list(name)?
            .iter()
            .map(|item| {
                item.as_str().map(str::to_owned).ok_or_else(|| self.expected(name, "a list of texts", item))
            })
            .collect()
    }

    /// A list of texts or numbers, or one of them, as texts.
    pub(crate) fn all_written(&self, name: &str) -> Result<Vec<String>, EvalError> {
        let value = self.value(name)?;
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        items
            .iter()
            .map(|item| written(item).ok_or_else(|| self.expected(name, "texts or numbers", item)))
            .collect()
    }

    /// A list of objects.
    pub(crate) fn records(&self, name: &str) -> Result<Vec<Self>, EvalError> {
        self.list(name)?
            .iter()
            .map(|item| match item {
                Value::Object(fields) => Ok(self.of(fields.clone())),
                other => Err(self.expected(name, "a list of objects", other)),
            })
            .collect()
    }

    /// An object.
    pub(crate) fn record(&self, name: &str) -> Result<Self, EvalError> {
        match self.value(name)? {
            Value::Object(fields) => Ok(Self { within: Arc::from(name), ..self.of(fields.clone()) }),
            other => Err(self.expected(name, "an object", other)),
        }
    }

    /// Other fields that stand at the same place.
    pub(crate) fn of(&self, fields: Map<String, Value>) -> Self {
        Self { path: Arc::clone(&self.path), line: self.line, within: Arc::clone(&self.within), fields }
    }
}

fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        values("file", text).unwrap().iter().map(|(line, _)| *line).collect()
    }

    fn message(text: &str) -> String {
        values("file", text).unwrap_err().to_string()
    }

    #[test]
    fn lines_arrays_and_spread_objects_are_read_with_their_lines() {
        assert_eq!(lines("{}\n\n{}\n"), [1, 3]);
        assert_eq!(lines("\n[\n{\n},\n\n{}]\n"), [3, 6]);
        assert_eq!(lines("{\n\"a\": 1\n}\n{\"b\": 2}"), [1, 4]);
    }

    #[test]
    fn what_is_malformed_is_named_with_its_line() {
        assert!(message("").contains("line 1: nothing in it"));
        assert!(message("[]").contains("line 1: nothing in it"));
        assert!(message("{}\n{\"a\": }").contains("line 2: not JSON"));
        assert!(message("[{}\n{}]").contains("line 2: not JSON"));
        assert!(message("[{},").contains("not JSON"));
        assert!(message("[{}] x").contains("behind the end"));
        assert!(message(&"[".repeat(100_000)).contains("not JSON"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}\":,a0\\n\\\\ é]{0,40}") {
            let _ = values("file", &text);
        }
    }

    #[test]
    fn fields_say_what_they_should_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, "\u{feff}{\"text\": 3, \"list\": [\"a\", 1], \"none\": null}\n[]\n").unwrap();
        assert!(records(&path).unwrap_err().to_string().contains("a.jsonl, line 2: expected an object"));
        std::fs::write(&path, "{\"text\": 3, \"list\": [\"a\", 1], \"none\": null}").unwrap();
        let record = object(&path).unwrap();
        assert!(record.text("text").unwrap_err().to_string().contains("should be a text, not a number"));
        assert!(record.texts("list").unwrap_err().to_string().contains("a list of texts, not a number"));
        assert!(record.text("other").unwrap_err().to_string().contains("there are: list, none, text"));
        assert_eq!(record.all_written("list").unwrap(), ["a", "1"]);
        assert_eq!((record.size("text").unwrap(), record.has("none")), (3, false));
    }

    #[test]
    fn compressed_files_are_read_and_damaged_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.jsonl.zst");
        let text_of = "{\"a\": 1}\n".repeat(50);
        let mut frames = Vec::new();
        for _ in 0..2 {
            frames.extend(ruzstd::encoding::compress_to_vec(
                text_of.as_bytes(),
                ruzstd::encoding::CompressionLevel::Fastest,
            ));
        }
        std::fs::write(&path, &frames).unwrap();
        assert_eq!(records(&path).unwrap().len(), 100);
        assert_eq!(find(folder.path(), &["none", ""], &["b.jsonl"]), Some(path.clone()));
        frames.truncate(frames.len() - 3);
        std::fs::write(&path, &frames).unwrap();
        assert!(matches!(records(&path), Err(EvalError::File { .. })));
        std::fs::write(&path, "no frame").unwrap();
        assert!(matches!(records(&path), Err(EvalError::File { .. })));
        std::fs::write(folder.path().join("c"), [0xff, 0xfe, 0xfd]).unwrap();
        assert!(matches!(text(&folder.path().join("c")), Err(EvalError::File { .. })));
    }
}
