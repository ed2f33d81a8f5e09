//! Writing: sampling token by token until the model, a stop string, a limit or the user ends it.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::{Duration, Instant};

use loci_models::sampling::{Sampler, SamplerConfig, StopStrings};
use loci_models::tokenizer::{DecodeOptions, Decoder};
use serde::Serialize;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::grammar::Grammar;
use crate::language_model::Account;
use crate::likelihood::Drawn;
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
    /// Tells how likely the model thought each token, and that many others beside it.
    pub log_probs: Option<usize>,
    /// What the answer is held to.
    pub grammar: Option<Grammar>,
    /// At most this many ranges of the text, or of the last message, that the answer attended to are told, where the model
    /// shows its attention. Of an input that marks a part as shared, only that part counts: behind it stands what is asked.
    pub evidence: usize,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            max_tokens: 256,
            sampler: SamplerConfig::default(),
            stop: Vec::new(),
            ignore_end: false,
            log_probs: None,
            grammar: None,
            evidence: 0,
        }
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finish {
    /// The model ended it, or nothing more is allowed by the grammar.
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
    /// How likely the model thought each of the tokens; empty unless [`GenerateOptions::log_probs`] asked for it.
    pub log_probs: Vec<Drawn>,
    /// Why it ended.
    pub finish: Finish,
    /// Time from the first draw to the last.
    pub elapsed: Duration,
    /// What reading the prompt took, as a [`LanguageModel`](crate::LanguageModel) fills it in.
    pub account: Account,
    /// Bytes of the text, or of the last message, that the answer attended to, heaviest first, with their shares; empty unless
    /// [`GenerateOptions::evidence`] asked for it. Attention is counted from the second token of the answer on. Of a reading
    /// strategy it is what the strategy made the answer from, with a share of 0 where nothing was attended to.
    pub looked_at: Vec<(Range<usize>, f32)>,
}

impl Generation {
    /// Tokens per second.
    pub fn tokens_per_second(&self) -> f64 {
        per_second(self.tokens.len(), self.elapsed)
    }
}

/// Receives text as it is written; [`ControlFlow::Break`] ends the answer.
pub type OnText<'a> = dyn FnMut(&str) -> ControlFlow<()> + 'a;

/// An answer that is being written, one token after the other.
#[derive(Debug)]
pub struct Writing {
    engine: Arc<Engine>,
    options: GenerateOptions,
    sampler: Sampler,
    decoder: Decoder,
    stop: StopStrings,
    generation: Generation,
    started: Option<Instant>,
}

impl Writing {
    /// Nothing is written yet.
    ///
    /// # Errors
    /// [`EngineError::Sampling`] for options outside their range.
    pub fn new(engine: &Arc<Engine>, options: &GenerateOptions) -> Result<Self, EngineError> {
        let mut sampler = Sampler::new(options.sampler.clone())?;
        if let Some(grammar) = &options.grammar {
            let ends = if options.ignore_end { &[] } else { engine.tokenizer()?.ends() };
            sampler = sampler.with_constraint(grammar.constraint()?, ends);
        }
        let continues = DecodeOptions { continues: true, ..DecodeOptions::default() };
        Ok(Self {
            decoder: engine.tokenizer()?.decoder(continues),
            stop: StopStrings::new(options.stop.iter().cloned())?,
            engine: Arc::clone(engine),
            options: options.clone(),
            sampler,
            generation: Generation {
                text: String::new(),
                tokens: Vec::new(),
                log_probs: Vec::new(),
                finish: Finish::Length,
                elapsed: Duration::ZERO,
                account: Account::default(),
                looked_at: Vec::new(),
            },
            started: None,
        })
    }

    /// Draws the token that follows in `session`. The session has to read what is returned before the next call; `None`:
    /// the answer is over.
    ///
    /// `on_text` receives whole characters only, and never text that may still become a stop string. The last token
    /// drawn is not read by the model: a session that goes on reads it with what follows.
    ///
    /// # Errors
    /// [`EngineError::Internal`] when the session has no logits, [`EngineError::Sampling`] when they are no numbers, or when
    /// the grammar fails or allows nothing.
    pub fn next(
        &mut self,
        session: &mut Session,
        on_text: &mut OnText<'_>,
    ) -> Result<Option<u32>, EngineError> {
        self.started.get_or_insert_with(Instant::now);
        if self.generation.tokens.len() >= self.options.max_tokens {
            return Ok(None);
        }
        let engine = Arc::clone(&self.engine);
        let tokenizer = engine.tokenizer()?;
        // Drawing uses the logits up.
        let logits = self.options.log_probs.and_then(|_| session.logits().map(<[f32]>::to_vec));
        let token = session.draw(&mut self.sampler)?;
        if tokenizer.is_end(token) && !self.options.ignore_end {
            self.generation.finish = Finish::End;
            return Ok(None);
        }
        if let (Some(logits), Some(count)) = (logits, self.options.log_probs) {
            self.generation.log_probs.push(Drawn::new(tokenizer, &logits, token, count)?);
        }
        self.generation.tokens.push(token);
        let text = self.stop.push(&self.decoder.push(tokenizer, token));
        self.generation.text.push_str(&text);
        let flow = if text.is_empty() { ControlFlow::Continue(()) } else { on_text(&text) };
        if self.stop.stopped().is_some() {
            self.generation.finish = Finish::Stop;
            return Ok(None);
        }
        if flow.is_break() {
            self.generation.finish = Finish::Interrupted;
            return Ok(None);
        }
        if self.sampler.is_complete() {
            self.generation.finish = Finish::End;
            return Ok(None);
        }
        Ok((self.generation.tokens.len() < self.options.max_tokens).then_some(token))
    }

    /// Tokens drawn so far.
    pub fn tokens(&self) -> &[u32] {
        &self.generation.tokens
    }

    /// How likely they were, as far as that was asked for.
    pub fn log_probs(&self) -> &[Drawn] {
        &self.generation.log_probs
    }

    /// Ends the answer where it is; `interrupted` when it was not over.
    pub fn finish(self, interrupted: bool, on_text: &mut OnText<'_>) -> Generation {
        let Self { mut generation, mut stop, decoder, started, .. } = self;
        generation.elapsed = started.map_or(Duration::ZERO, |started| started.elapsed());
        if interrupted {
            generation.finish = Finish::Interrupted;
        }
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
        generation
    }
}

/// Continues `session` from its last token, to the end; see [`Writing::next`].
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
    let mut writing = Writing::new(session.engine(), options)?;
    while !control.stopped() {
        match writing.next(session, on_text)? {
            Some(token) => session.step(token)?,
            None => return Ok(writing.finish(false, on_text)),
        };
    }
    Ok(writing.finish(true, on_text))
}
