//! `structured` as a reading strategy: the text with a title before each of its parts.

use std::ops::Range;
use std::sync::Arc;

use loci_engine::documents::Document;
use loci_engine::{Control, EngineError, GenerateOptions, LanguageModel};
use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Parameter, Parts, Phase, Value, Values,
};

use super::chunks::{ChunkOptions, chunks};
use super::merge::{Merge, joined_scopes, merge};
use super::outline::{Outline, parse, prompt};
use super::rules::{headed, sentences_of};
use super::segments::{SegmentOptions, outline};
use super::text::Style;
use super::{MOST_REPLY_TOKENS, SHORTEST_WORDS};
use crate::assemble::Assembly;
use crate::encode::TextEncoder;
use crate::registry::Kit;
use crate::strategy::{Asked, Prepared, ReadingStrategy, Span, Work, ask_on_the_way, between, tokens_of};

/// Sentences of a part that is found by meaning, on average (ours).
const SENTENCES_OF_PART: usize = 8;

/// Its declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "structured",
    title: "The text with what it is about in front, and a title before each of its parts.",
    paper: "Liu et al., Enhancing LLM's Cognition via Structurization, 2024 (StruXGPT; its second, loss-free form)",
    family: crate::registry::FAMILY,
    kind: MemoryKind::Contextual,
    parts: Parts::NONE,
    needs: &[],
    phases: &[Phase::Prefill],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "by",
            meaning: "where the outline is from: the headings that the text has, the vectors of its sentences, or the model",
            unit: "",
            default: Value::Word("headings"),
            domain: Domain::Words(&["headings", "meaning", "model"]),
        },
        Parameter {
            name: "head",
            meaning: "how the beginning is worded, by the numbers of the released scripts",
            unit: "",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 6),
        },
        Parameter {
            name: "body",
            meaning: "how parts are worded: 0 and 1 number them, 2 has bold titles",
            unit: "",
            default: Value::Integer(1),
            domain: Domain::Integers(0, 2),
        },
        Parameter {
            name: "chunk",
            meaning: "of by=model: tokens of a chunk that is outlined by itself",
            unit: "tokens",
            default: Value::Integer(1024),
            domain: Domain::Integers(64, 1 << 20),
        },
    ],
    cost: "by=headings: one pass over the text; by=model: reading it once more, and writing a tenth to a fifth of it; kept for \
           further questions",
    composes_with: &[],
    invariants: &[
        "every sentence of the text stands in what the model is given, in order and in its own words",
        "parts follow each other without gap or overlap",
        "a document without a valid outline is given as it is, and counted",
    ],
    description: "Running text hides what belongs to what. Here the model is told what the text is about, and every part of it \
                  stands behind a title. Titles come from the text's own headings, or from an outline that the model \
                  writes chunk by chunk: names with ranges of sentences, checked and repaired as published. Where one \
                  chunk's outline is invalid, the document stays as it is.\n\nThe paper's structurizer is a trained model of \
                  seven billion parameters; it finds that untrained ones of that size gain nothing. Texts below fifty \
                  words are left alone. The paper's first form, which puts sentences in other words, is in the library \
                  (`structured::statement`) and not used here.",
};

/// Titles before parts (see [`INFO`]).
#[derive(Debug)]
pub struct Structured {
    by: By,
    encoder: Option<Arc<dyn TextEncoder>>,
    style: Style,
    chunk: usize,
    /// Outlines that were made, by their texts.
    kept: Vec<(Document, Option<Parted>)>,
}

/// Where outlines are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Headings,
    Meaning,
    Model,
}

/// A text in parts.
#[derive(Clone, Debug)]
struct Parted {
    outline: Outline,
    /// Bytes of its sentences.
    sentences: Vec<Range<usize>>,
}

impl Structured {
    /// As the values of a method typed as `structured:…` say.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] for a style that is not there, and for `by=meaning` without an encoder.
    pub fn of(values: &Values, kit: &Kit) -> Result<Self, EngineError> {
        let number = |name: &str| u8::try_from(values.size(name)).unwrap_or(u8::MAX);
        let style = Style::new(number("head"), number("body"))
            .map_err(|error| EngineError::Unsupported(error.to_string()))?;
        let by = match values.word("by") {
            "model" => By::Model,
            "meaning" => By::Meaning,
            _ => By::Headings,
        };
        let encoder = kit.encoder.clone();
        if by == By::Meaning && encoder.is_none() {
            return Err(EngineError::Unsupported(
                "structured:by=meaning needs a sentence encoder, and none is given; name one, such as minilm (loci pull \
                 minilm)"
                    .to_owned(),
            ));
        }
        Ok(Self { by, encoder, style, chunk: values.size("chunk"), kept: Vec::new() })
    }

    /// The parts of a document; nothing where it has none.
    fn parted(
        &mut self,
        document: &Document,
        model: &mut dyn LanguageModel,
        work: &mut Work,
        control: &mut Control<'_>,
    ) -> Result<Option<Parted>, EngineError> {
        if let Some((_, known)) = self.kept.iter().find(|(kept, _)| kept == document) {
            return Ok(known.clone());
        }
        let parted = match self.by {
            _ if document.text.split_whitespace().take(SHORTEST_WORDS).count() < SHORTEST_WORDS => None,
            By::Model => self.outlined(&document.text, model, work, control)?,
            By::Meaning => self.segmented(&document.text)?,
            By::Headings => headed(&document.text)
                .map(|found| Parted { outline: found.outline, sentences: found.sentences }),
        };
        self.kept.push((document.clone(), parted.clone()));
        Ok(parted)
    }

    /// The parts in which neighbouring sentences are most alike; nothing where there is one part.
    fn segmented(&self, text: &str) -> Result<Option<Parted>, EngineError> {
        let Some(encoder) = &self.encoder else { return Ok(None) };
        let sentences = sentences_of(text);
        let texts: Vec<&str> = sentences.iter().filter_map(|sentence| text.get(sentence.clone())).collect();
        let ranges = sentences.len().div_ceil(SENTENCES_OF_PART);
        if ranges < 2 {
            return Ok(None);
        }
        let options = SegmentOptions { ranges, shortest: 2, longest: 4 * SENTENCES_OF_PART };
        let outline = outline(&texts, &encoder.encode(&texts)?, options);
        Ok(outline.ok().map(|outline| Parted { outline, sentences }))
    }

    /// The parts that the model sees; nothing where an outline is no use.
    fn outlined(
        &self,
        text: &str,
        model: &mut dyn LanguageModel,
        work: &mut Work,
        control: &mut Control<'_>,
    ) -> Result<Option<Parted>, EngineError> {
        let mut failure = None;
        let options = ChunkOptions { tokens: self.chunk, strict: true };
        let ranges = chunks(text, options, &mut |line| {
            tokens_of(model, line).unwrap_or_else(|error| {
                failure = Some(error);
                0
            })
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        let (mut outlines, mut all) = (Vec::new(), Vec::new());
        for range in ranges {
            let part = text.get(range.clone()).unwrap_or("");
            let own = sentences_of(part);
            let texts: Vec<&str> = own.iter().filter_map(|sentence| part.get(sentence.clone())).collect();
            let options = GenerateOptions { max_tokens: MOST_REPLY_TOKENS, ..GenerateOptions::default() };
            let reply = ask_on_the_way(model, &prompt(&texts), options, work, control)?;
            match parse(&reply, texts.len()) {
                Ok(outline) => outlines.push(outline),
                Err(_) => {
                    work.failed("outlines that were no use", 1);
                    return Ok(None);
                }
            }
            all.extend(own.into_iter().map(|own| range.start + own.start..range.start + own.end));
        }
        let scope = joined_scopes(outlines.iter().map(|outline| outline.scope.as_str()));
        let scope = if outlines.len() == 1 { scope.trim_end_matches('.').to_owned() } else { scope };
        Ok(Some(Parted { outline: merge(outlines, &scope, Merge::Join), sentences: all }))
    }
}

impl ReadingStrategy for Structured {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn prepare(
        &mut self,
        asked: &Asked<'_>,
        model: &mut dyn LanguageModel,
        control: &mut Control<'_>,
    ) -> Result<Prepared, EngineError> {
        let (mut all, mut work) = (Assembly::default(), Work::default());
        let mut titles = 0;
        self.kept.retain(|(kept, _)| asked.documents.contains(kept));
        for (index, document) in asked.documents.iter().enumerate() {
            all.break_off();
            if asked.documents.len() > 1 {
                all.say(&format!("# {}\n\n", document.name));
            }
            match self.parted(document, model, &mut work, control)? {
                None => {
                    work.failed("documents without an outline", 1);
                    all.show(asked.documents, &Span::new(index, 0..document.text.len()));
                }
                Some(parted) => {
                    titles += parted.outline.aspects.len();
                    self.show(&mut all, asked.documents, index, &parted);
                }
            }
        }
        work.note("titles", titles);
        all.say(between(&all.text.clone(), asked.question));
        Ok(Prepared { text: all.text, pieces: all.pieces, work, ..Prepared::default() })
    }
}

impl Structured {
    /// A document in its parts.
    fn show(&self, all: &mut Assembly, documents: &[Document], index: usize, parted: &Parted) {
        let names: Vec<&str> = parted.outline.aspects.iter().map(|aspect| aspect.name.as_str()).collect();
        all.say(&self.style.opening(&parted.outline.scope, &names));
        for (aspect, number) in parted.outline.aspects.iter().zip(1..) {
            let bytes = |at: usize| parted.sentences.get(at).cloned();
            let first = bytes(aspect.sentences.start);
            let last = aspect.sentences.end.checked_sub(1).and_then(bytes);
            let (Some(first), Some(last)) = (first, last) else { continue };
            // What was said ends where the passage did.
            all.text.truncate(all.text.trim_end().len());
            all.say(&format!("\n{}", self.style.entry(number, &aspect.name)));
            all.show(documents, &Span::new(index, first.start..last.end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::Scripted;

    const TEXT: &str = "# Oslo\n\nThe town lies at a fjord. It is old.\n\n## People\n\nAnn lives there, and Per lives there too, \
                        and many others whom nobody counts any more since the last war.\n\n## Trade\n\nShips bring timber to \
                        the harbour and take away fish, and in winter, when the water freezes, nothing comes or goes at all.\n";

    fn prepare(typed: &str, text: &str, replies: &[&str]) -> (Prepared, Scripted) {
        let documents = [Document { name: "oslo".to_owned(), text: text.to_owned() }];
        let mut model = Scripted::new(replies);
        let values = crate::registry::parse(typed).unwrap();
        let asked = Asked { documents: &documents, question: "Who lives there?" };
        let mut strategy = Structured::of(&values, &Kit::default()).unwrap();
        let prepared = strategy.prepare(&asked, &mut model, &mut Control::default()).unwrap();
        // A second question needs no new outline.
        let given = model.given.len();
        let again = strategy.prepare(&asked, &mut model, &mut Control::default()).unwrap();
        assert_eq!((again.text, model.given.len()), (prepared.text.clone(), given));
        (prepared, model)
    }

    /// Every byte of the text but white space at the ends of parts is there, in order.
    fn check(prepared: &Prepared, text: &str) {
        let mut shown = String::new();
        for piece in &prepared.pieces {
            let part = &text[piece.span.start..piece.span.end];
            let there = &prepared.text[piece.at..(piece.at + part.len()).min(prepared.text.len())];
            assert!(there.trim_end().starts_with(part.trim_end()), "{there:?} {part:?}");
            shown.push_str(part);
        }
        assert_eq!(shown, text, "nothing is lost");
    }

    #[test]
    fn headings_become_titles_and_nothing_is_lost() {
        let (prepared, model) = prepare("structured", TEXT, &[]);
        assert!(model.given.is_empty());
        assert!(prepared.text.starts_with("Oslo."), "{}", prepared.text);
        assert!(prepared.text.contains("People: ## People"), "{}", prepared.text);
        assert!(prepared.work.figures["titles"] >= 2.0);
        check(&prepared, TEXT);
    }

    #[test]
    fn the_models_outline_is_checked() {
        let text = TEXT.replace(['#', '\n'], " ");
        let count = sentences_of(&text).len();
        let good = format!(
            "Scope: A town\nAspects:\n- AspectName: Place\n  SentenceRange: {{start: 1, end: 1}}\n- AspectName: Life\n  \
             SentenceRange: {{start: 2, end: {count}}}\n"
        );
        let (prepared, model) = prepare("structured:by=model,body=2", &text, &[&good]);
        assert_eq!(model.given.len(), 1);
        assert!(prepared.text.starts_with("A town.\n**Place**:"), "{}", prepared.text);
        check(&prepared, &text);
        let (prepared, _) = prepare("structured:by=model", &text, &["Scope: A town"]);
        assert_eq!(prepared.work.failures["outlines that were no use"], 1);
        assert_eq!(prepared.work.failures["documents without an outline"], 1);
        assert!(prepared.text.starts_with(&text));
    }

    #[test]
    fn short_texts_stay_as_they_are() {
        let (prepared, _) = prepare("structured", "# A\n\nb c.", &[]);
        assert_eq!(prepared.text, "# A\n\nb c.\n\n");
    }
}
