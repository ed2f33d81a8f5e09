//! What happens at the end of a prompt, before the answer begins.

use std::time::Instant;

use loci_models::wiring::LogitsFor;

use super::{Prefill, Session};
use crate::control::Control;
use crate::draft::write_on;
use crate::error::EngineError;

impl Session {
    /// Shows the memory what the prompt's last token looks at, and a draft of the answer where it wants one, and lets it
    /// decide what stays of the other tokens.
    pub(super) fn end_prompt(&mut self, last: u32, control: &Control<'_>) -> Result<(), EngineError> {
        let end = self.len();
        self.step(last)?;
        let ahead = self.look_ahead(control)?;
        if !ahead.is_empty() {
            self.forward(&ahead, LogitsFor::None)?;
        }
        // From here on until the memory is back at `end` it holds a token too many.
        self.broken = true;
        self.memory.end_prompt(end)?;
        let restored = self.memory.truncate(end)?;
        if restored != end {
            return Err(EngineError::Internal(format!(
                "the memory went back to {restored} tokens at the end of a prompt of {end}"
            )));
        }
        self.tokens.truncate(end);
        self.signals.clear();
        self.broken = false;
        Ok(())
    }

    /// The look-ahead that the memory wants to see behind what was read.
    fn look_ahead(&self, control: &Control<'_>) -> Result<Vec<u32>, EngineError> {
        match (self.memory.look_ahead(), self.ahead.as_deref()) {
            (0, _) => Ok(Vec::new()),
            (count, Some(ahead)) => match ahead.drafted.take() {
                Some(written) => Ok(written),
                None => ahead.drafter.write(self, &ahead.context, count, control),
            },
            (_, None) => Err(EngineError::Internal(
                "a method that looks ahead was given no draft: the session was not made by ContextOptions::session"
                    .to_owned(),
            )),
        }
    }

    /// Reads what was not yet read of a prompt as a draft does, writes at most `count` tokens behind it, and lets the memory
    /// weigh the prompt's tokens by what was looked at until then. Returns what was written.
    pub(crate) fn look_through(
        &mut self,
        prompt: &[u32],
        count: usize,
        control: &mut Control<'_>,
    ) -> Result<Vec<u32>, EngineError> {
        let Some((&last, body)) = prompt.split_last() else { return Ok(Vec::new()) };
        let started = Instant::now();
        let mut prefill = Prefill::part(body.get(self.len()..).unwrap_or(&[]));
        let total = prefill.total() + 1;
        while self.advance(&mut prefill, control)? {
            control.report(prefill.done(), total, started);
        }
        self.step(last)?;
        control.report(total, total, started);
        let written = write_on(self, count, control)?;
        self.memory.end_prompt(body.len())?;
        Ok(written)
    }

    /// How much the end of the last prompt looked at each token, for a method by which a prompt is shortened.
    pub(crate) fn importance(&self) -> &[f32] {
        self.memory.importance()
    }
}
