//! Texts that one of several methods has read for all of them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::EngineError;
use crate::session::{Control, Session};

/// The last text that a method read as full attention reads. Many methods do so until a question comes, and only then drop
/// rows or choose among them: beside each other they need not read it again.
///
/// It is held until the next one comes; its rows are shared with the sessions that read it, not copied.
#[derive(Debug, Default)]
pub struct Readings {
    last: Mutex<Option<Reading>>,
}

#[derive(Debug)]
struct Reading {
    session: Session,
    /// Time it took to read.
    took: Duration,
}

impl Readings {
    /// Lets the empty `session` read `text`, a context that questions are asked about, as far as it need not take it over;
    /// returns the time that what it took over had taken to read.
    pub(crate) fn read_context(
        &self,
        session: &mut Session,
        text: &[u32],
        control: &mut Control<'_>,
    ) -> Result<Duration, EngineError> {
        // Kept before the context ends: afterwards a method may read otherwise.
        let took = self.read_to(session, text, text.len(), control)?;
        session.read_context(&[], 0, control)?;
        Ok(took)
    }

    /// Lets the empty `session` take over what it can of `tokens`, and read and keep the rest of the first `end` of them, which
    /// others share. Returns the time that what it took over had taken to read.
    pub(crate) fn read_to(
        &self,
        session: &mut Session,
        tokens: &[u32],
        end: usize,
        control: &mut Control<'_>,
    ) -> Result<Duration, EngineError> {
        let started = Instant::now();
        let (taken, took) = self.take_over(session, tokens)?;
        if taken < end {
            session.read_on(tokens.get(taken..end).unwrap_or(&[]), control)?;
            self.keep(session, took + started.elapsed())?;
        }
        Ok(took)
    }

    /// Lets `session`, if it is empty, take over what was read of `tokens`; how many tokens that were, and the share of the
    /// time for them.
    pub(crate) fn take_over(
        &self,
        session: &mut Session,
        tokens: &[u32],
    ) -> Result<(usize, Duration), EngineError> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = last.as_ref() else { return Ok((0, Duration::ZERO)) };
        let taken = session.take_over(&last.session, tokens)?;
        #[allow(clippy::cast_precision_loss)] // a share
        let share = taken as f64 / last.session.len().max(1) as f64;
        Ok((taken, last.took.mul_f64(share)))
    }

    /// Keeps what `session` has read in `took`, if others may take it over.
    pub(crate) fn keep(&self, session: &Session, took: Duration) -> Result<(), EngineError> {
        if !session.has_whole_rows() {
            return Ok(());
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !last.as_ref().is_some_and(|last| last.session.covers(session)) {
            *last = Some(Reading { session: session.fork()?, took });
        }
        Ok(())
    }
}
