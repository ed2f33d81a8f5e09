//! `loci man`: the manual, made from the same declaration as the help.

use std::path::PathBuf;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::error::CliError;
use crate::ui::print;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write one page for each command into this folder instead.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    let command = Cli::command();
    if let Some(folder) = &args.folder {
        return clap_mangen::generate_to(command, folder)
            .map_err(|error| CliError::failed(format!("{}: {error}", folder.display())));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    print(&String::from_utf8_lossy(&page))
}
