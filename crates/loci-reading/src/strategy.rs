//! The seam of all reading strategies: from documents and a question to what a model is given, and to its answer.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::{ControlFlow, Range};

use loci_engine::documents::Document;
use loci_engine::{Account, Control, EngineError, Finish, GenerateOptions, Generation, Input, LanguageModel};
use loci_models::method::MethodInfo;
use loci_models::template::Message;
use serde::Serialize;

use crate::assemble::Piece;

/// What stands between `text` and a question behind it: a blank line, unless one of the two brings white space itself or
/// there is no text.
pub fn between(text: &str, question: &str) -> &'static str {
    let apart =
        text.is_empty() || text.ends_with(char::is_whitespace) || question.starts_with(char::is_whitespace);
    if apart { "" } else { "\n\n" }
}

/// A place in one of the documents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Index of the document.
    pub document: usize,
    /// First byte of its text.
    pub start: usize,
    /// Byte behind the last.
    pub end: usize,
}

impl Span {
    /// Bytes `range` of a document.
    pub const fn new(document: usize, range: Range<usize>) -> Self {
        Self { document, start: range.start, end: range.end }
    }

    /// Whether this one overlaps with `next`, which does not begin before it, or ends where it begins.
    pub(crate) const fn goes_into(&self, next: &Self) -> bool {
        self.document == next.document && next.start <= self.end
    }

    /// What stands there; empty for what is no place of `documents`.
    pub fn text<'d>(&self, documents: &'d [Document]) -> &'d str {
        documents
            .get(self.document)
            .and_then(|document| document.text.get(self.start..self.end))
            .unwrap_or("")
    }
}

/// What is asked of a strategy.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The texts.
    pub documents: &'a [Document],
    /// What is asked about them, as the model will read it.
    pub question: &'a str,
}

/// What a model is given in the place of documents and question.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// What stands before the question.
    pub text: String,
    /// Where parts of the documents stand in `text`, in its order.
    pub pieces: Vec<Piece>,
    /// What stands for the question, where that was changed.
    pub question: Option<String>,
    /// How the answer begins: given to the model, no part of what it answers.
    pub answer_start: String,
    /// What the answer is made from, best first, where the strategy knows more than `pieces` tell.
    pub evidence: Vec<Span>,
    /// `evidence` was quoted for the answer: nothing tells better what it is made from.
    pub quoted: bool,
    /// The answer itself, where the strategy already has it: the model is not asked again.
    pub answered: Option<Generation>,
    /// What it took.
    pub work: Work,
}

/// What a strategy did before the model answered, and what went wrong on the way.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Work {
    /// Calls of a model.
    pub calls: usize,
    /// Tokens that these calls read.
    pub read_tokens: usize,
    /// Tokens that they wrote.
    pub written_tokens: usize,
    /// What was wrong with replies and was handled, with how often.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<&'static str, usize>,
    /// Figures of the strategy.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<&'static str, f64>,
}

impl Work {
    /// Counts a call.
    pub fn called(&mut self, account: &Account) {
        self.calls += 1;
        self.read_tokens += account.read_tokens;
        self.written_tokens += account.answer_tokens;
    }

    /// Counts `times` failures called `what`.
    pub fn failed(&mut self, what: &'static str, times: usize) {
        if times > 0 {
            *self.failures.entry(what).or_default() += times;
        }
    }

    /// Notes a figure.
    #[allow(clippy::cast_precision_loss)] // counts
    pub fn note(&mut self, name: &'static str, count: usize) {
        self.figures.insert(name, count as f64);
    }

    /// Calls of a model, figures and failures, by name.
    pub(crate) fn counted(&self) -> BTreeMap<&'static str, f64> {
        #[allow(clippy::cast_precision_loss)] // counts
        let failures = self.failures.iter().map(|(what, times)| (*what, *times as f64));
        let figures = self.figures.iter().map(|(name, figure)| (*name, *figure));
        #[allow(clippy::cast_precision_loss)] // a count
        let calls = (self.calls > 0).then_some(("calls on the way", self.calls as f64));
        calls.into_iter().chain(figures).chain(failures).collect()
    }

    /// Adds what further work took.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.read_tokens += other.read_tokens;
        self.written_tokens += other.written_tokens;
        other.failures.into_iter().for_each(|(what, times)| self.failed(what, times));
        self.figures.extend(other.figures);
    }
}

/// Decides what of documents a model is given for a question, and in which form.
///
/// A strategy may keep what it learned of documents for further questions about them; the answer is the same as without.
pub trait ReadingStrategy: Debug {
    /// Its declaration.
    fn info(&self) -> &'static MethodInfo;

    /// What `model` is given.
    ///
    /// # Errors
    /// [`EngineError::Nothing`] for a question that it cannot work with, [`EngineError::Unsupported`] for a model that
    /// cannot do what it needs, and what the model fails with. A reply that is no use is no error: it is handled and
    /// counted in [`Work::failures`].
    fn prepare(
        &mut self,
        asked: &Asked<'_>,
        model: &mut dyn LanguageModel,
        control: &mut Control<'_>,
    ) -> Result<Prepared, EngineError>;
}

/// Asks `model` on the way to the answer: `content` as the user's message, at most `tokens` tokens back, the most probable
/// each time.
///
/// # Errors
/// As [`LanguageModel::answer`].
pub fn ask_on_the_way(
    model: &mut dyn LanguageModel,
    content: &str,
    options: GenerateOptions,
    work: &mut Work,
    control: &mut Control<'_>,
) -> Result<String, EngineError> {
    let messages = [Message::new("user", content)];
    let mut quiet = |_: &str| ControlFlow::Continue(());
    // Its progress is not that of the whole.
    let mut own = Control { stop: control.stop, progress: None };
    let generation = model.answer(&Input::messages(&messages), &options, &mut own, &mut quiet)?;
    work.called(&generation.account);
    if generation.finish == Finish::Interrupted || control.stopped() {
        return Err(EngineError::Interrupted { done: 0, total: 0 });
    }
    Ok(generation.text)
}

/// Tokens of `text`: the model's count, or a quarter of its bytes where the model tells none.
///
/// # Errors
/// As [`LanguageModel::count_tokens`].
pub fn tokens_of(model: &dyn LanguageModel, text: &str) -> Result<usize, EngineError> {
    Ok(model.count_tokens(text)?.unwrap_or_else(|| text.len().div_ceil(4)))
}
