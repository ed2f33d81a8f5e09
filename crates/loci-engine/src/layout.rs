//! From documents and messages to tokens that remember where they come from.
//!
//! What the user or a file wrote is always text: a `<|im_end|>` inside a document becomes ordinary characters.
//! Only the chat template's own parts may become special tokens.

mod documents;

use std::ops::Range;

use loci_models::template::{Message, Segment};
use loci_models::tokenizer::{Part, SpecialTokens};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::language_model::Body;
pub use documents::{Headings, documents_prefix, framed, question_about, question_tail, tail};

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
    /// Leading tokens up to the end of the documents; 0 without any. No token reaches over this border, so that they are
    /// the same whatever is asked.
    pub documents: usize,
}

impl Prompt {
    /// Tokens up to and with the last one that has a source; 0 without any.
    fn sources_end(&self) -> usize {
        self.sources.iter().rposition(Option::is_some).map_or(0, |last| last + 1)
    }

    /// This, and behind it the tokens of `rest`.
    #[must_use]
    pub fn followed_by(mut self, rest: &Self) -> Self {
        self.tokens.extend_from_slice(&rest.tokens);
        self.sources.extend_from_slice(&rest.sources);
        self.fixed.extend_from_slice(&rest.fixed);
        self.skipped += rest.skipped;
        self
    }
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
    let whole = located(engine, &Body::Messages(messages), tools, answer_start, shared)?;
    Ok(whole.with_sources_shared())
}

/// The prompt of `body`, where the first `shared` bytes of the text, or of the last message, are the sources of their
/// tokens.
///
/// # Errors
/// As [`conversation`] and [`plain`].
pub(crate) fn located(
    engine: &Engine,
    body: &Body<'_>,
    tools: &[serde_json::Value],
    answer_start: &str,
    shared: usize,
) -> Result<Prompt, EngineError> {
    let inside = |bytes: Range<usize>| (bytes.end <= shared).then_some(Source { document: 0, bytes });
    let start = Part { text: answer_start, special: SpecialTokens::AsText };
    let messages = match *body {
        Body::Messages(messages) => messages,
        Body::Text(text) => {
            // One text: where the answer begins may fall into a token.
            let whole = format!("{text}{answer_start}");
            let parts = [Part { text: &whole, special: SpecialTokens::AsText }];
            return encode(engine, &parts, true, inside, |_| false);
        }
    };
    let last = messages.len().saturating_sub(1);
    let rendered = Rendered::new(engine, messages, tools)?;
    let mut parts = rendered.parts();
    if !answer_start.is_empty() {
        parts.push(start);
    }
    let source = |bytes| {
        let (message, bytes) = rendered.within(bytes)?;
        if message == last { inside(bytes) } else { None }
    };
    // Templates write the beginning-of-sequence token themselves where the model was trained with one.
    let adds_bos = engine.tokenizer()?.adds_bos();
    encode(engine, &parts, adds_bos, source, |bytes| rendered.is_fixed(bytes))
}

/// The prompt of plain text that the model continues; special-token texts in it are ordinary characters. The first
/// `shared` bytes are those that other prompts share.
///
/// # Errors
/// [`EngineError::Tokenizer`] above 2 GiB.
pub fn plain(engine: &Engine, text: &str, shared: usize) -> Result<Prompt, EngineError> {
    Ok(located(engine, &Body::Text(text), &[], "", shared)?.with_sources_shared())
}

/// What the chat template made of messages.
struct Rendered<'m> {
    messages: &'m [Message],
    segments: Vec<Segment>,
    /// Of each content, its bytes in the whole prompt, the message, and the first byte within the message.
    contents: Vec<(Range<usize>, usize, usize)>,
}

impl<'m> Rendered<'m> {
    /// Runs the chat template.
    fn new(
        engine: &Engine,
        messages: &'m [Message],
        tools: &[serde_json::Value],
    ) -> Result<Self, EngineError> {
        let template = engine.chat_template().ok_or_else(|| {
            EngineError::Unsupported(format!(
                "{} has no chat template; use a model tuned for instructions, or continue plain text with loci run --raw",
                engine.name()
            ))
        })?;
        let segments = template.render_parts_with(messages, tools, true)?;
        let (mut contents, mut start) = (Vec::new(), 0);
        for segment in &segments {
            let text = segment.text();
            if let Segment::Content { index, .. } = segment {
                // A template may trim a message, so the piece can begin behind the message's own beginning.
                let offset = messages.get(*index).and_then(|message| message.content.find(text)).unwrap_or(0);
                contents.push((start..start + text.len(), *index, offset));
            }
            start += text.len();
        }
        Ok(Self { messages, segments, contents })
    }

    /// The pieces of the whole prompt.
    fn parts(&self) -> Vec<Part<'_>> {
        let special = |segment: &Segment| match segment {
            Segment::Template(_) => SpecialTokens::Parse,
            Segment::Content { .. } | Segment::Data(_) => SpecialTokens::AsText,
        };
        self.segments.iter().map(|segment| Part { text: segment.text(), special: special(segment) }).collect()
    }

    /// The pieces before byte `at` of the content of message `place`, and those from there on.
    ///
    /// # Errors
    /// [`EngineError::Internal`] when there is no such byte, which the template's own checks exclude.
    fn parts_at(&self, place: usize, at: usize) -> Result<(Vec<Part<'_>>, Vec<Part<'_>>), EngineError> {
        let no_border = || EngineError::Internal("the template hides where the documents end".to_owned());
        let found = self.contents.iter().find(|(_, index, _)| *index == place).ok_or_else(no_border)?;
        let mut border = found.0.start + at.checked_sub(found.2).ok_or_else(no_border)?;
        let (mut before, mut behind) = (Vec::new(), Vec::new());
        for Part { text, special } in self.parts() {
            let (left, right) = text.split_at_checked(border.min(text.len())).ok_or_else(no_border)?;
            border -= left.len();
            before.push(Part { text: left, special });
            behind.push(Part { text: right, special });
        }
        before.retain(|part| !part.text.is_empty());
        behind.retain(|part| !part.text.is_empty());
        Ok((before, behind))
    }

    /// The message that most of `bytes` belongs to, and which bytes of it.
    fn within(&self, bytes: Range<usize>) -> Option<(usize, Range<usize>)> {
        let after = self.contents.partition_point(|(range, ..)| range.end <= bytes.start);
        let (range, message, offset) = self.contents.get(after)?;
        let start = bytes.start.max(range.start);
        let end = bytes.end.min(range.end);
        (start < end).then(|| (*message, start - range.start + offset..end - range.start + offset))
    }

    /// Whether a token has to stay when the prompt is shortened: what the template says, and what a system message says.
    fn is_fixed(&self, bytes: Range<usize>) -> bool {
        // A token without bytes of its own belongs to what follows.
        let message = self.within(bytes.start..bytes.end.max(bytes.start + 1));
        let message = message.and_then(|(message, _)| self.messages.get(message));
        message.is_none_or(|message| message.role == "system")
    }
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
        documents: 0,
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
        let (sources, fixed) = (vec![None; length], vec![false; length]);
        Self { tokens, sources, fixed, ..Self::default() }
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
            documents: positions.partition_point(|at| *at < self.documents),
            tokens,
        }
    }

    /// The first `count` tokens.
    pub(crate) fn first(mut self, count: usize) -> Self {
        self.tokens.truncate(count);
        self.sources.truncate(count);
        self.fixed.truncate(count);
        self.shared = self.shared.min(count);
        self.documents = self.documents.min(count);
        self
    }

    /// The same where what has a source is what other prompts share, and has none any more: only documents are evidence.
    fn with_sources_shared(mut self) -> Self {
        self.shared = self.sources_end();
        self.sources.fill(None);
        self
    }
}
