//! An answer on its way through a grammar.

use std::fmt::{Debug, Formatter};

use llguidance::{Matcher, api::StopReason};
use loci_models::sampling::{Constraint, SamplingError, TokenSet};

use super::compile::shown;

/// Follows an answer token by token.
pub(super) struct Follow {
    matcher: Matcher,
    /// Size of the vocabulary.
    size: usize,
}

impl Follow {
    pub(super) const fn new(matcher: Matcher, size: usize) -> Self {
        Self { matcher, size }
    }

    /// A copy that shares nothing, so that answers do not wait for each other.
    pub(super) fn copy(&self) -> Self {
        Self { matcher: self.matcher.deep_clone(), size: self.size }
    }
}

impl Debug for Follow {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "Follow({})", self.matcher.stop_reason())
    }
}

impl Constraint for Follow {
    fn allowed(&mut self) -> Result<TokenSet, SamplingError> {
        let mask = self.matcher.compute_mask().map_err(|error| failed(&error.to_string()))?;
        Ok(TokenSet::from_words(mask.as_slice().to_vec(), self.size))
    }

    fn accept(&mut self, token: u32) -> Result<(), SamplingError> {
        self.matcher.consume_token(token).map_err(|error| failed(&error.to_string()))
    }

    fn may_end(&mut self) -> Result<bool, SamplingError> {
        if self.is_complete() {
            return Ok(true);
        }
        self.matcher.is_accepting().map_err(|error| failed(&error.to_string()))
    }

    fn is_complete(&self) -> bool {
        let reason = self.matcher.stop_reason();
        reason != StopReason::NotStopped && reason.is_ok()
    }

    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.copy())
    }
}

fn failed(message: &str) -> SamplingError {
    SamplingError::Constraint { message: shown(message) }
}
