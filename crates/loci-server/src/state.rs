//! What all requests share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use loci_context::MethodSpec;
use loci_engine::embedder::Embedder;
use loci_engine::saved::retrieval_weights;
use loci_engine::{ContextOptions, Engine, EngineError, Reading, size};

use crate::error::ApiError;
use crate::library::Library;
use crate::memories::{Memories, MemorySettings};
use crate::openai::LociFields;
use crate::worker::{Limits, Worker};

/// A model that is served.
#[derive(Debug)]
pub struct ServedModel {
    /// How requests call it.
    pub id: String,
    /// It.
    pub engine: Arc<Engine>,
    /// How contexts are held unless a request says otherwise.
    pub context: ContextOptions,
    /// Weights of the heads that are known to retrieve.
    pub weights: Option<Arc<[f32]>>,
}

impl ServedModel {
    /// A model under the name `id`.
    ///
    /// # Errors
    /// [`EngineError::Heads`] when a table of head scores exists and cannot be used.
    pub fn new(id: String, engine: Arc<Engine>, context: ContextOptions) -> Result<Self, EngineError> {
        let weights = retrieval_weights(&engine)?;
        Ok(Self { id, engine, context, weights })
    }

    /// Whose attention counts as evidence.
    pub const fn weighed_by(&self) -> &'static str {
        if self.weights.is_some() { "retrieval heads" } else { "all heads" }
    }

    /// How a context is held for a request that says `method` and `budget`.
    ///
    /// # Errors
    /// [`ApiError`] for what cannot be read.
    pub fn context(&self, fields: &LociFields) -> Result<ContextOptions, ApiError> {
        let budget = fields.budget().map(size::parse_bytes).transpose();
        let budget = budget.map_err(|error| ApiError::invalid("invalid_budget", error).at("loci.budget"))?;
        self.context_of(fields.method(), budget)
    }

    /// The same for a method as typed and a budget in bytes.
    ///
    /// # Errors
    /// [`ApiError`] for a method that cannot be read.
    pub fn context_of(
        &self,
        method: Option<&str>,
        budget: Option<usize>,
    ) -> Result<ContextOptions, ApiError> {
        let mut context = match method.map(MethodSpec::parse).transpose() {
            Ok(Some(method)) => self.context.for_method(method),
            Ok(None) => self.context.clone(),
            Err(error) => return Err(ApiError::invalid("invalid_method", error).at("loci.method")),
        };
        // The server's own limit holds for everyone.
        context.budget = budget.into_iter().chain(self.context.budget).min();
        Ok(context)
    }
}

/// What the server was told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Hashes of the keys of which a request needs one; none: everyone may.
    pub keys: Vec<blake3::Hash>,
    /// Folder of all that is kept.
    pub data: PathBuf,
    /// Bytes that saved readings may take; those that are not pinned and were used longest ago give way.
    pub readings_bytes: Option<u64>,
    /// Folders whose files tools may read; none unless said so.
    pub allow: Vec<PathBuf>,
    /// Only this machine can call.
    pub local: bool,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Origins of pages that may call the server; none unless said so.
    pub origins: Vec<String>,
    /// What the worker allows itself.
    pub limits: Limits,
    /// Tokens of an answer where a request does not say.
    pub max_tokens: usize,
    /// How long a shutdown waits for what is being worked on.
    pub grace: Duration,
    /// The memories that are served; none unless said so.
    pub memory: Option<MemorySettings>,
}

impl Settings {
    /// What holds unless said otherwise, with readings in the folder `data`.
    pub fn new(data: PathBuf) -> Self {
        Self {
            keys: Vec::new(),
            data,
            readings_bytes: None,
            allow: Vec::new(),
            local: true,
            body_bytes: 64 << 20,
            origins: Vec::new(),
            limits: Limits::default(),
            max_tokens: 512,
            grace: Duration::from_secs(30),
            memory: None,
        }
    }
}

/// What all requests share.
pub struct App {
    /// Computes.
    pub worker: Worker,
    /// The first one serves requests that name none.
    pub models: Vec<Arc<ServedModel>>,
    /// Turn texts into vectors.
    pub encoders: Vec<Arc<Embedder>>,
    /// Texts that were read.
    pub library: Library,
    /// What users told.
    pub memories: Memories,
    /// What the server was told.
    pub settings: Settings,
    /// When it began.
    pub started: Instant,
}

impl App {
    /// The model of a request, and the reading that it is about.
    ///
    /// # Errors
    /// As [`App::model`], [`Library::reading`] and [`App::model_of`].
    pub fn asked(
        &self,
        model: Option<&str>,
        reading: Option<&str>,
    ) -> Result<(Arc<ServedModel>, Option<Arc<Reading>>), ApiError> {
        let reading = reading.map(|id| self.library.reading(self, id)).transpose()?;
        let model = match &reading {
            Some(reading) => self.model_of(reading, model)?,
            None => self.model(model)?,
        };
        Ok((Arc::clone(model), reading))
    }

    /// The model that read `reading`: the one a request names, if it names one.
    ///
    /// # Errors
    /// [`ApiError`] when the request names another.
    pub fn model_of(&self, reading: &Reading, id: Option<&str>) -> Result<&Arc<ServedModel>, ApiError> {
        let own = self.models.iter().find(|model| Arc::ptr_eq(&model.engine, reading.engine()));
        let own = own.ok_or_else(|| ApiError::internal("a reading is open whose model is not served"))?;
        match id.filter(|id| *id != own.id) {
            None => Ok(own),
            Some(id) => {
                let message = format!("the reading was read by {}, not by {id}; leave out model", own.id);
                Err(ApiError::invalid("reading_of_other_model", message).at("model"))
            }
        }
    }

    /// The model of a request.
    ///
    /// # Errors
    /// [`ApiError`] with the names there are.
    pub fn model(&self, id: Option<&str>) -> Result<&Arc<ServedModel>, ApiError> {
        let found = match id {
            None => self.models.first(),
            Some(id) => self.models.iter().find(|model| model.id == id),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = self.models.iter().map(|model| model.id.as_str()).collect();
            let message = match id {
                Some(id) => format!("the model {id:?} is not served here; there is {}", names.join(", ")),
                None => "no model is served here that answers; start the server with -m".to_owned(),
            };
            ApiError::not_found("model_not_found", message).at("model")
        })
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A name that no other request or reading has: `kind`, and bits of the time, a counter and the process.
pub fn fresh_id(kind: &str) -> String {
    static COUNTER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let hash = blake3::hash(format!("{nanos} {count} {}", std::process::id()).as_bytes()).to_hex();
    format!("{kind}{}", hash.get(..20).unwrap_or(&hash))
}
