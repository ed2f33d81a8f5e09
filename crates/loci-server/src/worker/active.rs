//! One request while it is worked on.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use loci_engine::likelihood::Drawn;
use loci_engine::session::{Piece, Prefill};
use loci_engine::{Control, Engine, EngineError, GenerateOptions, Generation, Progress, Session, Writing};
use loci_models::memory::{ContextReport, TokenEvidence};
use tokio::sync::mpsc::UnboundedSender;

use super::{Counters, Idle};

/// How a request's session comes about: on the worker, because a method may draft or go back first.
pub type Begin = Box<dyn FnOnce(&mut Idle, &mut Control<'_>) -> Result<Begun, EngineError> + Send>;

/// A request as the worker sees it.
pub struct Work {
    /// Whose it is.
    pub client: u64,
    /// Nobody waits for its words: it reads a text for later.
    pub background: bool,
    /// The model.
    pub engine: Arc<Engine>,
    /// Makes the session.
    pub begin: Begin,
    /// How each answer is written; none: the prompt is read and the session handed over.
    pub answers: Vec<GenerateOptions>,
    /// Hears what happens.
    pub events: UnboundedSender<Event>,
    /// Set when nobody waits any more.
    pub cancel: Arc<AtomicBool>,
    /// When it came.
    pub since: Instant,
    /// How long it may take, waiting included.
    pub timeout: Duration,
    /// Whether its context may be kept for later requests.
    pub keep: bool,
}

/// A session and what it has to read.
pub struct Begun {
    /// The session, which may have read the beginning already.
    pub session: Session,
    /// What is left to read.
    pub prefill: Prefill,
    /// Tokens of the prompt that need not be read.
    pub cached: usize,
    /// Under what name the session may be used again; `None`: not at all.
    pub key: Option<String>,
    /// Ranges of tokens of which it is wanted how much is still held.
    pub cells: Vec<Range<usize>>,
}

/// What happens to a request.
#[derive(Debug)]
pub enum Event {
    /// So many requests are before it.
    Queued(usize),
    /// The prompt is being read.
    Progress(Progress),
    /// The prompt has been read.
    Read {
        /// Tokens that were read for it.
        tokens: usize,
        /// Tokens that had been read before.
        cached: usize,
        /// Time it waited.
        queued: Duration,
        /// Time of the reading.
        elapsed: Duration,
        /// What became of the tokens.
        report: ContextReport,
    },
    /// Words of an answer.
    Text {
        /// Which.
        answer: usize,
        /// Whole characters.
        text: String,
    },
    /// How likely the model thought the newest tokens of an answer, where that was asked for.
    Likely {
        /// Which.
        answer: usize,
        /// They.
        drawn: Vec<Drawn>,
    },
    /// An answer is written.
    Answer {
        /// Which.
        answer: usize,
        /// It.
        generation: Box<Generation>,
        /// Where its attention went.
        looked: Looked,
    },
    /// The text was read; here is its session.
    Session(Box<Session>),
    /// It is over without an answer.
    Failed(Failure),
}

/// Why a request ended without an answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The engine refused it or failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It took too long.
    #[error("the request took longer than the {} s that the server allows; ask for less, or raise --timeout", limit.as_secs())]
    Late {
        /// The limit.
        limit: Duration,
    },
    /// A defect of the server.
    #[error("{0}")]
    Defect(String),
}

/// Where an answer's attention went, and what the context still holds.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// Attention by ranges of tokens.
    pub evidence: Vec<TokenEvidence>,
    /// What became of the tokens, those recalled while answering among them.
    pub report: ContextReport,
    /// Of each cell, the share of its rows that is held.
    pub held: Vec<f32>,
}

impl Work {
    pub(super) fn say(&self, event: Event) {
        // Nobody listening is seen by the flag.
        let _heard = self.events.send(event);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed) || self.events.is_closed()
    }

    pub(super) fn is_late(&self) -> bool {
        self.since.elapsed() > self.timeout
    }

    pub(super) fn late(&self) -> Failure {
        Failure::Late { limit: self.timeout }
    }
}

/// An answer being written.
pub(super) struct Branch {
    answer: usize,
    pub(super) session: Session,
    writing: Option<Writing>,
    /// Drawn, and to be read before the next is drawn.
    pub(super) next: Option<u32>,
}

/// Where a request stands.
pub(super) enum Phase {
    Reading {
        session: Box<Session>,
        prefill: Prefill,
    },
    Writing(Vec<Branch>),
    /// `failed`: the session may be half way through a step.
    Over {
        session: Option<Box<Session>>,
        failed: bool,
    },
}

pub(super) struct Active {
    work: Work,
    pub(super) phase: Phase,
    key: Option<String>,
    cells: Vec<Range<usize>>,
    cached: usize,
    to_read: usize,
    started: Instant,
    /// The round in which a piece of its prompt was last read.
    pub(super) turn: u64,
}

impl Active {
    /// Makes the session; `None` when that failed, of which the client was told.
    pub(super) fn begin(mut work: Work, idle: &mut Idle, counters: &Counters) -> Option<Self> {
        let started = Instant::now();
        let begin = std::mem::replace(&mut work.begin, Box::new(|_, _| Err(unused())));
        let cancel = Arc::clone(&work.cancel);
        let mut control = Control { stop: Some(&cancel), progress: None };
        match begin(idle, &mut control) {
            Ok(Begun { session, prefill, cached, key, cells }) => {
                Counters::add(&counters.cached_tokens, cached);
                let to_read = prefill.total();
                let phase = Phase::Reading { session: Box::new(session), prefill };
                Some(Self { work, phase, key, cells, cached, to_read, started, turn: 0 })
            }
            Err(error) => {
                let counter = if work.is_cancelled() { &counters.cancelled } else { &counters.failed };
                Counters::add(counter, 1);
                work.say(Event::Failed(error.into()));
                None
            }
        }
    }

    pub(super) fn client(&self) -> u64 {
        self.work.client
    }

    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.work.engine
    }

    pub(super) fn is_background(&self) -> bool {
        self.work.background
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    /// Bytes of its contexts.
    pub(super) fn bytes(&self) -> usize {
        match &self.phase {
            Phase::Reading { session, .. } => session.memory_bytes(),
            Phase::Writing(branches) => branches.iter().map(|branch| branch.session.memory_bytes()).sum(),
            Phase::Over { session, .. } => session.as_ref().map_or(0, |session| session.memory_bytes()),
        }
    }

    /// Ends it when nobody waits for it or it took too long.
    pub(super) fn check(&mut self, counters: &Counters) {
        if self.is_over() {
            return;
        }
        let cancelled = self.work.is_cancelled();
        if !cancelled && !self.work.is_late() {
            return;
        }
        if cancelled {
            Counters::add(&counters.cancelled, 1);
        } else {
            Counters::add(&counters.failed, 1);
            self.work.say(Event::Failed(self.work.late()));
        }
        self.phase = match std::mem::replace(&mut self.phase, over(None)) {
            Phase::Reading { session, .. } => over(Some(session)),
            Phase::Writing(branches) => {
                over(branches.into_iter().next().map(|branch| Box::new(branch.session)))
            }
            ended @ Phase::Over { .. } => ended,
        };
    }

    /// The request cannot go on.
    pub(super) fn give_up(&mut self, error: EngineError, counters: &Counters) {
        let counter = if self.work.is_cancelled() { &counters.cancelled } else { &counters.failed };
        Counters::add(counter, 1);
        self.work.say(Event::Failed(error.into()));
        self.phase = Phase::Over { session: None, failed: true };
    }

    /// Tells the client of a defect.
    pub(super) fn fail(&self, message: &str) {
        self.work.say(Event::Failed(Failure::Defect(message.to_owned())));
    }

    /// After a piece of the prompt was read: tells how far it is, and begins to write once it is read.
    pub(super) fn after_piece(&mut self, counters: &Counters) -> Result<(), EngineError> {
        let Phase::Reading { session, prefill } = &self.phase else { return Ok(()) };
        let (done, total, elapsed) = (prefill.done(), prefill.total(), self.started.elapsed());
        self.work.say(Event::Progress(Progress { done, total, elapsed }));
        if session.next_piece(prefill) != Piece::Done {
            return Ok(());
        }
        let report = session.report()?;
        let Phase::Reading { mut session, .. } = std::mem::replace(&mut self.phase, over(None)) else {
            return Ok(());
        };
        self.work.say(Event::Read {
            tokens: self.to_read,
            cached: self.cached,
            queued: self.started - self.work.since,
            elapsed,
            report,
        });
        let Some((first, others)) = self.work.answers.split_first() else {
            self.work.say(Event::Session(session));
            Counters::add(&counters.done, 1);
            return Ok(());
        };
        let mut branches = Vec::with_capacity(1 + others.len());
        for (at, options) in others.iter().enumerate() {
            branches.push(Branch {
                answer: at + 1,
                session: session.fork()?,
                writing: Some(Writing::new(&self.work.engine, options)?),
                next: None,
            });
        }
        session.ensure_logits(&mut Control::default())?;
        let writing = Some(Writing::new(&self.work.engine, first)?);
        branches.insert(0, Branch { answer: 0, session: *session, writing, next: None });
        self.phase = Phase::Writing(branches);
        Ok(())
    }

    /// Draws the next token of each answer that has logits; ends those that are over.
    pub(super) fn write(&mut self, counters: &Counters) -> Result<(), EngineError> {
        let Phase::Writing(branches) = &mut self.phase else { return Ok(()) };
        let work = &self.work;
        let mut kept = None;
        let mut cancelled = false;
        for branch in branches.iter_mut().filter(|branch| branch.next.is_none()) {
            let answer = branch.answer;
            let mut on_text =
                |text: &str| match work.events.send(Event::Text { answer, text: text.to_owned() }) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                };
            let Some(writing) = &mut branch.writing else { continue };
            let told = writing.log_probs().len();
            branch.next = writing.next(&mut branch.session, &mut on_text)?;
            if let Some(drawn) = writing.log_probs().get(told..).filter(|drawn| !drawn.is_empty()) {
                work.say(Event::Likely { answer, drawn: drawn.to_vec() });
            }
            if branch.next.is_some() {
                continue;
            }
            let Some(writing) = branch.writing.take() else { continue };
            let generation = writing.finish(false, &mut on_text);
            let looked = Looked {
                evidence: branch.session.evidence(),
                report: branch.session.report()?,
                held: self.cells.iter().map(|cell| branch.session.memory().held(cell.clone())).collect(),
            };
            // Words that nobody took end an answer, too. Whoever has heard all may go, which is no reason to count him among
            // those who left early.
            cancelled = work.is_cancelled();
            work.say(Event::Answer { answer, generation: Box::new(generation), looked });
        }
        if branches.iter().all(|branch| branch.writing.is_none()) {
            if let Some(first) = branches.drain(..).next() {
                kept = Some(Box::new(first.session));
            }
            let counter = if cancelled { &counters.cancelled } else { &counters.done };
            Counters::add(counter, 1);
            self.phase = over(kept);
        } else {
            // The others need no memory any more.
            branches.retain(|branch| branch.writing.is_some() || branch.answer == 0);
        }
        Ok(())
    }

    /// Its session goes when it is over.
    pub(super) const fn keep_nothing(&mut self) {
        self.work.keep = false;
    }

    /// Leaves the session for others.
    pub(super) fn end(self, idle: &mut Idle) {
        if self.work.keep
            && let (Phase::Over { session: Some(mut session), failed: false }, Some(key)) =
                (self.phase, self.key)
        {
            session.record_evidence(false);
            idle.keep(key, self.work.engine, *session);
        }
    }
}

fn over(session: Option<Box<Session>>) -> Phase {
    Phase::Over { session, failed: false }
}

fn unused() -> EngineError {
    EngineError::Internal("a request was begun twice".to_owned())
}
