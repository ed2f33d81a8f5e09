//! Asking a saved reading.

use std::path::Path;
use std::time::Instant;

use loci_engine::layout::Headings;
use loci_engine::saved::{AnswerOptions, Facts};
use loci_engine::{ContextOptions, Control, EngineError, Reading};

use super::{Args, show};
use crate::args::{Weigh, without_parameters};
use crate::error::CliError;
use crate::ui::{Ui, stop_flag};

/// Asks a saved reading. What it was read with stands in it; flags may only say the same.
pub(super) fn ask_reading(args: &Args, path: &Path, ui: &Ui) -> Result<(), CliError> {
    let facts = Reading::describe(path).map_err(EngineError::from)?;
    let context = args.context.options()?;
    check_flags(args, path, &facts, &context)?;
    let mut generate = args.sampling.options(0.0)?;
    let name = facts.model.as_ref().map_or(args.model.name(), |model| model.name.as_str());
    let engine = args.model.open_named(args.model.model.as_deref().unwrap_or(name))?;
    args.sampling.hold(&mut generate, &engine)?;
    let started = Instant::now();
    let reading = Reading::open_with(&engine, path, context.cold_folder.as_deref())?;
    let open_ms = started.elapsed().as_secs_f64() * 1e3;
    let tail = reading.question(&args.question, args.bare)?;
    ui.say(&format!(
        "{} tokens read before, {} to read; method {} (opened in {open_ms:.0} ms)",
        facts.tokens,
        tail.len(),
        without_parameters(&facts.method)
    ));
    let options = AnswerOptions { generate, evidence: args.evidence, all_heads: args.weigh == Weigh::All };
    let mut control = Control { stop: Some(stop_flag()), progress: None };
    show(args, ui, |on_text| {
        let mut answer = reading.answer(&tail, &options, &mut control, on_text)?;
        answer.timing.open_ms = Some(open_ms);
        Ok(answer)
    })
}

/// Refuses flags that contradict what a reading was read with.
fn check_flags(args: &Args, path: &Path, facts: &Facts, asked: &ContextOptions) -> Result<(), CliError> {
    let given = &args.context;
    let different = |flag: &str, saved: &str, wanted: &str| {
        Err(CliError::usage(format!(
            "{} was read with {flag} {saved}, not {wanted}; leave out {flag}, or read the text again",
            path.display()
        )))
    };
    let none = || "left out".to_owned();
    if let Some(method) =
        asked.method.as_ref().map(ToString::to_string).filter(|method| *method != facts.method)
    {
        return different("--method", &facts.method, &method);
    }
    if let Some(rope) =
        asked.rope.as_ref().map(ToString::to_string).filter(|rope| Some(rope) != facts.rope.as_ref())
    {
        return different("--rope", &facts.rope.clone().unwrap_or_else(none), &rope);
    }
    if let Some(budget) = given.budget.filter(|budget| Some(*budget) != facts.budget) {
        let saved = facts.budget.map_or_else(none, |bytes| bytes.to_string());
        return different("--budget", &saved, &budget.to_string());
    }
    if given.kv.is_some() && asked.row_type.name() != facts.rows {
        return different("--kv", &facts.rows, asked.row_type.name());
    }
    if let Some(system) = args.before.system.as_ref().filter(|system| Some(*system) != facts.system.as_ref())
    {
        return different("--system", &facts.system.clone().unwrap_or_else(none), system);
    }
    if args.before.headings.is_some_and(|headings| Headings::from(headings) != facts.headings) {
        return different("--headings", &format!("{:?}", facts.headings).to_lowercase(), "as asked for now");
    }
    if let Some(chunk) = args.chunk.filter(|chunk| *chunk != facts.chunk) {
        return different("--chunk", &facts.chunk.to_string(), &chunk.to_string());
    }
    if given.heads.is_some() {
        return different("--heads", "as they are in it", "another file");
    }
    match given.draft.as_deref() {
        Some(draft) if !(draft == "self" && facts.drafts_itself) => {
            different("--draft", if facts.drafts_itself { "self" } else { "left out" }, draft)
        }
        _ => Ok(()),
    }
}
