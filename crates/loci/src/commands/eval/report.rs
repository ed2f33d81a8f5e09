//! `loci eval report FILE…`: reports of answers that are there already, finished or not.

use std::path::PathBuf;

use loci_eval::registry;
use loci_eval::report::{Card, build, in_order, text};
use loci_eval::run::answers;

use super::measure::{baseline, typed, write};
use super::picture::Painter;
use crate::error::CliError;
use crate::ui::{Ui, print, print_json};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "All answers of the files are reported, whatever command they belong to: those of a run that was stopped, or \
of several runs together. An answer that stands in more than one of them counts once."
)]
pub(crate) struct ReportArgs {
    /// answers.jsonl of one or more runs.
    #[arg(required = true, value_name = "FILE")]
    answers: Vec<PathBuf>,
    /// The method that all others are compared with [default: full if it is among them, else the first].
    #[arg(long, value_name = "METHOD")]
    against: Option<String>,
    /// Folder for report.html, report.md, report.json and figures [default: only printed].
    #[arg(short, long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Write figures as PNG beside the SVGs.
    #[arg(long, requires = "out")]
    png: bool,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &ReportArgs, ui: &Ui) -> Result<(), CliError> {
    let painter = args.png.then(Painter::new).transpose()?;
    let records = answers(&args.answers)?;
    let names = in_order(records.iter().map(|record| record.task.as_str()));
    let methods = in_order(records.iter().map(|record| record.method.as_str()));
    let methods: Vec<&str> = methods.iter().map(String::as_str).collect();
    if names.is_empty() {
        return Err(CliError::failed("there is no answer in these files; run `loci eval TASK` first"));
    }
    let mut tasks = Vec::new();
    for name in &names {
        let own = records.iter().filter(|record| record.task == *name).collect();
        tasks.push((registry::parse(name)?.0, name.as_str(), own));
    }
    let card = Card {
        command: typed(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: records.first().map_or(0, |record| record.seed),
        against: baseline(args.against.as_deref(), &methods)?,
        ..Card::default()
    };
    let report = build(card, &tasks);
    if args.json { print_json(&report) } else { print(&text(&report)) }?;
    if let Some(folder) = &args.out {
        write(&report, folder, painter.as_ref())?;
        ui.say(&format!("report: {}", folder.join("report.html").display()));
    }
    Ok(())
}
