//! `loci eval`: how well methods do on tasks, and how surely that is known.

mod measure;

use crate::error::CliError;
use crate::ui::{Ui, print};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    measure: measure::Args,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the tasks.
    Tasks,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    match &args.action {
        None => measure::run(&args.measure, ui),
        Some(Action::Tasks) => print(&tasks()),
    }
}

/// All tasks with their tags.
fn tasks() -> String {
    let width = loci_eval::registry::TASKS.iter().map(|task| task.info().method.id.len()).max().unwrap_or(0);
    let mut text = format!("{:width$}  {:11}  {:11}  what it shows\n", "task", "diffusion", "scope");
    for task in loci_eval::registry::TASKS {
        let info = task.info();
        text.push_str(&format!(
            "{:width$}  {:11}  {:11}  {}\n",
            info.method.id,
            info.diffusion.name(),
            info.scope.name(),
            info.method.title
        ));
    }
    text
}
