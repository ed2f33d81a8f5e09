//! The seam of constrained output: what may come next, so that nothing else is drawn.

use std::fmt::Debug;

use super::SamplingError;

/// A set of token ids; ids from `size` on are not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSet {
    words: Vec<u32>,
    size: usize,
}

impl TokenSet {
    /// The empty set of ids below `size`.
    pub fn new(size: usize) -> Self {
        Self { words: vec![0; size.div_ceil(32)], size }
    }

    /// The ids below `size` whose bits are set, 32 to a word, lowest first.
    pub fn from_words(mut words: Vec<u32>, size: usize) -> Self {
        words.resize(size.div_ceil(32), 0);
        Self { words, size }
    }

    /// Adds an id; one outside the set's range is left out.
    pub fn insert(&mut self, id: u32) {
        if (id as usize) < self.size
            && let Some(word) = self.words.get_mut(id as usize / 32)
        {
            *word |= 1 << (id % 32);
        }
    }

    /// Whether the id is in the set.
    pub fn contains(&self, id: u32) -> bool {
        let word = self.words.get(id as usize / 32).copied().unwrap_or(0);
        (id as usize) < self.size && word >> (id % 32) & 1 == 1
    }
}

/// What an answer has to look like, followed token by token.
pub trait Constraint: Debug + Send {
    /// The tokens that may come next; which of the tokens that end an answer are among them does not matter.
    ///
    /// # Errors
    /// [`SamplingError::Constraint`] when that cannot be found out within the constraint's own limits.
    fn allowed(&mut self) -> Result<TokenSet, SamplingError>;

    /// Goes on behind `token`, which was drawn.
    ///
    /// # Errors
    /// [`SamplingError::Constraint`] when the token was not allowed.
    fn accept(&mut self, token: u32) -> Result<(), SamplingError>;

    /// Whether the answer may end here.
    ///
    /// # Errors
    /// As [`allowed`](Self::allowed).
    fn may_end(&mut self) -> Result<bool, SamplingError>;

    /// Whether nothing can follow.
    fn is_complete(&self) -> bool;

    /// A copy with a future of its own.
    fn fork(&self) -> Box<dyn Constraint>;
}

/// A constraint with the tokens that end an answer, of which it knows nothing.
#[derive(Debug)]
pub(super) struct Constrained {
    pub(super) constraint: Box<dyn Constraint>,
    pub(super) ends: Box<[u32]>,
}

impl Clone for Constrained {
    fn clone(&self) -> Self {
        Self { constraint: self.constraint.fork(), ends: self.ends.clone() }
    }
}

impl Constrained {
    /// Sets the logits of all tokens that may not come next to minus infinity.
    pub(super) fn forbid(&mut self, logits: &mut [f32]) -> Result<(), SamplingError> {
        let complete = self.constraint.is_complete();
        let may_end = complete || self.constraint.may_end()?;
        // A complete one need not be able to say that nothing is allowed.
        let allowed = if complete { TokenSet::new(0) } else { self.constraint.allowed()? };
        for (id, logit) in (0_u32..).zip(logits.iter_mut()) {
            let may_come = if self.ends.contains(&id) { may_end } else { allowed.contains(id) };
            if !may_come {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(())
    }

    pub(super) fn accept(&mut self, token: u32) -> Result<(), SamplingError> {
        if self.ends.contains(&token) { Ok(()) } else { self.constraint.accept(token) }
    }
}
