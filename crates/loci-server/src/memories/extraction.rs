//! The background worker that has a model look at what was told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use loci_engine::{Control, EngineError, LanguageModel};
use loci_memory::MemoryError;
use tokio::runtime::Handle;

use crate::ask::Through;
use crate::error::ApiError;
use crate::openai::LociFields;
use crate::state::App;

/// How often it is looked whether there is something to do.
const LOOK: Duration = Duration::from_secs(2);
/// How often it is looked whether to end.
const GLANCE: Duration = Duration::from_millis(100);
/// The server's own work, as far as fairness goes.
const OWN: u64 = 0;

/// The worker; dropping it ends it.
pub(crate) struct Extraction {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Extraction {
    /// Begins, where a model is named for it.
    ///
    /// # Errors
    /// When the model is not served, or the system gives no thread.
    pub(crate) fn begin(app: &Arc<App>, runtime: Handle) -> Result<Option<Self>, String> {
        let Some(id) = app.settings.memory.as_ref().and_then(|memory| memory.extract.clone()) else {
            return Ok(None);
        };
        let model = Arc::clone(app.model(Some(&id)).map_err(|error| error.to_string())?);
        let stop = Arc::new(AtomicBool::new(false));
        let (app, stopped) = (Arc::clone(app), Arc::clone(&stop));
        let work = move || {
            while wait(&stopped) {
                let through = Through::new(
                    Arc::clone(&app),
                    Arc::clone(&model),
                    OWN,
                    LociFields::default(),
                    runtime.clone(),
                );
                if let Err(error) = through.and_then(|through| round(&app, through, &stopped)) {
                    tracing::warn!("extraction will be tried again: {error}");
                }
            }
        };
        let thread = std::thread::Builder::new().name("loci-extraction".to_owned()).spawn(work);
        Ok(Some(Self { stop, thread: Some(thread.map_err(|error| error.to_string())?) }))
    }
}

impl Drop for Extraction {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// Waits for the next look; false when it is to end.
fn wait(stop: &AtomicBool) -> bool {
    let mut waited = Duration::ZERO;
    while waited < LOOK {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        std::thread::sleep(GLANCE);
        waited += GLANCE;
    }
    true
}

/// Looks at one item after the other, of every user in turn, as long as nobody else wants the model.
fn round(app: &App, mut through: Through, stop: &AtomicBool) -> Result<(), ApiError> {
    let default = app.scope("local", None)?;
    let scopes = app.with_memory(default, |memory| Ok(memory.scopes()?))?;
    loop {
        let mut done = 0;
        for scope in &scopes {
            let counts = app.worker.counts();
            if stop.load(Ordering::Relaxed) || counts.running + counts.waiting > 0 {
                return Ok(());
            }
            let mut control = Control { stop: Some(stop), progress: None };
            let extracted = app.with_memory(scope.clone(), |memory| {
                // Not the user, although it is the user's memory.
                memory.act_as(&format!("extraction by {}", through.name()));
                match memory.extract(&mut through, 1, &mut control) {
                    Err(MemoryError::Engine(EngineError::Interrupted { .. })) => Ok(None),
                    extracted => Ok(Some(extracted?)),
                }
            })?;
            let Some(extracted) = extracted else { return Ok(()) };
            done += extracted.items + extracted.failed;
        }
        if done == 0 {
            return Ok(());
        }
    }
}
