//! From documents and messages to tokens that remember where they come from.
//!
//! What the user or a file wrote is always text: a `<|im_end|>` inside a document becomes ordinary characters.
//! Only the chat template's own parts may become special tokens.

use std::ops::Range;

use loci_models::template::{Message, Segment};
use loci_models::tokenizer::{Part, SpecialTokens};

use crate::documents::Document;
use crate::engine::Engine;
use crate::error::EngineError;

/// Whether each document is preceded by a line with its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Headings {
    /// When there is more than one document.
    #[default]
    Several,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Put behind a question so that small models answer from the text and not from what they remember: with the bare
/// question, SmolLM2-135M explains what a pass key is instead of reading it out. Chosen from about fifteen wordings
/// on pass-key texts of 3,700 tokens and one page of a novel: little evidence, hence `--bare` to leave it out.
const FRAME: &str = "\n\nFind the answer in the text above and quote it.";

/// Where a token of the prompt comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Index of the document.
    pub document: usize,
    /// Bytes of the document's text.
    pub bytes: Range<usize>,
}

/// A prompt in tokens.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    /// Token ids in reading order.
    pub tokens: Vec<u32>,
    /// Of each token, where it comes from; `None` for template, headings and question.
    pub sources: Vec<Option<Source>>,
    /// Of each token, whether it has to stay when the prompt is shortened: what belongs to the template or says what to do.
    pub fixed: Vec<bool>,
    /// Tokens that were left out when the prompt was shortened.
    pub skipped: usize,
    /// Leading tokens that other prompts begin with too, as far as their writer knows.
    pub shared: usize,
}

impl Prompt {
    /// Tokens up to and with the last one that comes from a document; 0 without any.
    pub fn documents_end(&self) -> usize {
        self.sources.iter().rposition(Option::is_some).map_or(0, |last| last + 1)
    }
}

/// Documents and a question as one message: the documents first, the question at the end, where a method that
/// recalls by the newest query can use it.
struct Body {
    text: String,
    /// Of each document, its bytes in `text`.
    documents: Vec<Range<usize>>,
}

impl Body {
    fn new(documents: &[Document], question: &str, headings: Headings) -> Self {
        let with_heading = match headings {
            Headings::Several => documents.len() > 1,
            Headings::Always => true,
            Headings::Never => false,
        };
        let mut text = String::with_capacity(
            documents.iter().map(|document| document.text.len() + document.name.len() + 8).sum::<usize>()
                + question.len(),
        );
        let mut ranges = Vec::with_capacity(documents.len());
        for document in documents {
            if with_heading {
                text.push_str("# ");
                text.push_str(&document.name);
                text.push_str("\n\n");
            }
            let start = text.len();
            text.push_str(&document.text);
            ranges.push(start..text.len());
            text.push_str("\n\n");
        }
        text.push_str(question);
        Self { text, documents: ranges }
    }

    /// The document that holds most of `bytes`, which may reach over a document's border.
    fn source(&self, bytes: Range<usize>) -> Option<Source> {
        let after = self.documents.partition_point(|range| range.end <= bytes.start);
        let range = self.documents.get(after)?;
        let start = bytes.start.max(range.start);
        let end = bytes.end.min(range.end);
        (start < end).then(|| Source { document: after, bytes: start - range.start..end - range.start })
    }
}

/// The prompt of a question about documents. A `bare` question stands as it is, otherwise a sentence
/// behind it points at the text.
///
/// # Errors
/// [`EngineError::Template`] when the model's chat template refuses the messages.
pub fn question_about(
    engine: &Engine,
    documents: &[Document],
    question: &str,
    system: Option<&str>,
    headings: Headings,
    bare: bool,
) -> Result<Prompt, EngineError> {
    if engine.chat_template().is_none() {
        let asked = if bare { question.to_owned() } else { format!("Question: {question}\nAnswer:") };
        let body = Body::new(documents, &asked, headings);
        let parts = [Part { text: &body.text, special: SpecialTokens::AsText }];
        let prompt = encode(engine, &parts, true, |bytes| body.source(bytes), |_| false)?;
        return Ok(prompt.with_all_but_documents_fixed());
    }
    let asked = if bare { question.to_owned() } else { format!("{question}{FRAME}") };
    let body = Body::new(documents, &asked, headings);
    let mut messages: Vec<Message> = system.map(|text| Message::new("system", text)).into_iter().collect();
    let place = messages.len();
    messages.push(Message::new("user", body.text.as_str()));
    let prompt = render(
        engine,
        &messages,
        &[],
        "",
        |index, bytes| if index == place { body.source(bytes) } else { None },
    )?;
    Ok(prompt.with_all_but_documents_fixed())
}

/// The prompt of a conversation: every message, then the opening of the model's next one, which begins with
/// `answer_start`. The first `shared` bytes of the last message are those that other prompts share.
///
/// # Errors
/// [`EngineError::Unsupported`] when the model has no chat template, [`EngineError::Template`] when it refuses
/// the messages.
pub fn conversation(
    engine: &Engine,
    messages: &[Message],
    answer_start: &str,
    shared: usize,
) -> Result<Prompt, EngineError> {
    conversation_with_tools(engine, messages, &[], answer_start, shared)
}

/// The same with `tools`, as [`tools::plan`](crate::tools::plan) gives them for the template.
///
/// # Errors
/// As [`conversation`].
pub fn conversation_with_tools(
    engine: &Engine,
    messages: &[Message],
    tools: &[serde_json::Value],
    answer_start: &str,
    shared: usize,
) -> Result<Prompt, EngineError> {
    let last = messages.len().saturating_sub(1);
    let source = |index: usize, bytes: Range<usize>| {
        (index == last && bytes.end <= shared).then_some(Source { document: 0, bytes })
    };
    let prompt = render(engine, messages, tools, answer_start, source)?;
    Ok(prompt.with_sources_shared())
}

/// The prompt of plain text that the model continues; special-token texts in it are ordinary characters. The first
/// `shared` bytes are those that other prompts share.
///
/// # Errors
/// [`EngineError::Tokenizer`] above 2 GiB.
pub fn plain(engine: &Engine, text: &str, shared: usize) -> Result<Prompt, EngineError> {
    let parts = [Part { text, special: SpecialTokens::AsText }];
    let source = |bytes: Range<usize>| (bytes.end <= shared).then_some(Source { document: 0, bytes });
    Ok(encode(engine, &parts, true, source, |_| false)?.with_sources_shared())
}

/// Runs the chat template. `source` gets the index of a message and bytes of its content.
fn render(
    engine: &Engine,
    messages: &[Message],
    tools: &[serde_json::Value],
    answer_start: &str,
    source: impl Fn(usize, Range<usize>) -> Option<Source>,
) -> Result<Prompt, EngineError> {
    let template = engine.chat_template().ok_or_else(|| {
        EngineError::Unsupported(format!(
            "{} has no chat template; use a model tuned for instructions, or continue plain text with loci run --raw",
            engine.name()
        ))
    })?;
    let segments = template.render_parts_with(messages, tools, true)?;
    // Of each content, its bytes in the whole prompt, the message, and the first byte within the message.
    let mut contents: Vec<(Range<usize>, usize, usize)> = Vec::new();
    let mut parts = Vec::with_capacity(segments.len());
    let mut start = 0;
    for segment in &segments {
        let text = segment.text();
        let special = match segment {
            Segment::Template(_) => SpecialTokens::Parse,
            Segment::Data(_) => SpecialTokens::AsText,
            Segment::Content { index, .. } => {
                // A template may trim a message, so the piece can begin behind the message's own beginning.
                let offset = messages.get(*index).and_then(|message| message.content.find(text)).unwrap_or(0);
                contents.push((start..start + text.len(), *index, offset));
                SpecialTokens::AsText
            }
        };
        parts.push(Part { text, special });
        start += text.len();
    }
    if !answer_start.is_empty() {
        parts.push(Part { text: answer_start, special: SpecialTokens::AsText });
    }
    // The message that most of `bytes` belongs to, and which bytes of it.
    let within = |bytes: Range<usize>| {
        let after = contents.partition_point(|(range, ..)| range.end <= bytes.start);
        let (range, message, offset) = contents.get(after)?;
        let start = bytes.start.max(range.start);
        let end = bytes.end.min(range.end);
        (start < end).then(|| (*message, start - range.start + offset..end - range.start + offset))
    };
    // What the template says has to stay, and so has what a system message says.
    let is_fixed = |bytes: Range<usize>| {
        // A token without bytes of its own belongs to what follows.
        let message = within(bytes.start..bytes.end.max(bytes.start + 1))
            .and_then(|(message, _)| messages.get(message));
        message.is_none_or(|message| message.role == "system")
    };
    // Templates write the beginning-of-sequence token themselves where the model was trained with one.
    let adds_bos = engine.tokenizer()?.adds_bos();
    encode(
        engine,
        &parts,
        adds_bos,
        |bytes| within(bytes).and_then(|(message, bytes)| source(message, bytes)),
        is_fixed,
    )
}

/// Encodes `parts` as one text. `source` and `is_fixed` get bytes of the whole.
fn encode(
    engine: &Engine,
    parts: &[Part<'_>],
    add_bos: bool,
    source: impl Fn(Range<usize>) -> Option<Source>,
    is_fixed: impl Fn(Range<usize>) -> bool,
) -> Result<Prompt, EngineError> {
    let tokenizer = engine.tokenizer()?;
    let tokens = tokenizer.encode_parts(parts, add_bos && tokenizer.adds_bos())?;
    let sources = tokens.iter().map(|token| source(token.start..token.end)).collect();
    let fixed = tokens.iter().map(|token| is_fixed(token.start..token.end)).collect();
    Ok(Prompt {
        tokens: tokens.into_iter().map(|token| token.id).collect(),
        sources,
        fixed,
        skipped: 0,
        shared: 0,
    })
}

impl Prompt {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// A prompt of `tokens` of which nothing is known.
    pub fn of_tokens(tokens: Vec<u32>) -> Self {
        let length = tokens.len();
        Self { tokens, sources: vec![None; length], fixed: vec![false; length], skipped: 0, shared: 0 }
    }

    /// The same where template, headings and question have to stay.
    fn with_all_but_documents_fixed(mut self) -> Self {
        let mut fixed = vec![true; self.len()];
        // Within a document some tokens have no bytes of their own: those behind the first of a character.
        let mut before: Option<(usize, usize)> = None;
        for (at, source) in self.sources.iter().enumerate() {
            let Some(source) = source else { continue };
            let first = match before {
                Some((document, last)) if document == source.document => last + 1,
                _ => at,
            };
            fixed.iter_mut().take(at + 1).skip(first).for_each(|fixed| *fixed = false);
            before = Some((source.document, at));
        }
        self.fixed = fixed;
        self
    }

    /// The same with only the tokens at `positions`, which ascend.
    pub(crate) fn only(&self, positions: &[usize]) -> Self {
        let tokens: Vec<u32> = positions.iter().filter_map(|at| self.tokens.get(*at).copied()).collect();
        Self {
            sources: positions.iter().filter_map(|at| self.sources.get(*at).cloned()).collect(),
            fixed: positions.iter().filter_map(|at| self.fixed.get(*at).copied()).collect(),
            skipped: self.skipped + self.len() - tokens.len(),
            shared: 0,
            tokens,
        }
    }

    /// The first `count` tokens.
    pub(crate) fn first(mut self, count: usize) -> Self {
        self.tokens.truncate(count);
        self.sources.truncate(count);
        self.fixed.truncate(count);
        self.shared = self.shared.min(count);
        self
    }

    /// The same where what has a source is what other prompts share, and has none any more: only documents are evidence.
    fn with_sources_shared(mut self) -> Self {
        self.shared = self.documents_end();
        self.sources.fill(None);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents() -> Vec<Document> {
        [("a.txt", "alpha"), ("empty", ""), ("b.txt", "beta")]
            .map(|(name, text)| Document { name: name.to_owned(), text: text.to_owned() })
            .to_vec()
    }

    #[test]
    fn the_question_stands_at_the_end_and_documents_are_found_again() {
        let documents = documents();
        let body = Body::new(&documents, "Why?", Headings::Several);
        assert!(body.text.starts_with("# a.txt\n\nalpha\n\n"));
        assert!(body.text.ends_with("beta\n\nWhy?"));
        let beta = body.text.find("beta").unwrap();
        assert_eq!(body.source(beta..beta + 2), Some(Source { document: 2, bytes: 0..2 }));
        assert_eq!(body.source(beta + 3..beta + 6), Some(Source { document: 2, bytes: 3..4 }));
        assert_eq!(body.source(0..3), None, "a heading belongs to no document");
        let question = body.text.find("Why").unwrap();
        assert_eq!(body.source(question..question + 3), None);
    }

    #[test]
    fn headings_can_be_left_out() {
        let documents = documents();
        assert!(Body::new(&documents, "?", Headings::Never).text.starts_with("alpha"));
        assert!(Body::new(&documents[..1], "?", Headings::Several).text.starts_with("alpha"));
        assert!(Body::new(&documents[..1], "?", Headings::Always).text.starts_with("# a.txt"));
    }
}
