//! Reading as a plan that is carried out piece by piece, so that several sequences can be read and written in turn.

use std::ops::Range;
use std::time::Instant;

use super::Session;
use crate::control::Control;
use crate::error::EngineError;

/// Tokens that a session is to read, and how far it has come.
#[derive(Clone, Debug)]
pub struct Prefill {
    tokens: Vec<u32>,
    /// Tokens read so far.
    done: usize,
    /// How many of the tokens end a fixed context, until that was said.
    context: Option<usize>,
    /// Whether an answer follows: the last token is read alone and its logits are kept.
    answered: bool,
    /// Whether attention is recorded from the last token on.
    evidence: bool,
}

/// What a [`Prefill`] needs next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These tokens, in one forward step.
    Chunk(Range<usize>),
    /// The last token, read alone, with logits.
    Last,
    /// Work that only [`Session::advance`] can do: a fixed context is indexed, or the end of a prompt is decided about.
    Alone,
    /// Nothing.
    Done,
}

impl Prefill {
    /// `tokens` that more will follow.
    pub fn part(tokens: &[u32]) -> Self {
        Self { tokens: tokens.to_vec(), done: 0, context: None, answered: false, evidence: false }
    }

    /// A prompt, or the end of one, that is answered.
    pub fn prompt(tokens: &[u32]) -> Self {
        Self { answered: true, ..Self::part(tokens) }
    }

    /// The same where the first `tokens` tokens end a context that the others ask about: methods that want to know are
    /// told between the two. For all others chunks end where they would in any case.
    #[must_use]
    pub fn with_context(self, tokens: usize) -> Self {
        Self { context: Some(tokens.min(self.body())), ..self }
    }

    /// The same where attention is recorded from the last token on: the first word of the answer is drawn behind it.
    #[must_use]
    pub fn with_evidence(self) -> Self {
        Self { evidence: true, ..self }
    }

    /// Tokens read so far.
    pub const fn done(&self) -> usize {
        self.done
    }

    /// Tokens to read in all.
    pub const fn total(&self) -> usize {
        self.tokens.len()
    }

    /// The tokens of a piece.
    pub fn tokens(&self, range: Range<usize>) -> &[u32] {
        self.tokens.get(range).unwrap_or(&[])
    }

    /// Tokens that are read in chunks.
    fn body(&self) -> usize {
        self.tokens.len() - usize::from(self.answered && !self.tokens.is_empty())
    }

    /// Notes that the session has read the piece that was due.
    pub(super) fn read(&mut self, tokens: usize) {
        self.done += tokens;
    }
}

impl Session {
    /// What `prefill` needs next.
    pub fn next_piece(&self, prefill: &Prefill) -> Piece {
        let context = prefill.context.filter(|_| self.memory.wants_context_end());
        if context == Some(prefill.done) {
            return Piece::Alone;
        }
        let body = prefill.body();
        let border = context.filter(|end| (prefill.done..body).contains(end)).unwrap_or(body);
        if prefill.done < border {
            let end = prefill.done + self.chunk_of(border - prefill.done);
            return Piece::Chunk(prefill.done..end);
        }
        match prefill.done < prefill.tokens.len() {
            true if self.memory.wants_prompt_end() => Piece::Alone,
            true => Piece::Last,
            false => Piece::Done,
        }
    }

    /// Reads the next piece of `prefill`; `false` when there was none.
    ///
    /// # Errors
    /// [`EngineError::Interrupted`] when `control` says so, what the memory refuses, and what the model fails with. The
    /// pieces before stay read.
    pub fn advance(&mut self, prefill: &mut Prefill, control: &Control<'_>) -> Result<bool, EngineError> {
        let piece = self.next_piece(prefill);
        if piece != Piece::Done && control.stopped() {
            return Err(EngineError::Interrupted { done: prefill.done, total: prefill.total() });
        }
        if prefill.context == Some(prefill.done) && piece == Piece::Alone {
            self.end_context()?;
            prefill.context = None;
            return Ok(true);
        }
        match piece {
            Piece::Done => return Ok(false),
            Piece::Chunk(range) => {
                self.read_chunk(prefill.tokens(range.clone()))?;
                prefill.read(range.len());
            }
            Piece::Last | Piece::Alone => {
                let Some(&last) = prefill.tokens.last() else { return Ok(false) };
                self.begin_last(prefill);
                if piece == Piece::Alone {
                    self.end_prompt(last, control)?;
                }
                self.step(last)?;
                prefill.read(1);
            }
        }
        Ok(true)
    }

    /// Before the last token is read.
    pub(super) fn begin_last(&mut self, prefill: &Prefill) {
        if prefill.evidence {
            self.record_evidence(true);
        }
    }

    /// Carries out all of `prefill`.
    ///
    /// # Errors
    /// As [`Session::advance`].
    pub fn carry_out(&mut self, mut prefill: Prefill, control: &mut Control<'_>) -> Result<(), EngineError> {
        let started = Instant::now();
        let mut told = 0;
        while self.advance(&mut prefill, control)? {
            // Work between two pieces reads nothing.
            if prefill.done > told {
                told = prefill.done;
                control.report(told, prefill.total(), started);
            }
        }
        Ok(())
    }

    /// Reads `tokens`, the last of them alone: methods that choose what to recall by the newest query then
    /// choose for exactly the token the answer begins after.
    ///
    /// # Errors
    /// As [`Session::advance`].
    pub fn read(&mut self, tokens: &[u32], control: &mut Control<'_>) -> Result<(), EngineError> {
        self.carry_out(Prefill::prompt(tokens), control)
    }

    /// Reads `tokens` in chunks and asks for no logits; more tokens must follow before anything is generated.
    ///
    /// # Errors
    /// As [`Session::advance`].
    pub fn read_on(&mut self, tokens: &[u32], control: &mut Control<'_>) -> Result<(), EngineError> {
        self.carry_out(Prefill::part(tokens), control)
    }

    /// As [`Session::read_on`], where the first `context` of `tokens` end a context that the others ask about.
    ///
    /// # Errors
    /// As [`Session::advance`], and [`Session::end_context`].
    pub fn read_context(
        &mut self,
        tokens: &[u32],
        context: usize,
        control: &mut Control<'_>,
    ) -> Result<(), EngineError> {
        self.carry_out(Prefill::part(tokens).with_context(context), control)
    }
}
