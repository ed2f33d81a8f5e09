//! A model on this machine.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loci_models::memory::ContextReport;
use loci_models::template::Message;
use loci_models::tokenizer::{Part, SpecialTokens};
use loci_models::watch::Watch;

use crate::answer::retrieval_weights;
use crate::attended::{Attended, attended};
use crate::context::{ContextOptions, ContextPlan};
use crate::divergence::log_shares;
use crate::documents::Document;
use crate::draft::Drafted;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::evidence::passages;
use crate::generate::{GenerateOptions, Generation, OnText, generate};
use crate::grammar::{Form, Grammar};
use crate::language_model::{Account, Body, Input, LanguageModel, Rating};
use crate::layout::{Prompt, conversation_with_tools, located, plain};
use crate::readings::Readings;
use crate::score::{Score, ScoreOptions, score};
use crate::session::{Control, Session, shared};
use crate::shorten::shorten_beside;
use crate::tools::{Calling, Plan, Tool, plan};

/// A model on this machine. Keeps the session of the last call, so that a prompt which begins like the one
/// before is not read twice.
#[derive(Debug)]
pub struct LocalModel {
    engine: Arc<Engine>,
    context: ContextOptions,
    held: Option<Held>,
    /// What others have read, where there are others.
    readings: Option<Arc<Readings>>,
}

/// A session and what it was planned for: another plan needs another memory.
#[derive(Debug)]
struct Held {
    session: Session,
    /// What has read exactly the part that other inputs share.
    shared: Option<Session>,
    method: String,
    planned_tokens: usize,
    /// Tokens of the last prompt that were left out when it was shortened.
    skipped: usize,
    /// What a draft wrote while the last prompt was shortened.
    drafted: Drafted,
}

impl Held {
    /// Makes the session hold `prompt`; returns how many tokens were read, and what it took others to read those of them
    /// that were taken over from `readings`.
    fn read(
        &mut self,
        prompt: &Prompt,
        fresh: impl FnOnce() -> Result<Session, EngineError>,
        readings: Option<&Readings>,
        control: &mut Control<'_>,
    ) -> Result<(usize, Duration), EngineError> {
        let started = Instant::now();
        let shared = prompt.tokens.get(..prompt.shared.min(prompt.len().saturating_sub(1))).unwrap_or(&[]);
        if shared.is_empty() || prompt.skipped > 0 {
            self.shared = None;
            // What is left of a shortened prompt is nobody else's.
            let Some(readings) = readings.filter(|_| prompt.skipped == 0) else {
                return Ok((self.session.change_to(&prompt.tokens, control)?, Duration::ZERO));
            };
            let mut other = fresh()?;
            let (mut taken, mut took) = readings.take_over(&mut other, &prompt.tokens)?;
            match taken > self.session.shared_with(&prompt.tokens) {
                true => self.session = other,
                false => (taken, took) = (0, Duration::ZERO),
            }
            let read = taken + self.session.change_to(&prompt.tokens, control)?;
            readings.keep(&self.session, took + started.elapsed())?;
            return Ok((read, took));
        }
        let (mut read, mut took) = (0, Duration::ZERO);
        let base = match self.shared.take().filter(|base| base.tokens() == shared) {
            Some(base) => base,
            None => {
                let mut base = fresh()?;
                match readings {
                    Some(readings) => took = readings.read_context(&mut base, shared, control)?,
                    None => base.read_context(shared, shared.len(), control)?,
                }
                read += shared.len();
                base
            }
        };
        self.session = base.fork()?;
        self.shared = Some(base);
        let rest = prompt.tokens.get(shared.len()..).unwrap_or(&[]);
        self.session.read(rest, control)?;
        Ok((read + rest.len(), took))
    }
}

impl LocalModel {
    /// `engine` with its context held as `context` says.
    pub const fn new(engine: Arc<Engine>, context: ContextOptions) -> Self {
        Self { engine, context, held: None, readings: None }
    }

    /// The same beside others with other methods: what one of them reads as full attention does, none of those that do so
    /// reads again.
    #[must_use]
    pub fn sharing(self, readings: Arc<Readings>) -> Self {
        Self { readings: Some(readings), ..self }
    }

    /// What became of the tokens of the last prompt and answer; `None` before the first.
    pub fn report(&self) -> Option<ContextReport> {
        let held = self.held.as_ref()?;
        let report = held.session.report().ok()?;
        Some(ContextReport { given: report.read + held.skipped, skipped: held.skipped, ..report })
    }

    /// The bytes of the text, or of the last message, of `input` that were attended to while it was recorded.
    fn looked_at(
        &self,
        input: &Input<'_>,
        held: &Held,
        prompt_tokens: usize,
        most: usize,
    ) -> Result<Vec<(Range<usize>, f32)>, EngineError> {
        let text = input.whole();
        // What is shared by several inputs is the text; behind it stands what is asked.
        let text = if input.shared == 0 { text } else { text.get(..input.shared).unwrap_or(text) };
        let prompt = located(&self.engine, &input.body, input.tools, input.answer_start, text.len())?;
        // Of a shortened prompt it is not known any more which token is which.
        if held.skipped > 0 || prompt.len() != prompt_tokens {
            return Ok(Vec::new());
        }
        let whole = [Document { name: String::new(), text: text.to_owned() }];
        let found = passages(&held.session.evidence(), &prompt, &whole, most);
        Ok(found.into_iter().map(|found| (found.start..found.end, found.mass)).collect())
    }

    fn prompt(&self, input: &Input<'_>) -> Result<Prompt, EngineError> {
        match input.body {
            Body::Text(text) if input.answer_start.is_empty() => plain(&self.engine, text, input.shared),
            Body::Text(text) => plain(&self.engine, &format!("{text}{}", input.answer_start), input.shared),
            Body::Messages(messages) => {
                let (start, shared) = (input.answer_start, input.shared);
                conversation_with_tools(&self.engine, messages, input.tools, start, shared)
            }
        }
    }

    /// The session that has read `prompt` for an answer of `answer` tokens, how many tokens it read for it, and the time
    /// that others had taken for some of them.
    fn read(
        &mut self,
        prompt: Prompt,
        answer: usize,
        control: &mut Control<'_>,
    ) -> Result<(Held, usize, Duration), EngineError> {
        if prompt.is_empty() {
            return Err(EngineError::Nothing { what: "the prompt".to_owned(), purpose: "continue" });
        }
        let mut plan = self.context.plan(&self.engine, prompt.len(), answer)?;
        plan.round_up(&self.engine);
        let (method, planned_tokens) = (plan.method.to_string(), plan.planned_tokens);
        let fits = |held: &Held| held.method == method && held.planned_tokens == planned_tokens;
        if let Some(held) = self.held.as_ref().filter(|held| fits(held)) {
            plan.drafted = held.drafted.clone();
        }
        let readings = self.readings.as_deref();
        let (prompt, drafted) =
            shorten_beside(&self.engine, prompt, &self.context, &plan, readings, control)?;
        let open = |plan: &ContextPlan| self.context.session(&self.engine, plan);
        let mut held = match self.held.take().filter(fits) {
            Some(held) => held,
            None => Held {
                session: open(&plan)?,
                shared: None,
                method,
                planned_tokens,
                skipped: 0,
                drafted: plan.drafted.clone(),
            },
        };
        held.skipped = prompt.skipped;
        let (read, took) = held.read(&prompt, || open(&plan), readings, control)?;
        Ok((held, read, drafted + took))
    }
}

impl LanguageModel for LocalModel {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn answer(
        &mut self,
        input: &Input<'_>,
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        let prompt = self.prompt(input)?;
        let prompt_tokens = prompt.len();
        let started = Instant::now();
        let (mut held, read_tokens, took) = self.read(prompt, options.max_tokens, control)?;
        let prefill = started.elapsed() + took;
        if options.evidence > 0 {
            held.session.watch(Watch::for_evidence(retrieval_weights(&self.engine)?))?;
            held.session.record_evidence(true);
        }
        let mut generation = generate(&mut held.session, options, control, on_text)?;
        if options.evidence > 0 {
            generation.looked_at = self.looked_at(input, &held, prompt_tokens, options.evidence)?;
            held.session.record_evidence(false);
        }
        let memory_bytes = held.session.memory_bytes();
        self.held = Some(held);
        generation.account = Account {
            prompt_tokens,
            read_tokens,
            prefill,
            answer_tokens: generation.tokens.len(),
            memory_bytes,
            context: self.report(),
            ..Account::default()
        };
        Ok(generation)
    }

    fn rate(
        &mut self,
        input: &Input<'_>,
        answers: &[&str],
        distributions: bool,
        control: &mut Control<'_>,
    ) -> Result<(Vec<Rating>, Account), EngineError> {
        let prompt = self.prompt(input)?;
        // The border between prompt and answer may fall into a token, so what they share is seen on the whole.
        let mut wholes = Vec::with_capacity(answers.len());
        for answer in answers {
            let start = format!("{}{answer}", input.answer_start);
            wholes.push(self.prompt(&Input { answer_start: &start, ..*input })?.tokens);
        }
        let shared = wholes.iter().map(|whole| shared(whole, &prompt.tokens)).min().unwrap_or(prompt.len());
        let longest = wholes.iter().map(|whole| whole.len() - shared).max().unwrap_or(0);
        let (prompt_tokens, started) = (prompt.len(), Instant::now());
        let (held, read_tokens, took) = self.read(prompt.first(shared), longest, control)?;
        let (prefill, memory_bytes) = (started.elapsed() + took, held.session.memory_bytes());
        let mut ratings = Vec::with_capacity(answers.len());
        for whole in &wholes {
            let mut session = held.session.fork()?;
            let mut rating = Rating::default();
            let mut before = None;
            for token in whole.get(shared..).unwrap_or(&[]) {
                // The last token is judged and needs no reading.
                if let Some(before) = before.replace(*token) {
                    session.step(before)?;
                }
                let shares = log_shares(session.logits().unwrap_or(&[]));
                rating.log_probability += shares.get(*token as usize).copied().unwrap_or(f64::NAN);
                rating.tokens += 1;
                if distributions {
                    rating.distributions.push(shares);
                }
            }
            ratings.push(rating);
        }
        self.held = Some(held);
        let context = self.report();
        Ok((
            ratings,
            Account { prompt_tokens, read_tokens, prefill, memory_bytes, context, ..Account::default() },
        ))
    }

    fn count_tokens(&self, text: &str) -> Result<Option<usize>, EngineError> {
        let parts = [Part { text, special: SpecialTokens::AsText }];
        Ok(Some(self.engine.tokenizer()?.encode_parts(&parts, false)?.len()))
    }

    fn grammar(&self, form: &Form) -> Result<Option<Grammar>, EngineError> {
        self.engine.grammar(form).map(Some)
    }

    fn plan_tools(
        &self,
        messages: &[Message],
        tools: &[Tool],
        calling: &Calling,
    ) -> Result<Plan, EngineError> {
        plan(&self.engine, messages, tools, calling)
    }

    fn attended(
        &mut self,
        input: &Input<'_>,
        from: usize,
        above: usize,
        control: &mut Control<'_>,
    ) -> Result<Attended, EngineError> {
        attended(&self.engine, &self.context, input, from, above, control)
    }

    fn score(&mut self, text: &str, control: &mut Control<'_>) -> Result<Score, EngineError> {
        let options = ScoreOptions { context: self.context.clone(), ..ScoreOptions::default() };
        score(&self.engine, text, &options, control)
    }

    fn embed(&mut self, _text: &str) -> Result<Vec<f32>, EngineError> {
        Err(EngineError::Unsupported(format!(
            "{} is a generative model and makes no embeddings; use a model trained for them",
            self.engine.name()
        )))
    }
}
