//! The Hub, through its client library.
//!
//! The library keeps what it has of a file under a temporary name and asks for the rest with a range request,
//! so an interrupted download goes on. It has no time limits; a silent connection would hang forever. It
//! therefore runs in its own thread, which is left alone once nothing has come for [`PATIENCE`].

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use hf_hub::api::Progress;
use hf_hub::api::sync::ApiBuilder;

use super::Event;
use crate::model_store::catalogue::ModelFile;

/// How long nothing may come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the library tries again by itself.
const RETRIES: usize = 3;

enum Message {
    Progress { done: u64, total: u64 },
    Done(Result<PathBuf, String>),
}

/// Downloads a file of the repository `repo` into `partial`.
pub(super) fn fetch(
    repo: &str,
    file: &ModelFile,
    partial: &Path,
    endpoint: Option<String>,
    on_event: &mut dyn FnMut(Event),
) -> Result<PathBuf, String> {
    let (sender, receiver) = channel();
    let cache = partial.join("hub");
    let (repo, file) = (repo.to_owned(), file.path.clone());
    let worker = std::thread::Builder::new().name("loci-download".to_owned()).spawn(move || {
        let outcome = download(repo, &file, &cache, endpoint, &sender);
        // Nobody listens any more when the patience ran out.
        let _unheard = sender.send(Message::Done(outcome));
    });
    worker.map_err(|error| format!("no thread for the download: {error}"))?;
    listen(&receiver, on_event)
}

fn listen(receiver: &Receiver<Message>, on_event: &mut dyn FnMut(Event)) -> Result<PathBuf, String> {
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(Message::Progress { done, total }) => on_event(Event::Progress { done, total }),
            Ok(Message::Done(outcome)) => return outcome,
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!("nothing came for {} seconds", PATIENCE.as_secs()));
            }
            Err(RecvTimeoutError::Disconnected) => return Err("the download ended unexpectedly".to_owned()),
        }
    }
}

fn download(
    repo: String,
    file: &str,
    cache: &Path,
    endpoint: Option<String>,
    sender: &Sender<Message>,
) -> Result<PathBuf, String> {
    let mut builder = ApiBuilder::from_env()
        .with_cache_dir(cache.to_owned())
        .with_progress(false)
        .with_retries(RETRIES)
        .with_user_agent("loci", env!("CARGO_PKG_VERSION"));
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    let api = builder.build().map_err(|error| error.to_string())?;
    let progress = Reporter { sender: sender.clone(), done: 0, total: 0, reported: 0 };
    let pointer = api.model(repo).download_with_progress(file, progress).map_err(|error| chain(&error))?;
    // The library hands out a link into its own store; the file itself is what is moved.
    std::fs::canonicalize(pointer).map_err(|error| error.to_string())
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

struct Reporter {
    sender: Sender<Message>,
    done: u64,
    total: u64,
    reported: u64,
}

impl Reporter {
    /// A message for each MiB is enough for a smooth bar.
    fn report(&mut self, always: bool) {
        if always || self.done >= self.reported + (1 << 20) {
            self.reported = self.done;
            // Nobody listens any more when the patience ran out.
            let _unheard = self.sender.send(Message::Progress { done: self.done, total: self.total });
        }
    }
}

impl Progress for Reporter {
    fn init(&mut self, size: usize, _filename: &str) {
        // Called again for each try, followed by the bytes that are there already.
        self.total = size as u64;
        self.done = 0;
        self.reported = 0;
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        self.report(false);
    }

    fn finish(&mut self) {
        self.report(true);
    }
}
