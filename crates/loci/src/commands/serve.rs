//! `loci serve`: an endpoint for programs, and a page.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use loci_engine::embedder::Embedder;
use loci_engine::model_store::{DEFAULT_MODEL, resolve};
use loci_engine::{ContextOptions, Engine, size};
use loci_server::http::key_hash;
use loci_server::worker::Limits;
use loci_server::{ServedModel, Settings, serve};
use serde::Deserialize;

use crate::args::{ContextArgs, draft, method, pool};
use crate::error::CliError;
use crate::ui::{Ui, print, stop_flag};

/// Where it listens unless told otherwise: only this machine can call.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 8080;
/// Bytes of a request.
const BODY: usize = 64 << 20;
/// Tokens of an answer where a request does not say.
const MAX_TOKENS: usize = 512;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address to listen on [default: 127.0.0.1, so that only this machine can call].
    #[arg(long, value_name = "ADDRESS", env = "LOCI_HOST")]
    host: Option<String>,
    /// Port; 0 takes a free one [default: 8080].
    #[arg(long, value_name = "N", env = "LOCI_PORT")]
    port: Option<u16>,
    /// A key that requests must bring; may be given several times. Better set in the environment than typed, where other
    /// users of the machine see it; several are separated by commas there.
    #[arg(
        long = "api-key",
        value_name = "KEY",
        env = "LOCI_API_KEY",
        hide_env_values = true,
        value_delimiter = ','
    )]
    api_keys: Vec<String>,
    /// Folder for readings [default: loci in the user's folder of data].
    #[arg(long, value_name = "FOLDER", env = "LOCI_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// A model to serve: a name of the catalogue, a file or folder, or NAME=FILE; may be given several times, the first
    /// answers requests that name none [default: smollm2].
    #[arg(short, long = "model", value_name = "MODEL", env = "LOCI_MODELS", value_delimiter = ',')]
    models: Vec<String>,
    /// A sentence encoder for /v1/embeddings, such as minilm; may be given several times [default: none].
    #[arg(long = "encoder", value_name = "MODEL", env = "LOCI_ENCODERS", value_delimiter = ',')]
    encoders: Vec<String>,
    /// Threads that compute [default: all processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// A file with settings; flags and the environment go before it. docs/server.md shows one.
    #[arg(long, value_name = "FILE", env = "LOCI_CONFIG")]
    config: Option<PathBuf>,
    /// Requests that are worked on at once [default: 8].
    #[arg(long, value_name = "N")]
    concurrent: Option<usize>,
    /// Requests that may wait; more are refused with 429 [default: 64].
    #[arg(long, value_name = "N")]
    queue: Option<usize>,
    /// Requests of one client at once; more are refused with 429 [default: 32].
    #[arg(long, value_name = "N")]
    per_client: Option<usize>,
    /// Seconds after which a request is ended [default: 600].
    #[arg(long, value_name = "S")]
    timeout: Option<u64>,
    /// Largest request, uploads included [default: 64MiB].
    #[arg(long, value_name = "SIZE", value_parser = size::parse_bytes)]
    max_body: Option<usize>,
    /// RAM for contexts of finished requests, kept in case another begins like them [default: 1GiB].
    #[arg(long, value_name = "SIZE", value_parser = size::parse_bytes)]
    keep: Option<usize>,
    /// Origin of pages that may call the server, such as https://example.org; may be given several times [default: none].
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    #[command(flatten)]
    context: ContextArgs,
}

/// Settings in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    host: Option<String>,
    port: Option<u16>,
    api_keys: Vec<String>,
    data_dir: Option<PathBuf>,
    threads: Option<u16>,
    concurrent: Option<usize>,
    queue: Option<usize>,
    per_client: Option<usize>,
    timeout: Option<u64>,
    max_body: Option<String>,
    keep: Option<String>,
    cors_origins: Vec<String>,
    encoders: Vec<String>,
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

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let file = match &args.config {
        Some(path) => read(path)?,
        None => File::default(),
    };
    let context = args.context.options()?;
    let wanted = wanted(args, &file, &context)?;
    let host = args.host.clone().or(file.host).unwrap_or_else(|| HOST.to_owned());
    let port = args.port.or(file.port).unwrap_or(PORT);
    let keys = if args.api_keys.is_empty() { &file.api_keys } else { &args.api_keys };
    if keys.iter().any(|key| key.trim().is_empty()) {
        return Err(CliError::usage("an empty --api-key would let nobody in; leave it out, or set one"));
    }
    let ours = ["127.0.0.1", "::1", "localhost"].contains(&host.as_str());
    if !ours && keys.is_empty() {
        ui.say(&format!(
            "warning: everyone who reaches {host} may use this server; set LOCI_API_KEY to prevent that"
        ));
    }
    let defaults = Limits::default();
    let limits = Limits {
        concurrent: at_least_one("concurrent", args.concurrent.or(file.concurrent), defaults.concurrent)?,
        queue: args.queue.or(file.queue).unwrap_or(defaults.queue),
        per_client: at_least_one("per-client", args.per_client.or(file.per_client), defaults.per_client)?,
        timeout: args.timeout.or(file.timeout).map_or(defaults.timeout, Duration::from_secs),
        idle_bytes: sized(args.keep, file.keep.as_deref(), defaults.idle_bytes)?,
    };
    let settings = Settings {
        keys: keys.iter().map(|key| key_hash(key.trim())).collect(),
        data: data_folder(args.data_dir.clone().or(file.data_dir))?,
        body_bytes: sized(args.max_body, file.max_body.as_deref(), BODY)?,
        origins: if args.origins.is_empty() { file.cors_origins } else { args.origins.clone() },
        limits,
        max_tokens: MAX_TOKENS,
        grace: Duration::from_secs(30),
    };
    let pool = pool(args.threads.or(file.threads))?;
    let mut models = Vec::with_capacity(wanted.len());
    for Wanted { name, model, context } in wanted {
        ui.say(&format!("loading {name}"));
        let engine = Arc::new(Engine::open(&resolve(&model)?, &name, Arc::clone(&pool))?);
        let draft = draft(args.context.draft.as_deref(), &engine)?;
        models.push(ServedModel::new(name, engine, ContextOptions { draft, ..context })?);
    }
    let typed = if args.encoders.is_empty() { &file.encoders } else { &args.encoders };
    let mut encoders = Vec::with_capacity(typed.len());
    for (name, model) in typed.iter().map(|typed| named(typed)) {
        ui.say(&format!("loading {name}"));
        encoders.push(Embedder::open(&resolve(&model)?, &name, Arc::clone(&pool))?);
    }
    let ready = |address: std::net::SocketAddr| {
        // Scripts wait for this line; that nobody reads it is no failure.
        let _told = print(&format!("listening on http://{address}\n"));
    };
    let stop = || stop_flag().load(Ordering::Relaxed);
    serve((&host, port), models, encoders, settings, ready, stop).map_err(CliError::failed)
}

fn read(path: &Path) -> Result<File, CliError> {
    let named = |message: String| CliError::usage(format!("{}: {message}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    toml::from_str(&text).map_err(|error| named(error.to_string()))
}

/// The models of the command line, else those of the file, else the default one.
fn wanted(args: &Args, file: &File, context: &ContextOptions) -> Result<Vec<Wanted>, CliError> {
    let mut wanted: Vec<Wanted> = Vec::new();
    if args.models.is_empty() {
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
    for typed in &args.models {
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
fn named(typed: &str) -> (String, String) {
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

fn at_least_one(name: &str, value: Option<usize>, default: usize) -> Result<usize, CliError> {
    match value {
        Some(0) => Err(CliError::usage(format!("--{name} 0 would serve nobody; use 1 or more"))),
        value => Ok(value.unwrap_or(default)),
    }
}

fn sized(typed: Option<usize>, file: Option<&str>, default: usize) -> Result<usize, CliError> {
    match (typed, file) {
        (Some(size), _) => Ok(size),
        (None, Some(text)) => size::parse_bytes(text).map_err(CliError::usage),
        (None, None) => Ok(default),
    }
}

/// The folder for what is kept.
fn data_folder(given: Option<PathBuf>) -> Result<PathBuf, CliError> {
    if let Some(folder) = given {
        return Ok(folder);
    }
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = of("XDG_DATA_HOME").or_else(|| of("HOME").map(|home| home.join(".local/share")));
    base.map(|base| base.join("loci"))
        .ok_or_else(|| CliError::usage("no folder for data is known; name one with --data-dir"))
}
