//! `loci inspect …`: looking into a model.

mod attention;
mod heads;
mod surprise;

use std::path::Path;

use clap::Subcommand;
use loci_engine::files;

use crate::error::CliError;
use crate::ui::Ui;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Find the heads that copy facts from the context into answers.
    Heads(heads::Args),
    /// Show where a text surprises the model, and the events it would be cut into.
    Surprise(surprise::Args),
    /// Show what was read while an answer was written, layer by layer.
    Attention(attention::Args),
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    match &args.what {
        What::Heads(args) => heads::run(args, ui),
        What::Surprise(args) => surprise::run(args, ui),
        What::Attention(args) => attention::run(args, ui),
    }
}

/// Writes a whole file or none.
fn write(ui: &Ui, path: &Path, text: &str) -> Result<(), CliError> {
    files::write(path, text)
        .map_err(|error| CliError::failed(format!("{} could not be written: {error}", path.display())))?;
    ui.say(&format!("wrote {}", path.display()));
    Ok(())
}

/// Writes `<name>.json` and `<name>.svg` into `folder`.
fn write_both(
    ui: &Ui,
    folder: &Path,
    name: &str,
    report: &impl serde::Serialize,
    svg: &str,
) -> Result<(), CliError> {
    write(ui, &folder.join(format!("{name}.json")), &(serde_json::to_string(report)? + "\n"))?;
    write(ui, &folder.join(format!("{name}.svg")), svg)
}

/// The last part of a path, for titles.
fn short(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
