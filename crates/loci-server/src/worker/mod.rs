//! The thread that computes: it reads prompts piece by piece and writes answers token by token, many at once.
//!
//! All models share one thread (and its pool), so that computing never competes with itself. Each round takes one model:
//! every answer that is being written gets its next token, and one prompt its next piece, in a single forward step.
//! Prompts take turns, so a short one does not wait for a book; waiting requests are taken client by client.

mod active;
mod idle;
mod queue;
mod round;

pub use active::{Begin, Begun, Event, Failure, Looked, Work};
pub use idle::Idle;
pub use queue::{Counts, Refused};

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use active::Active;
use queue::Queue;

/// What the worker allows itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests that are worked on at once.
    pub concurrent: usize,
    /// Requests that wait; more are refused.
    pub queue: usize,
    /// Requests of one client, waiting or worked on; more are refused.
    pub per_client: usize,
    /// A request that is older is ended.
    pub timeout: Duration,
    /// Bytes that the contexts of finished requests may take, kept in case another begins like them.
    pub idle_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent: 8,
            queue: 64,
            per_client: 32,
            timeout: Duration::from_secs(600),
            idle_bytes: 1 << 30,
        }
    }
}

/// Tokens that a prompt reads in one round while answers are being written: a longer piece would make them wait.
const CHUNK_BESIDE_ANSWERS: usize = 128;
/// The same for a text that nobody waits for: someone may come.
const CHUNK_BY_THE_WAY: usize = 256;

/// What was done since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests that ended well.
    pub done: AtomicU64,
    /// Requests that failed.
    pub failed: AtomicU64,
    /// Requests that were refused before any work.
    pub refused: AtomicU64,
    /// Requests whose client went away.
    pub cancelled: AtomicU64,
    /// Tokens read.
    pub prefill_tokens: AtomicU64,
    /// Microseconds of rounds, split by tokens between reading and writing.
    pub prefill_micros: AtomicU64,
    /// Tokens written.
    pub decode_tokens: AtomicU64,
    /// As `prefill_micros`.
    pub decode_micros: AtomicU64,
    /// Tokens of prompts that had been read before.
    pub cached_tokens: AtomicU64,
    /// Bytes of all contexts, those kept for later included.
    pub context_bytes: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, amount: usize) {
        counter.fetch_add(amount as u64, Ordering::Relaxed);
    }
}

/// Time over which speed is told.
const RECENT: Duration = Duration::from_secs(10);

/// Counters as they were at some time.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Instant,
    /// Tokens and microseconds, of reading and of writing.
    counts: [u64; 4],
}

/// The worker; dropping it ends the thread once its work is done.
pub struct Worker {
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    limits: Limits,
    /// For speed, the oldest first.
    seen: Mutex<VecDeque<Seen>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(limits: Limits) -> std::io::Result<Self> {
        let counters = Arc::new(Counters::default());
        let queue = Arc::new(Queue::new(limits, Arc::clone(&counters)));
        let thread = {
            let (queue, counters) = (Arc::clone(&queue), Arc::clone(&counters));
            std::thread::Builder::new()
                .name("loci-worker".to_owned())
                .spawn(move || run(&queue, &counters, limits))?
        };
        Ok(Self { queue, counters, limits, seen: Mutex::default(), thread: Some(thread) })
    }

    /// Hands over work; its events say what becomes of it.
    ///
    /// # Errors
    /// [`Refused`] when a limit is reached or the server ends.
    pub fn submit(&self, work: Work) -> Result<(), Refused> {
        self.queue.push(work).inspect_err(|_| Counters::add(&self.counters.refused, 1))
    }

    /// Requests worked on and waiting.
    pub fn counts(&self) -> Counts {
        self.queue.counts()
    }

    /// What was done.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Tokens read and written per second of such work, over about the last ten seconds; 0 where nothing was done.
    pub fn speed(&self) -> (f64, f64) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        let counts = [
            get(&counters.prefill_tokens),
            get(&counters.prefill_micros),
            get(&counters.decode_tokens),
            get(&counters.decode_micros),
        ];
        let mut seen = locked(&self.seen);
        let now = Instant::now();
        seen.push_back(Seen { at: now, counts });
        while seen.len() > 2 && seen.get(1).is_some_and(|second| now - second.at > RECENT) {
            seen.pop_front();
        }
        let first = seen.front().map_or([0; 4], |first| first.counts);
        let [read, read_micros, written, written_micros] =
            std::array::from_fn(|at| counts[at].saturating_sub(first[at]) as f64);
        let per_second = |tokens: f64, micros: f64| if micros > 0.0 { tokens * 1e6 / micros } else { 0.0 };
        (per_second(read, read_micros), per_second(written, written_micros))
    }

    /// What the worker allows itself.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Keeps no context of what was read up to now for later requests.
    pub fn forget(&self) {
        self.queue.forget();
    }

    /// Takes no more work; what is being worked on goes on until it is done.
    pub fn close(&self) {
        self.queue.close();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.close();
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// The thread.
fn run(queue: &Queue, counters: &Counters, limits: Limits) {
    let mut active: Vec<Active> = Vec::new();
    let mut idle = Idle::new(limits.idle_bytes);
    let mut turn = 0;
    let mut forgotten = 0;
    loop {
        let now = queue.forgotten();
        if now != forgotten {
            idle = Idle::new(limits.idle_bytes);
            active.iter_mut().for_each(Active::keep_nothing);
            forgotten = now;
        }
        while active.len() < limits.concurrent {
            let Some(work) = queue.next(active.is_empty(), forgotten) else { break };
            let client = work.client;
            match guarded(|| Active::begin(work, &mut idle, counters)) {
                Some(Some(begun)) => active.push(begun),
                _ => queue.done(client),
            }
        }
        if active.is_empty() {
            if queue.is_closed() {
                return;
            }
            continue;
        }
        turn += 1;
        if guarded(|| round::round(&mut active, counters, turn)).is_none() {
            // What the contexts hold is unknown now.
            for failed in active.drain(..) {
                queue.done(failed.client());
                failed.fail("the server met a defect of its own and gave this request up; see its log");
                Counters::add(&counters.failed, 1);
            }
        }
        let mut at = 0;
        while let Some(job) = active.get(at) {
            if job.is_over() {
                let over = active.swap_remove(at);
                queue.done(over.client());
                over.end(&mut idle);
            } else {
                at += 1;
            }
        }
        let held: usize = active.iter().map(Active::bytes).sum::<usize>() + idle.bytes();
        counters.context_bytes.store(held as u64, Ordering::Relaxed);
    }
}

/// What `work` returns; `None` when it panicked, which no input should bring about.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(outcome) => Some(outcome),
        Err(_) => {
            tracing::error!("a defect: the worker panicked; the requests at hand are given up");
            None
        }
    }
}

/// A lock whose holder panicked guards nothing that could be half changed here.
pub(crate) fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
