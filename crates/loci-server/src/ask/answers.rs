//! From the worker's events to answers.

use loci_engine::likelihood::Drawn;
use loci_engine::{Finish, Generation, Progress};
use loci_models::memory::ContextReport;

use super::map::map;
use super::{Asked, Running};
use crate::error::ApiError;
use crate::openai::{Cited, LociReport, LociTiming, Usage, seconds};
use crate::worker::{Event, Looked};

/// What has been told of a request so far.
#[derive(Debug, Default)]
pub struct Told {
    cached: usize,
    timing: LociTiming,
    completion_tokens: usize,
    decode: std::time::Duration,
    /// Of the first answer.
    looked: Option<Looked>,
    /// What became of the prompt's tokens.
    read: ContextReport,
    finished: usize,
}

/// All answers of a request.
#[derive(Debug)]
pub struct Collected {
    /// In order.
    pub answers: Vec<Generation>,
    /// Tokens.
    pub usage: Usage,
    /// What became of the context.
    pub report: LociReport,
}

/// Something a stream may show.
#[derive(Debug)]
pub enum News {
    /// Requests before this one.
    Queued(usize),
    /// How far the prompt is.
    Progress(Progress),
    /// Words of an answer.
    Text(usize, String),
    /// How likely its newest tokens were.
    Likely(usize, Vec<Drawn>),
    /// An answer ended.
    Answer(usize, Box<Generation>),
}

impl Told {
    /// Takes the next event.
    ///
    /// # Errors
    /// [`ApiError`] when the request failed.
    pub fn hear(&mut self, event: Event) -> Result<Option<News>, ApiError> {
        match event {
            Event::Queued(before) => Ok(Some(News::Queued(before))),
            Event::Progress(progress) => Ok(Some(News::Progress(progress))),
            Event::Read { tokens, cached, queued, elapsed, report } => {
                self.read = report;
                self.cached = cached;
                self.timing.queued_s = seconds(queued);
                self.timing.prefill_s = seconds(elapsed);
                self.timing.prefill_tokens = tokens;
                Ok(None)
            }
            Event::Text { answer, text } => Ok(Some(News::Text(answer, text))),
            Event::Likely { answer, drawn } => Ok(Some(News::Likely(answer, drawn))),
            Event::Answer { answer, generation, looked } => {
                self.finished += 1;
                self.completion_tokens += generation.tokens.len();
                self.decode = self.decode.max(generation.elapsed);
                if answer == 0 {
                    self.looked = Some(looked);
                }
                if generation.finish == Finish::Interrupted {
                    return Err(ApiError::internal("an answer was broken off"));
                }
                Ok(Some(News::Answer(answer, generation)))
            }
            Event::Failed(failure) => Err(failure.into()),
            Event::Session(_) => Err(ApiError::internal("a request for answers gave a session")),
        }
    }

    /// Answers that have ended.
    pub const fn finished(&self) -> usize {
        self.finished
    }

    /// Tokens so far.
    pub const fn usage(&self, asked: &Asked) -> Usage {
        Usage::new(asked.prompt_tokens, self.cached, self.completion_tokens)
    }

    /// What became of the context.
    pub fn report(&self, asked: &Asked) -> LociReport {
        let looked = self.looked.clone().unwrap_or_default();
        let timing = LociTiming {
            decode_tokens: self.completion_tokens,
            decode_s: seconds(self.decode),
            ..self.timing
        };
        let about = asked.reading.as_deref();
        let evidence = about.map(|reading| {
            let found = reading.passages(&looked.evidence, asked.evidence);
            let number = |name: &str| {
                reading.documents().iter().position(|document| document.name == name).unwrap_or(0)
            };
            found.into_iter().map(|passage| Cited { document: number(&passage.file), passage }).collect()
        });
        LociReport {
            method: asked.method.clone(),
            context: ContextReport {
                given: asked.prompt_tokens,
                skipped: asked.prompt_tokens.saturating_sub(self.read.read),
                recalled: looked.report.recalled,
                ..self.read
            },
            evidence,
            weighed_by: about.map(|_| asked.model.weighed_by()),
            timing,
            memory: asked.memory.clone(),
            map: (!asked.cells.is_empty()).then(|| map(&asked.cells, &looked)),
        }
    }
}

/// Waits for all answers.
///
/// # Errors
/// [`ApiError`] when the request failed.
pub async fn collect(mut running: Running, asked: &Asked, count: usize) -> Result<Collected, ApiError> {
    let mut told = Told::default();
    let mut answers: Vec<(usize, Generation)> = Vec::with_capacity(count);
    while answers.len() < count {
        let event = running.next().await;
        let event = event.ok_or_else(|| ApiError::internal("the worker gave a request up without a word"))?;
        if let Some(News::Answer(at, generation)) = told.hear(event)? {
            answers.push((at, *generation));
        }
    }
    answers.sort_by_key(|(at, _)| *at);
    Ok(Collected {
        answers: answers.into_iter().map(|(_, generation)| generation).collect(),
        usage: told.usage(asked),
        report: told.report(asked),
    })
}
