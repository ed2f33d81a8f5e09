//! Reading documents, and writing what was read.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use loci_models::method::ParameterError;

use super::error::ReadingError;
use super::facts::{DocumentFacts, Facts, ModelFacts, fingerprint};
use super::file::Writing;
use super::{Reading, tokens};
use crate::context::{ContextOptions, ContextPlan};
use crate::documents::Document;
use crate::draft::Draft;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::layout::{Headings, Prompt, documents_prefix};
use crate::session::{Control, DEFAULT_CHUNK, Prefill, Session};

/// Tokens of questions and answers that are planned for unless told otherwise.
pub const DEFAULT_RESERVE: usize = 4096;

/// How documents are read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// A system message; `None` leaves it to the model's template.
    pub system: Option<String>,
    /// Whether documents are preceded by their names.
    pub headings: Headings,
    /// How the context is held.
    pub context: ContextOptions,
    /// Tokens read in one step.
    pub chunk: usize,
    /// Tokens of questions and answers to plan for. A method that is chosen by length, a position schedule that depends on
    /// it, and a budget count them in.
    pub reserve: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            system: None,
            headings: Headings::default(),
            context: ContextOptions::default(),
            chunk: DEFAULT_CHUNK,
            reserve: DEFAULT_RESERVE,
        }
    }
}

/// Documents that are about to be read.
#[derive(Debug)]
pub struct Unread {
    engine: Arc<Engine>,
    documents: Vec<Document>,
    prefix: Prompt,
    session: Session,
    context: ContextOptions,
    plan: ContextPlan,
    options: ReadOptions,
}

impl Unread {
    /// Encodes the documents and chooses how they are read; nothing goes through the model yet.
    ///
    /// # Errors
    /// [`EngineError::Nothing`] when all documents are empty, [`EngineError::Parameter`] for methods that read other tokens
    /// for each question and for a draft that a file could not name, and what model and method refuse.
    pub fn begin(
        engine: &Arc<Engine>,
        documents: Vec<Document>,
        options: &ReadOptions,
    ) -> Result<Self, EngineError> {
        if documents.iter().all(|document| document.text.trim().is_empty()) {
            return Err(EngineError::Nothing { what: "the input".to_owned(), purpose: "read" });
        }
        let refuse = |message: String| Err(ParameterError::Combination(message).into());
        if let Some(method) = options.context.method.as_ref().filter(|method| method.shortening().is_some()) {
            return refuse(format!(
                "{} reads other tokens for each question, so nothing can be read before the question is known; use loci ask, or another --method",
                method.info().id
            ));
        }
        if matches!(options.context.draft, Some(Draft::Model(_))) {
            return refuse(
                "a reading belongs to one model, so no other can draft for it; leave out --draft, or use --draft self"
                    .to_owned(),
            );
        }
        let prefix = documents_prefix(engine, &documents, options.system.as_deref(), options.headings)?;
        let plan = options.context.plan(engine, prefix.len(), options.reserve)?;
        let context = options.context.settled(engine, &plan)?;
        let session = context.session(engine, &plan)?.with_chunk(options.chunk);
        Ok(Self {
            engine: Arc::clone(engine),
            documents,
            prefix,
            session,
            context,
            plan,
            options: options.clone(),
        })
    }

    /// The model that will read.
    pub const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// What will be read.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// What was chosen.
    pub const fn plan(&self) -> &ContextPlan {
        &self.plan
    }

    /// Tokens that will be read.
    pub fn tokens(&self) -> usize {
        self.prefix.len()
    }

    /// Reads.
    ///
    /// # Errors
    /// [`EngineError::Interrupted`] when the user stopped it, and what memory and model refuse.
    pub fn read(mut self, control: &mut Control<'_>) -> Result<Reading, EngineError> {
        let tokens = self.prefix.len();
        self.session.read_documents(&self.prefix.tokens, tokens, control)?;
        self.finish()
    }

    /// For those who read many things in turn: the empty session, and what it has to read. The reading is
    /// [made](Self::made) of the session that has read it.
    ///
    /// # Errors
    /// [`EngineError::Memory`] when the copy has no room.
    pub fn start(&self) -> Result<(Session, Prefill), EngineError> {
        let prefill = Prefill::part(&self.prefix.tokens).with_context(self.prefix.len());
        Ok((self.session.fork()?, prefill))
    }

    /// The reading, once `session` has read what [`start`](Self::start) gave.
    ///
    /// # Errors
    /// [`EngineError::Internal`] for a session that has read anything else.
    pub fn made(self, session: Session) -> Result<Reading, EngineError> {
        if session.tokens() != self.prefix.tokens || !Arc::ptr_eq(session.engine(), &self.engine) {
            return Err(EngineError::Internal(
                "another session than the reading's own was given back".to_owned(),
            ));
        }
        Self { session, ..self }.finish()
    }

    fn finish(self) -> Result<Reading, EngineError> {
        let Self { engine, documents, prefix, session, context, plan, options } = self;
        let facts = facts(&engine, &documents, &session, &context, &plan, &options)?;
        Ok(Reading { engine, documents, prefix, session, context, plan, facts })
    }
}

/// What a reading says of itself.
fn facts(
    engine: &Engine,
    documents: &[Document],
    session: &Session,
    context: &ContextOptions,
    plan: &ContextPlan,
    options: &ReadOptions,
) -> Result<Facts, EngineError> {
    let model = fingerprint(engine)?
        .map(|found| ModelFacts { name: engine.name().to_owned(), fingerprint: found.to_owned() });
    let document =
        |document: &Document| DocumentFacts { name: document.name.clone(), bytes: document.text.len() };
    Ok(Facts {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        model,
        method: plan.method.to_string(),
        rows: context.row_type.name().to_owned(),
        rope: context.rope.as_ref().map(ToString::to_string),
        budget: context.budget,
        heads: context.head_scores.as_ref().map(|scores| scores.text()),
        drafts_itself: context.draft.is_some(),
        planned_tokens: plan.planned_tokens,
        chunk: options.chunk,
        headings: options.headings,
        system: options.system.clone(),
        tokens: session.len(),
        documents: documents.iter().map(document).collect(),
        context: session.report()?,
        chain: None,
    })
}

impl Reading {
    /// A reading without texts, for the cache: what `session` has read by `context`, whose method is known. `chain` are the
    /// hashes it is found by.
    pub(crate) fn of_session(
        engine: &Arc<Engine>,
        context: &ContextOptions,
        plan: &ContextPlan,
        session: Session,
        chain: Vec<String>,
        chunk: usize,
    ) -> Result<Self, EngineError> {
        let options = ReadOptions { chunk, ..ReadOptions::default() };
        let facts = facts(engine, &[], &session, context, plan, &options)?;
        Ok(Self {
            engine: Arc::clone(engine),
            documents: Vec::new(),
            prefix: Prompt::of_tokens(session.tokens().to_vec()),
            session,
            context: context.clone(),
            plan: plan.clone(),
            facts: Facts { chain: Some(chain), ..facts },
        })
    }

    /// The session, without what is needed to ask it.
    pub(crate) fn into_session(self) -> Session {
        self.session
    }

    /// Writes the reading to `path`, whole or not at all: under another name in the same folder first, synchronised, then
    /// renamed. A file of that name is replaced. Returns the bytes written; the same reading makes the same bytes.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] for a model that is in no file, which the reading could not be told to belong to;
    /// [`ReadingError::File`] when the system refuses.
    pub fn save(&self, path: &Path) -> Result<u64, EngineError> {
        self.write(path, false)
    }

    /// As [`save`](Self::save); a `private` file can be read by its owner only.
    pub(crate) fn write(&self, path: &Path, private: bool) -> Result<u64, EngineError> {
        if self.facts.model.is_none() {
            return Err(EngineError::Unsupported(format!(
                "{} is a model in no file, so a saved reading could not name it; load it from a file",
                self.engine.name()
            )));
        }
        let failed = |source| EngineError::from(ReadingError::file(path, source));
        let facts = serde_json::to_vec(&self.facts)
            .map_err(|error| EngineError::Internal(format!("facts cannot be written: {error}")))?;
        let packed = tokens::pack(&self.prefix)
            .ok_or_else(|| EngineError::Internal("a document is too long to be saved".to_owned()))?;
        let carried = self.session.carried()?.bytes();
        let mut writing = Writing::begin(path, private).map_err(failed)?;
        let whole = |bytes: &[u8], out: &mut dyn Write| out.write_all(bytes);
        let texts = |out: &mut dyn Write| {
            self.documents.iter().try_for_each(|document| out.write_all(document.text.as_bytes()))
        };
        writing.section(|out| whole(&facts, out)).map_err(failed)?;
        writing.section(texts).map_err(failed)?;
        writing.section(|out| whole(&packed, out)).map_err(failed)?;
        writing.section(|out| whole(&carried, out)).map_err(failed)?;
        // The memory keeps the text of the system's error only.
        let memory = writing.section(|out| self.session.save_memory(out).map_err(std::io::Error::other));
        memory.map_err(failed)?;
        writing.finish().map_err(failed)
    }
}
