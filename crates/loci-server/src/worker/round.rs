//! One round of the worker: a forward step for everything that one model has to do now.

use std::sync::Arc;
use std::time::Instant;

use loci_engine::session::{DEFAULT_CHUNK, Part, Piece, Step, step_together};
use loci_engine::{Control, Engine, EngineError};

use super::active::{Active, Phase};
use super::{CHUNK_BESIDE_ANSWERS, CHUNK_BY_THE_WAY, Counters};

/// Of so many rounds, texts that nobody waits for get one while somebody waits for something.
const NOW_AND_THEN: u64 = 16;

/// Carries out one step for one model; models take turns.
pub(super) fn round(active: &mut [Active], counters: &Counters, turn: u64) {
    active.iter_mut().for_each(|job| job.check(counters));
    let Some(engine) = due(active, turn) else { return };
    let writing = active.iter().filter(|job| is_of(job, &engine)).any(|job| has_next(&job.phase));
    let reader = next_reader(active, &engine, turn);
    if let Some(job) = reader.and_then(|at| active.get_mut(at)) {
        job.turn = turn;
        let chunk = match (writing, job.is_background()) {
            (true, _) => CHUNK_BESIDE_ANSWERS,
            (false, true) => CHUNK_BY_THE_WAY,
            (false, false) => DEFAULT_CHUNK,
        };
        set_chunk(&mut job.phase, chunk);
        if let Some(outcome) = alone(&mut job.phase) {
            settle(job, outcome, counters);
            return;
        }
    }
    step(active, &engine, reader, counters);
}

fn is_of(job: &Active, engine: &Arc<Engine>) -> bool {
    Arc::ptr_eq(job.engine(), engine)
}

/// The model whose turn it is.
fn due(active: &[Active], turn: u64) -> Option<Arc<Engine>> {
    let mut engines: Vec<&Arc<Engine>> = Vec::new();
    for job in active.iter().filter(|job| !job.is_over()) {
        if !engines.iter().any(|engine| Arc::ptr_eq(engine, job.engine())) {
            engines.push(job.engine());
        }
    }
    let at = usize::try_from(turn).unwrap_or(0).checked_rem(engines.len())?;
    engines.get(at).map(|engine| Arc::clone(engine))
}

fn has_next(phase: &Phase) -> bool {
    matches!(phase, Phase::Writing(branches) if branches.iter().any(|branch| branch.next.is_some()))
}

/// The prompt that reads its next piece: one that someone waits for before others, then the one that waited longest. While
/// anyone waits, texts for later get only a round now and then.
fn next_reader(active: &[Active], engine: &Arc<Engine>, turn: u64) -> Option<usize> {
    let awaited = active.iter().any(|job| !job.is_background() && !job.is_over());
    let may_read = |job: &Active| !job.is_background() || !awaited || turn.is_multiple_of(NOW_AND_THEN);
    let reading =
        |job: &Active| is_of(job, engine) && matches!(job.phase, Phase::Reading { .. }) && may_read(job);
    let readers = active.iter().enumerate().filter(|(_, job)| reading(job));
    readers.min_by_key(|(_, job)| (job.is_background(), job.turn)).map(|(at, _)| at)
}

fn set_chunk(phase: &mut Phase, tokens: usize) {
    if let Phase::Reading { session, .. } = phase {
        session.set_chunk(tokens);
    }
}

/// A piece that is no work for a common step; `None` when the next one is.
fn alone(phase: &mut Phase) -> Option<Result<(), EngineError>> {
    let Phase::Reading { session, prefill } = phase else { return None };
    match session.next_piece(prefill) {
        Piece::Alone | Piece::Done => Some(session.advance(prefill, &Control::default()).map(|_read| ())),
        Piece::Chunk(_) | Piece::Last => None,
    }
}

/// What follows from a piece that was read or not.
fn settle(job: &mut Active, outcome: Result<(), EngineError>, counters: &Counters) {
    let outcome = outcome.and_then(|()| job.after_piece(counters)).and_then(|()| job.write(counters));
    if let Err(error) = outcome {
        job.give_up(error, counters);
    }
}

/// One forward step over the next tokens of all answers of `engine`, and the next piece of the prompt of `reader`.
fn step(active: &mut [Active], engine: &Arc<Engine>, reader: Option<usize>, counters: &Counters) {
    let started = Instant::now();
    let mut parts = Vec::new();
    let mut owners = Vec::new();
    let mut before = 0;
    for (at, job) in active.iter_mut().enumerate() {
        if !is_of(job, engine) {
            continue;
        }
        match &mut job.phase {
            Phase::Writing(branches) => {
                for branch in branches.iter_mut() {
                    if let Some(token) = branch.next.take() {
                        parts.push(Part { session: &mut branch.session, step: Step::Token(token) });
                        owners.push(at);
                    }
                }
            }
            Phase::Reading { session, prefill } if reader == Some(at) => {
                before = prefill.done();
                parts.push(Part { session, step: Step::Piece(prefill) });
                owners.push(at);
            }
            _ => {}
        }
    }
    let outcomes = step_together(&mut parts);
    drop(parts);
    let micros = usize::try_from(started.elapsed().as_micros()).unwrap_or(usize::MAX);
    let written = owners.len() - usize::from(reader.is_some_and(|reader| owners.contains(&reader)));
    let read = match reader.and_then(|at| active.get(at)).map(|job| &job.phase) {
        Some(Phase::Reading { prefill, .. }) => prefill.done() - before,
        _ => 0,
    };
    count(counters, read, written, micros);
    for (at, outcome) in owners.into_iter().zip(outcomes) {
        let Some(job) = active.get_mut(at).filter(|job| !job.is_over()) else { continue };
        match (outcome, reader == Some(at)) {
            (Ok(()), true) => settle(job, Ok(()), counters),
            (Ok(()), false) => {}
            (Err(error), _) => job.give_up(error, counters),
        }
    }
    for job in active.iter_mut().filter(|job| is_of(job, engine)) {
        if let Err(error) = job.write(counters) {
            job.give_up(error, counters);
        }
    }
}

/// Splits the time of a step by tokens; one read in a piece counts as cheap as it is.
fn count(counters: &Counters, read: usize, written: usize, micros: usize) {
    Counters::add(&counters.prefill_tokens, read);
    Counters::add(&counters.decode_tokens, written);
    let (prefill, decode) = match (read, written) {
        (0, _) => (0, micros),
        (_, 0) => (micros, 0),
        (read, written) => {
            let share = micros * read / (read + written);
            (share, micros - share)
        }
    };
    Counters::add(&counters.prefill_micros, prefill);
    Counters::add(&counters.decode_micros, decode);
}
