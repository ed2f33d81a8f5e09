//! The commands and their flags. Names are stable: scripts rely on them.

use clap::{Parser, Subcommand};

use crate::commands::{
    ask, bench, cache, chat, completions, data, doctor, embed, eval, fit, inspect, man, methods, probe, pull,
    read, run, score, tokenize,
};

/// Ask texts far longer than the model's window, inside a fixed budget.
#[derive(Debug, Parser)]
#[command(
    name = "loci",
    version,
    about,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C.\n\
                  Start with: loci pull smollm2, then: loci ask book.txt -q \"Who is Ishmael?\""
)]
pub(crate) struct Cli {
    /// Print nothing on standard error but errors.
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

use crate::commands::memory;
#[cfg(feature = "search")]
use crate::commands::search;
#[cfg(feature = "serve")]
use crate::commands::{mcp, serve};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch a model of the catalogue.
    Pull(pull::Args),
    /// Continue a prompt.
    Run(run::Args),
    /// Read files and answer a question about them.
    Ask(ask::Args),
    /// Read files once and save what was read, to be asked again and again.
    Read(read::Args),
    /// Find passages in a folder of files.
    #[cfg(feature = "search")]
    Search(search::Args),
    /// Remember, find, correct and forget what was told, with a log that can be checked.
    Memory(memory::Args),
    /// See and clear what is kept of long inputs that were asked.
    Cache(cache::Args),
    /// Talk with a model.
    Chat(chat::Args),
    /// List the methods, or show one.
    Methods(methods::Args),
    /// Say which methods fit a text of some length into some memory.
    Fit(fit::Args),
    /// Plant needles in a text and measure which methods find them.
    Probe(probe::Args),
    /// List data sets that tasks can use.
    Data(data::Args),
    /// Evaluate methods on tasks, with intervals and tests.
    Eval(eval::Args),
    /// Give readings as tools to an assistant that speaks the Model Context Protocol.
    #[cfg(feature = "serve")]
    Mcp(mcp::Args),
    /// Serve models to programs and to a page in the browser.
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    /// Measure how well a model predicts a text.
    Score(score::Args),
    /// Show the tokens of a text.
    Tokenize(tokenize::Args),
    /// Turn texts into vectors, one JSON object a line.
    Embed(embed::Args),
    /// Look into a model: its heads, its surprise, its attention.
    Inspect(inspect::Args),
    /// Show what this machine offers and what is missing.
    Doctor(doctor::Args),
    /// Measure speed.
    Bench(bench::Args),
    /// Print a completion script for a shell.
    Completions(completions::Args),
    /// Print the manual page.
    Man(man::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_declared_flags_do_not_contradict_each_other() {
        super::Cli::command().debug_assert();
    }
}
