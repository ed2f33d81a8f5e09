//! `loci search DIR -q QUESTION`: passages of a folder of files.

use std::path::{Path, PathBuf};

use loci_engine::documents::Document;
use loci_engine::model_store::{DEFAULT_ENCODER, resolve};
use loci_engine::{Control, Embedder, Progress};
use loci_reading::search::{Hit, Index, Refreshed, standard_place};
use loci_reading::{By, TextEncoder};
use serde::Serialize;

use crate::args::pool;
use crate::error::CliError;
use crate::kit::RankBy;
use crate::ui::{Ui, one_line, print, print_json, stop_flag};

/// Files that were left out of which each is named; of more, only their number is said.
const NAMED: usize = 5;

/// Fewer files are read, or vectors computed, sooner than a bar is worth it.
const MANY: usize = 50;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder to search, with the folders in it: text, Markdown, source code, HTML, EPUB, PDF. Hidden files and folders, and
    /// folders named target or node_modules, are passed over; links are not followed.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What to look for.
    #[arg(short, long)]
    question: String,
    /// Show at most this many passages.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// What passages are ranked by.
    #[arg(long, value_enum, default_value = "words")]
    by: RankBy,
    /// Folder for the index [default: one in the user's folder for caches, named by DIR].
    #[arg(long, value_name = "FOLDER")]
    index: Option<PathBuf>,
    /// A sentence encoder, for meaning: a name of the catalogue (see `loci pull --list`), or a folder as
    /// sentence-transformers writes it.
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_ENCODER)]
    encoder: String,
    /// Threads that compute vectors [default: all processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Search what was indexed before, without looking for changes.
    #[arg(long)]
    no_refresh: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Output<'a> {
    folder: &'a Path,
    index: &'a Path,
    question: &'a str,
    by: &'static str,
    encoder: Option<&'a str>,
    /// What was found to be new; none with `--no-refresh`.
    refresh: Option<Refreshed>,
    hits: Vec<Hit>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let by = By::from(args.by);
    let at = match &args.index {
        Some(at) => at.clone(),
        None => place(&args.folder)?,
    };
    // What is missing is said before many files are read.
    let encoder = match by.needs_encoder() {
        false => None,
        true => Some(Embedder::open(&resolve(&args.encoder)?, &args.encoder, pool(args.threads)?)?),
    };
    let mut index = Index::open(&args.folder, &at)?;
    let mut refreshed = None;
    if !args.no_refresh {
        let counts = with_bar(ui, "indexing", |control| Ok(index.refresh(control)?))?;
        tell(ui, &counts);
        refreshed = Some(counts);
    }
    if let Some(encoder) = &encoder {
        let encoded = with_bar(ui, "computing vectors", |control| Ok(index.encode(encoder, control)?))?;
        if encoded.computed > 0 {
            ui.say(&format!("computed {} vectors of {} passages", encoded.computed, encoded.passages));
        }
    }
    let hits = index.search(&args.question, args.top, by, encoder.as_ref().map(|encoder| encoder as _))?;
    if args.json {
        return print_json(&Output {
            folder: index.folder(),
            index: index.place(),
            question: &args.question,
            by: by.name(),
            encoder: encoder.as_ref().map(Embedder::name),
            refresh: refreshed,
            hits,
        });
    }
    if hits.is_empty() && args.top > 0 {
        ui.say("no passage has a word of the question; other words may find some, or --by meaning");
    }
    for (rank, hit) in hits.iter().enumerate() {
        print(&format!("{:>3}  {}\n", rank + 1, line(hit)))?;
    }
    Ok(())
}

/// Where the index of `folder` lies unless one is named.
fn place(folder: &Path) -> Result<PathBuf, CliError> {
    standard_place(folder)?.ok_or_else(|| {
        CliError::failed(
            "no folder for an index is known: neither LOCI_CACHE nor HOME is set; set one, or name a folder with --index",
        )
    })
}

/// The files of a folder that hold its `top` best passages for `question`, best first, as they are now; what was indexed
/// before is looked through for changes.
pub(super) fn documents(
    folder: &Path,
    question: &str,
    (by, encoder): (By, Option<&dyn TextEncoder>),
    top: usize,
    ui: &Ui,
) -> Result<Vec<Document>, CliError> {
    let mut index = Index::open(folder, &place(folder)?)?;
    tell(ui, &with_bar(ui, "indexing", |control| Ok(index.refresh(control)?))?);
    if let Some(encoder) = encoder {
        with_bar(ui, "computing vectors", |control| Ok(index.encode(encoder, control)?))?;
    }
    let mut files: Vec<String> = Vec::new();
    for hit in index.search(question, top, by, encoder)? {
        if !files.contains(&hit.file) {
            files.push(hit.file);
        }
    }
    if files.is_empty() {
        return Err(CliError::failed(format!(
            "no passage in {} has a word of the question; other words may find some, or --read rag:by=meaning",
            folder.display()
        )));
    }
    files.iter().map(|file| Ok(index.document(file)?)).collect()
}

/// A hit on one line.
fn line(hit: &Hit) -> String {
    let Hit { file, start, end, line, score, text } = hit;
    format!("{score:.4}  {} bytes {start}..{end} (line {line}): {}", one_line(file), one_line(text))
}

/// Runs `work` with a bar that counts what it does, where that is much.
fn with_bar<T>(
    ui: &Ui,
    what: &'static str,
    work: impl FnOnce(&mut Control<'_>) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let bar = ui.steps(what);
    let mut update = |progress: Progress| {
        if progress.total >= MANY {
            bar.update(progress.done, progress.total, "");
        }
    };
    work(&mut Control { stop: Some(stop_flag()), progress: Some(&mut update) })
}

/// Says what was new, if anything was.
fn tell(ui: &Ui, counts: &Refreshed) {
    if let Some(reason) = &counts.rebuilt {
        ui.say(&format!("the index was made anew: {reason}"));
    }
    let Refreshed { files, passages, added, changed, removed, .. } = counts;
    if added + changed + removed > 0 || counts.rebuilt.is_some() {
        ui.say(&format!(
            "indexed {files} files in {passages} passages: {added} new, {changed} changed, {removed} gone"
        ));
        for left_out in counts.left_out.iter().take(NAMED) {
            ui.say(&format!("left out: {}: {}", one_line(&left_out.file), one_line(&left_out.message)));
        }
        let more = counts.left_out.len().saturating_sub(NAMED);
        if more > 0 {
            ui.say(&format!("left out: {more} more; --json lists all"));
        }
    }
}
