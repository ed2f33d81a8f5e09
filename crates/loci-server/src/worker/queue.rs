//! Work that waits, taken client by client.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};

use super::active::{Event, Work};
use super::{Counters, Limits, locked};

/// Why work was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too many requests wait.
    #[error("{waiting} requests wait already, and the server allows {limit}; try again later")]
    Full {
        /// Waiting requests.
        waiting: usize,
        /// The limit.
        limit: usize,
    },
    /// This client has too many requests.
    #[error(
        "this client has {requests} requests at once, and the server allows {limit}; wait for one of them"
    )]
    Client {
        /// Its requests.
        requests: usize,
        /// The limit.
        limit: usize,
    },
    /// The server ends.
    #[error("the server is shutting down")]
    Closed,
}

/// Requests at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Worked on.
    pub running: usize,
    /// Waiting.
    pub waiting: usize,
}

#[derive(Default)]
struct Content {
    /// Oldest first.
    waiting: Vec<Work>,
    /// Requests worked on, by client.
    running: BTreeMap<u64, usize>,
    closed: bool,
    /// How often all that is kept was to be let go.
    forgotten: u64,
}

pub(super) struct Queue {
    content: Mutex<Content>,
    wake: Condvar,
    limits: Limits,
    counters: Arc<Counters>,
}

impl Content {
    fn running(&self, client: u64) -> usize {
        self.running.get(&client).copied().unwrap_or(0)
    }

    /// Drops what nobody waits for any more and what waited too long.
    fn sweep(&mut self, counters: &Counters) {
        self.waiting.retain(|work| {
            if work.is_cancelled() {
                Counters::add(&counters.cancelled, 1);
                return false;
            }
            if work.is_late() {
                Counters::add(&counters.failed, 1);
                work.say(Event::Failed(work.late()));
                return false;
            }
            true
        });
    }

    /// The place of the work that comes next: what someone waits for before what is done by the way, then the client with
    /// the fewest requests at work, then the oldest.
    fn choose(&self) -> Option<usize> {
        let rank = |work: &Work| (work.background, self.running(work.client));
        (0..self.waiting.len()).min_by_key(|at| self.waiting.get(*at).map(rank))
    }
}

impl Queue {
    pub(super) fn new(limits: Limits, counters: Arc<Counters>) -> Self {
        Self { content: Mutex::default(), wake: Condvar::new(), limits, counters }
    }

    pub(super) fn push(&self, work: Work) -> Result<(), Refused> {
        let mut content = locked(&self.content);
        content.sweep(&self.counters);
        if content.closed {
            return Err(Refused::Closed);
        }
        let (waiting, limit) = (content.waiting.len(), self.limits.queue);
        // Someone may be free: the worker takes it from here in a moment.
        let free = self.limits.concurrent.saturating_sub(content.running.values().sum());
        if waiting >= limit + free {
            return Err(Refused::Full { waiting, limit });
        }
        let own = content.waiting.iter().filter(|other| other.client == work.client).count();
        let (requests, limit) = (own + content.running(work.client), self.limits.per_client);
        if requests >= limit && !work.background {
            return Err(Refused::Client { requests, limit });
        }
        if waiting >= free {
            work.say(Event::Queued(waiting - free + 1));
        }
        content.waiting.push(work);
        drop(content);
        self.wake.notify_one();
        Ok(())
    }

    /// Nothing that is read up to now is kept for later requests.
    pub(super) fn forget(&self) {
        let mut content = locked(&self.content);
        content.forgotten += 1;
        content.waiting.iter_mut().for_each(|work| work.keep = false);
        drop(content);
        self.wake.notify_all();
    }

    /// How often [`Queue::forget`] was called.
    pub(super) fn forgotten(&self) -> u64 {
        locked(&self.content).forgotten
    }

    /// The next work, which then counts as running; waits for some if `wait`, unless the queue is closed or something is to be
    /// forgotten that was not when `forgotten` was asked for.
    pub(super) fn next(&self, wait: bool, forgotten: u64) -> Option<Work> {
        let mut content = locked(&self.content);
        loop {
            content.sweep(&self.counters);
            if let Some(at) = content.choose() {
                let work = content.waiting.remove(at);
                *content.running.entry(work.client).or_default() += 1;
                return Some(work);
            }
            if !wait || content.closed || content.forgotten != forgotten {
                return None;
            }
            content = self.wake.wait(content).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// Work of `client` is over.
    pub(super) fn done(&self, client: u64) {
        let mut content = locked(&self.content);
        if let Some(running) = content.running.get_mut(&client) {
            *running = running.saturating_sub(1);
        }
        content.running.retain(|_, running| *running > 0);
    }

    pub(super) fn counts(&self) -> Counts {
        let content = locked(&self.content);
        Counts { running: content.running.values().sum(), waiting: content.waiting.len() }
    }

    pub(super) fn close(&self) {
        locked(&self.content).closed = true;
        self.wake.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        locked(&self.content).closed
    }
}
