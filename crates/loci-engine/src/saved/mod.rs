//! Readings: texts that were read once and are asked about again and again.
//!
//! A [`Reading`] is a session that has read documents and nothing else, with what is needed to ask it: the documents, and
//! where each token comes from. It can be [saved](Reading::save), and [opened](Reading::open) by mapping the file: the rows
//! are read where they lie, nothing of the documents goes through the model again, and every question goes on from a fork.
//!
//! A file that is damaged, or was made by another model, method or version, is refused as a whole. `docs/saved-readings.md`
//! describes the form.

mod error;
mod facts;
mod file;
mod make;
mod open;
#[cfg(test)]
mod tests;
mod tokens;

use std::path::Path;
use std::sync::Arc;

use loci_models::memory::TokenEvidence;
use loci_models::template::Message;

use crate::answer::{Asked, Task, answer};
use crate::ask::Answer;
use crate::context::{ContextOptions, ContextPlan};
use crate::documents::Document;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::evidence::{Evidence, passages};
use crate::generate::OnText;
use crate::layout::{self, Prompt};
use crate::session::{Control, Session};

pub use crate::answer::{AnswerOptions, retrieval_weights};
pub use error::ReadingError;
pub(crate) use facts::fingerprint;
pub use facts::{DocumentFacts, Facts, ModelFacts};
pub use file::is_reading;
pub use make::{DEFAULT_RESERVE, ReadOptions, Unread};

/// Documents that were read; see the [module documentation](self).
#[derive(Debug)]
pub struct Reading {
    engine: Arc<Engine>,
    documents: Vec<Document>,
    /// The tokens of the documents, with what the template opens with before them.
    prefix: Prompt,
    /// Holds exactly `prefix`.
    session: Session,
    /// With the method that was chosen, and the scores of heads that it goes by.
    context: ContextOptions,
    plan: ContextPlan,
    facts: Facts,
}

impl Reading {
    /// Reads documents; see [`Unread`] for doing it in two steps.
    ///
    /// # Errors
    /// As [`Unread::begin`] and [`Unread::read`].
    pub fn read(
        engine: &Arc<Engine>,
        documents: Vec<Document>,
        options: &ReadOptions,
        control: &mut Control<'_>,
    ) -> Result<Self, EngineError> {
        Unread::begin(engine, documents, options)?.read(control)
    }

    /// What a file says of itself. Its facts are checked, the rest is not read.
    ///
    /// # Errors
    /// [`ReadingError`] when it is no saved reading, of another version, or damaged there.
    pub fn describe(path: &Path) -> Result<Facts, ReadingError> {
        Facts::parse(path, &file::facts(path)?)
    }

    /// The model it belongs to.
    pub const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// What was read.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The tokens that were read, with their sources.
    pub const fn prefix(&self) -> &Prompt {
        &self.prefix
    }

    /// How its context is held.
    pub const fn plan(&self) -> &ContextPlan {
        &self.plan
    }

    /// What it says of itself.
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// A session that has read the documents, to go on from: it shares their rows with this reading.
    ///
    /// # Errors
    /// [`EngineError::Memory`] when the copy has no room.
    pub fn session(&self) -> Result<Session, EngineError> {
        self.session.fork()
    }

    /// What stands behind the documents when `question` is asked about them. A `bare` question stands as it is, otherwise a
    /// sentence behind it points at the text.
    ///
    /// # Errors
    /// [`EngineError::Nothing`] for an empty question, and as [`tail`](Self::tail).
    pub fn question(&self, question: &str, bare: bool) -> Result<Prompt, EngineError> {
        if question.trim().is_empty() {
            return Err(EngineError::Nothing { what: "the question".to_owned(), purpose: "answer" });
        }
        layout::question_tail(&self.engine, question, self.facts.system.as_deref(), bare)
    }

    /// What stands behind the documents in a conversation about them, up to where the model's next message begins: the
    /// documents are the beginning of the first of `messages`. A system message may be among them only if it is the one the
    /// documents were read behind.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] for another system message, or for a conversation with a model that has no chat
    /// template; [`EngineError::Template`] when that refuses the messages; [`EngineError::Nothing`] without messages.
    pub fn tail(&self, messages: &[Message]) -> Result<Prompt, EngineError> {
        let system = self.facts.system.as_deref();
        let messages = match messages.split_first() {
            Some((first, rest)) if first.role == "system" => {
                if Some(first.content.as_str()) != system {
                    return Err(EngineError::Unsupported(
                        "these documents were read behind another system message, or none; leave the system message out, or read them again with it (--system)"
                            .to_owned(),
                    ));
                }
                rest
            }
            _ => messages,
        };
        layout::tail(&self.engine, messages, system, "")
    }

    /// Whether `tail` tokens and an answer of `answer` can be read behind the documents.
    ///
    /// # Errors
    /// [`ReadingError::Reserve`] when the reading was planned for less and something depends on that.
    pub fn check_room(&self, tail: usize, answer: usize) -> Result<(), EngineError> {
        let planned = self.plan.planned_tokens;
        let behind = tail.saturating_add(answer.max(self.plan.method.look_ahead()));
        let needed = self.prefix.len().saturating_add(behind);
        if needed <= planned {
            return Ok(());
        }
        let refuse =
            |reason: String| Err(ReadingError::Reserve { planned, needed, reason, reserve: behind }.into());
        if self.context.positions_depend_on_length(&self.engine, planned, needed)? {
            return refuse("its position schedule depends on the length".to_owned());
        }
        if self.context.budget.is_none() {
            return Ok(());
        }
        let layers = self.engine.model().shape().layers;
        match self.context.memory_of(&self.engine, &self.plan.method, layers, needed) {
            Ok(_) => Ok(()),
            Err(error) => refuse(format!("its budget holds no more ({error})")),
        }
    }

    /// Answers what `tail` asks (see [`question`](Self::question) and [`tail`](Self::tail)). Only `tail` is read.
    ///
    /// # Errors
    /// As [`check_room`](Self::check_room) and [`ask`](crate::ask::ask).
    pub fn answer(
        &self,
        tail: &Prompt,
        options: &AnswerOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Answer, EngineError> {
        self.check_room(tail.len(), options.generate.max_tokens)?;
        let task = Task {
            session: self.session()?,
            prompt: &self.prefix,
            rest: &tail.tokens,
            before: 0,
            asked: Asked {
                documents: &self.documents,
                options,
                given: self.prefix.len() + tail.len(),
                skipped: 0,
                prefill_tokens: tail.len(),
                cached_tokens: 0,
                started: std::time::Instant::now(),
                by_layer: false,
                method: self.plan.method.to_string(),
            },
        };
        Ok(answer(task, control, on_text)?.0)
    }

    /// The passages of the documents that `found` points at, heaviest first: what a session that went on from here has
    /// [attended to](Session::evidence).
    pub fn passages(&self, found: &[TokenEvidence], limit: usize) -> Vec<Evidence> {
        passages(found, &self.prefix, &self.documents, limit)
    }
}
