//! `loci eval`: how well methods do on tasks, and how surely that is known.

mod measure;
mod memory;
mod picture;
mod report;
mod retrieval;
mod subjects;

use std::path::PathBuf;

use loci_eval::export::lm_eval;
use loci_eval::registry::TASKS;
use loci_eval::report::{compare_files, comparison_table};
use loci_eval::run;

use crate::error::CliError;
use crate::ui::{Ui, print, print_json};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    measure: measure::MeasureArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the tasks, or show one with its parameters.
    Tasks {
        /// Its id.
        task: Option<String>,
    },
    /// Report answers that are there already: of a run that was stopped, or of several.
    Report(report::ReportArgs),
    /// Compare the answers of two runs, on the examples that both have.
    Compare {
        /// answers.jsonl of the run that is judged.
        first: PathBuf,
        /// answers.jsonl of the run it is compared with.
        second: PathBuf,
        /// Method of the second run that all of the first are compared with [default: each with the same method].
        #[arg(long, value_name = "METHOD")]
        against: Option<String>,
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Measure how well the evidence of a data set is found, without a model that reads.
    Retrieval(retrieval::RetrievalArgs),
    /// Measure how well the governed memory finds evidence, by the choices of its design.
    Recall(memory::RecallArgs),
    /// Measure what can be answered from the governed memory: frozen, live, and without it.
    Memory(memory::MemoryArgs),
    /// Write results in the layout of another harness.
    Export {
        /// answers.jsonl of a run.
        answers: PathBuf,
        /// Whose layout.
        #[arg(long, value_enum, default_value = "lm-eval")]
        format: Format,
        /// Folder to write to.
        #[arg(short, long, value_name = "FOLDER", default_value = "lm-eval")]
        out: PathBuf,
        /// What stands in file names where that harness writes the time.
        #[arg(long, value_name = "TEXT", default_value = "loci")]
        stamp: String,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// EleutherAI's lm-evaluation-harness.
    LmEval,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    match &args.action {
        None => measure::run(&args.measure, ui),
        Some(Action::Report(args)) => report::run(args, ui),
        Some(Action::Tasks { task: None }) => print(&tasks()),
        Some(Action::Tasks { task: Some(task) }) => print(&page(task)?),
        Some(Action::Compare { first, second, against, json }) => {
            let found = compare_files(first, second, against.as_deref())?;
            if *json {
                return print_json(&found);
            }
            let pairs: Vec<_> = found.iter().map(|(task, comparison)| (task.as_str(), comparison)).collect();
            print(&comparison_table(&pairs))
        }
        Some(Action::Retrieval(args)) => retrieval::run(args),
        Some(Action::Recall(args)) => memory::recall(args),
        Some(Action::Memory(args)) => memory::memory(args, ui),
        Some(Action::Export { answers, format: Format::LmEval, out, stamp }) => {
            for path in lm_eval(&run::answers(std::slice::from_ref(answers))?, out, stamp)? {
                print(&format!("{}\n", path.display()))?;
            }
            Ok(())
        }
    }
}

/// All tasks with their tags.
fn tasks() -> String {
    let width = TASKS.iter().map(|task| task.info().method.id.len()).max().unwrap_or(0);
    let mut text = format!("{:width$}  {:11}  {:11}  what it shows\n", "task", "diffusion", "scope");
    for task in TASKS {
        let info = task.info();
        text.push_str(&format!(
            "{:width$}  {:11}  {:11}  {}\n",
            info.method.id,
            info.diffusion.name(),
            info.scope.name(),
            info.method.title
        ));
    }
    text.push_str("loci eval tasks NAME shows one with its parameters.\n");
    text
}

/// One task.
fn page(name: &str) -> Result<String, CliError> {
    let Some(task) = TASKS.iter().find(|task| task.info().method.id == name) else {
        let known: Vec<&str> = TASKS.iter().map(|task| task.info().method.id).collect();
        return Err(CliError::usage(format!("there is no task {name:?}; there are: {}", known.join(", "))));
    };
    let (info, method) = (task.info(), &task.info().method);
    let mut text = format!(
        "{}: {}\n\n{}\n\nscore      {}\ndiffusion  {}\nscope      {}\n",
        method.id,
        method.title,
        method.description,
        info.metric,
        info.diffusion.name(),
        info.scope.name()
    );
    if !method.paper.is_empty() {
        text.push_str(&format!("paper      {}\n", method.paper));
    }
    let sized = if info.sized { "made to --lengths" } else { "texts come as they are" };
    text.push_str(&format!("lengths    {sized}\n"));
    for parameter in method.parameters {
        text.push_str(&format!(
            "\n  {}={}  {}; {}",
            parameter.name,
            parameter.default,
            parameter.meaning,
            parameter.domain.describe()
        ));
    }
    text.push('\n');
    Ok(text)
}
