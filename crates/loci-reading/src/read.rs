//! From documents and a question, by a strategy and a model, to an answer with what it was made from.

use std::ops::Range;
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

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Name of the document.
    pub file: String,
    /// First byte of its text.
    pub start: usize,
    /// Byte behind the last.
    pub end: usize,
}

/// What became of the documents.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// Tokens of all documents; estimated from their bytes where the model tells no tokens.
    pub given: usize,
    /// Of those, the ones that the model was shown when it answered.
    pub shown: usize,
    /// Where what was shown stands in the documents, in their order.
    pub places: Vec<Place>,
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
    let place = |span: Span| {
        let file = documents.get(span.document)?.name.clone();
        Some(Place { file, start: span.start, end: span.end })
    };
    let places = spans.into_iter().filter_map(place).collect();
    Ok(Reply {
        evidence,
        evidence_by,
        reading: Reading { given, shown: shown.min(given), places, counted, work: prepared.work },
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
pub(crate) fn evidence(
    prepared: &Prepared,
    looked_at: &[(Range<usize>, f32)],
    documents: &[Document],
    most: usize,
) -> (Vec<Passage>, FoundBy) {
    let passages = |spans: Vec<(Span, Option<f32>)>| {
        let passage = |(span, mass): (Span, Option<f32>)| {
            let text = span.text(documents);
            let file = documents.get(span.document)?.name.clone();
            let known = !text.trim().is_empty();
            known.then(|| Passage { file, start: span.start, end: span.end, text: text.to_owned(), mass })
        };
        spans.into_iter().filter_map(passage).take(most).collect::<Vec<_>>()
    };
    let attended = attended(&prepared.pieces, looked_at);
    if !attended.is_empty() && !prepared.quoted {
        return (
            passages(attended.into_iter().map(|(span, mass)| (span, Some(mass))).collect()),
            FoundBy::Attention,
        );
    }
    let plain = |spans: &[Span]| passages(spans.iter().map(|span| (span.clone(), None)).collect());
    match plain(&prepared.evidence) {
        chosen if !chosen.is_empty() => (chosen, FoundBy::Strategy),
        _ => {
            let given: Vec<Span> = prepared.pieces.iter().map(|piece| piece.span.clone()).collect();
            (plain(&given), FoundBy::Given)
        }
    }
}

/// The places of documents that were attended to, heaviest first. A range that shows several places shares its mass out by
/// their bytes; places that overlap or touch, as those of a text that stands there twice do, become one.
#[allow(clippy::cast_precision_loss)] // bytes of passages
fn attended(pieces: &[Piece], looked_at: &[(Range<usize>, f32)]) -> Vec<(Span, f32)> {
    let mut found: Vec<(Span, f32)> = Vec::new();
    for (bytes, mass) in looked_at {
        let spans = shown(pieces, bytes.start, bytes.end);
        let all: usize = spans.iter().map(|span| span.end - span.start).sum();
        let share = |span: &Span| mass * (span.end - span.start) as f32 / all.max(1) as f32;
        found.extend(spans.into_iter().map(|span| {
            let share = share(&span);
            (span, share)
        }));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let mut joined: Vec<(Span, f32)> = Vec::with_capacity(found.len());
    for (span, mass) in found {
        match joined.last_mut() {
            Some((last, sum)) if last.goes_into(&span) => {
                last.end = last.end.max(span.end);
                *sum += mass;
            }
            _ => joined.push((span, mass)),
        }
    }
    joined.sort_by(|one, other| other.1.total_cmp(&one.1));
    joined
}

/// `spans` in order, those that overlap or touch as one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort();
    let mut all: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match all.last_mut() {
            Some(last) if last.goes_into(&span) => last.end = last.end.max(span.end),
            _ => all.push(span),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::fakes::Scripted;
    use crate::registry::{Kit, parse, strategy};

    fn documents() -> Vec<Document> {
        [("a.txt", "Ann lives in Oslo. It rains there."), ("b.txt", "Per bakes bread.")]
            .map(|(name, text)| Document { name: name.to_owned(), text: text.to_owned() })
            .to_vec()
    }

    fn answer(typed: &str, replies: &[&str], question: &str) -> Result<(Reply, Scripted), EngineError> {
        let values = parse(typed).unwrap();
        let mut model = Scripted::new(replies);
        let options =
            ReadOptions { evidence: 5, system: Some("Be brief.".to_owned()), ..ReadOptions::default() };
        let reply = read(
            (strategy(&values, &Kit::default())?.as_mut(), &values.to_string()),
            &mut model,
            (&documents(), question),
            &options,
            &mut Control::default(),
            &mut |_| ControlFlow::Continue(()),
        )?;
        Ok((reply, model))
    }

    #[test]
    fn an_answer_comes_with_its_passages_and_account() {
        let (reply, model) = answer("rag:words=4,top=1", &["Oslo."], "Where does Ann live?").unwrap();
        assert_eq!((reply.text.as_str(), reply.evidence_by), ("Oslo.", FoundBy::Strategy));
        let [found] = reply.evidence.as_slice() else { panic!("{:?}", reply.evidence) };
        assert_eq!(
            (found.file.as_str(), found.start, found.text.as_str()),
            ("a.txt", 0, "Ann lives in Oslo. ")
        );
        assert!(reply.reading.shown < reply.reading.given && !reply.reading.counted);
        assert_eq!(reply.reading.places, [Place { file: "a.txt".to_owned(), start: 0, end: 18 }]);
        assert!(model.given[0].starts_with("<system>Be brief.<user># a.txt\n\nAnn lives in Oslo.\n\nWhere"));
        let json = serde_json::to_value(&reply).unwrap();
        assert_eq!(json["answer"], "Oslo.");
        assert_eq!(json["reading"]["calls"], 0);
    }

    #[test]
    fn quotes_are_the_evidence_of_what_was_quoted() {
        let (reply, model) = answer("alr2", &["- Per bakes bread.", " Per."], "Who bakes?").unwrap();
        assert_eq!((reply.text.as_str(), reply.evidence_by), (" Per.", FoundBy::Strategy));
        assert_eq!(reply.evidence[0].text, "Per bakes bread.");
        assert!(model.given[1].ends_with("- Per bakes bread.\nAnswer:"), "{}", model.given[1]);
        assert_eq!(reply.reading.work.calls, 1);
        assert_eq!(reply.reading.shown, reply.reading.given);
    }

    #[test]
    fn nothing_to_ask_or_to_read_is_refused() {
        assert!(matches!(answer("plain", &[], " "), Err(EngineError::Nothing { .. })));
        let mut model = Scripted::new(&[]);
        let blank = [Document { name: "a".to_owned(), text: " ".to_owned() }];
        let mut plain = strategy(&parse("plain").unwrap(), &Kit::default()).unwrap();
        let refused = read(
            (plain.as_mut(), "plain"),
            &mut model,
            (&blank, "why?"),
            &ReadOptions::default(),
            &mut Control::default(),
            &mut |_| ControlFlow::Continue(()),
        );
        assert!(refused.is_err());
    }

    #[test]
    fn attention_is_shared_out_and_added_up() {
        let piece = |at, start, end| Piece { at, span: Span::new(0, start..end) };
        // The text stands there twice, and once a range reaches over two places.
        let pieces = [piece(0, 10, 20), piece(12, 40, 50), piece(100, 10, 20)];
        let found = attended(&pieces, &[(5..17, 0.4), (100..104, 0.3), (60..70, 0.9)]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0].0, Span::new(0, 10..14));
        assert!((found[0].1 - 0.3).abs() < 1e-6);
        assert!((found.iter().map(|(_, mass)| mass).sum::<f32>() - 0.7).abs() < 1e-6);
        let whole = attended(&pieces, &[(0..10, 0.2), (100..110, 0.2)]);
        assert_eq!(whole.len(), 1);
        assert!((whole[0].1 - 0.4).abs() < 1e-6);
    }
}
