//! `loci eval recall` and `loci eval memory`: what the governed memory finds, and what can be answered from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use loci_context::MethodSpec;
use loci_context::recipes::full;
use loci_engine::{ContextOptions, Engine, LocalModel, files};
use loci_eval::datasets::long_mem_eval_retrieval::SUBSETS;
use loci_eval::datasets::retrieval::Expansions;
use loci_eval::memory::answered_report::{MemoryReport, memory_table, report};
use loci_eval::memory::answering::{Asking, answer};
use loci_eval::memory::compile::{Plan, compile};
use loci_eval::memory::corpus::Corpus;
use loci_eval::memory::finding::{Choices, find, finding_table};
use loci_eval::memory::history::History;
use loci_eval::memory::readers::{FirstItem, ModelReader, Reader};
use loci_eval::memory::store::{Keys, Unit};
use loci_eval::report::Card;

use super::measure::typed;
use crate::args::ModelArgs;
use crate::error::CliError;
use crate::kit::{KitArgs, RankBy};
use crate::ui::{Ui, print, print_json, stop_flag};

/// Histories that are generated.
#[derive(Debug, clap::Args)]
pub(crate) struct HistoryArgs {
    /// Chats of each generated history.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    sessions: u32,
    /// Questions in all; a history of its own is made for each dozen.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    questions: u32,
    /// Chats that are no evidence are left out until a history has at most so many words.
    #[arg(long, value_name = "N")]
    most_words: Option<usize>,
    /// Seed of the histories.
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
}

impl HistoryArgs {
    fn histories(&self) -> Result<Vec<History>, CliError> {
        Ok(compile(&Plan {
            sessions: self.sessions as usize,
            questions: self.questions as usize,
            most_words: self.most_words,
            seed: self.seed,
        })?)
    }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each chat is written into a memory at its time, by the memory's own gate, and sought by its own recall at the \
time of the question. Choices are compared that differ in one thing: what is an item, by which keys it is found, what ranks, and \
whether the days that a question names go first. Chats are counted: rounds lead to their chats. Without --data histories are \
generated; of LongMemEval the published parts are measured as published, files of the sample form (conversation) by a protocol of \
our own."
)]
pub(crate) struct RecallArgs {
    /// Folder with LongMemEval; otherwise histories are generated.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Part of LongMemEval; all takes files of the sample form together [default: s].
    #[arg(long, value_name = "PART", value_parser = PossibleValuesParser::new(SUBSETS), requires = "data")]
    subset: Option<String>,
    #[command(flatten)]
    history: HistoryArgs,
    /// What is an item.
    #[arg(long, value_enum, value_name = "UNIT,…", value_delimiter = ',', default_value = "session,round")]
    granularity: Vec<Granularity>,
    /// By which keys it is found besides its words.
    #[arg(long, value_enum, value_name = "KEYS,…", value_delimiter = ',', default_value = "plain,facts")]
    keys: Vec<KeyChoice>,
    /// JSON lines with facts made elsewhere, as by a model: key (a text, or its BLAKE3 hash) and expansion; one more choice of keys.
    #[arg(long, value_name = "FILE")]
    expansions: Option<PathBuf>,
    /// What ranks.
    #[arg(long, value_enum, value_name = "BY,…", value_delimiter = ',', default_value = "words")]
    by: Vec<RankBy>,
    #[command(flatten)]
    kit: KitArgs,
    /// How many of the first chats count.
    #[arg(long, value_delimiter = ',', value_name = "K,K,…", default_value = "5,10", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    top: Vec<u32>,
    /// Leave out items without facts where keys are facts, as the code published with LongMemEval does: for comparison only.
    #[arg(long)]
    official_empty: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Granularity {
    /// Whole chats, by what the user says in them.
    Session,
    /// Messages of the user.
    Round,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum KeyChoice {
    /// None.
    Plain,
    /// The facts in it, by rule, with its words (K = V + fact).
    Facts,
}

/// A folder for stores that is removed when it is no longer needed.
struct Meanwhile(PathBuf);

impl Meanwhile {
    fn new() -> Result<Self, CliError> {
        let name = format!("loci-eval-{}-{:x}", std::process::id(), rand_name());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(|error| {
            CliError::failed(format!(
                "{}: {error}; set TMPDIR to a folder that can be written",
                path.display()
            ))
        })?;
        Ok(Self(path))
    }
}

/// Nanoseconds of now: two runs of one process get unlike folders.
fn rand_name() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

impl Drop for Meanwhile {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for such files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn recall(args: &RecallArgs) -> Result<(), CliError> {
    let corpus = match &args.data {
        Some(data) => Corpus::long_mem_eval(data, args.subset.as_deref().unwrap_or("s"))?,
        None => Corpus::generated(&args.history.histories()?),
    };
    let mut keys: Vec<Keys> = args
        .keys
        .iter()
        .map(|keys| match keys {
            KeyChoice::Plain => Keys::Plain,
            KeyChoice::Facts => Keys::Facts,
        })
        .collect();
    if let Some(path) = &args.expansions {
        keys.push(Keys::Given(Arc::new(Expansions::open(path)?)));
    }
    let by: Vec<loci_reading::By> = args.by.iter().map(|by| (*by).into()).collect();
    let encoder = args.kit.encoder(by.iter().any(|by| by.needs_encoder()))?;
    let choices = Choices {
        units: args
            .granularity
            .iter()
            .map(|unit| match unit {
                Granularity::Session => Unit::Session,
                Granularity::Round => Unit::Round,
            })
            .collect(),
        keys,
        by,
        encoder: encoder.as_deref(),
        top: args.top.iter().map(|k| *k as usize).collect(),
        official_empty: args.official_empty,
    };
    let folder = Meanwhile::new()?;
    let found = find(&corpus, &choices, &folder.0)?;
    if args.json { print_json(&found) } else { print(&finding_table(&found)) }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Settings: po, without any memory; lc-off, the chats up to a snapshot in the prompt; sr-off, what is recalled \
of a memory that ends at the snapshot; online, what is recalled of the memory as it is now. Memories are asked twice: without \
topics, when nothing outdoes anything, and with the topics of what was told, when the conflict rule decides. Answers are judged by \
rule; -m names a model that reads beside the rule that takes the first item. The panels (E-MARS+) are never merged into one number; what was not measured says why."
)]
pub(crate) struct MemoryArgs {
    #[command(flatten)]
    history: HistoryArgs,
    /// Items that are replayed at most.
    #[arg(short, long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    k: u16,
    /// What ranks them.
    #[arg(long, value_enum, default_value = "words")]
    by: RankBy,
    #[command(flatten)]
    kit: KitArgs,
    // With -m a model reads beside the rules.
    #[command(flatten)]
    model: ModelArgs,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Write the evaluation card there: how it was measured, and five blocks of results, as JSON.
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
}

pub(crate) fn memory(args: &MemoryArgs, ui: &Ui) -> Result<(), CliError> {
    let histories = args.history.histories()?;
    let by: loci_reading::By = args.by.into();
    let encoder = args.kit.encoder(by.needs_encoder())?;
    let engine = args.model.model.as_ref().map(|_| args.model.open()).transpose()?;
    let mut readers: Vec<Box<dyn Reader + '_>> =
        vec![Box::new(FirstItem { refuses: true }), Box::new(FirstItem { refuses: false })];
    if let Some(engine) = &engine {
        readers.push(Box::new(reader(engine)?));
    }
    let asking = Asking { k: args.k.into(), by, encoder: encoder.as_deref(), seed: args.history.seed };
    let folder = Meanwhile::new()?;
    let bar = ui.steps("questions");
    let answering =
        answer(&histories, &mut readers, &asking, &folder.0, &mut |done, total| bar.update(done, total, ""))?;
    drop(bar);
    let card = card(args, &histories, engine.as_deref(), encoder.as_deref().map(|encoder| encoder.name()));
    let report = report(card, answering, args.k.into());
    if let Some(path) = &args.card {
        write_card(path, &report)?;
    }
    if args.json { print_json(&report) } else { print(&memory_table(&report)) }
}

/// A model as a reader, with full attention over its trained window.
fn reader(engine: &Arc<Engine>) -> Result<ModelReader<'static>, CliError> {
    let method = Some(MethodSpec::parse(full::INFO.id)?);
    let model = LocalModel::new(Arc::clone(engine), ContextOptions { method, ..ContextOptions::default() });
    // Template, question and answer take their part.
    Ok(ModelReader::new(Box::new(model), engine.trained_window().saturating_sub(400), Some(stop_flag())))
}

fn card(args: &MemoryArgs, histories: &[History], engine: Option<&Engine>, encoder: Option<&str>) -> Card {
    let first =
        histories.iter().filter_map(|history| history.sessions.first()).map(|session| session.at).min();
    let last = histories.iter().map(|history| history.asked_at).max();
    let window = match (first, last) {
        (Some(first), Some(last)) => format!("{} to {}", first.date(), last.date()),
        _ => "none".to_owned(),
    };
    let snapshots: Vec<String> =
        histories.iter().map(|history| history.snapshot.date().to_string()).collect();
    let by = loci_reading::By::from(args.by).name();
    Card {
        command: typed(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        models: engine.map(|engine| engine.name().to_owned()).into_iter().collect(),
        methods: ["first-item", "first-item, always"].map(str::to_owned).into_iter().chain(engine.map(|engine| engine.name().to_owned())).collect(),
        texts: format!(
            "{} generated histories of {} chats; {window}; snapshots of the frozen stores: {}",
            histories.len(),
            args.history.sessions,
            snapshots.join(", ")
        ),
        deduplication: "not needed: what is asked for is drawn anew; the gate does not keep the same text of one chat twice, and \
                        drops what an assistant repeats"
            .to_owned(),
        updates: "three of a dozen questions are about things that are told twice, at places drawn over the whole history"
            .to_owned(),
        unanswerable: "a thing of a kind that users tell of, of which this one never told anything".to_owned(),
        memory: format!(
            "messages as items, facts by rule as further keys; at most {} replayed; refused where no item has half of the \
             question's telling words, or a cosine of 0.35",
            args.k
        ),
        protocol: "po, lc-off, sr-off, online on the same questions".to_owned(),
        retriever: match encoder {
            Some(encoder) => format!("the memory's own recall by {by}, with {encoder}"),
            None => format!("the memory's own recall by {by}"),
        },
        machine: engine.map_or_else(
            || std::env::consts::ARCH.to_owned(),
            |engine| format!("{}, {} threads", engine.isa().name(), engine.pool().threads()),
        ),
        decoding: "greedy; answers are right by rule".to_owned(),
        seed: args.history.seed,
        against: "po".to_owned(),
        correction: "Holm over all pairs of settings".to_owned(),
        limits: vec![
            "chats of our own, far shorter and simpler than people's; one seed".to_owned(),
            "topics, where there are some, are those of the generator: an upper bound".to_owned(),
            "questions of one history share its chats; intervals take them as independent".to_owned(),
        ],
        ..Card::default()
    }
}

fn write_card(path: &Path, report: &MemoryReport) -> Result<(), CliError> {
    let card = serde_json::json!({ "card": report.card, "results": report.results });
    let text = serde_json::to_string_pretty(&card)?;
    files::write(path, text.as_bytes())
        .map_err(|error| CliError::failed(format!("{}: {error}", path.display())))
}
