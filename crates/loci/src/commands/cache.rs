//! `loci cache list|clear|pin`: what `loci ask` keeps of long inputs, and the indexes of `loci search`.

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

/// An index of `loci search`.
#[derive(Serialize)]
struct Indexed {
    id: String,
    bytes: u64,
    of: String,
    #[cfg(feature = "search")]
    #[serde(skip)]
    kept: loci_reading::search::Kept,
}

/// All indexes in the user's folder for caches.
fn indexes() -> Vec<Indexed> {
    #[cfg(feature = "search")]
    let all = loci_reading::search::kept().into_iter().map(|kept| Indexed {
        id: kept.id.clone(),
        bytes: kept.bytes,
        of: kept.folder.clone(),
        kept,
    });
    #[cfg(not(feature = "search"))]
    let all = std::iter::empty();
    all.collect()
}

impl Indexed {
    fn remove(&self) -> Result<(), CliError> {
        #[cfg(feature = "search")]
        self.kept.remove()?;
        Ok(())
    }
}

#[derive(Serialize)]
struct Listing {
    folder: String,
    bytes: u64,
    entries: Vec<Listed>,
    indexes: Vec<Indexed>,
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
            let (entries, indexes) = match ids.is_empty() {
                true => (cache.entries().into_iter().filter(|entry| !entry.pinned).collect(), indexes()),
                false => named(&cache, ids)?,
            };
            let mut bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
            entries.iter().for_each(|entry| cache.remove(entry));
            for index in &indexes {
                index.remove()?;
                bytes += index.bytes;
            }
            ui.say(&format!("removed {} ({})", count(entries.len() + indexes.len()), show_bytes(bytes)));
            Ok(())
        }
        What::Pin { ids, undo } => {
            let (entries, indexes) = named(&cache, ids)?;
            if let Some(index) = indexes.first() {
                return Err(CliError::usage(format!(
                    "{} is the index of {}: indexes stay until they are cleared, so they need not be pinned",
                    index.id, index.of
                )));
            }
            for entry in entries {
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

/// The entries and indexes that `ids` name, each exactly one.
fn named(cache: &PrefixCache, ids: &[String]) -> Result<(Vec<CacheEntry>, Vec<Indexed>), CliError> {
    let (mut entries, mut indexed) = (Vec::new(), Vec::new());
    for id in ids {
        let mut of_readings = cache.named(id);
        let mut of_indexes: Vec<Indexed> =
            indexes().into_iter().filter(|index| index.id.starts_with(id)).collect();
        match of_readings.len() + of_indexes.len() {
            1 if !id.is_empty() => {
                entries.append(&mut of_readings);
                indexed.append(&mut of_indexes);
            }
            0 => return Err(CliError::usage(format!("the cache has no entry {id:?}; see: loci cache list"))),
            several => {
                return Err(CliError::usage(format!(
                    "{several} entries of the cache begin with {id:?}; write more of the one that is meant"
                )));
            }
        }
    }
    Ok((entries, indexed))
}

fn list(cache: &PrefixCache, json: bool) -> Result<(), CliError> {
    let entries: Vec<Listed> = cache.entries().into_iter().map(listed).collect();
    let indexes = indexes();
    let bytes = entries.iter().map(|entry| entry.bytes).chain(indexes.iter().map(|index| index.bytes)).sum();
    if json {
        return print_json(&Listing {
            folder: cache.folder().display().to_string(),
            bytes,
            entries,
            indexes,
        });
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
    for index in &indexes {
        let id = index.id.get(..12).unwrap_or(&index.id);
        print(&format!("{id}  {:>10}  index of {}\n", show_bytes(index.bytes), index.of))?;
    }
    print(&format!(
        "{}, {} in {}\n",
        count(entries.len() + indexes.len()),
        show_bytes(bytes),
        cache.folder().display()
    ))
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
