//! `loci mcp`: readings as tools of an assistant, which starts this program and talks to it through its pipes.

use std::sync::atomic::Ordering;

use loci_server::serve_pipe;

use super::served::ServedArgs;
use crate::error::CliError;
use crate::ui::{Ui, stop_flag};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    served: ServedArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let mut served = args.served.settle()?;
    let models = served.load(ui)?;
    serve_pipe(models, served.settings, || stop_flag().load(Ordering::Relaxed)).map_err(CliError::failed)
}
