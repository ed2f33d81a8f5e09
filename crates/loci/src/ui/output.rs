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
