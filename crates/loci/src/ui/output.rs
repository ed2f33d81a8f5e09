//! Standard output: results only, and no panic when its reader goes away.

use std::io::Write;
use std::ops::ControlFlow;

use serde::Serialize;

use crate::error::CliError;

/// Writes `text` to standard output.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Writes `value` as one JSON object and a line end.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    print(&(serde_json::to_string(value)? + "\n"))
}

/// Passes text through to standard output as it comes. A reader that went away ends the answer; what happened
/// is left in `failure`.
pub(crate) fn stream(failure: &mut Option<CliError>) -> impl FnMut(&str) -> ControlFlow<()> {
    move |text| match print(text) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            *failure = Some(error);
            ControlFlow::Break(())
        }
    }
}

/// The passage on one line, cut in the middle when it is long. Control characters are left out: what a file
/// says must not steer the terminal.
pub(crate) fn one_line(text: &str) -> String {
    const SHOWN: usize = 240;
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().filter(|symbol| !symbol.is_control()).collect();
    let count = line.chars().count();
    if count <= SHOWN {
        return line;
    }
    let head: String = line.chars().take(SHOWN / 2).collect();
    let tail: String = line.chars().skip(count - SHOWN / 2).collect();
    format!("{head} … {tail}")
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn passages_are_shown_on_one_line_without_control_characters() {
        assert_eq!(one_line("a\n\tb\u{1b}[31m c"), "a b[31m c");
        let long = one_line(&"word ".repeat(500));
        assert!(long.contains(" … ") && long.chars().count() < 250);
    }
}
