//! Ctrl-C: the first one ends the work between two steps, the second one ends the program.

use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);
static WAITING: AtomicBool = AtomicBool::new(false);

/// The exit code of a program that was stopped by Ctrl-C, as shells have it.
const STOPPED: i32 = 130;

pub(super) fn install() {
    let handler = || {
        // Nothing is half done while the program waits for the user, so it may end at once.
        if STOP.swap(true, Ordering::Relaxed) || WAITING.load(Ordering::Relaxed) {
            std::process::exit(STOPPED);
        }
    };
    // Without a handler, Ctrl-C ends the program at once, which is tolerable.
    let _installed = ctrlc::set_handler(handler);
}

/// True once Ctrl-C was pressed.
pub(crate) fn stop_flag() -> &'static AtomicBool {
    &STOP
}

/// Runs `wait`, during which Ctrl-C ends the program at once. Forgets an earlier Ctrl-C, which ended an answer.
pub(crate) fn while_waiting<T>(wait: impl FnOnce() -> T) -> T {
    STOP.store(false, Ordering::Relaxed);
    WAITING.store(true, Ordering::Relaxed);
    let outcome = wait();
    WAITING.store(false, Ordering::Relaxed);
    outcome
}
