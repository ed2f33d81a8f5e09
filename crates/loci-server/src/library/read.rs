//! Reading what was put into the library.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use loci_engine::documents::Document;
use loci_engine::saved::Unread;
use loci_engine::{ReadOptions, Reading, Session};
use tokio::sync::mpsc::unbounded_channel;

use super::disk::{self, Claim, Meta};
use super::{DocumentView, Entry, ReadingView, State, missing};
use crate::error::ApiError;
use crate::openai::LociFields;
use crate::state::{App, fresh_id, now};
use crate::worker::{Begin, Begun, Event, Refused, Work, locked};

/// How long a text that finds no place in the queue waits before it asks again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often other processes' work on the folder is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// A text may take as long as it takes.
const LONG: Duration = Duration::from_secs(365 * 24 * 3600);
/// Bytes of a name.
const NAME: usize = 200;
/// Documents of one reading.
const MAX_DOCUMENTS: usize = 1000;

/// A text to be read.
#[derive(Debug, Default)]
pub struct New {
    /// How people call it; the first document's name when left out.
    pub name: Option<String>,
    /// The texts.
    pub documents: Vec<Document>,
    /// The model's id.
    pub model: Option<String>,
    /// Method and budget.
    pub fields: LociFields,
}

/// Puts a text into the library and begins to read it. Writes files.
///
/// # Errors
/// [`ApiError`] for what cannot be read that way, or when the system fails.
pub fn add(app: &Arc<App>, new: New) -> Result<ReadingView, ApiError> {
    let New { name, mut documents, model, fields } = new;
    check_count(documents.len())?;
    if documents.iter().all(|document| document.text.trim().is_empty()) {
        return Err(ApiError::invalid("empty_document", "the documents hold no text").at("documents"));
    }
    name_apart(&mut documents);
    let served = app.model(model.as_deref())?;
    // What is wrong with the method is said now, not when its turn has come.
    let context = served.context(&fields)?;
    let options = ReadOptions { context, ..ReadOptions::default() };
    let unread = Unread::begin(&served.engine, documents, &options)?;
    let documents = unread.documents();
    let first = documents.first().map_or("text", |document| document.name.as_str());
    let name = name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| first.to_owned());
    let views = documents
        .iter()
        .map(|document| DocumentView { name: document.name.clone(), bytes: document.text.len() });
    let meta = Meta {
        id: fresh_id("r_"),
        name: shortened(&name),
        model: served.id.clone(),
        method: fields.method().map(str::to_owned),
        budget: options.context.budget,
        created: now(),
        pinned: false,
        error: None,
        documents: views.collect(),
    };
    let library = &app.library;
    let kept = |error| ApiError::internal(format!("the text cannot be kept: {error}"));
    let held = disk::whole(&library.folder).map_err(kept)?;
    let claim = disk::create(&library.folder, &held, &meta, documents).map_err(kept)?;
    let id = meta.id.clone();
    let entry = Entry { meta, state: State::Queued, cancel: Arc::default(), bytes: None };
    let view = entry.view();
    locked(&library.entries).insert(id.clone(), entry);
    drop(held);
    tokio::spawn(read(Arc::clone(app), id, Some(unread), claim));
    Ok(view)
}

/// Keeps up with the other processes that use the folder, and reads what nobody reads: what an earlier process, or one that
/// was killed just now, did not finish.
pub async fn keep_up(app: Arc<App>) {
    loop {
        resume(&app);
        tokio::time::sleep(LOOK).await;
        let held = Arc::clone(&app);
        let _looked = blocking(move || {
            held.library.look_again();
            Ok(())
        })
        .await;
    }
}

fn resume(app: &Arc<App>) {
    let library = &app.library;
    let mut begun = Vec::new();
    for (id, entry) in locked(&library.entries).iter_mut() {
        // What is read by a model that is not served here waits for a process that serves it.
        if matches!(entry.state, State::Waiting)
            && app.model(Some(&entry.meta.model)).is_ok()
            && let Ok(Some(claim)) = disk::claim(&library.folder.join(id))
            // Whoever held it may have finished since it was looked at.
            && Reading::describe(&library.file(id)).is_err()
        {
            entry.state = State::Queued;
            begun.push((id.clone(), claim));
        }
    }
    for (id, claim) in begun {
        tokio::spawn(read(Arc::clone(app), id, None, claim));
    }
}

/// Refuses no documents, and too many.
pub(crate) fn check_count(count: usize) -> Result<(), ApiError> {
    match count {
        1..=MAX_DOCUMENTS => Ok(()),
        _ => {
            let message = format!("a reading takes 1 to {MAX_DOCUMENTS} documents, not {count}");
            Err(ApiError::invalid("invalid_request", message).at("documents"))
        }
    }
}

/// Names that differ: evidence names its document.
fn name_apart(documents: &mut [Document]) {
    let mut seen = std::collections::BTreeSet::new();
    for document in documents {
        let name = shortened(&document.name);
        let mut apart = name.clone();
        let mut number = 1;
        while !seen.insert(apart.clone()) {
            number += 1;
            apart = format!("{name} ({number})");
        }
        document.name = apart;
    }
}

/// A name without control characters, of at most [`NAME`] bytes.
pub(crate) fn shortened(name: &str) -> String {
    let clean: String = name.chars().filter(|symbol| !symbol.is_control()).collect();
    let end = (0..=clean.len().min(NAME)).rev().find(|at| clean.is_char_boundary(*at)).unwrap_or(0);
    clean.get(..end).unwrap_or("").trim().to_owned()
}

/// Reads one text to its end, and notes how that went. What is `unread` is at hand already, or else on disk.
async fn read(app: Arc<App>, id: String, unread: Option<Unread>, _claim: Claim) {
    let outcome = carry_out(&app, &id, unread).await;
    let library = &app.library;
    let stopped = locked(&library.entries).get(&id).is_none_or(|entry| entry.cancel.load(Ordering::Relaxed));
    match outcome {
        Ok(()) => {}
        // The server ends: the next one begins again.
        Err(_) if stopped => {}
        Err(error) if error.status() == axum::http::StatusCode::SERVICE_UNAVAILABLE => {}
        Err(error) => {
            tracing::warn!("the reading {id} failed: {error}");
            let message = error.to_string();
            let mut entries = locked(&library.entries);
            if let Some(entry) = entries.get_mut(&id) {
                entry.meta.error = Some(message.clone());
                entry.state = State::Failed(message);
                if let Err(error) = disk::write_meta(&library.folder.join(&id), &entry.meta) {
                    tracing::error!("that the reading {id} failed cannot be noted: {error}");
                }
            }
        }
    }
}

async fn carry_out(app: &Arc<App>, id: &str, unread: Option<Unread>) -> Result<(), ApiError> {
    let unread = match unread {
        Some(unread) => unread,
        None => {
            let (app, id) = (Arc::clone(app), id.to_owned());
            blocking(move || begin(&app, &id)).await?
        }
    };
    let (sender, mut events) = unbounded_channel();
    let cancel = locked(&app.library.entries).get(id).map(|entry| Arc::clone(&entry.cancel));
    let cancel = cancel.ok_or_else(|| missing(id))?;
    let unread = Arc::new(unread);
    loop {
        let started = Arc::clone(&unread);
        let begin: Begin = Box::new(move |_, _| {
            let (session, prefill) = started.start()?;
            Ok(Begun { session, prefill, cached: 0, key: None, cells: Vec::new() })
        });
        let work = Work {
            client: 0,
            background: true,
            engine: Arc::clone(unread.engine()),
            begin,
            answers: Vec::new(),
            events: sender.clone(),
            cancel: Arc::clone(&cancel),
            since: Instant::now(),
            timeout: LONG,
            keep: true,
        };
        match app.worker.submit(work) {
            Ok(()) => break,
            Err(Refused::Closed) => return Err(Refused::Closed.into()),
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
    drop(sender);
    while let Some(event) = events.recv().await {
        match event {
            Event::Progress(progress) => app.library.set(id, State::Reading(Some(progress))),
            Event::Failed(failure) => return Err(failure.into()),
            Event::Session(session) => {
                let (app, id) = (Arc::clone(app), id.to_owned());
                let unread =
                    Arc::try_unwrap(unread).map_err(|_| ApiError::internal("a text is being read twice"))?;
                return blocking(move || save(&app, &id, unread, *session)).await;
            }
            _ => {}
        }
    }
    Err(ApiError::with_status(
        axum::http::StatusCode::SERVICE_UNAVAILABLE,
        "interrupted",
        format!("the reading {id} was broken off"),
    ))
}

fn begin(app: &App, id: &str) -> Result<Unread, ApiError> {
    let meta = locked(&app.library.entries).get(id).map(|entry| entry.meta.clone());
    let meta = meta.ok_or_else(|| missing(id))?;
    let documents = app.library.documents(id)?;
    let served = app.model(Some(&meta.model))?;
    let context = served.context_of(meta.method.as_deref(), meta.budget)?;
    Ok(Unread::begin(&served.engine, documents, &ReadOptions { context, ..ReadOptions::default() })?)
}

fn save(app: &App, id: &str, unread: Unread, session: Session) -> Result<(), ApiError> {
    let reading: Reading = unread.made(session)?;
    let file = app.library.file(id);
    let bytes = match reading.save(&file) {
        Ok(bytes) => bytes,
        // It was deleted meanwhile, here or by another process.
        Err(_) if app.library.view(id).is_err() || !app.library.folder.join(id).exists() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // From here on its rows are read where they lie in the file.
    let facts = Box::new(reading.facts().clone());
    drop(reading);
    if let Some(entry) = locked(&app.library.entries).get_mut(id) {
        entry.bytes = Some(bytes);
        entry.state = State::Ready(facts);
    }
    app.library.make_room(id);
    Ok(())
}

/// Runs what may block where it hinders nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(ApiError::internal(format!("a defect: {error}"))),
    }
}
