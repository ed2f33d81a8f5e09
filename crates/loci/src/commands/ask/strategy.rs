//! `loci ask --read STRATEGY`: a strategy decides what of the texts the model is given.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use loci_engine::documents::Document;
use loci_engine::{Control, Finish, LanguageModel, LocalModel};
use loci_models::method::Values;
#[cfg(feature = "search")]
use loci_reading::By;
use loci_reading::read::FoundBy;
use loci_reading::registry::Kit;
use loci_reading::{ReadOptions, Reply, read, registry};

use super::{Args, one_line, read_all};
use crate::args::Weigh;
use crate::endpoint::EndpointArgs;
use crate::error::CliError;
use crate::kit::KitArgs;
use crate::ui::{Ui, print, print_json, stop_flag, stream};

/// Best passages of a folder whose files a strategy works on.
#[cfg(feature = "search")]
const PASSAGES: usize = 20;
/// What `--read` takes for a context method: the model's prompt is shortened before it is read.
const CONTEXT_METHOD: &str = "spec-pc";

/// Which strategy, and which model.
#[derive(Debug, clap::Args)]
pub(super) struct StrategyArgs {
    /// Reading strategy with its parameters, such as alr2, rag:top=3 or infini-retri:window=512: it decides what of the
    /// texts the model is given [default: all of it, by a context method]. `loci methods` lists them.
    #[arg(long, value_name = "STRATEGY")]
    read: Option<String>,
    #[command(flatten)]
    kit: KitArgs,
    #[command(flatten)]
    endpoint: EndpointArgs,
}

impl StrategyArgs {
    /// Whether something else than reading everything with a local model is asked for.
    pub(super) const fn is_asked(&self) -> bool {
        self.read.is_some() || self.endpoint.endpoint.is_some()
    }
}

/// Answers by a strategy.
pub(super) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    refuse_unheard(args)?;
    let folder = folder(&args.files)?;
    // Of a folder nobody wants to read everything.
    let usual = if folder.is_some() { "rag" } else { "plain" };
    let (values, method) = values(args.strategy.read.as_deref().unwrap_or(usual), args)?;
    let kit = args.strategy.kit.kit([&values])?;
    let mut strategy = registry::strategy(&values, &kit)?;
    let mut generate = args.sampling.options(0.0)?;
    let inputs = match folder {
        Some(folder) => found(folder, &args.question, &values, &kit, ui)?,
        None => read_all(&args.files)?,
    };
    let mut model: Box<dyn LanguageModel> = match &args.strategy.endpoint.endpoint {
        Some(url) => {
            args.sampling.hold_nothing()?;
            args.strategy.endpoint.opener(url)?()
        }
        None => {
            let mut context = args.context.options()?;
            if let Some(method) = method {
                context.method = Some(crate::args::method(&method)?);
            }
            let (engine, context) = args.context.open(context, &args.model)?;
            args.sampling.hold(&mut generate, &engine)?;
            Box::new(LocalModel::new(engine, context))
        }
    };
    let options = ReadOptions {
        generate,
        system: args.before.system.clone(),
        bare: args.bare,
        evidence: args.evidence,
    };
    ui.say(&format!("strategy {values}"));
    let mut failure = None;
    let reply = {
        let mut bar = ui.reading("reading");
        let mut update = |progress| bar.update(progress);
        let mut control = Control { stop: Some(stop_flag()), progress: Some(&mut update) };
        let mut silent = |_: &str| ControlFlow::Continue(());
        let mut streaming = stream(&mut failure);
        let name = values.to_string();
        read(
            (strategy.as_mut(), &name),
            model.as_mut(),
            (&inputs, &args.question),
            &options,
            &mut control,
            if args.json { &mut silent } else { &mut streaming },
        )?
    };
    if let Some(failure) = failure {
        return Err(failure);
    }
    if args.json {
        print_json(&reply)?;
    } else {
        print("\n")?;
        report(ui, &reply);
    }
    if reply.finish == Finish::Interrupted {
        return Err(CliError::Interrupted("stopped while answering; the answer is incomplete".to_owned()));
    }
    Ok(())
}

/// Refuses flags that a strategy, or an endpoint, would not hear.
fn refuse_unheard(args: &Args) -> Result<(), CliError> {
    let of_strategy = [
        ("--headings", args.before.headings.is_some()),
        ("--chunk", args.chunk.is_some()),
        ("--cache-size", args.cache_size.is_some()),
        ("--weigh", args.weigh != Weigh::Retrieval),
    ];
    if let Some((flag, _)) = of_strategy.iter().find(|(_, given)| *given) {
        return Err(CliError::usage(format!(
            "{flag} is for documents that are read whole by a local model; leave it out, or leave out --read, --endpoint and \
             folders"
        )));
    }
    let context = &args.context;
    let of_model = [
        ("--method", context.method.is_some()),
        ("--method-file", context.method_file.is_some()),
        ("--rope", context.rope.is_some()),
        ("--budget", context.budget.is_some()),
        ("--kv", context.kv.is_some()),
        ("--heads", context.heads.is_some()),
        ("--draft", context.draft.is_some()),
    ];
    match of_model.iter().find(|(_, given)| *given) {
        Some((flag, _)) if args.strategy.endpoint.endpoint.is_some() => Err(CliError::usage(format!(
            "{flag} says how a local model holds its context, and an endpoint answers; leave one of the two out"
        ))),
        _ => Ok(()),
    }
}

/// The folder that is asked, if one is.
fn folder(files: &[PathBuf]) -> Result<Option<&Path>, CliError> {
    match files.iter().find(|file| file.is_dir()) {
        None => Ok(None),
        Some(folder) if files.len() == 1 => Ok(Some(folder)),
        Some(folder) => Err(CliError::usage(format!(
            "{} is a folder, which is asked alone; name the files in it, or the folder without others",
            folder.display()
        ))),
    }
}

/// The files of a folder that hold the best passages for a question: what a strategy works on.
#[cfg(feature = "search")]
fn found(
    folder: &Path,
    question: &str,
    values: &Values,
    kit: &Kit,
    ui: &Ui,
) -> Result<Vec<Document>, CliError> {
    let by = if registry::needs_encoder(values) { By::of(values.word("by")) } else { By::Words };
    crate::commands::search::documents(folder, question, (by, kit.encoder.as_deref()), PASSAGES, ui)
}

/// Refused: this build has no index.
#[cfg(not(feature = "search"))]
fn found(
    folder: &Path,
    _question: &str,
    _values: &Values,
    _kit: &Kit,
    _ui: &Ui,
) -> Result<Vec<Document>, CliError> {
    Err(CliError::usage(format!(
        "{} is a folder, and this build cannot search one; build it with the feature search, or name files",
        folder.display()
    )))
}

/// The strategy that `asked` names, and the context method if that is what it is.
fn values(asked: &str, args: &Args) -> Result<(Values, Option<String>), CliError> {
    if asked.split(':').next() != Some(CONTEXT_METHOD) {
        return Ok((registry::parse(asked)?, None));
    }
    if args.strategy.endpoint.endpoint.is_some() || args.context.method.is_some() {
        return Err(CliError::usage(format!(
            "--read {CONTEXT_METHOD} is a way in which a local model reads: leave out --endpoint and --method"
        )));
    }
    Ok((registry::parse("plain")?, Some(asked.to_owned())))
}

fn report(ui: &Ui, reply: &Reply) {
    ui.say("");
    if !reply.evidence.is_empty() {
        ui.say(match reply.evidence_by {
            FoundBy::Attention => "passages the answer attended to:",
            FoundBy::Strategy => "passages it was made from:",
            FoundBy::Given => "passages the model was given:",
        });
    }
    for found in &reply.evidence {
        let mass = found.mass.map_or_else(String::new, |mass| format!("{:5.1}%  ", 100.0 * mass));
        ui.say(&format!(
            "  {mass}{} bytes {}..{}: {}",
            found.file,
            found.start,
            found.end,
            one_line(&found.text)
        ));
    }
    let reading = &reply.reading;
    let about = if reading.counted { "" } else { "about " };
    ui.say(&format!(
        "context: {about}{} tokens given, {} shown to the model when it answered",
        reading.given, reading.shown
    ));
    let work = &reading.work;
    if work.calls > 0 {
        ui.say(&format!(
            "before the answer: {} calls, {} tokens read, {} written, {:.1} s",
            work.calls, work.read_tokens, work.written_tokens, reply.timing.strategy_s
        ));
    }
    for (name, figure) in &work.figures {
        ui.say(&format!("{name}: {figure}"));
    }
    for (what, times) in &work.failures {
        ui.say(&format!("{what}: {times}"));
    }
    ui.say(&format!(
        "read {} tokens in {:.1} s, wrote {} at {:.1} tokens/s",
        reply.account.read_tokens,
        reply.timing.prefill_s,
        reply.account.answer_tokens,
        reply.timing.decode_tokens_per_s
    ));
    if reply.finish == Finish::Length {
        ui.say("the answer was cut at the limit of tokens; -n sets a higher one");
    }
}
