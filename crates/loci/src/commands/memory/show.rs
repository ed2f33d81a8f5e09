//! `loci memory search|list|show|timeline`: what is remembered.

use loci_memory::account::Account;
use loci_memory::conflict::Standing;
use loci_memory::{Filter, Found, Item, Kind, Memory, Query, State, Time, Trust};
use loci_reading::By;
use serde_json::json;

use super::{KindArg, state};
use crate::error::CliError;
use crate::kit::{KitArgs, RankBy};
use crate::ui::{Ui, one_line, print, print_json};

/// Letters of a text in a list.
const SHOWN: usize = 160;

#[derive(Debug, clap::Args)]
pub(super) struct SearchArgs {
    /// What to look for.
    #[arg(value_name = "QUERY", allow_hyphen_values = true)]
    query: String,
    /// Show at most this many items.
    #[arg(short = 'k', long = "top", value_name = "N", default_value_t = 10)]
    most: usize,
    /// Ask about another time than now: what was true then, as far as it was known then.
    #[arg(long, value_name = "TIME")]
    at: Option<Time>,
    /// What items are ranked by.
    #[arg(long, value_enum, default_value = "words")]
    by: RankBy,
    /// Leave items out that are believed less.
    #[arg(long, value_name = "N", default_value_t = 0)]
    trust: u8,
    /// Of one kind only.
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// Of one conversation only.
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// From this time on only.
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// Before this time only.
    #[arg(long, value_name = "TIME")]
    until: Option<Time>,
    /// Do not put the days first that the question names.
    #[arg(long)]
    no_days: bool,
    /// Canaries too.
    #[arg(long)]
    canary: bool,
    /// Superseded items too.
    #[arg(long)]
    past: bool,
    #[command(flatten)]
    kit: KitArgs,
}

pub(super) fn search(memory: &mut Memory, args: &SearchArgs, json: bool, ui: &Ui) -> Result<(), CliError> {
    let by = By::from(args.by);
    let query = Query {
        most: args.most,
        by,
        at: args.at,
        least_trust: Trust::try_from(args.trust)?,
        kind: args.kind.map(Kind::from),
        session: args.session.clone(),
        from: args.from,
        until: args.until,
        days: !args.no_days,
        canary: args.canary,
        past: args.past,
        ..Query::new(&args.query)
    };
    let encoder = args.kit.encoder(by.needs_encoder())?;
    let recall = memory.recall(&query, encoder.as_deref())?;
    if json {
        return print_json(&recall);
    }
    for found in &recall.found {
        print(&format!("{}{}\n", line(&found.item), standing(found)))?;
    }
    if !recall.supported {
        ui.say("nothing that is remembered supports an answer to this");
    }
    Ok(())
}

/// What speaks against an item.
fn standing(found: &Found) -> String {
    let short = |id: &str| id.get(..8).unwrap_or(id).to_owned();
    match &found.standing {
        Standing::Current => String::new(),
        Standing::NotThen => "  (not true then)".to_owned(),
        Standing::Outdone { by } => format!("  (outdone by {})", short(by)),
        Standing::Tied { with } => format!("  (contradicts {})", short(with)),
    }
}

/// An item on one line.
pub(super) fn line(item: &Item) -> String {
    let id = item.id.get(..8).unwrap_or(&item.id);
    let day = item.when().to_string();
    let day = day.get(..10).unwrap_or(&day);
    let state = if item.state == State::Released { String::new() } else { format!("[{}] ", item.state) };
    let text = one_line(item.text());
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{id}  {day}  {state}{short}")
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// In one state only: proposed, released, superseded, …
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<State>,
    /// Of one kind only.
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// Of one conversation only.
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// About one thing only.
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// The last N only.
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
}

impl ListArgs {
    fn filter(&self) -> Filter {
        Filter {
            states: self.state.map(|state| vec![state]),
            kind: self.kind.map(Kind::from),
            session: self.session.clone(),
            topic: self.topic.clone(),
            newest: self.last,
            ..Filter::default()
        }
    }
}

pub(super) fn list(memory: &mut Memory, args: &ListArgs, json: bool) -> Result<(), CliError> {
    let mut items = memory.list(&args.filter())?;
    items.sort_by_key(|item| item.row);
    lines(&items, json)
}

fn lines(items: &[Item], json: bool) -> Result<(), CliError> {
    if json {
        return print_json(&json!({ "items": items }));
    }
    items.iter().try_for_each(|item| print(&format!("{}\n", line(item))))
}

pub(super) fn show(memory: &mut Memory, id: &str, json: bool) -> Result<(), CliError> {
    let Account { item, keys, way } = memory.account(id)?;
    if json {
        return print_json(&json!({ "item": item, "keys": keys, "way": way }));
    }
    let mut text = format!("{}  {}, learned {}\n", item.id, item.state, item.learned);
    let mut say = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text += &format!("  {name}: {}\n", one_line(&value));
        }
    };
    if let Some(content) = &item.content {
        say("kind", Some(content.kind.to_string()));
        say("trust", Some(content.trust.value().to_string()));
        say("true from", content.valid_from.map(|time| time.to_string()));
        say("true until", content.valid_until.map(|time| time.to_string()));
        say("session", content.session.clone());
        say("speaker", content.speaker.clone());
        say("topic", content.topic.clone());
        say("source", content.source.uri.clone());
        say("bytes", content.source.bytes.map(|(start, end)| format!("{start} to {end}")));
        say("made from", (!content.parents.is_empty()).then(|| content.parents.join(", ")));
    }
    say("superseded by", item.superseded_by.clone());
    say("held for", (!item.held_for.is_empty()).then(|| item.held_for.join("; ")));
    say("digest", Some(item.digest.clone()));
    for key in keys.iter().filter(|key| key.maker != "text") {
        say(&format!("key ({}, by {})", key.kind, key.maker), Some(key.text.clone()));
    }
    for step in &way {
        let reason = step.reason.as_ref().map(|reason| format!(": {}", one_line(reason))).unwrap_or_default();
        text += &format!("  {} {}, by {}{reason}\n", step.at, step.to, one_line(&step.actor));
    }
    if item.content.is_some() {
        // Line breaks stay; other control characters could play with the terminal.
        let plain =
            |line: &str| line.chars().filter(|letter| !letter.is_control() || *letter == '\t').collect();
        let shown: Vec<String> = item.text().lines().map(plain).collect();
        text += &format!("\n{}\n", shown.join("\n"));
    }
    print(&text)
}

#[derive(Debug, clap::Args)]
pub(super) struct TimelineArgs {
    #[command(flatten)]
    list: ListArgs,
    /// From this time on only.
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// Before this time only.
    #[arg(long, value_name = "TIME")]
    until: Option<Time>,
}

pub(super) fn timeline(memory: &mut Memory, args: &TimelineArgs, json: bool) -> Result<(), CliError> {
    lines(&memory.timeline(&args.list.filter(), args.from, args.until)?, json)
}
