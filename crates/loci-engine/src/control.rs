//! How long work is watched and stopped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How far a read has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Tokens read by this call.
    pub done: usize,
    /// Tokens this call will read.
    pub total: usize,
    /// Time since the call began.
    pub elapsed: Duration,
}

impl Progress {
    /// Tokens per second so far.
    pub fn tokens_per_second(&self) -> f64 {
        per_second(self.done, self.elapsed)
    }
}

/// `count` per second of `elapsed`; 0 when no time has passed.
pub fn per_second(count: usize, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// How a caller watches and stops long work.
#[derive(Default)]
pub struct Control<'a> {
    /// Work ends between two chunks or tokens once this is true.
    pub stop: Option<&'a AtomicBool>,
    /// Called after each chunk.
    pub progress: Option<&'a mut dyn FnMut(Progress)>,
}

impl Control<'_> {
    /// Whether the caller asked to stop.
    pub fn stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    pub(crate) fn report(&mut self, done: usize, total: usize, started: Instant) {
        if let Some(progress) = &mut self.progress {
            progress(Progress { done, total, elapsed: started.elapsed() });
        }
    }
}

impl std::fmt::Debug for Control<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("stopped", &self.stopped()).finish_non_exhaustive()
    }
}
