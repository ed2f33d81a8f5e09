//! `loci inspect surprise FILE`: where a text surprises the model.

use std::path::PathBuf;

use loci_engine::inspect::surprise::{SurpriseReport, measure};
use loci_engine::{Control, documents};

use super::{short, write_both};
use crate::args::{ContextArgs, ModelArgs, method};
use crate::error::CliError;
use crate::ui::{Ui, print, print_json, stop_flag};

/// Cuts by surprise.
const METHOD: &str = "em-llm";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Events are those of --method [default: em-llm], which may name parameters: --method em-llm:gamma=2,refine=modularity."
)]
pub(super) struct Args {
    /// File to read; - is standard input.
    file: PathBuf,
    /// Read at most N tokens of the text.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Write surprise.json and surprise.svg into this folder.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    context: ContextArgs,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let mut options = args.context.options()?;
    if options.method.is_none() {
        options.method = Some(method(METHOD)?);
    }
    let document = documents::read(&args.file)?;
    let (engine, options) = args.context.open(options, &args.model)?;
    let mut bar = ui.reading("reading");
    let mut update = |progress| bar.update(progress);
    let mut control = Control { stop: Some(stop_flag()), progress: Some(&mut update) };
    let report = measure(&engine, &document.text, &options, args.limit, &mut control)?;
    if let Some(folder) = &args.out {
        write_both(ui, folder, "surprise", &report, &report.figure(&short(&args.file)))?;
    }
    if args.json {
        return print_json(&report);
    }
    ui.say(&format!(
        "{} tokens, mean surprise {:.3} nats; {} events by {}",
        report.tokens.len(),
        report.mean,
        report.events.len(),
        report.method
    ));
    print(&shown(&report, &document.text))
}

/// One line for each event: its tokens, the surprise of its first token, how it begins.
fn shown(report: &SurpriseReport, text: &str) -> String {
    let mut lines = String::new();
    for event in &report.events {
        let surprise = report.tokens.get(event.tokens.start).map_or(0.0, |token| token.surprise);
        let bytes = text.floor_char_boundary(event.bytes.start)..text.ceil_char_boundary(event.bytes.end);
        let words = text.get(bytes).unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ");
        let begin: String = words.chars().filter(|symbol| !symbol.is_control()).take(60).collect();
        lines.push_str(&format!("{}..{}\t{surprise:.2}\t{begin}\n", event.tokens.start, event.tokens.end));
    }
    lines
}
