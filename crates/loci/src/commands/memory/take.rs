//! `loci memory add|import|export`: in and out.

use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use loci_engine::documents;
use loci_engine::{ContextOptions, Control, LocalModel};
use loci_memory::gate::Verdict;
use loci_memory::{Added, Content, Kind, Memory, Source, Time, Trust};
use loci_reading::passages;
use serde_json::json;

use super::KindArg;
use crate::args::ModelArgs;
use crate::error::CliError;
use crate::ui::{Ui, print, print_json, stop_flag};

/// Words of a passage of a file, at most.
const WORDS: usize = 120;
/// Passages that are written in one transaction.
const BATCH: usize = 500;

#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// What to remember; - reads it from standard input.
    #[arg(
        value_name = "TEXT",
        required_unless_present = "file",
        conflicts_with = "file",
        allow_hyphen_values = true
    )]
    text: Option<String>,
    /// Remember the passages of a file instead, each with its place in it.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What it is [default: note; document for a file].
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// The conversation that it is from.
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// Who said it: user, assistant, a name.
    #[arg(long, value_name = "NAME")]
    speaker: Option<String>,
    /// What it is about: of several items about one thing the newest that is believed counts.
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// Since when it is true: 2023-05-20 or 2023-05-20T02:21:00Z.
    #[arg(long, value_name = "TIME")]
    valid_from: Option<Time>,
    /// Until when it is true.
    #[arg(long, value_name = "TIME")]
    valid_until: Option<Time>,
    /// Where it is from; for a file its path.
    #[arg(long, value_name = "URI")]
    source: Option<String>,
    /// How far it is believed, from 0 to 100 [default: by who said it].
    #[arg(long, value_name = "N")]
    trust: Option<u8>,
    /// The item that it was made from; may be given several times.
    #[arg(long = "from", value_name = "ID")]
    parents: Vec<String>,
    /// The item whose place it takes.
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    supersedes: Option<String>,
    /// Why, for the log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl AddArgs {
    /// Everything but the text.
    fn content(&self) -> Result<Content, CliError> {
        let of_file = if self.file.is_some() { Kind::Document } else { Kind::Note };
        let kind = self.kind.map_or(of_file, Kind::from);
        let trust = match self.trust {
            Some(value) => Trust::try_from(value)?,
            None => Trust::of_speaker(self.speaker.as_deref(), kind),
        };
        Ok(Content {
            kind,
            source: Source { uri: self.source.clone(), ..Source::default() },
            session: self.session.clone(),
            speaker: self.speaker.clone(),
            topic: self.topic.clone(),
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            trust,
            parents: self.parents.clone(),
            ..Content::note("")
        })
    }
}

pub(super) fn add(memory: &mut Memory, args: &AddArgs, json: bool, ui: &Ui) -> Result<(), CliError> {
    let content = args.content()?;
    if let Some(file) = &args.file {
        return add_file(memory, file, &content, json, ui);
    }
    let text = match args.text.as_deref() {
        Some("-") => {
            let mut text = String::new();
            let read = std::io::stdin().lock().read_to_string(&mut text);
            read.map_err(|error| CliError::failed(format!("standard input: {error}; give text in UTF-8")))?;
            text.trim_end().to_owned()
        }
        text => text.unwrap_or("").to_owned(),
    };
    let content = Content { text, ..content };
    let added = match &args.supersedes {
        Some(old) => memory.supersede(old, &content, &[], args.reason.as_deref())?,
        None => memory.add(&content, &[])?,
    };
    if json { print_json(&added) } else { print(&format!("{}\n", line(&added))) }
}

/// What became of a text.
fn line(added: &Added) -> String {
    match &added.verdict {
        Verdict::Released => format!("{}  remembered", added.id),
        Verdict::Canary => format!("{}  remembered, as a canary", added.id),
        Verdict::Held { reasons } => format!("{}  held back: {}", added.id, reasons.join("; ")),
        Verdict::Duplicate { of } => format!("{of}  is there already"),
        Verdict::Echo { of } => format!("{of}  says the same; what a model repeats is not kept again"),
    }
}

/// Remembers the passages of a file, each with its bytes in it.
fn add_file(
    memory: &mut Memory,
    file: &Path,
    content: &Content,
    json: bool,
    ui: &Ui,
) -> Result<(), CliError> {
    let document = documents::read(file)?;
    let uri = content.source.uri.clone().unwrap_or_else(|| file.display().to_string());
    let hash = blake3::hash(document.text.as_bytes()).to_hex().to_string();
    let contents: Vec<(Content, Vec<loci_memory::Key>)> = passages(&document.text, WORDS)
        .into_iter()
        .filter_map(|range| Some((document.text.get(range.clone())?, range)))
        .filter(|(text, _)| !text.trim().is_empty())
        .map(|(text, range)| {
            let bytes = Some((range.start as u64, range.end as u64));
            let source = Source { uri: Some(uri.clone()), bytes, hash: Some(hash.clone()) };
            (Content { text: text.to_owned(), source, ..content.clone() }, Vec::new())
        })
        .collect();
    let mut added = Vec::with_capacity(contents.len());
    for batch in contents.chunks(BATCH) {
        added.extend(memory.add_all(batch)?);
    }
    let count = |name: &str| added.iter().filter(|added| added.verdict.name() == name).count();
    let (new, held, known) =
        (count("released") + count("canary"), count("held"), count("duplicate") + count("echo"));
    if json {
        return print_json(
            &json!({ "file": uri, "remembered": new, "held": held, "known": known, "items": added }),
        );
    }
    for held in added.iter().filter(|added| added.verdict.name() == "held") {
        ui.say(&line(held));
    }
    print(&format!("{uri}: {new} passages remembered, {held} held back, {known} there already\n"))
}

#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// The file to write [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn export(memory: &mut Memory, args: &ExportArgs, ui: &Ui) -> Result<(), CliError> {
    let mut lines = Vec::new();
    let count = memory.export(&mut lines)?;
    match &args.out {
        Some(path) => loci_engine::files::write(path, &lines).map_err(|error| {
            CliError::failed(format!("{}: {error}; name a file that can be written", path.display()))
        })?,
        None => {
            let mut out = std::io::stdout().lock();
            let written = out.write_all(&lines).and_then(|()| out.flush());
            match written {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                    return Err(CliError::BrokenPipe);
                }
                written => written.map_err(|error| CliError::failed(format!("standard output: {error}")))?,
            }
        }
    }
    ui.say(&format!("{count} items exported; forgotten ones are not"));
    Ok(())
}

#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The file to read; - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn import(memory: &mut Memory, args: &ImportArgs, json: bool, ui: &Ui) -> Result<(), CliError> {
    let imported = if args.file.as_os_str() == "-" {
        memory.import(&mut std::io::stdin().lock())?
    } else {
        let file = std::fs::File::open(&args.file)
            .map_err(|error| CliError::usage(format!("{}: {error}; name an export", args.file.display())))?;
        memory.import(&mut BufReader::new(file))?
    };
    if json {
        return print_json(&imported);
    }
    ui.say(&format!(
        "{} items imported, {} held back, {} there already",
        imported.added, imported.held, imported.known
    ));
    Ok(())
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Items that fail are tried again by later runs, after one minute, two, four and so on, five times in all. What is found is \
searched like the items' own words; dated events become items of their own, believed little, and pass the gate."
)]
pub(super) struct ExtractArgs {
    /// Look at most at so many items.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    most: usize,
    #[command(flatten)]
    model: ModelArgs,
}

pub(super) fn extract(memory: &mut Memory, args: &ExtractArgs, json: bool, ui: &Ui) -> Result<(), CliError> {
    let engine = args.model.open()?;
    let mut model = LocalModel::new(engine, ContextOptions::default());
    let mut control = Control { stop: Some(stop_flag()), progress: None };
    let done = memory.extract(&mut model, args.most, &mut control)?;
    if json {
        return print_json(&done);
    }
    ui.say(&format!(
        "looked at {} items: {} facts, {} names, {} events; {} found and dropped, {} items failed",
        done.items, done.facts, done.names, done.events, done.dropped, done.failed
    ));
    Ok(())
}
