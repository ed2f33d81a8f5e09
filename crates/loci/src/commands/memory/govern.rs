//! `loci memory decide|forget|rollback|audit|verify|log|policy`: what becomes of items, and what was done.

use std::path::PathBuf;

use loci_memory::log::{Hash, parse_head};
use loci_memory::{Certificate, Memory, Policy, State, Target};
use serde_json::json;

use super::state;
use crate::error::CliError;
use crate::ui::{Ui, one_line, print, print_json};

#[derive(Debug, clap::Args)]
pub(super) struct DecideArgs {
    /// The beginning of the item's id.
    #[arg(value_name = "ID")]
    id: String,
    /// Its new state: released, canary, admitted, rolled-back.
    #[arg(long, value_name = "STATE", value_parser = state)]
    to: State,
    /// Why, for the log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) fn decide(memory: &mut Memory, args: &DecideArgs, json: bool) -> Result<(), CliError> {
    let item = memory.decide(&args.id, args.to, args.reason.as_deref())?;
    if json { print_json(&item) } else { print(&format!("{}  is {} now\n", item.id, item.state)) }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Text, source, keys, words and vectors of an item, and of all items made from it, are removed from the store's \
files; ids, digests and the log stay. Saved readings, entries of the cache and indexes of `loci search` that hold what an item says \
are removed whole. See first with --dry-run. Exports, files that were read and other copies are yours to remove."
)]
pub(super) struct ForgetArgs {
    /// Beginnings of ids.
    #[arg(value_name = "ID", required_unless_present_any = ["query", "expired"])]
    ids: Vec<String>,
    /// Every item that has all words of this.
    #[arg(long, value_name = "WORDS", conflicts_with_all = ["ids", "expired"])]
    query: Option<String>,
    /// What the policy no longer keeps.
    #[arg(long, conflicts_with = "ids")]
    expired: bool,
    /// Only say what would be forgotten.
    #[arg(long)]
    dry_run: bool,
    /// Why, for the log and the certificate.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) fn forget(memory: &mut Memory, args: &ForgetArgs, json: bool, ui: &Ui) -> Result<(), CliError> {
    let target = match &args.query {
        Some(query) => Target::Matching(query.clone()),
        None if args.expired => Target::Expired,
        None => Target::Ids(args.ids.clone()),
    };
    let certificate = memory.forget(&target, args.reason.as_deref(), args.dry_run)?;
    if json {
        return print_json(&certificate);
    }
    if args.dry_run {
        for item in &certificate.items {
            let text = one_line(memory.item(&item.id)?.text());
            let short: String = text.chars().take(120).collect();
            print(&format!("{}  {short}\n", item.id))?;
        }
        for place in &certificate.elsewhere {
            ui.say(&format!("{}: {} would be removed", place.place, place.removed));
        }
        ui.say(&format!("{} items would be forgotten", certificate.items.len()));
        return Ok(());
    }
    print(&shown(&certificate))
}

/// A certificate for people.
fn shown(certificate: &Certificate) -> String {
    if certificate.items.is_empty() {
        return "nothing was there to be forgotten\n".to_owned();
    }
    let mut text = format!("forgotten at {}, by {}\n", certificate.at, one_line(&certificate.actor));
    if let Some(reason) = &certificate.reason {
        text += &format!("  reason: {}\n", one_line(reason));
    }
    for item in &certificate.items {
        let derived = if item.derived { ", made from one of these" } else { "" };
        text += &format!("  item {}, which was {}{derived}; digest {}\n", item.id, item.was, item.digest);
    }
    for place in &certificate.elsewhere {
        text += &format!("  {}: {} removed\n", place.place, place.removed);
    }
    text + &format!(
        "  keys {}, vectors {}\n  entry {} of the log: {}\n",
        certificate.keys, certificate.vectors, certificate.seq, certificate.hash
    )
}

#[derive(Debug, clap::Args)]
pub(super) struct RollbackArgs {
    /// The number of the log's entry whose states hold again.
    #[arg(long, value_name = "SEQ")]
    to: u64,
    /// Only say what would change.
    #[arg(long)]
    dry_run: bool,
    /// Why, for the log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) fn rollback(memory: &mut Memory, args: &RollbackArgs, json: bool) -> Result<(), CliError> {
    let done = memory.rollback(args.to, args.reason.as_deref(), args.dry_run)?;
    if json {
        return print_json(&done);
    }
    let mut text = String::new();
    for change in &done.changes {
        let from = change.from.map_or("new", State::name);
        text += &format!("{}  {from} -> {}\n", change.id, change.to);
    }
    for id in &done.gone {
        text += &format!("{id}  was forgotten since, and stays so\n");
    }
    if text.is_empty() {
        text = format!("all stands as it did behind entry {}\n", done.to);
    }
    print(&text)
}

pub(super) fn audit(memory: &mut Memory, json: bool) -> Result<(), CliError> {
    let audit = memory.audit()?;
    if json {
        return print_json(&audit);
    }
    let states: Vec<String> = audit.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let mut text =
        format!("items: {}\n", if states.is_empty() { "none".to_owned() } else { states.join(", ") });
    let mut groups = |what: &str, groups: &[Vec<String>]| {
        for group in groups {
            text += &format!("{what}: {}\n", group.join(", "));
        }
    };
    groups("say nearly the same", &audit.duplicates);
    groups("contradict each other", &audit.contradictions);
    for (what, ids) in [
        ("made from what is no longer in use", &audit.unsupported),
        ("no longer true", &audit.outdated),
        ("no longer kept by the policy", &audit.expired),
    ] {
        for id in ids {
            text += &format!("{what}: {id}\n");
        }
    }
    for (id, reasons) in &audit.held {
        text += &format!("held back: {id}: {}\n", reasons.join("; "));
    }
    print(&text)
}

#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// Number and hash of an entry that were kept elsewhere, such as those of a certificate: 12:9f86d0….
    #[arg(long, value_name = "SEQ:HASH", value_parser = parse_head)]
    head: Option<(u64, Hash)>,
}

pub(super) fn verify(memory: &mut Memory, args: &VerifyArgs, json: bool) -> Result<(), CliError> {
    let verified = memory.verify(args.head)?;
    if json {
        print_json(&verified)?;
    } else {
        let mut text = String::new();
        for fault in &verified.faults {
            text += &format!("{}\n", one_line(fault));
        }
        text += &format!(
            "{} entries, {} items, {} keys; head {}:{}\n",
            verified.entries, verified.items, verified.keys, verified.entries, verified.head
        );
        print(&text)?;
    }
    match verified.faults.len() {
        0 => Ok(()),
        count => Err(CliError::failed(format!(
            "the memory is not what its log says: {count} faults; an export or a backup from before can be imported"
        ))),
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct LogArgs {
    /// From this entry on.
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    from: u64,
    /// At most so many entries.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1000)]
    most: usize,
}

pub(super) fn log(memory: &mut Memory, args: &LogArgs, json: bool) -> Result<(), CliError> {
    for entry in memory.log(args.from, args.most)? {
        let body = entry.read();
        if json {
            let line = json!({ "entry": entry, "body": body });
            print(&format!("{line}\n"))?;
            continue;
        }
        let changes: Vec<String> = body
            .changes
            .iter()
            .map(|change| format!("{} {}", change.id.get(..8).unwrap_or(&change.id), change.to))
            .collect();
        let reason = body.reason.map(|reason| format!(" ({})", one_line(&reason))).unwrap_or_default();
        print(&format!(
            "{:>6}  {}  {}  {}  {}{reason}\n",
            entry.seq,
            entry.at,
            one_line(&entry.actor),
            entry.action.name(),
            changes.join(", ")
        ))?;
    }
    Ok(())
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A policy is a JSON object; what it does not say has its default. keep_days names kinds: {\"keep_days\":{\"round\":90}}."
)]
pub(super) struct PolicyArgs {
    /// Set the rules in this file; - is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "value")]
    set: Option<PathBuf>,
    /// Set these rules.
    #[arg(long, value_name = "JSON")]
    value: Option<String>,
    /// Why, for the log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) fn policy(memory: &mut Memory, args: &PolicyArgs, json: bool, ui: &Ui) -> Result<(), CliError> {
    let text = match (&args.set, &args.value) {
        (Some(path), _) => Some(loci_engine::documents::read(path)?.text),
        (None, value) => value.clone(),
    };
    if let Some(text) = text {
        let due = memory.set_policy(&Policy::parse(&text)?, args.reason.as_deref())?;
        if due > 0 {
            ui.say(&format!("{due} items are no longer kept; see: loci memory forget --expired --dry-run"));
        }
    }
    let policy = memory.policy()?;
    if json {
        return print_json(&policy);
    }
    let text = serde_json::to_string_pretty(&policy).map_err(CliError::failed)?;
    print(&format!("{text}\n"))
}
