//! `loci memory ask`: a model answers from what is remembered, or nobody does.

use std::ops::ControlFlow;

use loci_engine::{Control, Finish, LanguageModel, LocalModel};
use loci_memory::talk::{Notes, UNKNOWN};
use loci_memory::{Memory, Query, Time};
use loci_models::template::Message;
use loci_reading::By;
use serde_json::json;

use super::show::line;
use crate::args::{ContextArgs, ModelArgs};
use crate::error::CliError;
use crate::kit::{KitArgs, RankBy};
use crate::sampling::SamplingArgs;
use crate::ui::{Ui, print, print_json, stop_flag, stream};

#[derive(Debug, clap::Args)]
pub(super) struct AskArgs {
    /// What to answer.
    #[arg(value_name = "QUESTION", allow_hyphen_values = true)]
    question: String,
    /// Show the model at most this many items.
    #[arg(short = 'k', long = "top", value_name = "N", default_value_t = 5)]
    most: usize,
    /// Ask about another time than now.
    #[arg(long, value_name = "TIME")]
    at: Option<Time>,
    /// What items are ranked by.
    #[arg(long, value_enum, default_value = "words")]
    by: RankBy,
    #[command(flatten)]
    kit: KitArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
}

pub(super) fn ask(memory: &mut Memory, args: &AskArgs, json: bool, ui: &Ui) -> Result<(), CliError> {
    let by = By::from(args.by);
    let query = Query { most: args.most, by, at: args.at, ..Query::new(&args.question) };
    let encoder = args.kit.encoder(by.needs_encoder())?;
    let recall = memory.recall(&query, encoder.as_deref())?;
    let notes = Notes::of(&recall);
    if notes.is_empty() {
        return match json {
            true => print_json(&json!({ "answer": null, "supported": false, "noted": [], "text": UNKNOWN })),
            false => print(&format!("{UNKNOWN}\n")),
        };
    }
    let context = args.context.options()?;
    let mut options = args.sampling.options(0.0)?;
    let (engine, context) = args.context.open(context, &args.model)?;
    args.sampling.hold(&mut options, &engine)?;
    let mut model = LocalModel::new(engine, context);
    let mut control = Control { stop: Some(stop_flag()), progress: None };
    let messages = [Message::new("user", notes.before(&args.question))];
    let mut failure = None;
    let answer = {
        let mut silent = |_: &str| ControlFlow::Continue(());
        let mut streaming = stream(&mut failure);
        model.chat(&messages, &options, &mut control, if json { &mut silent } else { &mut streaming })?
    };
    if let Some(failure) = failure {
        return Err(failure);
    }
    if json {
        return print_json(&json!({
            "answer": answer.text, "supported": true, "noted": notes.noted, "model": model.name(),
        }));
    }
    print("\n")?;
    if answer.finish == Finish::Length {
        ui.say("the answer was cut at the limit of tokens; -n sets a higher one");
    }
    cite(&notes, ui);
    Ok(())
}

/// Says what an answer was given from.
pub(crate) fn cite(notes: &Notes, ui: &Ui) {
    for noted in &notes.noted {
        ui.say(&format!("  [{}] {}", noted.number, line(&noted.found.item)));
    }
}
