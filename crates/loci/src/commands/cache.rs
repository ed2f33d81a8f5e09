//! `loci cache list|clear|pin`: what `loci ask` keeps of long inputs.

use clap::Subcommand;
use loci_engine::Reading;
use loci_engine::prefix_cache::{CacheEntry, DEFAULT_LIMIT, PrefixCache};
use loci_engine::size::show_bytes;
use serde::Serialize;

use crate::error::CliError;
use crate::ui::{Ui, print, print_json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List what there is, used last first.
    List {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Remove all that is not pinned, or what is named.
    Clear {
        /// Beginnings of ids, as `loci cache list` shows them.
        #[arg(value_name = "ID")]
        ids: Vec<String>,
    },
    /// Let entries stay however full the cache is.
    Pin {
        /// Beginnings of ids, as `loci cache list` shows them.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// No longer.
        #[arg(long)]
        undo: bool,
    },
}

#[derive(Serialize)]
struct Listed {
    id: String,
    bytes: u64,
    tokens: Option<usize>,
    model: Option<String>,
    method: Option<String>,
    used: u64,
    pinned: bool,
}

#[derive(Serialize)]
struct Listing {
    folder: String,
    bytes: u64,
    entries: Vec<Listed>,
}

/// The user's cache.
pub(super) fn standard(limit: u64) -> Result<PrefixCache, CliError> {
    PrefixCache::standard(limit).ok_or_else(|| {
        CliError::failed("no folder for a cache is known: neither LOCI_CACHE nor HOME is set; set one")
    })
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let cache = standard(DEFAULT_LIMIT)?;
    match &args.command {
        What::List { json } => list(&cache, *json),
        What::Clear { ids } => {
            let entries = match ids.is_empty() {
                true => cache.entries().into_iter().filter(|entry| !entry.pinned).collect(),
                false => named(&cache, ids)?,
            };
            let bytes = entries.iter().map(|entry| entry.bytes).sum();
            entries.iter().for_each(|entry| cache.remove(entry));
            ui.say(&format!("removed {} ({})", count(entries.len()), show_bytes(bytes)));
            Ok(())
        }
        What::Pin { ids, undo } => {
            for entry in named(&cache, ids)? {
                cache.pin(&entry, !undo)?;
                ui.say(&format!("{} {}", if *undo { "no longer pinned:" } else { "pinned:" }, entry.id));
            }
            Ok(())
        }
    }
}

fn count(entries: usize) -> String {
    if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") }
}

/// The entries that `ids` name, each exactly one.
fn named(cache: &PrefixCache, ids: &[String]) -> Result<Vec<CacheEntry>, CliError> {
    let one = |id: &String| {
        let found = cache.named(id);
        match found.len() {
            1 if !id.is_empty() => Ok(found),
            0 => Err(CliError::usage(format!("the cache has no entry {id:?}; see: loci cache list"))),
            several => Err(CliError::usage(format!(
                "{several} entries of the cache begin with {id:?}; write more of the one that is meant"
            ))),
        }
    };
    Ok(ids.iter().map(one).collect::<Result<Vec<_>, _>>()?.concat())
}

fn list(cache: &PrefixCache, json: bool) -> Result<(), CliError> {
    let entries: Vec<Listed> = cache.entries().into_iter().map(listed).collect();
    let bytes = entries.iter().map(|entry| entry.bytes).sum();
    if json {
        return print_json(&Listing { folder: cache.folder().display().to_string(), bytes, entries });
    }
    for entry in &entries {
        let unknown = || "?".to_owned();
        print(&format!(
            "{}  {:>10}  {:>8} tokens  {}  {}{}\n",
            entry.id.get(..12).unwrap_or(&entry.id),
            show_bytes(entry.bytes),
            entry.tokens.map_or_else(unknown, |tokens| tokens.to_string()),
            entry.model.clone().unwrap_or_else(unknown),
            entry.method.as_deref().map_or_else(unknown, crate::args::without_parameters),
            if entry.pinned { "  pinned" } else { "" }
        ))?;
    }
    print(&format!("{}, {} in {}\n", count(entries.len()), show_bytes(bytes), cache.folder().display()))
}

fn listed(entry: CacheEntry) -> Listed {
    // One that cannot be described is removed when it is looked for.
    let facts = Reading::describe(&entry.path).ok();
    Listed {
        id: entry.id,
        bytes: entry.bytes,
        tokens: facts.as_ref().map(|facts| facts.tokens),
        model: facts.as_ref().and_then(|facts| Some(facts.model.as_ref()?.name.clone())),
        method: facts.map(|facts| facts.method),
        used: entry.used.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        pinned: entry.pinned,
    }
}
