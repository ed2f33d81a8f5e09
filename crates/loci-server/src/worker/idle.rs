//! Contexts of finished requests, kept for those that begin like them.

use std::sync::Arc;

use loci_engine::{Engine, EngineError, Session};

/// Sessions that nobody uses, the one used last at the end.
pub struct Idle {
    held: Vec<Held>,
    limit: usize,
}

struct Held {
    key: String,
    engine: Arc<Engine>,
    session: Session,
}

/// Tokens that two sequences must share for a kept context to be worth going back in.
const WORTH: usize = 16;

impl Idle {
    /// Keeps at most `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self { held: Vec::new(), limit }
    }

    /// Bytes of all contexts kept.
    pub fn bytes(&self) -> usize {
        self.held.iter().map(|held| held.session.memory_bytes()).sum()
    }

    /// The session that shares the most leading tokens with `tokens`, gone back to where they part; and how many of
    /// `tokens` it holds: less than all, so that the last one is read again for what follows it. `key` says under what
    /// method and plan it was made.
    ///
    /// # Errors
    /// When the session cannot go back; it is then dropped.
    pub fn take(
        &mut self,
        key: &str,
        engine: &Arc<Engine>,
        tokens: &[u32],
    ) -> Result<Option<(Session, usize)>, EngineError> {
        let fits = |held: &&Held| held.key == key && Arc::ptr_eq(&held.engine, engine);
        let best = self.held.iter().enumerate().filter(|(_, held)| fits(held));
        let best = best.map(|(at, held)| (held.session.shared_with(tokens), at)).max();
        let Some((same, at)) = best.filter(|(same, _)| *same >= WORTH) else { return Ok(None) };
        // A longer one that parts early is left to whoever goes on with it: going back would destroy it.
        let keep = same.min(tokens.len().saturating_sub(1));
        let mut session = match self.held.get(at).filter(|held| held.session.len() > 2 * keep) {
            Some(held) => held.session.fork()?,
            None => self.held.remove(at).session,
        };
        let restored = session.go_back(keep)?;
        Ok((restored > 0).then_some((session, restored)))
    }

    /// Keeps `session`, and drops those used longest ago beyond the limit.
    pub fn keep(&mut self, key: String, engine: Arc<Engine>, session: Session) {
        self.held.push(Held { key, engine, session });
        while self.bytes() > self.limit && !self.held.is_empty() {
            self.held.remove(0);
        }
    }
}
