//! One sequence on a model: reading in chunks, stepping token by token, forgetting back, forking.

mod prefill;
mod prompt_end;
pub(crate) mod saved;
mod together;

use std::sync::Arc;

use loci_models::memory::{ContextMemory, ContextReport, MemoryError, TokenEvidence};
use loci_models::sampling::Sampler;
use loci_models::signals::SignalState;
use loci_models::watch::Watch;
use loci_models::wiring::{Logits, LogitsFor, Span};

pub use prefill::{Piece, Prefill};
pub use together::{Part, Step, step_together};

pub use crate::control::{Control, Progress, per_second};
use crate::draft::Ahead;
use crate::engine::Engine;
use crate::error::EngineError;

/// Tokens a session reads in one forward step unless told otherwise: large enough for the products to run
/// at full speed, small enough that activations and the reaction to an interruption stay small.
pub const DEFAULT_CHUNK: usize = 512;

/// One sequence; see the [module documentation](self).
pub struct Session {
    engine: Arc<Engine>,
    memory: Box<dyn ContextMemory>,
    signals: SignalState,
    tokens: Vec<u32>,
    /// Logits behind the last token, when it was read alone or by [`Session::step`].
    logits: Option<Vec<f32>>,
    chunk: usize,
    /// Where a fixed context ended, if it did.
    context_end: Option<usize>,
    /// A forward step failed half way, so the memory's content is unknown.
    broken: bool,
    /// Layers that tokens go through, if not all.
    layers: Option<usize>,
    /// Who writes look-ahead for a memory that wants it.
    ahead: Option<Arc<Ahead>>,
}

impl Session {
    /// An empty sequence whose context lives in `memory`.
    pub fn new(engine: Arc<Engine>, memory: Box<dyn ContextMemory>) -> Self {
        Self {
            engine,
            memory,
            signals: SignalState::default(),
            tokens: Vec::new(),
            logits: None,
            chunk: DEFAULT_CHUNK,
            context_end: None,
            broken: false,
            layers: None,
            ahead: None,
        }
    }

    /// Sends tokens through the first `layers` layers only and from there to the head: a draft.
    #[must_use]
    pub(crate) fn with_layers(mut self, layers: usize) -> Self {
        self.layers = Some(layers);
        self
    }

    /// Lets `ahead` look ahead at the end of a prompt, where the memory wants it.
    #[must_use]
    pub(crate) fn with_look_ahead(mut self, ahead: Ahead) -> Self {
        self.ahead = Some(Arc::new(ahead));
        self
    }

    /// Reads at most `tokens` tokens in one step (at least 1). Smaller chunks need less memory and are slower.
    #[must_use]
    pub fn with_chunk(mut self, tokens: usize) -> Self {
        self.chunk = tokens.max(1);
        self
    }

    /// From now on reads at most `tokens` tokens in one step (at least 1).
    pub const fn set_chunk(&mut self, tokens: usize) {
        self.chunk = if tokens == 0 { 1 } else { tokens };
    }

    /// The model this session runs on.
    pub const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// All tokens read and not forgotten.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Tokens read and not forgotten.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether nothing has been read.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Logits `[vocab]` of the token that follows the last one; `None` when nothing was read since the
    /// beginning or since [`Session::truncate`].
    pub fn logits(&self) -> Option<&[f32]> {
        self.logits.as_deref()
    }

    /// What was read so far is a fixed context that questions will be asked about: methods that index it do so now, which
    /// may take a while. Forgetting back to before this point undoes it.
    ///
    /// # Errors
    /// [`EngineError::Memory`] when the memory cannot read what it indexes.
    pub fn end_context(&mut self) -> Result<(), EngineError> {
        self.memory.end_context()?;
        self.context_end.get_or_insert(self.len());
        Ok(())
    }

    /// Reads `tokens` in one forward step, without logits.
    fn read_chunk(&mut self, tokens: &[u32]) -> Result<(), EngineError> {
        self.forward(tokens, LogitsFor::None).map(|_| ())
    }

    /// Tokens of the next chunk when `left` are left. What remains is not a single token if that can be helped: methods
    /// take a token that comes alone for the one that an answer begins behind.
    fn chunk_of(&self, left: usize) -> usize {
        let next = self.next_chunk().min(left);
        let multiple = self.memory.chunk_multiple().max(1);
        if left == next + 1 && next > multiple { next - multiple } else { next }
    }

    /// Tokens up to the next place where a chunk should end.
    ///
    /// Ends are counted from the beginning of the sequence, not of the call: so a text read in two calls is
    /// cut as if it had been read in one, as far as the calls' border allows.
    fn next_chunk(&self) -> usize {
        let step = self.chunk_tokens();
        step - self.len() % step
    }

    /// Reads one token and makes its logits.
    ///
    /// # Errors
    /// What the memory refuses and what the model fails with.
    pub fn step(&mut self, token: u32) -> Result<&[f32], EngineError> {
        let logits = self.forward(&[token], LogitsFor::Last)?;
        Ok(self.logits.insert(logits))
    }

    /// Reads `tokens` in one forward step and returns how unexpected each was: its negative log-likelihood given
    /// all before it, in nats, `[tokens]`. The first of a sequence has nothing before it and gets 0.
    ///
    /// # Errors
    /// What the memory refuses and what the model fails with.
    pub fn read_with_surprise(&mut self, tokens: &[u32]) -> Result<&[f32], EngineError> {
        self.signals.record(true);
        let outcome = self.forward(tokens, LogitsFor::None);
        self.signals.record(false);
        outcome?;
        Ok(self.signals.surprise())
    }

    fn forward(&mut self, tokens: &[u32], logits: LogitsFor) -> Result<Logits, EngineError> {
        if self.broken {
            return Err(EngineError::Internal("the session was used after a failed step".to_owned()));
        }
        self.logits = None;
        let mut spans = [Span { memory: self.memory.as_mut(), state: &mut self.signals, tokens, logits }];
        let layers = self.layers.unwrap_or(usize::MAX);
        let outcome = self.engine.model().forward_layers(&mut spans, layers).map_err(EngineError::from);
        match outcome {
            Ok(mut all) => {
                self.tokens.extend_from_slice(tokens);
                all.pop().ok_or_else(|| EngineError::Internal("a forward step returned no span".to_owned()))
            }
            Err(error) => {
                // A budget is refused before anything is computed; behind other failures layers may differ.
                self.broken = !matches!(error, EngineError::Memory(MemoryError::Budget { .. }));
                Err(error)
            }
        }
    }

    /// Draws the token that follows. The logits are used up: the drawn token must be read before the next draw.
    ///
    /// # Errors
    /// [`EngineError::Sampling`] when the logits are no numbers, [`EngineError::Internal`] without logits.
    pub fn draw(&mut self, sampler: &mut Sampler) -> Result<u32, EngineError> {
        let logits = self.logits.as_mut();
        let logits = logits
            .ok_or_else(|| EngineError::Internal("no logits to draw the next token from".to_owned()))?;
        // The penalty is written into the logits, so a second draw must not start from them.
        let token = sampler.sample(logits, &self.tokens);
        self.logits = None;
        Ok(token?)
    }

    /// Forgets the tokens from position `to` on. Where the method cannot go back that far exactly, the session
    /// goes back further and reads the difference again; returns how many tokens that were.
    ///
    /// # Errors
    /// As [`Session::read`].
    pub fn truncate(&mut self, to: usize, control: &mut Control<'_>) -> Result<usize, EngineError> {
        if to >= self.len() {
            return Ok(0);
        }
        let context_end = self.context_end.filter(|end| *end <= to);
        let restored = self.restore(to)?;
        let again = self.tokens.get(restored..to).unwrap_or(&[]).to_vec();
        self.forget_from(restored);
        match context_end {
            Some(end) if restored < end => self.read_context(&again, end - restored, control)?,
            _ => self.read_on(&again, control)?,
        }
        Ok(again.len())
    }

    /// Forgets the tokens from position `to` on, and those before it that the method cannot keep exactly. Returns how many
    /// are left; the caller reads on from there, and says again where a fixed context ends if that was forgotten.
    ///
    /// # Errors
    /// What the memory fails with.
    pub fn go_back(&mut self, to: usize) -> Result<usize, EngineError> {
        if to >= self.len() {
            return Ok(self.len());
        }
        let restored = self.restore(to)?;
        self.forget_from(restored);
        Ok(restored)
    }

    /// Lets the memory go back to position `to`, or further where it must; returns what it now holds. The session's own
    /// account is still that of before.
    fn restore(&mut self, to: usize) -> Result<usize, EngineError> {
        self.logits = None;
        // A memory that needs the surprise of the next token needs the logits behind the last one.
        let target = if self.memory.wants_signals() { to.saturating_sub(1) } else { to };
        let restored = self.memory.truncate(target)?;
        self.signals.clear();
        if restored > target || self.memory.len() != restored {
            self.broken = true;
            return Err(EngineError::Internal(format!(
                "the memory went back to {} tokens and reported {restored}, asked for {target}",
                self.memory.len()
            )));
        }
        Ok(restored)
    }

    fn forget_from(&mut self, position: usize) {
        self.tokens.truncate(position);
        self.context_end = self.context_end.filter(|end| *end <= position);
    }

    /// How many tokens this sequence and `tokens` begin with alike.
    pub fn shared_with(&self, tokens: &[u32]) -> usize {
        shared(&self.tokens, tokens)
    }

    /// Makes sure that there are logits to continue from, by reading the last token again if need be.
    ///
    /// # Errors
    /// [`EngineError::Nothing`] when nothing has been read, otherwise as [`Session::read`].
    pub fn ensure_logits(&mut self, control: &mut Control<'_>) -> Result<(), EngineError> {
        if self.logits.is_some() {
            return Ok(());
        }
        let Some(&last) = self.tokens.last() else {
            return Err(EngineError::Nothing { what: "the prompt".to_owned(), purpose: "continue" });
        };
        self.truncate(self.len() - 1, control)?;
        self.step(last)?;
        Ok(())
    }

    /// Makes the session hold exactly `tokens`, reading as few of them as possible; returns how many were read.
    /// The last token is read in any case: its logits are what an answer begins with.
    ///
    /// # Errors
    /// As [`Session::read`].
    pub fn change_to(&mut self, tokens: &[u32], control: &mut Control<'_>) -> Result<usize, EngineError> {
        let keep = self.shared_with(tokens).min(tokens.len().saturating_sub(1));
        let again = self.truncate(keep, control)?;
        let new = tokens.get(keep..).unwrap_or(&[]);
        self.read(new, control)?;
        Ok(again + new.len())
    }

    /// Whether other methods that read alike may take over what was read.
    pub(crate) fn has_whole_rows(&self) -> bool {
        !self.broken && !self.is_empty() && self.memory.whole_rows().is_some()
    }

    /// Whether this has read all that `other` has, through as many layers of the same model.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.shared_with(&other.tokens) == other.len() && self.goes_as_far_as(other)
    }

    /// Whether tokens go through at least as many layers of the same model as in `other`.
    fn goes_as_far_as(&self, other: &Self) -> bool {
        let layers = |session: &Self| session.layers.unwrap_or(usize::MAX);
        Arc::ptr_eq(&self.engine, &other.engine) && layers(self) >= layers(other)
    }

    /// Takes over what `other` has read of `tokens`, as far as this session is empty and would have read it alike; returns
    /// how many tokens that were. The last of `tokens` is never among them.
    ///
    /// # Errors
    /// [`EngineError::Memory`] when rows cannot be read.
    pub(crate) fn take_over(&mut self, other: &Self, tokens: &[u32]) -> Result<usize, EngineError> {
        let Some(rows) = other.memory.whole_rows().filter(|_| self.is_empty() && !other.broken) else {
            return Ok(0);
        };
        if !other.goes_as_far_as(self) {
            return Ok(0);
        }
        let alike = other.shared_with(tokens).min(tokens.len().saturating_sub(1));
        // Chunks end where they would have ended.
        let taken = self.memory.take_over(rows, alike - alike % self.chunk_tokens())?;
        self.tokens.extend_from_slice(tokens.get(..taken).unwrap_or(&[]));
        Ok(taken)
    }

    /// A second session with the same content; both then go their own ways.
    ///
    /// # Errors
    /// [`EngineError::Memory`] when the copy has no room.
    pub fn fork(&self) -> Result<Self, EngineError> {
        Ok(Self {
            engine: Arc::clone(&self.engine),
            memory: self.memory.fork()?,
            signals: self.signals.clone(),
            tokens: self.tokens.clone(),
            logits: self.logits.clone(),
            chunk: self.chunk,
            context_end: self.context_end,
            broken: self.broken,
            layers: self.layers,
            ahead: self.ahead.clone(),
        })
    }

    /// From now on attention is recorded as evidence (`true`) or no longer (`false`).
    pub fn record_evidence(&mut self, on: bool) {
        self.memory.record_evidence(on);
    }

    /// Where attention went while it was recorded, heaviest first.
    pub fn evidence(&self) -> Vec<TokenEvidence> {
        self.memory.evidence()
    }

    /// From now on heads are looked at, weighed and switched off as `watch` says; clears what was recorded.
    ///
    /// # Errors
    /// [`EngineError::Memory`] when it does not fit the model or the memory cannot do it.
    pub fn watch(&mut self, watch: Watch) -> Result<(), EngineError> {
        Ok(self.memory.watch(watch)?)
    }

    /// The context as its memory sees it: where heads looked, how blocks were cut.
    pub fn memory(&self) -> &dyn ContextMemory {
        &*self.memory
    }

    /// What became of the tokens read so far; `given` equals `read`.
    ///
    /// # Errors
    /// [`EngineError::Internal`] when the memory's counts do not add up: a wrong report would hide a loss.
    pub fn report(&self) -> Result<ContextReport, EngineError> {
        let report = self.memory.report();
        if report.kept + report.compressed + report.dropped != report.read || report.read != self.len() {
            return Err(EngineError::Internal(format!(
                "the context report does not add up after {} tokens: {report:?}",
                self.len()
            )));
        }
        Ok(ContextReport { given: report.read, ..report })
    }

    /// Bytes in RAM that the memory's rows, indexes and scratch take.
    pub fn memory_bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// Of [`memory_bytes`](Self::memory_bytes), those of keys and values.
    pub fn row_bytes(&self) -> usize {
        self.memory.row_bytes()
    }

    /// Tokens of a chunk, as the method needs them: ends at multiples of this keep the result independent of how the
    /// input is cut.
    pub fn chunk_tokens(&self) -> usize {
        chunk_step(self.chunk.min(self.memory.chunk_limit()), self.memory.chunk_multiple())
    }
}

/// How many tokens two sequences begin with alike.
pub(crate) fn shared(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// The largest chunk of at most `chunk` tokens that is a multiple of `multiple`, or `multiple` itself.
pub(crate) fn chunk_step(chunk: usize, multiple: usize) -> usize {
    let multiple = multiple.max(1);
    (chunk / multiple).max(1) * multiple
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("tokens", &self.len())
            .field("chunk", &self.chunk)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::chunk_step;

    #[test]
    fn chunks_are_multiples_of_what_the_memory_asks_for() {
        assert_eq!(chunk_step(512, 1), 512);
        assert_eq!(chunk_step(512, 192), 384);
        assert_eq!(chunk_step(512, 768), 768);
        assert_eq!(chunk_step(1, 0), 1);
    }
}
