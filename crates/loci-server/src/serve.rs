//! From settings to a server that runs until it is told to end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loci_engine::embedder::Embedder;

use crate::http::router;
use crate::library::{Library, keep_up};
use crate::mcp::Tools;
use crate::memories::{Extraction, Memories};
use crate::state::{App, ServedModel, Settings};
use crate::worker::Worker;

/// How often it is asked whether to end.
const GLANCE: Duration = Duration::from_millis(100);

/// Why the server did not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}; choose another --port, or end what listens there")]
    Listen {
        /// What was asked for.
        address: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The data folder cannot be used.
    #[error("the data folder {folder} cannot be used: {source}; name another with --data-dir")]
    Data {
        /// The folder.
        folder: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// Nobody speaks the protocol at the other end.
    #[error(
        "the Model Context Protocol broke off: {0}; this command is started by an assistant, docs/mcp.md says how"
    )]
    Protocol(String),
    /// A setting makes no sense.
    #[error("{0}")]
    Setting(String),
    /// The system refused.
    #[error("the server cannot run: {0}")]
    System(#[from] std::io::Error),
}

/// Serves `models` and `encoders` until `stop` says so, or the system's signal to end comes. `ready` hears the address once requests are
/// taken.
///
/// Then no new requests are taken, those at work go on for at most the time of grace, and texts that are being read are
/// left for the next start.
///
/// # Errors
/// [`ServeError`] when the server cannot begin.
pub fn serve(
    address: (&str, u16),
    models: Vec<ServedModel>,
    encoders: Vec<Embedder>,
    settings: Settings,
    ready: impl FnOnce(SocketAddr),
    stop: impl Fn() -> bool + Send + Sync + 'static,
) -> Result<(), ServeError> {
    let app = app(models, encoders, settings)?;
    let router = router(Arc::clone(&app)).map_err(ServeError::Setting)?;
    let runtime = runtime()?;
    let grace = app.settings.grace;
    let extraction = Extraction::begin(&app, runtime.handle().clone()).map_err(ServeError::Setting)?;
    let outcome = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await.map_err(|source| {
            let address = format!("{}:{}", address.0, address.1);
            ServeError::Listen { address, source }
        })?;
        // Before anyone hears that the server is there: whoever hears it may tell it to end.
        let asked_to_end = end(stop)?;
        ready(listener.local_addr()?);
        tokio::spawn(keep_up(Arc::clone(&app)));
        let (told, mut ending) = tokio::sync::watch::channel(false);
        let held = Arc::clone(&app);
        tokio::spawn(async move {
            asked_to_end.await;
            tracing::info!("ending: no new requests are taken");
            held.worker.close();
            held.library.stop();
            let _heard = told.send(true);
        });
        let mut graceful = ending.clone();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, service)
            .with_graceful_shutdown(async move {
                let _ended = graceful.wait_for(|ending| *ending).await;
            })
            .into_future();
        let too_long = async move {
            let _ended = ending.wait_for(|ending| *ending).await;
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            outcome = served => outcome.map_err(ServeError::System),
            () = too_long => {
                tracing::warn!("requests were still at work after {} s and are broken off", grace.as_secs());
                Ok(())
            }
        }
    });
    drop(extraction);
    // Whatever is left hears that nobody waits any more.
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}

/// Serves `models` as tools of the Model Context Protocol to the program at the other end of standard input and output, until
/// it closes them, `stop` says so, or the system's signal to end comes.
///
/// # Errors
/// [`ServeError`] when the server cannot begin, or the other end does not speak the protocol.
pub fn serve_pipe(
    models: Vec<ServedModel>,
    settings: Settings,
    stop: impl Fn() -> bool + Send + Sync + 'static,
) -> Result<(), ServeError> {
    let app = app(models, Vec::new(), settings)?;
    let runtime = runtime()?;
    let extraction = Extraction::begin(&app, runtime.handle().clone()).map_err(ServeError::Setting)?;
    let outcome = runtime.block_on(async {
        let asked_to_end = end(stop)?;
        tokio::spawn(keep_up(Arc::clone(&app)));
        let talk = Tools::new(Arc::clone(&app)).by_pipe();
        tokio::select! {
            outcome = talk => outcome.map_err(ServeError::Protocol),
            () = asked_to_end => Ok(()),
        }
    });
    drop(extraction);
    app.worker.close();
    app.library.stop();
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}

fn app(
    models: Vec<ServedModel>,
    encoders: Vec<Embedder>,
    settings: Settings,
) -> Result<Arc<App>, ServeError> {
    let library = Library::open(&settings.data, settings.readings_bytes)
        .map_err(|source| ServeError::Data { folder: settings.data.display().to_string(), source })?;
    Ok(Arc::new(App {
        worker: Worker::start(settings.limits)?,
        models: models.into_iter().map(Arc::new).collect(),
        encoders: encoders.into_iter().map(Arc::new).collect(),
        library,
        memories: Memories::default(),
        settings,
        started: Instant::now(),
    }))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build()
}

/// Resolves when the server is to end: `stop` says so, or the system. From the call on, not only from the first poll, the
/// system's signal ends the server in order.
fn end(stop: impl Fn() -> bool) -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    Ok(async move {
        let asked = async {
            while !stop() {
                tokio::time::sleep(GLANCE).await;
            }
        };
        #[cfg(unix)]
        tokio::select! {
            () = asked => {}
            _ = terminated.recv() => {}
        }
        #[cfg(not(unix))]
        asked.await;
    })
}
