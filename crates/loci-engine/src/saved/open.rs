//! Opening a saved reading.

use std::path::Path;
use std::sync::Arc;

use loci_context::MethodSpec;
use loci_context::heads::HeadScores;
use loci_kernels::tiles::RowType;
use loci_models::memory::MemoryError;
use loci_models::rope::RopeSpec;

use super::error::ReadingError;
use super::facts::Facts;
use super::file::{Opened, Section};
use super::{Reading, tokens};
use crate::context::{ContextOptions, ContextPlan};
use crate::documents::Document;
use crate::draft::{Draft, Drafted};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::session::saved::Carried;

impl Reading {
    /// Opens a saved reading: maps the file, checks all of it, and goes on where it ended. What does not fit the budget stays
    /// in the file; what is written to while answering is copied.
    ///
    /// # Errors
    /// [`EngineError::Reading`] when the file is no reading, damaged, or of another version, model or recipe.
    pub fn open(engine: &Arc<Engine>, path: &Path) -> Result<Self, EngineError> {
        Self::open_with(engine, path, None)
    }

    /// As [`open`](Self::open), with the folder for what has no room in RAM and is not in the file: rows of questions and
    /// answers, under a budget.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        engine: &Arc<Engine>,
        path: &Path,
        cold_folder: Option<&Path>,
    ) -> Result<Self, EngineError> {
        // Before everything is looked at: whether it is worth it.
        let facts = Self::describe(path)?;
        facts.check_model(path, engine)?;
        let opened = Opened::open(path, facts.budget.is_some())?;
        // The file might have been replaced in between.
        let facts = Facts::parse(path, &opened.section(Section::Facts))?;
        facts.check_model(path, engine)?;

        let documents = documents(path, &facts, &opened.section(Section::Texts))?;
        let damaged = |what: String| ReadingError::damaged(path, what);
        let vocab = engine.model().config().vocab;
        let prefix = tokens::unpack(&opened.section(Section::Tokens), &documents, vocab).map_err(damaged)?;
        if prefix.len() != facts.tokens {
            return Err(damaged(format!("it has {} tokens, not {}", prefix.len(), facts.tokens)).into());
        }
        let carried = Carried::parse(&opened.section(Section::Carried), prefix.len(), vocab)
            .ok_or_else(|| damaged("the state of its session cannot be that".to_owned()))?;
        let (context, plan) = recipe(path, &facts, engine)?;
        let context = ContextOptions { cold_folder: cold_folder.map(Path::to_owned), ..context };
        let session = context
            .session(engine, &plan)?
            .with_chunk(facts.chunk)
            .restored(prefix.tokens.clone(), carried, opened.section(Section::Memory))
            .map_err(|source| match source {
                error @ (MemoryError::Budget { .. } | MemoryError::Cold { .. }) => EngineError::Memory(error),
                source => ReadingError::Memory { path: path.to_owned(), source }.into(),
            })?;
        if session.report()? != facts.context {
            return Err(damaged("its memory does not hold what its facts say".to_owned()).into());
        }
        Ok(Self { engine: Arc::clone(engine), documents, prefix, session, context, plan, facts })
    }
}

impl Reading {
    /// What a saved reading has read, without opening it: the texts of its documents, or, where none were kept with it, its tokens as
    /// `decode` gives them for the model that read them; `None` where it gives nothing. All of the file is checked.
    ///
    /// # Errors
    /// [`ReadingError`] when it is no reading, damaged, or of another version.
    pub fn said(
        path: &Path,
        decode: &mut dyn FnMut(&Facts, &[u32]) -> Option<String>,
    ) -> Result<Option<Vec<String>>, ReadingError> {
        let opened = Opened::open(path, true)?;
        let facts = Facts::parse(path, &opened.section(Section::Facts))?;
        let documents = documents(path, &facts, &opened.section(Section::Texts))?;
        if !documents.is_empty() {
            return Ok(Some(documents.into_iter().map(|document| document.text).collect()));
        }
        let prefix = tokens::unpack(&opened.section(Section::Tokens), &documents, usize::MAX)
            .map_err(|what| ReadingError::damaged(path, what))?;
        Ok(decode(&facts, &prefix.tokens).map(|text| vec![text]))
    }
}

/// The texts, which stand one behind the other.
fn documents(path: &Path, facts: &Facts, texts: &[u8]) -> Result<Vec<Document>, ReadingError> {
    let mut rest = texts;
    let mut documents = Vec::with_capacity(facts.documents.len());
    for document in &facts.documents {
        let damaged =
            |what: &str| ReadingError::damaged(path, format!("the text of {:?} {what}", document.name));
        let (text, behind) =
            rest.split_at_checked(document.bytes).ok_or_else(|| damaged("is not there as a whole"))?;
        let text = std::str::from_utf8(text).map_err(|_| damaged("is not UTF-8"))?;
        documents.push(Document { name: document.name.clone(), text: text.to_owned() });
        rest = behind;
    }
    match rest.len() {
        0 => Ok(documents),
        over => Err(ReadingError::damaged(path, format!("{over} bytes of text belong to no document"))),
    }
}

/// The method, schedule and scores that the facts name.
fn recipe(
    path: &Path,
    facts: &Facts,
    engine: &Engine,
) -> Result<(ContextOptions, ContextPlan), ReadingError> {
    let unknown = |what: &str, reason: String| ReadingError::Recipe {
        path: path.to_owned(),
        what: what.to_owned(),
        reason,
    };
    let method = MethodSpec::parse(&facts.method)
        .map_err(|error| unknown(&format!("the method {}", facts.method), error.to_string()))?;
    let rope = facts.rope.as_deref().map(RopeSpec::parse).transpose();
    let rope = rope.map_err(|error| unknown("a position schedule", error.to_string()))?;
    let row_type = RowType::ALL.into_iter().find(|kind| kind.name() == facts.rows);
    let row_type = row_type
        .ok_or_else(|| unknown(&format!("rows of {}", facts.rows), "there is no such format".to_owned()))?;
    let shape = engine.model().shape();
    let head_scores = facts.heads.as_deref().map(|text| HeadScores::parse(text, shape)).transpose();
    let head_scores = head_scores.map_err(|error| unknown("scores of heads", error.to_string()))?;
    let context = ContextOptions {
        method: Some(method.clone()),
        rope,
        row_type,
        budget: facts.budget,
        head_scores: head_scores.map(Arc::new),
        draft: facts.drafts_itself.then_some(Draft::Itself),
        ..ContextOptions::default()
    };
    let plan = ContextPlan {
        method,
        reason: "as it was read".to_owned(),
        warnings: Vec::new(),
        planned_tokens: facts.planned_tokens,
        drafted: Drafted::default(),
    };
    Ok((context, plan))
}
