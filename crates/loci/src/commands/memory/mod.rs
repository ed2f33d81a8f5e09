//! `loci memory …`: what a user told, kept under rules that can be checked.

mod ask;
mod govern;
#[cfg(feature = "search")]
mod indexes;
mod place;
mod show;
mod take;

use clap::{Subcommand, ValueEnum};
use loci_memory::{Kind, Memory, Scope, State};

pub(crate) use ask::cite;
pub(crate) use place::Store;

use crate::error::CliError;
use crate::ui::Ui;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: What,
}

/// Whose memory, and where.
#[derive(Debug, clap::Args)]
struct Place {
    /// File of the memory, made if it is not there, or postgres://user@host/database where this program was built with the feature
    /// postgres [default: LOCI_MEMORY, or memory.db in the user's folder for data].
    #[arg(long, global = true, value_name = "PATH")]
    store: Option<String>,
    /// Whose memory.
    #[arg(long, global = true, value_name = "NAME", default_value = "me")]
    user: String,
    /// Whose users.
    #[arg(long, global = true, value_name = "NAME", default_value = "local")]
    tenant: String,
    /// Who does it, for the log [default: the user].
    #[arg(long, global = true, value_name = "NAME")]
    actor: Option<String>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Remember a text, or the passages of a file.
    Add(Box<take::AddArgs>),
    /// Have a model find facts, names and dated events in what it has not seen yet.
    Extract(Box<take::ExtractArgs>),
    /// Have a model answer a question from what is remembered, with the items it answered from.
    Ask(Box<ask::AskArgs>),
    /// Find what answers a question.
    Search(Box<show::SearchArgs>),
    /// List items, learned first first.
    List(show::ListArgs),
    /// Show an item with its keys and its way.
    Show {
        /// The beginning of its id.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// List items by when they were true.
    Timeline(show::TimelineArgs),
    /// Let an item in that was held back, or take one back.
    Decide(govern::DecideArgs),
    /// Remove what items say from everywhere, and print a certificate.
    Forget(govern::ForgetArgs),
    /// Take up the states of an earlier time.
    Rollback(govern::RollbackArgs),
    /// List what deserves a look: duplicates, contradictions, items without support, expired and held ones.
    Audit,
    /// Compare everything with the log.
    Verify(govern::VerifyArgs),
    /// List the log.
    Log(govern::LogArgs),
    /// Print the rules, or set them.
    Policy(govern::PolicyArgs),
    /// Write all items as lines of JSON.
    Export(take::ExportArgs),
    /// Take up the lines of an export.
    Import(take::ImportArgs),
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let json = args.place.json;
    let mut memory = open(&args.place)?;
    let memory = &mut memory;
    match &args.command {
        What::Add(args) => take::add(memory, args, json, ui),
        What::Extract(args) => take::extract(memory, args, json, ui),
        What::Ask(args) => ask::ask(memory, args, json, ui),
        What::Search(args) => show::search(memory, args, json, ui),
        What::List(args) => show::list(memory, args, json),
        What::Show { id } => show::show(memory, id, json),
        What::Timeline(args) => show::timeline(memory, args, json),
        What::Decide(args) => govern::decide(memory, args, json),
        What::Forget(args) => govern::forget(memory, args, json, ui),
        What::Rollback(args) => govern::rollback(memory, args, json),
        What::Audit => govern::audit(memory, json),
        What::Verify(args) => govern::verify(memory, args, json),
        What::Log(args) => govern::log(memory, args, json),
        What::Policy(args) => govern::policy(memory, args, json, ui),
        What::Export(args) => take::export(memory, args, ui),
        What::Import(args) => take::import(memory, args, json, ui),
    }
}

/// The memory that is meant.
fn open(place: &Place) -> Result<Memory, CliError> {
    let scope = Scope::new(&place.tenant, &place.user)?;
    let actor = place.actor.as_deref().unwrap_or(&place.user);
    Ok(Store::named(place.store.as_deref())?.open(scope, actor)?)
}

/// What an item is, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindArg {
    /// Something that was told, alone.
    Note,
    /// A turn of a conversation with its reply.
    Round,
    /// A part of a document.
    Document,
    /// One statement that stands by itself.
    Fact,
    /// Something that happened.
    Event,
    /// Other items in fewer words.
    Summary,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Note => Self::Note,
            KindArg::Round => Self::Round,
            KindArg::Document => Self::Document,
            KindArg::Fact => Self::Fact,
            KindArg::Event => Self::Event,
            KindArg::Summary => Self::Summary,
        }
    }
}

/// Where an item stands, as typed.
fn state(word: &str) -> Result<State, String> {
    State::of(word).ok_or_else(|| {
        let words: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
        format!("{word:?} is no state; there are {}", words.join(", "))
    })
}
