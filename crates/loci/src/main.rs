//! `loci`: ask texts far longer than the model's window, inside a fixed budget.
//!
//! Standard output carries what was asked for and nothing else; progress, warnings, evidence and errors go to
//! standard error. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C. A reader that closes
//! standard output early (`loci ask … | head -1`) is no failure.

mod args;
mod cli;
mod commands;
mod endpoint;
mod error;
mod kit;
mod sampling;
mod ui;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

fn main() -> ExitCode {
    ui::start();
    let cli = Cli::parse();
    match commands::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
