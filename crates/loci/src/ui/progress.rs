//! Progress on standard error, for terminals only: a log file has no use for a bar.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use loci_engine::Progress;

fn bar(visible: bool, template: &str) -> ProgressBar {
    let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    // The templates are constants; a wrong one would only leave the default style.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("#>-"));
    }
    bar
}

/// The bar of a long read.
#[derive(Debug)]
pub(crate) struct Reading {
    bar: ProgressBar,
    /// What takes shorter than this shows no bar.
    patience: Duration,
}

impl Reading {
    pub(super) fn new(visible: bool, what: &'static str) -> Self {
        let template = "{prefix} [{bar:30}] {human_pos}/{human_len} tokens, {msg} tokens/s, {eta} left";
        let bar = bar(visible, template);
        bar.set_prefix(what);
        Self { bar, patience: Duration::from_millis(500) }
    }

    /// Shows how far it has come.
    pub(crate) fn update(&mut self, progress: Progress) {
        if progress.elapsed < self.patience {
            return;
        }
        self.bar.set_length(progress.total as u64);
        self.bar.set_message(format!("{:.0}", progress.tokens_per_second()));
        self.bar.set_position(progress.done as u64);
        if progress.done >= progress.total {
            self.clear();
        }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The bar of a download.
#[derive(Debug)]
pub(crate) struct Download(ProgressBar);

impl Download {
    pub(super) fn new(visible: bool) -> Self {
        Self(bar(
            visible,
            "[{bar:30}] {binary_bytes}/{binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
        ))
    }

    /// Shows how far it has come.
    pub(crate) fn update(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// The bar of something done step by step, each with a word about it.
#[derive(Debug)]
pub(crate) struct Steps(ProgressBar);

impl Steps {
    pub(super) fn new(visible: bool, what: &'static str) -> Self {
        let bar = bar(visible, "{prefix} [{bar:30}] {pos}/{len}, {eta} left  {wide_msg}");
        bar.set_prefix(what);
        Self(bar)
    }

    /// Shows how far it has come.
    pub(crate) fn update(&self, done: usize, total: usize, newest: &str) {
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
        self.0.set_message(newest.to_owned());
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
