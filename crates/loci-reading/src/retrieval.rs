//! `retrieval`: the passages of a text that share most with the question, and nothing else.

use std::ops::Range;

use loci_engine::generate::OnText;
use loci_engine::score::Score;
use loci_engine::{
    Account, Body, Control, EngineError, GenerateOptions, Generation, Input, LanguageModel, Rating,
};
use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Parameter, Parts, Phase, Value, Values,
};
use loci_models::template::Message;

use crate::bm25::{Bm25, Weights};
use crate::passages::passages;
use crate::tokens::words;

/// A head of more words than this is text, not an instruction.
const MOST_WORDS_OF_HEAD: usize = 60;

/// Its declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "retrieval",
    title: "The passages that share most words with the question, and nothing else; a control.",
    paper: "Goldman et al., Is It Really Long Context if All You Need Is Retrieval?, 2024; BM25: Robertson et al., Okapi at \
            TREC-3, 1994",
    family: crate::registry::FAMILY,
    kind: MemoryKind::Contextual,
    parts: Parts::NONE,
    needs: &[],
    phases: &[Phase::Prefill],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "words",
            meaning: "most words of a passage",
            unit: "words",
            default: Value::Integer(200),
            domain: Domain::Integers(1, 1_000_000),
        },
        Parameter {
            name: "top",
            meaning: "passages that the model is given",
            unit: "passages",
            default: Value::Integer(5),
            domain: Domain::Integers(1, 1_000_000),
        },
        Parameter {
            name: "k1",
            meaning: "how soon further occurrences of a word stop to matter; 0: at once",
            unit: "",
            default: Value::Number(1.2),
            domain: Domain::Numbers(0.0, 100.0),
        },
        Parameter {
            name: "b",
            meaning: "how much long passages are held back",
            unit: "",
            default: Value::Number(0.75),
            domain: Domain::Numbers(0.0, 1.0),
        },
    ],
    cost: "one pass over the words of a text, then reading top x words words for each question",
    composes_with: &[],
    invariants: &[
        "with room for all passages the model is given the text as it is",
        "passages stand in the order of the text, none twice",
        "the passage with the question's words is among those given",
        "a text that is not told apart from its question is refused",
    ],
    description: "Cuts a text into passages of whole sentences, ranks them by BM25 with the words of the question, in lower \
                  case (Chinese characters one by one), and gives the model the best ones in the order of the text, then \
                  the question. Passages that are neighbours stand as they do in the text; a blank line stands between \
                  others. Of equal scores the earlier passage is taken.\n\nWhat stands in the text before the first blank \
                  line, or else before the first line break, is kept in front if it has at most 60 words: instructions \
                  stand there (ours; the paper leaves the form of the control open).\n\nThe model reads what it is given \
                  with full attention. A task on which this does as well as a method that reads everything does not show \
                  that a long text was read. It fails where much of a text is needed, or where the question does not say \
                  what to look for. A word is what stands between white space, so passages of long keys, such as uuids, \
                  are many tokens: give fewer words.\n\nQuestions that follow each other about one text are refused: text \
                  and question have to come apart.",
};

/// How a text is cut and ranked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrievalOptions {
    /// Most words of a passage.
    pub words: usize,
    /// Passages that the model is given.
    pub top: usize,
    /// How words are weighed.
    pub weights: Weights,
}

impl RetrievalOptions {
    /// What the values of a method typed as `retrieval:…` say.
    pub fn of(values: &Values) -> Self {
        Self {
            words: values.size("words"),
            top: values.size("top"),
            weights: Weights { k1: values.number("k1"), b: values.number("b") },
        }
    }
}

impl Default for RetrievalOptions {
    fn default() -> Self {
        Self::of(&Values::defaults(&INFO))
    }
}

/// A model that is given only the passages of a text that share most with the question (see [`INFO`]).
///
/// [`Input::shared`] bytes of the text, or of the last message, are the text; what stands behind them is the question.
/// Earlier messages are passed on as they are. What the model is given shares nothing with other inputs: passages differ
/// by question. Accounts and names are those of the model.
#[derive(Debug)]
pub struct Retrieval<M> {
    model: M,
    options: RetrievalOptions,
    indexed: Option<Indexed>,
}

impl<M> Retrieval<M> {
    /// `model`, given what `options` say.
    pub const fn new(model: M, options: RetrievalOptions) -> Self {
        Self { model, options, indexed: None }
    }

    /// What of `whole`, whose first `shared` bytes are the text, the model is given.
    fn shortened(&mut self, whole: &str, shared: usize) -> Result<String, EngineError> {
        let (text, question) = apart(whole, shared)?;
        let query = words(question);
        if query.is_empty() {
            return Err(EngineError::Nothing { what: "the question".to_owned(), purpose: "search for" });
        }
        if self.indexed.as_ref().is_none_or(|indexed| indexed.text != text) {
            self.indexed = Some(Indexed::new(text, &self.options));
        }
        let best = self.indexed.as_ref().map(|indexed| indexed.best(&query, self.options.top));
        Ok(joined(text, &best.unwrap_or_default()) + question)
    }

    /// Calls the model through `ask` with the shortened input.
    fn with<T>(
        &mut self,
        input: &Input<'_>,
        ask: impl FnOnce(&mut M, &Input<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let pass = |body| Input { body, answer_start: input.answer_start, shared: 0 };
        match input.body {
            Body::Text(text) => {
                let text = self.shortened(text, input.shared)?;
                ask(&mut self.model, &pass(Body::Text(&text)))
            }
            Body::Messages(messages) => {
                let last = messages.last().map_or("", |message| message.content.as_str());
                let content = self.shortened(last, input.shared)?;
                let mut messages: Vec<Message> = messages.to_vec();
                if let Some(last) = messages.last_mut() {
                    last.content = content;
                }
                ask(&mut self.model, &pass(Body::Messages(&messages)))
            }
        }
    }
}

/// Text and question of `whole`.
fn apart(whole: &str, shared: usize) -> Result<(&str, &str), EngineError> {
    if shared == 0 {
        return Err(EngineError::Unsupported(
            "retrieval searches a text for a question and needs the two apart, and here no text is marked as shared by \
             questions (shared is 0); ask each question about the text alone, or leave retrieval out of the methods"
                .to_owned(),
        ));
    }
    whole.split_at_checked(shared).ok_or_else(|| {
        EngineError::Unsupported(format!(
            "the text is said to be {shared} bytes of {}, which is no border between characters; give the bytes of the \
             text as `shared`",
            whole.len()
        ))
    })
}

/// A text that was cut and counted: several questions are asked about one.
#[derive(Debug)]
struct Indexed {
    text: String,
    /// Kept in front.
    head: Range<usize>,
    passages: Vec<Range<usize>>,
    index: Bm25,
}

impl Indexed {
    fn new(text: &str, options: &RetrievalOptions) -> Self {
        let head = 0..head(text);
        let behind = text.get(head.end..).unwrap_or("");
        let passages: Vec<Range<usize>> = passages(behind, options.words)
            .into_iter()
            .map(|passage| head.end + passage.start..head.end + passage.end)
            .collect();
        let of = |passage: &Range<usize>| words(text.get(passage.clone()).unwrap_or(""));
        let index = Bm25::new(passages.iter().map(of), options.weights);
        Self { text: text.to_owned(), head, passages, index }
    }

    /// Head and best passages, in the order of the text.
    fn best(&self, query: &[String], top: usize) -> Vec<Range<usize>> {
        let mut chosen: Vec<usize> =
            self.index.rank(query).into_iter().take(top).map(|(passage, _)| passage).collect();
        chosen.sort_unstable();
        let passages = chosen.into_iter().filter_map(|passage| self.passages.get(passage).cloned());
        std::iter::once(self.head.clone()).filter(|head| !head.is_empty()).chain(passages).collect()
    }
}

/// Where the instruction that `text` begins with ends, with the white space behind it; 0 where there is none.
fn head(text: &str) -> usize {
    let ends = |border: &str| {
        let (before, _) = text.split_once(border)?;
        let count = before.split_whitespace().count();
        let behind = text.get(before.len()..)?;
        let end = text.len() - behind.trim_start().len();
        // Nothing behind it: then it is the text.
        ((1..=MOST_WORDS_OF_HEAD).contains(&count) && end < text.len()).then_some(end)
    };
    ends("\n\n").or_else(|| ends("\n")).unwrap_or(0)
}

/// The `ranges` of `text`, which rise: neighbours as they stand, others with a blank line between; a blank line at the end
/// where the end of the text is left out.
fn joined(text: &str, ranges: &[Range<usize>]) -> String {
    let mut out = String::new();
    let mut end = 0;
    for range in ranges {
        if range.start != end && !out.is_empty() {
            break_off(&mut out);
        }
        out.push_str(text.get(range.clone()).unwrap_or(""));
        end = range.end;
    }
    if end != text.len() {
        break_off(&mut out);
    }
    out
}

fn break_off(text: &mut String) {
    text.truncate(text.trim_end().len());
    text.push_str("\n\n");
}

impl<M: LanguageModel> LanguageModel for Retrieval<M> {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn answer(
        &mut self,
        input: &Input<'_>,
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        self.with(input, |model, input| model.answer(input, options, control, on_text))
    }

    fn rate(
        &mut self,
        input: &Input<'_>,
        answers: &[&str],
        control: &mut Control<'_>,
    ) -> Result<(Vec<Rating>, Account), EngineError> {
        self.with(input, |model, input| model.rate(input, answers, control))
    }

    fn score(&mut self, _text: &str, _control: &mut Control<'_>) -> Result<Score, EngineError> {
        Err(EngineError::Unsupported(
            "retrieval reads passages for a question, and a text that is scored has none; score it without retrieval"
                .to_owned(),
        ))
    }

    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EngineError> {
        self.model.embed(text)
    }
}

#[cfg(test)]
mod tests;
