//! `loci probe FILE`: how much of a user's own text each method finds again.

use std::path::PathBuf;

use loci_engine::probe::{ProbeReport, ProbeRequest, probe};
use loci_engine::{Control, documents};

use crate::args::{ContextArgs, ModelArgs, methods, without_parameters};
use crate::error::CliError;
use crate::ui::{Ui, print, print_json, stop_flag};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Sentences with random names and numbers, such as \"The ticket number of Moriven is 48213.\", are planted \
in the text between its own sentences, all of them at once, and each is asked for in a fork of the one reading. A right \
answer holds the number. Finding needles is the easy part of reading: a method that fails here fails at real questions \
too, and one that finds them all may still answer those wrongly."
)]
pub(crate) struct Args {
    /// The text; - is standard input.
    file: PathBuf,
    /// Methods, with parameters if wanted.
    #[arg(long, default_value = "full,inf-llm,window", value_name = "METHOD,METHOD,…")]
    methods: String,
    /// Tokens of the text to read [default: all of it].
    #[arg(long, value_delimiter = ',', value_name = "N,N,…")]
    lengths: Vec<usize>,
    /// Depths at which needles stand.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    depths: u16,
    /// Needles at each depth.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    needles: u16,
    /// Seed of names and numbers.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    context: ContextArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let (context, methods) = (args.context.compared()?, methods(&args.methods, &args.context.parts)?);
    let document = documents::read(&args.file)?;
    let (engine, context) = args.context.open(context, &args.model)?;
    let request = ProbeRequest {
        text: &document.text,
        methods: methods.into_iter().map(|(_, method)| method).collect(),
        lengths: args.lengths.clone(),
        depths: usize::from(args.depths),
        needles: usize::from(args.needles),
        seed: args.seed,
        context,
    };
    let mut bar = ui.reading("reading");
    let mut update = |progress| bar.update(progress);
    let mut control = Control { stop: Some(stop_flag()), progress: Some(&mut update) };
    let report = probe(&engine, &request, &mut control)?;
    if args.json { print_json(&report) } else { print(&table(&report, &args.methods)) }
}

fn table(report: &ProbeReport, asked: &str) -> String {
    let id = without_parameters;
    let width = report.results.iter().map(|result| id(&result.method).len()).max().unwrap_or(0).max(6);
    let depths: String = report.depths.iter().map(|depth| format!(" {:>5.0}%", 100.0 * depth)).collect();
    let mut text = format!(
        "{}, methods {asked}, seed {}; right answers by depth\n{:width$}  tokens{depths}   found    95 % interval  read/s\n",
        report.model, report.seed, "method"
    );
    for result in &report.results {
        text.push_str(&format!("{:width$}  {:>6}", id(&result.method), result.length));
        if let Some(error) = &result.error {
            text.push_str(&format!("  refused: {error}\n"));
            continue;
        }
        let each = result.n / result.right_by_depth.len().max(1);
        for right in &result.right_by_depth {
            text.push_str(&format!(" {:>6}", format!("{right}/{each}")));
        }
        text.push_str(&format!(
            "  {:>6}    {:>3.0} to {:>3.0} %  {:>8.0}\n",
            format!("{}/{}", result.right, result.n),
            100.0 * result.interval.0,
            100.0 * result.interval.1,
            result.prefill_tokens_per_s
        ));
    }
    match &report.recommendation {
        Some(best) => text.push_str(&format!("take {best}\n")),
        None => text.push_str("no method found anything: a larger model may\n"),
    }
    text
}
