//! A session as it is kept in a file, and made again from one.

use std::io::Write;
use std::time::Instant;

use bytes::Bytes;
use loci_models::memory::MemoryError;
use loci_models::signals::{Distribution, SignalState};

use super::{Prefill, Session};
use crate::control::{Control, Progress};
use crate::error::EngineError;

/// What a session carries from one step to the next besides its tokens and its memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Carried {
    /// Where a fixed context ended, if it did.
    pub(crate) context_end: Option<usize>,
    /// Logits `[vocab]` behind the newest token, for methods that want its surprise; empty for others.
    pub(crate) logits: Vec<f32>,
    /// What their softmax looks like.
    pub(crate) distribution: Distribution,
}

impl Carried {
    /// As bytes; see [`parse`](Self::parse).
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24 + self.logits.len() * 4);
        let end = self.context_end.map_or(0, |end| end as u64 + 1);
        bytes.extend(end.to_le_bytes());
        bytes.extend(self.distribution.log_sum_exp.to_le_bytes());
        bytes.extend(self.distribution.entropy.to_le_bytes());
        self.logits.iter().for_each(|logit| bytes.extend(logit.to_le_bytes()));
        bytes
    }

    /// Reads what [`bytes`](Self::bytes) gave; `None` when it cannot be that of a session of `tokens` tokens on a model with
    /// `vocab` tokens.
    pub(crate) fn parse(bytes: &[u8], tokens: usize, vocab: usize) -> Option<Self> {
        let (end, rest) = bytes.split_first_chunk::<8>()?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        let (entropy, rest) = rest.split_first_chunk::<4>()?;
        let (logits, over) = rest.as_chunks::<4>();
        let end = usize::try_from(u64::from_le_bytes(*end)).ok()?.checked_sub(1);
        let fits = over.is_empty() && (logits.is_empty() || logits.len() == vocab);
        (fits && end.is_none_or(|end| end <= tokens)).then(|| Self {
            context_end: end,
            logits: logits.iter().map(|logit| f32::from_le_bytes(*logit)).collect(),
            distribution: Distribution {
                log_sum_exp: f32::from_le_bytes(*sum),
                entropy: f32::from_le_bytes(*entropy),
            },
        })
    }
}

impl Session {
    /// What is to be kept besides tokens and memory.
    ///
    /// # Errors
    /// [`EngineError::Internal`] behind a step that failed, or for a draft: neither may be gone on from.
    pub(crate) fn carried(&self) -> Result<Carried, EngineError> {
        if self.broken || self.layers.is_some() {
            return Err(EngineError::Internal("a session that cannot go on was to be saved".to_owned()));
        }
        let (logits, distribution) = self.signals.newest();
        Ok(Carried { context_end: self.context_end, logits: logits.to_vec(), distribution })
    }

    /// Writes the memory's state.
    ///
    /// # Errors
    /// [`MemoryError::Saved`] when writing fails.
    pub(crate) fn save_memory(&self, out: &mut dyn Write) -> Result<(), MemoryError> {
        self.memory.save(out)
    }

    /// Goes on from what was saved; this session must be empty and of the same model and method.
    ///
    /// # Errors
    /// [`MemoryError::Saved`] when the state is damaged or that of another memory. The session is gone then.
    pub(crate) fn restored(
        mut self,
        tokens: Vec<u32>,
        carried: Carried,
        memory: Bytes,
    ) -> Result<Self, MemoryError> {
        self.memory.load(memory)?;
        if self.memory.len() != tokens.len() {
            return Err(MemoryError::Saved(format!(
                "it holds {} tokens where {} were read",
                self.memory.len(),
                tokens.len()
            )));
        }
        self.tokens = tokens;
        self.signals = SignalState::restored(carried.logits, carried.distribution);
        self.context_end = carried.context_end;
        (self.logits, self.broken) = (None, false);
        Ok(self)
    }

    /// Goes back to at most `most` tokens without reading anything again, to a place where a chunk would end. Returns how
    /// many are left: 0 where the memory cannot go back exactly.
    ///
    /// # Errors
    /// [`EngineError::Memory`] when a cold block cannot be read.
    pub(crate) fn cut(&mut self, most: usize) -> Result<usize, EngineError> {
        let step = self.chunk_tokens();
        // The surprise of the token behind the cut would need logits that are gone.
        let to = if self.memory.wants_signals() { 0 } else { most / step * step };
        self.go_back(to)
    }

    /// Reads documents, the beginning of a prompt of `total` tokens, as far as they were not read before. A chunk ends where
    /// they do, and methods that want to know are told.
    ///
    /// # Errors
    /// As [`Session::read_context`].
    pub(crate) fn read_documents(
        &mut self,
        tokens: &[u32],
        total: usize,
        control: &mut Control<'_>,
    ) -> Result<(), EngineError> {
        let before = self.len();
        let new = tokens.get(before..).unwrap_or(&[]);
        if new.is_empty() {
            return Ok(());
        }
        within(control, before, total, |control| self.read_context(new, new.len(), control))
    }

    /// Reads what stands behind `before` tokens of a prompt of `total`, up to where it is answered. Evidence is what the
    /// answer attends to: from the token that the first word of it is drawn after.
    ///
    /// # Errors
    /// As [`Session::read`].
    pub(crate) fn read_behind(
        &mut self,
        tokens: &[u32],
        before: usize,
        total: usize,
        control: &mut Control<'_>,
    ) -> Result<(), EngineError> {
        let prefill = Prefill::prompt(tokens).with_evidence();
        within(control, before, total, |control| self.carry_out(prefill, control))
    }
}

/// Runs `read`, which reads a part of `total` tokens behind the first `before`, and reports progress in the whole.
fn within(
    control: &mut Control<'_>,
    before: usize,
    total: usize,
    read: impl FnOnce(&mut Control<'_>) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let started = Instant::now();
    let stop = control.stop;
    let outcome = match &mut control.progress {
        None => read(&mut Control { stop, progress: None }),
        Some(progress) => {
            let mut whole = |part: Progress| {
                progress(Progress { done: before + part.done, total, elapsed: started.elapsed() });
            };
            read(&mut Control { stop, progress: Some(&mut whole) })
        }
    };
    outcome.map_err(|error| match error {
        EngineError::Interrupted { done, .. } => EngineError::Interrupted { done: before + done, total },
        error => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_comes_back_and_nonsense_does_not() {
        let carried = Carried {
            context_end: Some(7),
            logits: vec![0.5, -1.0, f32::MIN],
            distribution: Distribution { log_sum_exp: 2.0, entropy: 0.25 },
        };
        let bytes = carried.bytes();
        assert_eq!(Carried::parse(&bytes, 7, 3), Some(carried));
        assert_eq!(Carried::parse(&Carried::default().bytes(), 0, 3), Some(Carried::default()));
        assert_eq!(Carried::parse(&bytes, 6, 3), None, "a context that ends behind the last token");
        assert_eq!(Carried::parse(&bytes, 7, 4), None, "logits of another vocabulary");
        for length in 0..bytes.len() {
            assert!(length == 16 || Carried::parse(&bytes[..length], 7, 3).is_none(), "{length}");
        }
    }
}
