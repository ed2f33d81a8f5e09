//! `loci inspect attention FILE… -q QUESTION`: what was read while the answer was written.

use std::ops::ControlFlow;
use std::path::PathBuf;

use loci_engine::ask::{AskRequest, Listener};
use loci_engine::inspect::attention::{AttentionReport, look};
use loci_engine::{ContextPlan, Control};

use super::write_both;
use crate::args::{ContextArgs, ModelArgs, Weigh};
use crate::commands::ask::{announce, read_all};
use crate::error::CliError;
use crate::sampling::SamplingArgs;
use crate::ui::{Ui, print, print_json, stop_flag};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files to read, in this order; - is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What to answer.
    #[arg(short, long)]
    question: String,
    /// Point at the places of this text in the files.
    #[arg(long, value_name = "TEXT")]
    mark: Option<String>,
    /// Whose attention counts.
    #[arg(long, value_enum, default_value = "all")]
    weigh: Weigh,
    /// Write attention.json and attention.svg into this folder.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let context = args.context.options()?;
    let mut generate = args.sampling.options(0.0)?;
    let inputs = read_all(&args.files)?;
    let (engine, context) = args.context.open(context, &args.model)?;
    args.sampling.hold(&mut generate, &engine)?;
    let all_heads = args.weigh == Weigh::All;
    let request =
        AskRequest { context, generate, all_heads, ..AskRequest::new(&inputs, args.question.as_str()) };
    let mut bar = ui.reading("reading");
    let mut update = |progress| bar.update(progress);
    let control = Control { stop: Some(stop_flag()), progress: Some(&mut update) };
    let mut on_plan = |plan: &ContextPlan, tokens: usize| announce(ui, plan, tokens);
    let mut on_text = |_: &str| ControlFlow::Continue(());
    let listener = Listener { control, on_plan: &mut on_plan, on_text: &mut on_text };
    let report = look(&engine, &request, args.mark.as_deref(), listener)?;
    if let Some(folder) = &args.out {
        write_both(ui, folder, "attention", &report, &report.figure())?;
    }
    if args.json { print_json(&report) } else { print(&shown(&report)) }
}

/// The answer, and the blocks read most.
fn shown(report: &AttentionReport) -> String {
    let mut text = format!(
        "{}\n\nread most while answering, by {}:\n",
        report.answer.text.trim(),
        report.answer.weighed_by.name()
    );
    for block in &report.blocks {
        let marked = report
            .marks
            .iter()
            .any(|mark| mark.tokens.start < block.tokens.end && block.tokens.start < mark.tokens.end);
        text.push_str(&format!(
            "{:5.1}%  tokens {}..{}{}\n",
            100.0 * block.mass,
            block.tokens.start,
            block.tokens.end,
            if marked { "  (marked)" } else { "" }
        ));
    }
    text
}
