//! One file for each command.

pub(crate) mod ask;
pub(crate) mod bench;
pub(crate) mod cache;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod data;
pub(crate) mod doctor;
pub(crate) mod embed;
pub(crate) mod eval;
pub(crate) mod fit;
pub(crate) mod inspect;
pub(crate) mod man;
#[cfg(feature = "serve")]
pub(crate) mod mcp;
pub(crate) mod memory;
pub(crate) mod methods;
pub(crate) mod probe;
pub(crate) mod pull;
pub(crate) mod read;
pub(crate) mod run;
pub(crate) mod score;
#[cfg(feature = "search")]
pub(crate) mod search;
#[cfg(feature = "serve")]
pub(crate) mod serve;
#[cfg(feature = "serve")]
mod served;
pub(crate) mod tokenize;

use crate::cli::{Cli, Command};
use crate::error::CliError;
use crate::ui::Ui;

/// Runs the command that was typed.
pub(crate) fn run(cli: &Cli) -> Result<(), CliError> {
    let ui = Ui::new(cli.quiet);
    match &cli.command {
        Command::Pull(args) => pull::run(args, &ui),
        Command::Run(args) => run::run(args, &ui),
        Command::Ask(args) => ask::run(args, &ui),
        Command::Read(args) => read::run(args, &ui),
        Command::Memory(args) => memory::run(args, &ui),
        #[cfg(feature = "search")]
        Command::Search(args) => search::run(args, &ui),
        Command::Cache(args) => cache::run(args, &ui),
        Command::Chat(args) => chat::run(args, &ui),
        Command::Methods(args) => methods::run(args),
        Command::Eval(args) => eval::run(args, &ui),
        Command::Fit(args) => fit::run(args),
        Command::Probe(args) => probe::run(args, &ui),
        #[cfg(feature = "serve")]
        Command::Mcp(args) => mcp::run(args, &ui),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(args, &ui),
        Command::Score(args) => score::run(args, &ui),
        Command::Tokenize(args) => tokenize::run(args),
        Command::Embed(args) => embed::run(args),
        Command::Inspect(args) => inspect::run(args, &ui),
        Command::Data(args) => data::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Bench(args) => bench::run(args, &ui),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}
