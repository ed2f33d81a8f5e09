//! `loci ask FILE… -q QUESTION`: the main job.

mod saved;
mod strategy;

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::ValueEnum;
use loci_engine::ask::{Answer, AskRequest, Listener, ask};
use loci_engine::documents::{self, Document, STANDARD_INPUT};
use loci_engine::generate::OnText;
use loci_engine::layout::Headings;
use loci_engine::prefix_cache::{DEFAULT_LIMIT, PrefixCache};
use loci_engine::saved::is_reading;
use loci_engine::session::DEFAULT_CHUNK;
use loci_engine::size::{self, show_bytes};
use loci_engine::{ContextPlan, Control, Finish};

use self::saved::ask_reading;
use self::strategy::StrategyArgs;
use crate::args::{ContextArgs, ModelArgs, Weigh, without_parameters};
use crate::error::CliError;
use crate::sampling::SamplingArgs;
use crate::ui::{Ui, one_line, print, print_json, stop_flag, stream};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files to read, in this order: text, Markdown, HTML, EPUB, PDF; - is standard input. Or one saved reading, made with
    /// `loci read`: nothing of its documents is read again. Or one folder: its best passages are found as `loci search` finds
    /// them, and read.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What to answer.
    #[arg(short, long)]
    question: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    before: BeforeArgs,
    /// Ask the question as it stands, without the sentence that points a small model at the text.
    #[arg(long)]
    bare: bool,
    /// Show at most this many passages that the answer attended to.
    #[arg(long, value_name = "N", default_value_t = 5)]
    evidence: usize,
    /// Whose attention counts as evidence.
    #[arg(long, value_enum, default_value = "retrieval")]
    weigh: Weigh,
    /// Tokens read in one step: fewer need less memory and are slower [default: 512].
    #[arg(long, value_name = "N")]
    chunk: Option<usize>,
    /// Neither look for what an earlier question has read of this input, nor keep what is read now.
    #[arg(long)]
    no_cache: bool,
    /// Disk space for what is kept of long inputs; what was used longest ago gives way [default: 4GiB].
    #[arg(long, value_name = "SIZE", value_parser = size::parse_bytes, conflicts_with = "no_cache")]
    cache_size: Option<usize>,
    #[command(flatten)]
    strategy: StrategyArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
}

/// What stands before the texts.
#[derive(Debug, clap::Args)]
pub(super) struct BeforeArgs {
    /// A system message [default: what the model's template says].
    #[arg(long, value_name = "TEXT")]
    pub(super) system: Option<String>,
    /// Put each file's name before its text [default: several].
    #[arg(long, value_enum)]
    pub(super) headings: Option<WhichHeadings>,
}

impl BeforeArgs {
    /// Whether documents are preceded by their names.
    pub(super) fn headings(&self) -> Headings {
        self.headings.map_or_else(Headings::default, Headings::from)
    }
}

/// Which files' names are put before their texts.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum WhichHeadings {
    /// When there are several files.
    Several,
    Always,
    Never,
}

impl From<WhichHeadings> for Headings {
    fn from(which: WhichHeadings) -> Self {
        match which {
            WhichHeadings::Several => Self::Several,
            WhichHeadings::Always => Self::Always,
            WhichHeadings::Never => Self::Never,
        }
    }
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    if args.strategy.is_asked() && args.files.iter().any(|file| is_reading(file)) {
        return Err(CliError::usage(
            "a saved reading holds what was read of a text, not the text; --read and --endpoint need the files themselves",
        ));
    }
    match (args.files.as_slice(), args.files.iter().find(|file| is_reading(file))) {
        ([file], Some(_)) => return ask_reading(args, file, ui),
        (_, Some(reading)) => {
            return Err(CliError::usage(format!(
                "{} is a saved reading, which is asked alone; read all of the files together: loci read FILE… -o OTHER",
                reading.display()
            )));
        }
        (_, None) => {}
    }
    if args.strategy.is_asked() || args.files.iter().any(|file| file.is_dir()) {
        return strategy::run(args, ui);
    }
    let context = args.context.options()?;
    let mut generate = args.sampling.options(0.0)?;
    let inputs = read_all(&args.files)?;
    let (engine, context) = args.context.open(context, &args.model)?;
    args.sampling.hold(&mut generate, &engine)?;
    let limit = args.cache_size.map_or(DEFAULT_LIMIT, |bytes| bytes as u64);
    let cache = if args.no_cache { None } else { PrefixCache::standard(limit) };
    let request = AskRequest {
        documents: &inputs,
        question: &args.question,
        system: args.before.system.as_deref(),
        headings: args.before.headings(),
        bare: args.bare,
        context,
        generate,
        chunk: args.chunk.unwrap_or(DEFAULT_CHUNK),
        evidence: args.evidence,
        all_heads: args.weigh == Weigh::All,
        cache: cache.as_ref(),
    };
    show(args, ui, |on_text| {
        // All made here, so that they live equally long.
        let mut bar = ui.reading("reading");
        let mut update = |progress| bar.update(progress);
        let mut on_plan = |plan: &ContextPlan, tokens: usize| announce(ui, plan, tokens);
        let mut on_text = |text: &str| on_text(text);
        let control = Control { stop: Some(stop_flag()), progress: Some(&mut update) };
        Ok(ask(&engine, &request, Listener { control, on_plan: &mut on_plan, on_text: &mut on_text })?)
    })
}

/// Writes an answer as it comes, and its account.
fn show(
    args: &Args,
    ui: &Ui,
    answer: impl FnOnce(&mut OnText<'_>) -> Result<Answer, CliError>,
) -> Result<(), CliError> {
    let mut failure = None;
    let answer = {
        let mut silent = |_: &str| ControlFlow::Continue(());
        let mut streaming = stream(&mut failure);
        answer(if args.json { &mut silent } else { &mut streaming })?
    };
    if let Some(failure) = failure {
        return Err(failure);
    }
    if args.json {
        print_json(&answer)?;
    } else {
        print("\n")?;
        report(ui, &answer);
    }
    if answer.finish == Finish::Interrupted {
        return Err(CliError::Interrupted("stopped while answering; the answer is incomplete".to_owned()));
    }
    Ok(())
}

/// Reads the files. Standard input can be read only once.
pub(super) fn read_all(files: &[PathBuf]) -> Result<Vec<Document>, CliError> {
    if files.iter().filter(|file| file.as_os_str() == STANDARD_INPUT).count() > 1 {
        return Err(CliError::usage("- (standard input) can be given only once"));
    }
    files.iter().map(|file| documents::read(file).map_err(CliError::from)).collect()
}

/// Says before a long read what will be done, and what the user may want to know first.
pub(super) fn announce(ui: &Ui, plan: &ContextPlan, tokens: usize) {
    let method = without_parameters(&plan.method.to_string());
    ui.say(&format!("{tokens} tokens; method {method} ({})", plan.reason));
    for warning in &plan.warnings {
        ui.say(&format!("warning: {warning}"));
    }
}

fn report(ui: &Ui, answer: &Answer) {
    ui.say("");
    if !answer.evidence.is_empty() {
        ui.say(&format!("passages the answer attended to, weighed by {}:", answer.weighed_by.name()));
    }
    for found in &answer.evidence {
        ui.say(&format!(
            "  {:5.1}%  {} bytes {}..{}: {}",
            100.0 * found.mass,
            found.file,
            found.start,
            found.end,
            one_line(&found.text)
        ));
    }
    let context = answer.context;
    ui.say(&format!(
        "context: {} tokens given, {} read, {} skipped, {} kept exactly, {} compressed, {} dropped; {} recalled while answering; window {}",
        context.given, context.read, context.skipped, context.kept, context.compressed, context.dropped, context.recalled, context.window
    ));
    let timing = answer.timing;
    let peak =
        timing.peak_rss_bytes.map(|bytes| format!("; peak memory {}", show_bytes(bytes))).unwrap_or_default();
    if timing.cached_tokens > 0 {
        ui.say(&format!("{} tokens had been read before; --no-cache reads them again", timing.cached_tokens));
    }
    ui.say(&format!(
        "read {:.0} tokens/s, wrote {} tokens at {:.1} tokens/s{peak}",
        timing.prefill_tokens_per_s, timing.decode_tokens, timing.decode_tokens_per_s
    ));
    ui.say(&format!("method: {}", answer.method));
    if answer.finish == Finish::Length {
        ui.say("the answer was cut at the limit of tokens; -n sets a higher one");
    }
}
