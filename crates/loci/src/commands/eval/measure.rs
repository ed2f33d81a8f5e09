//! `loci eval TASK…`: the run itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use loci_engine::layout::conversation;
use loci_engine::{GenerateOptions, documents, files};
use loci_eval::report::{Card, Report, build, figures, html, markdown, text};
use loci_eval::run::{Journal, Key, Manner, Record, Step, Subject, examples, run as run_task};
use loci_eval::sizes::ModelTokens;
use loci_eval::{Request, Task, registry};
use loci_models::template::Message;

use super::picture::Painter;
use super::subjects::{Way, local, remote, ways};
use crate::args::{ContextArgs, ModelArgs, without_parameters};
use crate::endpoint::EndpointArgs;
use crate::error::CliError;
use crate::kit::KitArgs;
use crate::ui::{Ui, print, print_json, stop_flag};

/// What is compared unless something else is asked for.
const METHODS: &str = "full,inf-llm,window,retrieval";
/// Ranges of the text that passages of evidence are made of, as in `loci ask`: those that touch become one.
const PASSAGES: usize = 5;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every answer is written to FOLDER/answers.jsonl before the next question is asked; the same command \
goes on where it was stopped. What one method reads as full attention does is not read again by others that do so too; its \
time counts for each. The report is made of the answers that belong to the command: FOLDER/report.html, \
report.md, report.json, and its figures in FOLDER/figures."
)]
pub(crate) struct MeasureArgs {
    /// Tasks, with parameters if wanted: passkey, key-value:kind=words (see `loci eval tasks`).
    #[arg(required = true, value_name = "TASK")]
    tasks: Vec<String>,
    /// Context methods and reading strategies that are compared, with parameters if wanted; all is every one.
    /// retrieval:words=200,top=5 gives the model the passages of a text that share most words with the question, to be read
    /// with full: a control. An endpoint is asked plainly, and by the strategies that are named here
    /// [default: full,inf-llm,window,retrieval].
    #[arg(long, value_name = "METHOD,METHOD,…")]
    methods: Option<String>,
    /// Sizes of prompts with their longest answers, in tokens of the model: 2000 or 2k.
    #[arg(long, value_delimiter = ',', value_name = "N,N,…", value_parser = tokens, default_value = "2k")]
    lengths: Vec<usize>,
    /// Shares of the text before what is asked for, from 0 to 1 [default: drawn by the task].
    #[arg(long, value_delimiter = ',', value_name = "D,D,…", value_parser = share)]
    depths: Vec<f64>,
    /// Examples of each length and depth; of data sets, examples in all.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    n: u32,
    /// Seed of the examples.
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Folder with data sets in their published formats.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Text in which generated tasks hide things [default: generated prose].
    #[arg(long, value_name = "FILE")]
    haystack: Option<PathBuf>,
    /// Where a question has few answers, take the most likely one instead of what the model writes.
    #[arg(long)]
    choose: bool,
    /// Keep from which passage each answer was read, and count whether it holds what is right. Of answers that are chosen or
    /// rated nothing is kept.
    #[arg(long)]
    evidence: bool,
    /// Folder for answers and reports.
    #[arg(short, long, value_name = "FOLDER", default_value = "eval")]
    out: PathBuf,
    /// The method that all others are compared with [default: full if it is among them, else the first].
    #[arg(long, value_name = "METHOD")]
    against: Option<String>,
    /// Write figures as PNG too.
    #[arg(long)]
    png: bool,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kit: KitArgs,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    context: ContextArgs,
}

/// A number of tokens: 2000, 2k.
fn tokens(text: &str) -> Result<usize, String> {
    let (digits, thousands) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1000.0),
        None => (text, 1.0),
    };
    match digits.parse::<f64>() {
        Ok(number) if (1.0..=1e9).contains(&(number * thousands)) => Ok((number * thousands) as usize),
        _ => Err("write a number of tokens from 1 to a thousand million, such as 2000 or 2k".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "write a share from 0 to 1, such as 0.5".to_owned())
}

/// What one task came to.
struct Measured {
    task: &'static dyn Task,
    named: String,
    keys: Vec<Key>,
}

pub(crate) fn run(args: &MeasureArgs, ui: &Ui) -> Result<(), CliError> {
    let painter = args.png.then(Painter::new).transpose()?;
    let usual = if args.endpoint.endpoint.is_some() { "" } else { METHODS };
    let methods = args.methods.as_deref().unwrap_or(usual);
    let (context, ways) = (args.context.compared()?, ways(methods, &args.context.parts)?);
    let tasks =
        args.tasks.iter().map(|text| Ok(registry::parse(text)?)).collect::<Result<Vec<_>, CliError>>()?;
    let haystack = args.haystack.as_ref().map(|path| documents::read(path)).transpose()?;
    let (engine, context) = args.context.open(context, &args.model)?;
    let tokenizer = engine.tokenizer()?;
    let overhead = match engine.chat_template() {
        Some(_) => conversation(&engine, &[Message::new("user", "")], "", 0)?.len(),
        None => 0,
    };
    let sizes = ModelTokens::new(tokenizer, overhead);
    let shared = context.clone();
    let names: Vec<&str> = ways.iter().map(|(typed, _)| typed.as_str()).collect();
    let against = match &args.endpoint.endpoint {
        Some(_) => "endpoint".to_owned(),
        None => baseline(args.against.as_deref(), &names)?,
    };
    let kit = args.kit.kit(ways.iter().filter_map(|(_, way)| match way {
        Way::Strategy(values) => Some(values),
        Way::Context(_) => None,
    }))?;
    let readings = Arc::default();
    let subjects: Vec<Subject> = match &args.endpoint.endpoint {
        // Context methods are what a local model reads by; strategies work with any model.
        Some(url) => std::iter::once(None)
            .chain(ways.into_iter().filter_map(|(typed, way)| match way {
                Way::Strategy(values) => Some(Some((typed, values))),
                Way::Context(_) => None,
            }))
            .map(|strategy| remote(&args.endpoint, url, strategy, &kit))
            .collect::<Result<_, _>>()?,
        None => ways
            .into_iter()
            .map(|(typed, way)| local(&engine, typed, way, &context, &kit, &readings))
            .collect::<Result<_, _>>()?,
    };
    // Distributions are compared with those of the method that scores are compared with; endpoints do not tell theirs.
    let reference = subjects
        .iter()
        .position(|subject| subject.method == against)
        .filter(|_| args.endpoint.endpoint.is_none());
    let evidence = if args.evidence { PASSAGES } else { 0 };
    let generate = GenerateOptions { evidence, ..GenerateOptions::default() };
    let manner = Manner { choose: args.choose, generate, seed: args.seed, reference };
    let tokenizer_name = format!("{} {}", engine.name(), tokenizer.vocab_size());
    // All examples are made before the first is read: what is wrong is said at once.
    let mut made = Vec::new();
    for (task, values) in &tasks {
        let request = Request {
            lengths: &args.lengths,
            depths: &args.depths,
            n: args.n as usize,
            seed: args.seed,
            data: args.data.as_deref(),
            haystack: haystack.as_ref().map(|document| document.text.as_str()),
            ..Request::new(values, &sizes)
        };
        made.push(examples(*task, &request, &tokenizer_name, &args.out.join("examples"))?);
    }
    let mut journal = Journal::open(&args.out.join("answers.jsonl"))?;
    let mut measured = Vec::new();
    for ((task, values), examples) in tasks.iter().zip(&made) {
        let named = values.to_string();
        let bar = ui.steps(task.info().method.id);
        let mut on_step = |step: Step<'_>| bar.update(step.done, step.total, &told(step.newest));
        let keys = run_task(
            *task,
            &named,
            examples,
            &subjects,
            &manner,
            &mut journal,
            Some(stop_flag()),
            &mut on_step,
        )?;
        measured.push(Measured { task: *task, named, keys });
    }
    let card = Card {
        command: typed(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: format!("{}, {} threads", engine.isa().name(), engine.pool().threads()),
        setting: format!(
            "rows {:?}, schedule {}, budget {}",
            shared.row_type,
            shared.rope.as_ref().map_or_else(|| "the model's own".to_owned(), ToString::to_string),
            shared.budget.map_or_else(|| "none".to_owned(), |bytes| format!("{bytes} bytes"))
        ),
        decoding: match args.choose {
            true => "most likely choice where there are few, else greedy".to_owned(),
            false => "greedy".to_owned(),
        },
        seed: args.seed,
        against,
        limits: limits(args, &subjects),
        ..Card::default()
    };
    let tasks: Vec<_> =
        measured.iter().map(|one| (one.task, one.named.as_str(), journal.of(&one.keys))).collect();
    let report = build(card, &tasks);
    write(&report, &args.out, painter.as_ref())?;
    if args.json { print_json(&report) } else { print(&text(&report)) }?;
    ui.say(&format!("report: {}", args.out.join("report.html").display()));
    Ok(())
}

/// The method that others are compared with, as it was typed.
pub(super) fn baseline(asked: Option<&str>, methods: &[&str]) -> Result<String, CliError> {
    let known =
        |name: &str| methods.iter().find(|method| **method == name || without_parameters(method) == name);
    match asked {
        Some(name) => known(name).map(|method| (*method).to_owned()).ok_or_else(|| {
            CliError::usage(format!(
                "--against {name} is none of the methods; name one of {}",
                methods.join(", ")
            ))
        }),
        None => Ok(known("full").or(methods.first()).map_or_else(String::new, |method| (*method).to_owned())),
    }
}

/// What these figures do not show.
fn limits(args: &MeasureArgs, subjects: &[Subject]) -> Vec<String> {
    let mut limits = vec![format!("{} examples of each length and depth, one seed", args.n)];
    for control in ["full", "window", "retrieval", "closed-book", "random-rows"] {
        if !subjects.iter().any(|subject| without_parameters(&subject.method) == control) {
            limits.push(format!("{control} was not run beside them"));
        }
    }
    limits
}

/// The command as it was typed.
pub(super) fn typed() -> String {
    let quoted = |argument: String| match argument.contains(char::is_whitespace) || argument.is_empty() {
        true => format!("'{argument}'"),
        false => argument,
    };
    let arguments: Vec<String> = std::env::args().skip(1).map(quoted).collect();
    format!("loci {}", arguments.join(" "))
}

/// Writes the report's files.
pub(super) fn write(report: &Report, folder: &Path, painter: Option<&Painter>) -> Result<(), CliError> {
    let write = |name: String, content: &[u8]| {
        let path = folder.join(name);
        files::write(&path, content).map_err(|error| CliError::failed(format!("{}: {error}", path.display())))
    };
    write("report.json".to_owned(), serde_json::to_string_pretty(report)?.as_bytes())?;
    write("report.md".to_owned(), markdown(report).as_bytes())?;
    write("report.html".to_owned(), html(report).as_bytes())?;
    for task in &report.tasks {
        for (name, svg) in figures(task) {
            write(format!("figures/{}-{name}.svg", task.id), svg.as_bytes())?;
            if let Some(painter) = painter {
                write(format!("figures/{}-{name}.png", task.id), &painter.png(&svg)?)?;
            }
        }
    }
    Ok(())
}

/// The newest answer in a few words.
fn told(record: &Record) -> String {
    match (&record.error, record.score) {
        (Some(error), _) => format!("{}: {error}", record.method),
        (None, score) => format!("{} {} {:.2}", record.method, record.example, score.unwrap_or(0.0)),
    }
}
