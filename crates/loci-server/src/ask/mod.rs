//! From a request to the worker and back: one way for chat, completions and everything else that answers.

mod answers;
mod map;
mod prepare;
mod through;

pub use answers::{Collected, News, Told, collect};
pub use prepare::{Asked, Prepared, Question, prepare};
pub use through::Through;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::error::ApiError;
use crate::state::App;
use crate::worker::{Event, Work};

/// A request at the worker. Dropping it ends the work: the client went away.
#[derive(Debug)]
pub struct Running {
    events: UnboundedReceiver<Event>,
    cancel: Arc<AtomicBool>,
}

impl Running {
    /// What happens next; `None` when nothing more will.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}

/// Hands `prepared` to the worker; tells besides what is needed to make sense of its events.
///
/// # Errors
/// [`ApiError`] when a limit is reached.
pub fn submit(app: &App, client: u64, prepared: Prepared) -> Result<(Running, Asked), ApiError> {
    let (sender, events) = unbounded_channel();
    let cancel = Arc::new(AtomicBool::new(false));
    let Prepared { engine, begin, answers, asked } = prepared;
    app.worker.submit(Work {
        client,
        background: false,
        engine,
        begin,
        answers,
        events: sender,
        cancel: Arc::clone(&cancel),
        since: Instant::now(),
        timeout: app.worker.limits().timeout,
        keep: true,
    })?;
    Ok((Running { events, cancel }, asked))
}
