//! Shortening a prompt before the model reads it: a draft looks through all of it and says what matters.

use std::sync::Arc;
use std::time::Duration;

use loci_context::BuildError;
use loci_models::method::ParameterError;

use crate::context::{ContextOptions, ContextPlan};
use crate::draft::Drafter;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::layout::Prompt;
use crate::readings::Readings;
use crate::session::{Control, Session};

/// What the model reads of `prompt` under `plan`: all of it, or where the method shortens prompts, the tokens that a draft
/// found important, in order, and those that have to stay. What is left out is counted in [`Prompt::skipped`].
///
/// The draft's memory takes at most the budget, and is gone before the model's own is filled. What the draft wrote is left
/// for the session of `plan`, where its method looks ahead too.
///
/// # Errors
/// [`EngineError::Parameter`] when the budget of tokens does not hold what has to stay, otherwise as [`Session::read`].
pub fn shorten(
    engine: &Arc<Engine>,
    prompt: Prompt,
    options: &ContextOptions,
    plan: &ContextPlan,
    control: &mut Control<'_>,
) -> Result<Prompt, EngineError> {
    shorten_beside(engine, prompt, options, plan, None, control).map(|(prompt, _)| prompt)
}

/// [`shorten`] where others may have read the prompt, or the part of it that is shared: early layers of the model itself
/// need not read that again. Returns also what it took others to read what was taken over.
pub(crate) fn shorten_beside(
    engine: &Arc<Engine>,
    prompt: Prompt,
    options: &ContextOptions,
    plan: &ContextPlan,
    readings: Option<&Readings>,
    control: &mut Control<'_>,
) -> Result<(Prompt, Duration), EngineError> {
    plan.drafted.leave(None);
    let Some(shortening) = plan.method.shortening() else { return Ok((prompt, Duration::ZERO)) };
    // What is wrong with the request is said before anything is read.
    let all = shortening.choose(&[], &prompt.fixed)?;
    if all.len() == prompt.len() {
        return Ok((prompt, Duration::ZERO));
    }
    let drafter = Drafter::new(engine, &plan.method, options.draft.as_ref())?;
    let (Some(drafter), Some(method)) = (drafter, plan.method.look_through()?) else {
        return Err(EngineError::Internal(format!("{} has no draft", plan.method)));
    };
    let count = method.values().size("lookahead");
    let planned = prompt.len() + count;
    let mut draft = match drafter {
        Drafter::Layers(layers) => {
            // Scores of heads were made for all layers.
            let options = ContextOptions { heads: None, head_scores: None, ..options.clone() };
            let memory = options.memory_of(engine, &method, layers, planned)?;
            Session::new(Arc::clone(engine), memory).with_layers(layers)
        }
        Drafter::Model(model) => {
            let layers = model.model().shape().layers;
            let memory = options.for_draft().memory_of(&model, &method, layers, planned)?;
            Session::new(model, memory)
        }
    };
    let took = match readings {
        Some(readings) => {
            // Chunks end where they would if the prompt were read in one go.
            let end = prompt.shared - prompt.shared % draft.chunk_tokens();
            readings.read_to(&mut draft, &prompt.tokens, end, control)?
        }
        None => Duration::ZERO,
    };
    let written = draft.look_through(&prompt.tokens, count, control)?;
    let importance = draft.importance();
    if importance.len() != prompt.len() {
        return Err(EngineError::Internal(format!(
            "the draft judged {} of {} tokens",
            importance.len(),
            prompt.len()
        )));
    }
    let left = prompt.only(&shortening.choose(importance, &prompt.fixed)?);
    plan.drafted.leave(Some(written));
    Ok((left, took))
}

/// Refuses a method that acts at the end of a prompt where there is none.
pub(crate) fn needs_a_prompt(plan: &ContextPlan) -> Result<(), EngineError> {
    if !plan.method.drafts() {
        return Ok(());
    }
    let message = format!(
        "{} drafts at the end of a prompt, and a text that is scored has none; use --method full",
        plan.method.info().id
    );
    Err(BuildError::Parameter(ParameterError::Combination(message)).into())
}
