//! `loci read FILE… -o book.loci`: read once, ask for ever.

use std::path::{Path, PathBuf};
use std::time::Instant;

use loci_engine::saved::{DEFAULT_RESERVE, Facts, Unread};
use loci_engine::session::DEFAULT_CHUNK;
use loci_engine::size::show_bytes;
use loci_engine::{Control, ReadOptions, system};
use serde::Serialize;

use super::ask::{BeforeArgs, announce, read_all};
use crate::args::{ContextArgs, ModelArgs};
use crate::error::CliError;
use crate::ui::{Ui, print_json, stop_flag};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files to read, in this order: text, Markdown, HTML, EPUB, PDF; - is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where to save what was read.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace a file that is there already.
    #[arg(long)]
    force: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    before: BeforeArgs,
    /// Plan for this many tokens of questions and answers. A method that is chosen by length, a position schedule that
    /// depends on it, and a budget count them in.
    #[arg(long, value_name = "TOKENS", default_value_t = DEFAULT_RESERVE)]
    reserve: usize,
    /// Tokens read in one step: fewer need less memory and are slower.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CHUNK)]
    chunk: usize,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    context: ContextArgs,
}

#[derive(Serialize)]
struct Output<'a> {
    reading: &'a Path,
    bytes: u64,
    #[serde(flatten)]
    facts: &'a Facts,
    timing: Timing,
}

#[derive(Serialize)]
struct Timing {
    prefill_tokens: usize,
    prefill_tokens_per_s: f64,
    save_ms: f64,
    peak_rss_bytes: Option<u64>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let context = args.context.options()?;
    check_output(args)?;
    let documents = read_all(&args.files)?;
    let (engine, context) = args.context.open(context, &args.model)?;
    let options = ReadOptions {
        system: args.before.system.clone(),
        headings: args.before.headings(),
        context,
        chunk: args.chunk,
        reserve: args.reserve,
    };
    let unread = Unread::begin(&engine, documents, &options)?;
    let tokens = unread.tokens();
    announce(ui, unread.plan(), tokens);
    let mut bar = ui.reading("reading");
    let mut update = |progress| bar.update(progress);
    let started = Instant::now();
    let reading = unread.read(&mut Control { stop: Some(stop_flag()), progress: Some(&mut update) })?;
    let prefill = started.elapsed();
    let started = Instant::now();
    let bytes = reading.save(&args.output)?;
    let timing = Timing {
        prefill_tokens: tokens,
        prefill_tokens_per_s: loci_engine::session::per_second(tokens, prefill),
        save_ms: started.elapsed().as_secs_f64() * 1e3,
        peak_rss_bytes: system::peak_resident_bytes(),
    };
    let context = reading.facts().context;
    ui.say(&format!(
        "read {} tokens at {:.0} tokens/s: {} kept exactly, {} compressed, {} dropped",
        context.read, timing.prefill_tokens_per_s, context.kept, context.compressed, context.dropped
    ));
    let size = show_bytes(bytes);
    ui.say(&format!("saved {} ({size}); ask it with: loci ask {0} -q QUESTION", args.output.display()));
    if args.json {
        print_json(&Output { reading: &args.output, bytes, facts: reading.facts(), timing })?;
    }
    Ok(())
}

/// Finds out before a long read whether its result can be kept.
fn check_output(args: &Args) -> Result<(), CliError> {
    let output = &args.output;
    if args.files.contains(output) {
        return Err(CliError::usage(format!(
            "{} is to be read and to be written; name another file with -o",
            output.display()
        )));
    }
    if output.is_dir() || (output.exists() && !args.force) {
        return Err(CliError::usage(format!(
            "{} is there already; name another file with -o, or replace it with --force",
            output.display()
        )));
    }
    match output.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) if !folder.is_dir() => Err(CliError::usage(format!(
            "the folder {} is not there; make it first: mkdir -p {0}",
            folder.display()
        ))),
        _ => Ok(()),
    }
}
