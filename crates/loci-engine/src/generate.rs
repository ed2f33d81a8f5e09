//! Writing: sampling token by token until the model, a stop string, a limit or the user ends it.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use loci_models::sampling::{Sampler, SamplerConfig, StopStrings};
use loci_models::tokenizer::DecodeOptions;
use serde::Serialize;

use crate::error::EngineError;
use crate::language_model::Account;
use crate::session::{Control, Session, per_second};

/// How an answer is written.
#[derive(Clone, Debug)]
pub struct GenerateOptions {
    /// At most this many tokens.
    pub max_tokens: usize,
    /// How tokens are drawn.
    pub sampler: SamplerConfig,
    /// The answer ends before the first of these.
    pub stop: Vec<String>,
    /// Goes on behind the model's own end tokens; for measurements.
    pub ignore_end: bool,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self { max_tokens: 256, sampler: SamplerConfig::default(), stop: Vec::new(), ignore_end: false }
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finish {
    /// The model ended it.
    End,
    /// A stop string appeared.
    Stop,
    /// The limit of tokens was reached.
    Length,
    /// The user or the receiver of the text stopped it.
    Interrupted,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Generation {
    /// The text, without the stop string.
    pub text: String,
    /// The tokens drawn, an end token not included.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
    /// Time from the first draw to the last.
    pub elapsed: Duration,
    /// What reading the prompt took, as a [`LanguageModel`](crate::LanguageModel) fills it in.
    pub account: Account,
}

impl Generation {
    /// Tokens per second.
    pub fn tokens_per_second(&self) -> f64 {
        per_second(self.tokens.len(), self.elapsed)
    }
}

/// Receives text as it is written; [`ControlFlow::Break`] ends the answer.
pub type OnText<'a> = dyn FnMut(&str) -> ControlFlow<()> + 'a;

/// Continues `session` from its last token.
///
/// `on_text` receives whole characters only, and never text that may still become a stop string. The last
/// token drawn is not read by the model: a session that goes on reads it with what follows.
///
/// # Errors
/// [`EngineError::Nothing`] when nothing has been read, and whatever a forward step fails with.
pub fn generate(
    session: &mut Session,
    options: &GenerateOptions,
    control: &mut Control<'_>,
    on_text: &mut OnText<'_>,
) -> Result<Generation, EngineError> {
    session.ensure_logits(control)?;
    let engine = std::sync::Arc::clone(session.engine());
    let tokenizer = engine.tokenizer()?;
    let mut sampler = Sampler::new(options.sampler.clone())?;
    let mut decoder = tokenizer.decoder(DecodeOptions { continues: true, ..DecodeOptions::default() });
    let mut stop = StopStrings::new(options.stop.iter().cloned())?;
    let mut generation = Generation {
        text: String::new(),
        tokens: Vec::new(),
        finish: Finish::Length,
        elapsed: Duration::ZERO,
        account: Account::default(),
    };
    let started = Instant::now();
    while generation.tokens.len() < options.max_tokens {
        if control.stopped() {
            generation.finish = Finish::Interrupted;
            break;
        }
        let token = session.draw(&mut sampler)?;
        if tokenizer.is_end(token) && !options.ignore_end {
            generation.finish = Finish::End;
            break;
        }
        generation.tokens.push(token);
        let text = stop.push(&decoder.push(token));
        generation.text.push_str(&text);
        let flow = if text.is_empty() { ControlFlow::Continue(()) } else { on_text(&text) };
        if stop.stopped().is_some() {
            generation.finish = Finish::Stop;
            break;
        }
        if flow.is_break() {
            generation.finish = Finish::Interrupted;
            break;
        }
        if generation.tokens.len() < options.max_tokens {
            session.step(token)?;
        }
    }
    generation.elapsed = started.elapsed();
    if generation.finish != Finish::Stop {
        let mut rest = stop.push(&decoder.finish());
        if stop.stopped().is_some() {
            generation.finish = Finish::Stop;
        } else {
            rest.push_str(&stop.finish());
        }
        if !rest.is_empty() {
            generation.text.push_str(&rest);
            // The answer is over, so a receiver that wants no more changes nothing.
            let _over = on_text(&rest);
        }
    }
    Ok(generation)
}
