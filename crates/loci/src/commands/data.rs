//! `loci data list`: which data sets there are, and what a folder holds of them.

use std::path::{Path, PathBuf};

use loci_eval::datasets::catalogue::{DATA_SETS, Found, State, check};

use crate::error::CliError;
use crate::ui::{print, print_json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the data sets: where each is published, its licence and size, and what a folder holds of it.
    List {
        /// Folder with data sets.
        #[arg(long, value_name = "FOLDER")]
        data: Option<PathBuf>,
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    let Action::List { data, json } = &args.action;
    match data {
        Some(folder) if !folder.is_dir() => Err(CliError::usage(format!(
            "{} is no folder; name the one that holds the data sets",
            folder.display()
        ))),
        Some(folder) if *json => print_json(&check(folder)),
        Some(folder) => print(&held(folder)),
        None if *json => print_json(&DATA_SETS),
        None => print(&listing()),
    }
}

fn listing() -> String {
    let mut text = String::new();
    for set in DATA_SETS {
        let names: Vec<&str> = set.files.iter().filter_map(|file| file.names.first().copied()).collect();
        text.push_str(&format!(
            "{}\n  published  {}\n  licence    {}\n  size       {}\n  folders    {}\n  files      {}\n",
            set.id,
            set.published,
            set.licence,
            set.size,
            set.folders.join(", "),
            names.join(", ")
        ));
    }
    text
}

fn held(folder: &Path) -> String {
    let found = check(folder);
    let width = found.iter().map(|one| one.set.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for one in &found {
        text.push_str(&format!("{:width$}  {}\n", one.set.id, state(one)));
        for (name, state) in &one.files {
            if let State::Broken(error) = state {
                text.push_str(&format!("{:width$}    {name}: {error}\n", ""));
            }
        }
    }
    text
}

fn state(found: &Found) -> String {
    let there = found.files.iter().filter(|(_, state)| *state != State::Missing).count();
    let missing: Vec<&str> =
        found.files.iter().filter(|(_, state)| *state == State::Missing).map(|(name, _)| *name).collect();
    let examples = if found.examples > 0 { format!(", {} examples", found.examples) } else { String::new() };
    match (found.usable(), there) {
        (_, 0) => format!("not there; published at {}", found.set.published),
        (true, _) if missing.is_empty() => format!("complete{examples}"),
        (true, _) => format!("usable: {there} of {} files{examples}", found.files.len()),
        (false, _) => {
            format!("not usable: {there} of {} files; missing {}", found.files.len(), missing.join(", "))
        }
    }
}
