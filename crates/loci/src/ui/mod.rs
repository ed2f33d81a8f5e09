//! What the user sees and how the user stops it.

mod interrupt;
mod output;
mod progress;

use std::io::{IsTerminal, Write};

pub(crate) use interrupt::{stop_flag, while_waiting};
pub(crate) use output::{one_line, print, print_json, stream};
pub(crate) use progress::{Download, Reading, Steps};

/// Sets up errors, logs and Ctrl-C. Called once, first.
pub(crate) fn start() {
    // Fails only when called twice, or with a handler of somebody else's in place.
    let _first = miette::set_hook(Box::new(|_| {
        Box::new(miette::MietteHandlerOpts::new().width(110).break_words(false).build())
    }));
    let filter = tracing_subscriber::EnvFilter::try_from_env("LOCI_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let _first = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours())
        .without_time()
        .with_target(false)
        .try_init();
    interrupt::install();
}

/// Whether standard error is a terminal that may show colours.
fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes a line to standard error. When that is closed, there is nowhere left to say so.
pub(crate) fn complain(text: &str) {
    let _unseen = writeln!(std::io::stderr().lock(), "{text}");
}

/// How much is said on standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    quiet: bool,
    terminal: bool,
}

impl Ui {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, terminal: std::io::stderr().is_terminal() }
    }

    /// Says something on standard error, unless told to be quiet.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            complain(text);
        }
    }

    /// A bar for a long read; invisible when quiet or not on a terminal.
    pub(crate) fn reading(&self, what: &'static str) -> Reading {
        Reading::new(!self.quiet && self.terminal, what)
    }

    /// A bar for something done step by step; invisible when quiet or not on a terminal.
    pub(crate) fn steps(&self, what: &'static str) -> Steps {
        Steps::new(!self.quiet && self.terminal, what)
    }

    /// A bar for a download; invisible when quiet or not on a terminal.
    pub(crate) fn download(&self) -> Download {
        Download::new(!self.quiet && self.terminal)
    }
}
