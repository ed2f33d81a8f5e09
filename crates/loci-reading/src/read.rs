//! From documents and a question, by a strategy and a model, to an answer with what it was made from.

use std::time::Instant;

use loci_engine::documents::Document;
use loci_engine::generate::OnText;
use loci_engine::layout::framed;
use loci_engine::{Account, Control, EngineError, Finish, GenerateOptions, Input, LanguageModel};
use loci_models::memory::ContextReport;
use loci_models::template::Message;
use serde::Serialize;

use crate::assemble::{Piece, shown};
use crate::strategy::{Asked, Prepared, ReadingStrategy, Span, Work, between, tokens_of};

/// How a question is answered.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// How the answer is written.
    pub generate: GenerateOptions,
    /// A system message.
    pub system: Option<String>,
    /// Asks the question as it stands, without a sentence that points at the text.
    pub bare: bool,
    /// At most this many passages of evidence.
    pub evidence: usize,
}

/// A passage that an answer was made from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Passage {
    /// Name of the document.
    pub file: String,
    /// First byte of the passage in the document's text.
    pub start: usize,
    /// Byte behind the passage.
    pub end: usize,
    /// The passage.
    pub text: String,
    /// Share of the attention mass, where passages were found by attention.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mass: Option<f32>,
}

/// By what passages were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// The answer attended to them.
    Attention,
    /// The strategy chose or quoted them.
    Strategy,
    /// They are what the model was given.
    Given,
}

/// What became of the documents.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// Tokens of all documents; estimated from their bytes where the model tells no tokens.
    pub given: usize,
    /// Of those, the ones that the model was shown when it answered.
    pub shown: usize,
    /// Whether tokens were counted; otherwise a token is taken for four bytes.
    pub counted: bool,
    /// What the strategy did before.
    #[serde(flatten)]
    pub work: Work,
}

/// How long it took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Took {
    /// Seconds until the model was asked for the answer.
    pub strategy_s: f64,
    /// Seconds of reading the last prompt.
    pub prefill_s: f64,
    /// Tokens of the answer per second.
    pub decode_tokens_per_s: f64,
}

/// An answer with its account.
#[derive(Clone, Debug, Serialize)]
pub struct Reply {
    /// The answer.
    #[serde(rename = "answer")]
    pub text: String,
    /// What it was made from, best first.
    pub evidence: Vec<Passage>,
    /// By what that was found.
    pub evidence_by: FoundBy,
    /// What became of the documents.
    pub reading: Reading,
    /// What became of the last prompt's tokens, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextReport>,
    /// How long it took.
    pub timing: Took,
    /// The strategy with all its parameters.
    pub strategy: String,
    /// The model.
    pub model: String,
    /// The seed of the sampling.
    pub seed: u64,
    /// Why the answer ended.
    pub finish: Finish,
    /// Tokens of the last prompt, and of the answer.
    #[serde(skip)]
    pub account: Account,
}

/// Answers `question` about `documents` by `strategy`, which `name` names, with `model`.
///
/// # Errors
/// [`EngineError::Nothing`] when all documents or the question are empty, and what strategy and model refuse.
pub fn read(
    (strategy, name): (&mut dyn ReadingStrategy, &str),
    model: &mut dyn LanguageModel,
    (documents, question): (&[Document], &str),
    options: &ReadOptions,
    control: &mut Control<'_>,
    on_text: &mut OnText<'_>,
) -> Result<Reply, EngineError> {
    let question = question.trim();
    if question.is_empty() {
        return Err(EngineError::Nothing { what: "the question".to_owned(), purpose: "answer" });
    }
    if documents.iter().all(|document| document.text.trim().is_empty()) {
        return Err(EngineError::Nothing { what: "the input".to_owned(), purpose: "answer from" });
    }
    let started = Instant::now();
    let mut prepared = strategy.prepare(&Asked { documents, question }, model, control)?;
    let strategy_s = started.elapsed().as_secs_f64();
    let generation = match prepared.answered.take() {
        Some(generation) => {
            let _over = on_text(&generation.text);
            generation
        }
        None => {
            let messages = messages(&prepared, question, options);
            let input = Input { answer_start: &prepared.answer_start, ..Input::messages(&messages) };
            let generate = GenerateOptions { evidence: options.evidence, ..options.generate.clone() };
            model.answer(&input, &generate, control, on_text)?
        }
    };
    let (evidence, evidence_by) = evidence(&prepared, &generation.looked_at, documents, options.evidence);
    let count = |texts: Vec<&str>| -> Result<usize, EngineError> {
        texts.into_iter().try_fold(0, |sum, text| Ok(sum + tokens_of(model, text)?))
    };
    let given = count(documents.iter().map(|document| document.text.as_str()).collect())?;
    // What is shown twice is shown once.
    let spans = merged(prepared.pieces.iter().map(|piece| piece.span.clone()).collect());
    let shown = count(spans.iter().map(|span| span.text(documents)).collect())?;
    let counted = model.count_tokens("a")?.is_some();
    Ok(Reply {
        evidence,
        evidence_by,
        reading: Reading { given, shown: shown.min(given), counted, work: prepared.work },
        context: generation.account.context,
        timing: Took {
            strategy_s,
            prefill_s: generation.account.prefill.as_secs_f64(),
            decode_tokens_per_s: generation.tokens_per_second(),
        },
        strategy: name.to_owned(),
        model: model.name().to_owned(),
        seed: options.generate.sampler.seed,
        finish: generation.finish,
        account: generation.account,
        text: generation.text,
    })
}

/// What the model is given.
fn messages(prepared: &Prepared, question: &str, options: &ReadOptions) -> Vec<Message> {
    let asked = match &prepared.question {
        Some(changed) => changed.clone(),
        // Without a text there is nothing to point at.
        None if options.bare || prepared.text.is_empty() => question.to_owned(),
        None => framed(question),
    };
    let content = format!("{}{}{asked}", prepared.text, between(&prepared.text, &asked));
    let system = options.system.iter().map(|text| Message::new("system", text.as_str()));
    system.chain([Message::new("user", content)]).collect()
}

/// What an answer was made from: what was quoted, or else what the answer attended to, or else what the strategy chose, or
/// else all that was given.
fn evidence(
    prepared: &Prepared,
    looked_at: &[(std::ops::Range<usize>, f32)],
    documents: &[Document],
    most: usize,
) -> (Vec<Passage>, FoundBy) {
    let attended = || {
        let mut found: Vec<(Span, f32)> = Vec::new();
        for (bytes, mass) in looked_at {
            found.extend(
                shown(&prepared.pieces, bytes.start, bytes.end).into_iter().map(|span| (span, *mass)),
            );
        }
        found
    };
    let passage = |span: &Span, mass: Option<f32>| {
        let text = span.text(documents);
        let file = documents.get(span.document)?.name.clone();
        (!text.trim().is_empty()).then(|| Passage {
            file,
            start: span.start,
            end: span.end,
            text: text.to_owned(),
            mass,
        })
    };
    let attended = attended();
    let by_strategy: Vec<Passage> =
        prepared.evidence.iter().filter_map(|span| passage(span, None)).take(most).collect();
    if !attended.is_empty() && !prepared.quoted {
        let found = attended.iter().filter_map(|(span, mass)| passage(span, Some(*mass))).take(most);
        return (found.collect(), FoundBy::Attention);
    }
    if !by_strategy.is_empty() {
        return (by_strategy, FoundBy::Strategy);
    }
    let given = |piece: &Piece| passage(&piece.span, None);
    (prepared.pieces.iter().filter_map(given).take(most).collect(), FoundBy::Given)
}

/// `spans` in order, those that overlap or touch as one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort();
    let mut all: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match all.last_mut() {
            Some(last) if last.document == span.document && span.start <= last.end => {
                last.end = last.end.max(span.end);
            }
            _ => all.push(span),
        }
    }
    all
}
