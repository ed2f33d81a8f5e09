//! `loci fit`: which methods hold a text of some length in some memory.

use loci_engine::fit::{Candidate, FitReport, FitRequest, Fits, ROW_TYPES, fit};
use loci_engine::size::{parse_bytes, show_bytes};
use loci_engine::{ContextOptions, EngineError};
use loci_models::rope::RopeSpec;

use crate::args::{Kv, ModelArgs, PartArgs, methods, without_parameters};
use crate::error::CliError;
use crate::ui::{print, print_json};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Counted are the packed weights, the activations of one step of 512 tokens, and what --budget bounds: \
rows, indexes, evidence and the scratch of attention. Not counted are the program itself and its tokenizer, some tens of \
MiB. `needed` is with everything in RAM, `least` with as much as possible in the file for cold blocks. A method whose \
farthest distance reaches the trained window meets positions that the model has never seen."
)]
pub(crate) struct Args {
    /// Tokens to read (see `loci tokenize FILE --count`).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    length: u32,
    /// RAM for all of it, such as 1GiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    memory: usize,
    /// Tokens to write behind the text.
    #[arg(long, value_name = "N", default_value_t = 256)]
    answer: u32,
    /// Methods to look at, with parameters if wanted [default: all, and larger and smaller windows].
    #[arg(long, value_name = "METHOD,METHOD,…")]
    methods: Option<String>,
    #[command(flatten)]
    parts: PartArgs,
    /// Number formats of keys and values to look at [default: all].
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORMAT,…")]
    kv: Vec<Kv>,
    /// Position schedule, such as yarn:factor=4 [default: the model's own].
    #[arg(long, value_name = "SCHEDULE")]
    rope: Option<String>,
    /// Scores of the model's kv heads, for methods that treat heads differently.
    #[arg(long, value_name = "FILE")]
    heads: Option<std::path::PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
}

pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    let methods = match &args.methods {
        Some(text) => methods(text, &args.parts)?.into_iter().map(|(_, spec)| spec).collect(),
        None => args.parts.none("--methods inf-llm").map(|()| Vec::new())?,
    };
    let rope = args.rope.as_deref().map(RopeSpec::parse).transpose()?;
    let asked: Vec<_> = args.kv.iter().map(|kv| (*kv).into()).collect();
    let engine = args.model.open()?;
    let report = fit(
        &engine,
        &FitRequest {
            length: args.length as usize,
            answer: args.answer as usize,
            memory: args.memory,
            methods,
            row_types: if asked.is_empty() { ROW_TYPES.to_vec() } else { asked },
            context: ContextOptions { rope, heads: args.heads.clone(), ..ContextOptions::default() },
        },
    )?;
    if args.json {
        print_json(&report)?;
    } else {
        print(&table(&report))?;
    }
    match (&report.recommendation, report.would_do_bytes) {
        (None, Some(bytes)) if bytes > args.memory => Err(EngineError::Unsupported(format!(
            "nothing holds {} tokens in {}; --memory {}MiB would do",
            args.length,
            show_bytes(args.memory as u64),
            bytes.div_ceil(1 << 20)
        ))
        .into()),
        _ => Ok(()),
    }
}

fn table(report: &FitReport) -> String {
    let show = |bytes: usize| show_bytes(bytes as u64);
    let mut text = format!(
        "{}: {} tokens and {} more in {}; weights {}, trained window {}\n",
        report.model,
        report.length,
        report.answer,
        show(report.memory_bytes),
        show(report.weights_bytes),
        report.trained_window
    );
    let id = |candidate: &Candidate| short(&candidate.method);
    let width = report.candidates.iter().map(|candidate| id(candidate).len()).max().unwrap_or(0).max(6);
    text.push_str(&format!(
        "{:width$}  kv   fits      {:>10} {:>10} {:>10}  farthest  \n",
        "method", "needed", "least", "in file"
    ));
    for candidate in &report.candidates {
        let fits = match candidate.fits {
            Fits::InRam => "in RAM",
            Fits::WithFile => "with file",
            Fits::No => "no",
        };
        let cold = if candidate.fits == Fits::WithFile { show(candidate.cold_bytes) } else { "-".to_owned() };
        let notes = [
            (!candidate.inside_window).then_some("beyond the trained window"),
            candidate.forgets.then_some("forgets"),
        ];
        text.push_str(
            format!(
                "{:width$}  {:3}  {fits:9} {:>10} {:>10} {cold:>10}  {:>8}  {}",
                id(candidate),
                candidate.kv,
                show(candidate.needed_bytes),
                show(candidate.least_bytes),
                candidate.farthest,
                notes.into_iter().flatten().collect::<Vec<_>>().join(", ")
            )
            .trim_end(),
        );
        text.push('\n');
    }
    for left_out in &report.left_out {
        text.push_str(&format!("{}: {}\n", short(&left_out.method), left_out.reason));
    }
    match &report.recommendation {
        Some(best) => text.push_str(&format!(
            "take: --method {} --kv {} --budget {}\n{}\n",
            best.method,
            best.kv,
            best.budget_bytes,
            best.reason
        )),
        None => text.push_str(
            "nothing that fits stays inside the trained window; more memory, a shorter text, or --rope would do\n",
        ),
    }
    text
}

/// The method's name with its window: what tells the lines apart.
fn short(method: &str) -> String {
    let id = without_parameters(method);
    let base = method.split('+').next().unwrap_or(method);
    let (_, parameters) = base.split_once(':').unwrap_or((base, ""));
    match parameters.split(',').find(|parameter| parameter.starts_with("window=") && *parameter != "window=0")
    {
        Some(window) => format!("{id}:{window}"),
        None => id,
    }
}
