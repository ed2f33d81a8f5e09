//! What templates may call besides Jinja's own: as `transformers` provides it.

use std::fmt::{Display, Formatter, Write as _};
use std::path::Path;

use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, PrettyFormatter};

use super::TemplateError;

/// Largest file read for a template.
const MAX_FILE: u64 = 64 << 20;

/// The message of `raise_exception`.
#[derive(Debug)]
pub(super) struct Raised(pub(super) String);

impl Display for Raised {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, "raised by the template").with_source(Raised(message)))
    });
    environment.add_function("strftime_now", |_format: String| -> Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, "the template asks for the time, but none was given"))
    });
    environment.add_filter("tojson", to_json);
}

pub(super) fn set_time(environment: &mut Environment<'static>, unix_seconds: i64) {
    environment.add_function("strftime_now", move |format: String| strftime(&format, unix_seconds));
}

/// JSON as Python's `json.dumps` writes it: a space after `,` and `:`, and no escapes for HTML.
fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Accepted because templates pass it; text is never escaped to ASCII.
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let failed =
        |error| Error::new(ErrorKind::BadSerialization, "cannot write the value as JSON").with_source(error);
    let mut out = Vec::new();
    match indent {
        Some(width) => {
            let space = " ".repeat(width.min(16));
            let format = PrettyFormatter::with_indent(space.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, format)).map_err(failed)?;
        }
        None => {
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Python)).map_err(failed)?;
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

struct Python;

impl serde_json::ser::Formatter for Python {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }

    fn write_null<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        CompactFormatter.write_null(out)
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Year, month and day of the proleptic Gregorian calendar, from days since 1970-01-01. Years are counted from March,
/// so that the leap day is the last of a year, in cycles of 400 years (146,097 days).
fn date(days: i64) -> (i64, usize, i64) {
    let days = days + 719_468; // since 0000-03-01
    let cycle = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // 0 is March
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (cycle * 400 + year + i64::from(month <= 2), month as usize, day)
}

/// The directives of `strftime` that templates use, in English and UTC.
fn strftime(format: &str, unix_seconds: i64) -> Result<String, Error> {
    let days = unix_seconds.div_euclid(86_400);
    let second = unix_seconds.rem_euclid(86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let month_name = MONTHS.get(month.wrapping_sub(1)).copied().unwrap_or_default();
    // 1970-01-01 was a Thursday.
    let day_name = DAYS.get((days + 3).rem_euclid(7) as usize).copied().unwrap_or_default();
    let mut out = String::new();
    let mut symbols = format.chars();
    while let Some(symbol) = symbols.next() {
        if symbol != '%' {
            out.push(symbol);
            continue;
        }
        let mut directive = symbols.next().unwrap_or('%');
        let padded = directive != '-';
        if !padded {
            directive = symbols.next().unwrap_or('-');
        }
        let number = match directive {
            'd' => day,
            'm' => month as i64,
            'H' => hour,
            'I' => (hour + 11) % 12 + 1,
            'M' => minute,
            'S' => second,
            'y' => year.rem_euclid(100),
            other => {
                out.push_str(&match other {
                    'Y' => year.to_string(),
                    'B' => month_name.to_owned(),
                    'b' => month_name.chars().take(3).collect(),
                    'A' => day_name.to_owned(),
                    'a' => day_name.chars().take(3).collect(),
                    'p' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
                    'F' => format!("{year}-{month:02}-{day:02}"),
                    'T' => format!("{hour:02}:{minute:02}:{second:02}"),
                    '%' => "%".to_owned(),
                    _ => {
                        let message = format!("strftime_now does not know %{other} in {format:?}");
                        return Err(Error::new(ErrorKind::InvalidOperation, message));
                    }
                });
                continue;
            }
        };
        let written = if padded { write!(out, "{number:02}") } else { write!(out, "{number}") };
        written.map_err(|_| Error::new(ErrorKind::WriteFailure, "cannot write the time"))?;
    }
    Ok(out)
}

/// `{% generation %}` marks what a trainer learns from; for writing a prompt it is a block that always holds.
pub(super) fn without_generation_marks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let (tag, behind) = tag.split_at(end + 2);
        let word = tag.trim_matches(['{', '%', '}', '-', '+', ' ', '\n', '\t']);
        match word {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

pub(super) fn source_from_folder(folder: &Path) -> Result<Option<String>, TemplateError> {
    let own = folder.join("chat_template.jinja");
    if own.exists() {
        return read(&own).map(Some);
    }
    let path = folder.join("tokenizer_config.json");
    if !path.exists() {
        return Ok(None);
    }
    let config: serde_json::Value = serde_json::from_str(&read(&path)?)
        .map_err(|error| TemplateError::File { path: path.clone(), reason: error.to_string() })?;
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    Ok(match config.get("chat_template") {
        Some(serde_json::Value::Array(named)) => named
            .iter()
            .find(|entry| entry.get("name").and_then(|name| name.as_str()) == Some("default"))
            .and_then(|entry| entry.get("template").and_then(text)),
        Some(value) => text(value),
        None => None,
    })
}

fn read(path: &Path) -> Result<String, TemplateError> {
    let failed = |reason: String| TemplateError::File { path: path.to_owned(), reason };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > MAX_FILE {
        return Err(failed(format!("it has {size} bytes, more than {MAX_FILE}")));
    }
    std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        for (seconds, expected) in [
            (0, "1970-01-01 Thursday 00:00:00"),
            (951_782_400, "2000-02-29 Tuesday 00:00:00"),
            (1_735_689_599, "2024-12-31 Tuesday 23:59:59"),
            (-1, "1969-12-31 Wednesday 23:59:59"),
        ] {
            assert_eq!(strftime("%Y-%m-%d %A %H:%M:%S", seconds).unwrap(), expected);
        }
        assert_eq!(strftime("%d %b %Y, %-d %I%p 100%%", 1_720_224_000).unwrap(), "06 Jul 2024, 6 12AM 100%");
        assert!(strftime("%Q", 0).is_err());
    }

    #[test]
    fn generation_marks_become_a_block_that_holds() {
        let source = "a{%- generation -%}b{% endgeneration %}c{% if generation %}d{% endif %}{% x";
        let expected = "a{%- if true -%}b{% endif %}c{% if generation %}d{% endif %}{% x";
        assert_eq!(without_generation_marks(source), expected);
    }
}
