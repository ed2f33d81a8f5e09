//! What `loci serve` and `loci mcp` share: models, where readings lie, and the file with settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use loci_engine::model_store::{DEFAULT_MODEL, data_folder, resolve};
use loci_engine::{ContextOptions, Engine, size};
use loci_kernels::Pool;
use loci_memory::Scope;
use loci_server::{MemorySettings, ServedModel, Settings};
use serde::Deserialize;

use super::memory::Store;
use crate::args::{ContextArgs, draft, method, pool};
use crate::error::CliError;
use crate::ui::Ui;

#[derive(Debug, clap::Args)]
pub(crate) struct ServedArgs {
    /// A model to serve: a name of the catalogue, a file or folder, or NAME=FILE; may be given several times, the first
    /// answers requests that name none [default: smollm2].
    #[arg(short, long = "model", value_name = "MODEL", env = "LOCI_MODELS", value_delimiter = ',')]
    models: Vec<String>,
    /// Folder for readings; several servers may share it [default: loci in the user's folder of data].
    #[arg(long, value_name = "FOLDER", env = "LOCI_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Space on disk for readings: those that are not pinned and were used longest ago are removed to make room for a new one
    /// [default: no limit].
    #[arg(long, value_name = "SIZE", value_parser = size::parse_bytes)]
    max_readings: Option<usize>,
    /// A folder whose files the MCP tool `read` may read; may be given several times [default: none, so that only texts
    /// are taken that a call brings].
    #[arg(long, value_name = "FOLDER", env = "LOCI_ALLOW", value_delimiter = ',')]
    allow: Vec<PathBuf>,
    /// Serve memories, too: /v1/memory, chats with `loci.memory`, and tools for assistants. They lie in the store of
    /// `loci memory`, or in this file.
    #[arg(long, value_name = "STORE", num_args = 0..=1, default_missing_value = "")]
    memory: Option<String>,
    /// Whose memory is meant where a request does not say [default: me].
    #[arg(long, value_name = "NAME")]
    memory_user: Option<String>,
    /// Do not have the first model look for facts, names and events in what was told, while nothing else is asked.
    #[arg(long)]
    no_extract: bool,
    /// Threads that compute [default: all processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// A file with settings; flags and the environment go before it. docs/server.md shows one.
    #[arg(long, value_name = "FILE", env = "LOCI_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    context: ContextArgs,
}

/// Settings in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) api_keys: Vec<String>,
    data_dir: Option<PathBuf>,
    max_readings: Option<String>,
    allow: Vec<PathBuf>,
    threads: Option<u16>,
    /// The store; an empty text is that of `loci memory`.
    memory: Option<String>,
    memory_user: Option<String>,
    extract: Option<bool>,
    pub(crate) concurrent: Option<usize>,
    pub(crate) queue: Option<usize>,
    pub(crate) per_client: Option<usize>,
    pub(crate) timeout: Option<u64>,
    pub(crate) max_body: Option<String>,
    pub(crate) keep: Option<String>,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) encoders: Vec<String>,
    models: Vec<FileModel>,
}

/// A model in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileModel {
    /// A name of the catalogue, a file or folder.
    model: String,
    /// How requests call it.
    name: Option<String>,
    /// Its method, where it is not the command line's.
    method: Option<String>,
    /// Its budget, where it is not the command line's.
    budget: Option<String>,
}

/// A model to load.
struct Wanted {
    name: String,
    model: String,
    context: ContextOptions,
}

/// What flags, environment and file say together.
pub(crate) struct Served {
    pub(crate) file: File,
    /// With the folders, everything else as it is unless said otherwise.
    pub(crate) settings: Settings,
    pub(crate) pool: Arc<Pool>,
    wanted: Vec<Wanted>,
    draft: Option<String>,
}

impl ServedArgs {
    /// Takes what was said and what the file says, and finds what is wrong with it before anything is loaded.
    pub(crate) fn settle(&self) -> Result<Served, CliError> {
        let file = match &self.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let wanted = wanted(&self.models, &file, &self.context.options()?)?;
        let data = self.data_dir.clone().or_else(|| file.data_dir.clone()).or_else(data_folder);
        let data =
            data.ok_or_else(|| CliError::usage("no folder for data is known; name one with --data-dir"))?;
        let allow = if self.allow.is_empty() { &file.allow } else { &self.allow };
        if let Some(none) = allow.iter().find(|folder| !folder.is_dir()) {
            return Err(CliError::usage(format!("--allow {}: there is no such folder", none.display())));
        }
        let room = sized(self.max_readings, file.max_readings.as_deref())?;
        let settings = Settings {
            allow: allow.clone(),
            readings_bytes: room.map(|bytes| bytes as u64),
            memory: self.memory(&file, &data, wanted.first().map(|model| model.name.clone()))?,
            ..Settings::new(data)
        };
        let pool = pool(self.threads.or(file.threads))?;
        Ok(Served { file, settings, pool, wanted, draft: self.context.draft.clone() })
    }

    /// The memories that are to be served, opened once, so that what is wrong with the store is told before anything is loaded.
    fn memory(
        &self,
        file: &File,
        data: &Path,
        model: Option<String>,
    ) -> Result<Option<MemorySettings>, CliError> {
        let Some(store) = self.memory.as_deref().or(file.memory.as_deref()) else {
            if self.memory_user.is_some() || self.no_extract {
                return Err(CliError::usage(
                    "--memory-user and --no-extract say how memories are served; add --memory",
                ));
            }
            return Ok(None);
        };
        let store = Store::named(Some(store).filter(|store| !store.is_empty()))?.beside(data);
        let scope = Scope::default();
        let user = self.memory_user.clone().or_else(|| file.memory_user.clone()).unwrap_or(scope.user);
        let scope = Scope::new(&scope.tenant, &user)?;
        store.open(scope.clone(), &user)?;
        Ok(Some(MemorySettings {
            open: Arc::new(move || store.open(scope.clone(), &scope.user)),
            user,
            extract: model.filter(|_| !self.no_extract && file.extract.unwrap_or(true)),
        }))
    }
}

impl Served {
    /// Loads the models.
    pub(crate) fn load(&mut self, ui: &Ui) -> Result<Vec<ServedModel>, CliError> {
        let mut models = Vec::with_capacity(self.wanted.len());
        for Wanted { name, model, context } in self.wanted.drain(..) {
            ui.say(&format!("loading {name}"));
            let engine = Arc::new(Engine::open(&resolve(&model)?, &name, Arc::clone(&self.pool))?);
            let draft = draft(self.draft.as_deref(), &engine)?;
            models.push(ServedModel::new(name, engine, ContextOptions { draft, ..context })?);
        }
        Ok(models)
    }
}

/// A size as typed, else as the file has it.
pub(crate) fn sized(typed: Option<usize>, file: Option<&str>) -> Result<Option<usize>, CliError> {
    match typed {
        Some(size) => Ok(Some(size)),
        None => file.map(size::parse_bytes).transpose().map_err(CliError::usage),
    }
}

fn read(path: &Path) -> Result<File, CliError> {
    let named = |message: String| CliError::usage(format!("{}: {message}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    toml::from_str(&text).map_err(|error| named(error.to_string()))
}

/// The models of the command line, else those of the file, else the default one.
fn wanted(typed: &[String], file: &File, context: &ContextOptions) -> Result<Vec<Wanted>, CliError> {
    let mut wanted: Vec<Wanted> = Vec::new();
    if typed.is_empty() {
        for listed in &file.models {
            let mut context = match &listed.method {
                Some(typed) => context.for_method(method(typed)?),
                None => context.clone(),
            };
            if let Some(typed) = &listed.budget {
                context.budget = Some(size::parse_bytes(typed).map_err(CliError::usage)?);
            }
            let name = listed.name.clone().unwrap_or_else(|| short(&listed.model));
            wanted.push(Wanted { name, model: listed.model.clone(), context });
        }
    }
    for typed in typed {
        let (name, model) = named(typed);
        wanted.push(Wanted { name, model, context: context.clone() });
    }
    if wanted.is_empty() {
        let (name, model) = (DEFAULT_MODEL.to_owned(), DEFAULT_MODEL.to_owned());
        wanted.push(Wanted { name, model, context: context.clone() });
    }
    let mut names: Vec<&str> = wanted.iter().map(|wanted| wanted.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(CliError::usage(format!(
            "two models are called {}; name them apart with -m NAME=FILE",
            pair[0]
        ))),
        None => Ok(wanted),
    }
}

/// `NAME=FILE`, or a model whose name follows from what was typed.
pub(crate) fn named(typed: &str) -> (String, String) {
    match typed.split_once('=') {
        Some((name, model)) => (name.to_owned(), model.to_owned()),
        None => (short(typed), typed.to_owned()),
    }
}

/// A model's name: that of the catalogue, or of its file without folder and ending.
fn short(model: &str) -> String {
    let path = Path::new(model);
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.map_or_else(|| model.to_owned(), |name| name.to_string_lossy().into_owned())
}
