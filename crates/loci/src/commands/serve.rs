//! `loci serve`: an endpoint for programs, and a page.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use loci_engine::embedder::Embedder;
use loci_engine::model_store::resolve;
use loci_engine::size;
use loci_server::http::key_hash;
use loci_server::worker::Limits;
use loci_server::{Settings, serve};

use super::served::{ServedArgs, named, sized};
use crate::error::CliError;
use crate::ui::{Ui, print, stop_flag};

/// Where it listens unless told otherwise: only this machine can call.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 8080;

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
    /// A sentence encoder for /v1/embeddings, such as minilm; may be given several times [default: none].
    #[arg(long = "encoder", value_name = "MODEL", env = "LOCI_ENCODERS", value_delimiter = ',')]
    encoders: Vec<String>,
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
    served: ServedArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let mut served = args.served.settle()?;
    let file = std::mem::take(&mut served.file);
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
        idle_bytes: sized(args.keep, file.keep.as_deref())?.unwrap_or(defaults.idle_bytes),
    };
    let settings = served.settings.clone();
    let settings = Settings {
        keys: keys.iter().map(|key| key_hash(key.trim())).collect(),
        local: ours,
        body_bytes: sized(args.max_body, file.max_body.as_deref())?.unwrap_or(settings.body_bytes),
        origins: if args.origins.is_empty() { file.cors_origins } else { args.origins.clone() },
        limits,
        ..settings
    };
    let models = served.load(ui)?;
    let typed = if args.encoders.is_empty() { &file.encoders } else { &args.encoders };
    let mut encoders = Vec::with_capacity(typed.len());
    for (name, model) in typed.iter().map(|typed| named(typed)) {
        ui.say(&format!("loading {name}"));
        encoders.push(Embedder::open(&resolve(&model)?, &name, Arc::clone(&served.pool))?);
    }
    let ready = |address: std::net::SocketAddr| {
        // Scripts wait for this line; that nobody reads it is no failure.
        let _told = print(&format!("listening on http://{address}\n"));
    };
    let stop = || stop_flag().load(Ordering::Relaxed);
    serve((&host, port), models, encoders, settings, ready, stop).map_err(CliError::failed)
}

fn at_least_one(name: &str, value: Option<usize>, default: usize) -> Result<usize, CliError> {
    match value {
        Some(0) => Err(CliError::usage(format!("--{name} 0 would serve nobody; use 1 or more"))),
        value => Ok(value.unwrap_or(default)),
    }
}
