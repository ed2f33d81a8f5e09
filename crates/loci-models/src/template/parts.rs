//! A rendered prompt, cut into notation and data.
//!
//! The template runs twice: with the messages, and with a placeholder in place of each message's content. The second
//! result is cut at the placeholders; when its pieces with the contents between them are exactly the first result,
//! they are the prompt. A template that trims contents is recognised by trying trimmed contents. Anything else
//! (contents repeated, dropped, changed, or steering the template) is refused: it is not known which part of the
//! result is data.

use std::collections::BTreeSet;

use super::tools::Shield;
use super::{ChatTemplate, Message, TemplateError};

/// A stretch of a rendered prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Written by the template: special tokens in it are meant.
    Template(String),
    /// Said by a message: special tokens in it are text.
    Content {
        /// Index of the message.
        index: usize,
        /// Its content, without white space around it when the template trims.
        text: String,
    },
    /// Said by a tool's description or a call: special tokens in it are text.
    Data(String),
}

impl Segment {
    /// The text, whoever wrote it.
    pub fn text(&self) -> &str {
        match self {
            Self::Template(text) | Self::Content { text, .. } | Self::Data(text) => text,
        }
    }
}

impl ChatTemplate {
    /// Renders as [`render`](Self::render) does and tells notation from data. The segments' texts, joined, are what
    /// `render` returns; empty ones are left out.
    ///
    /// # Errors
    /// As `render`, and [`TemplateError::ContentChanged`] when some content does not come back exactly once.
    pub fn render_parts(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<Vec<Segment>, TemplateError> {
        self.render_parts_with(messages, &[], add_generation_prompt)
    }

    /// The same with `tools`, each as OpenAI's interface describes a function. A template that does not know them leaves
    /// them out: see [`tool_support`](Self::tool_support).
    ///
    /// # Errors
    /// As `render_parts`.
    pub fn render_parts_with(
        &self,
        messages: &[Message],
        tools: &[serde_json::Value],
        add_generation_prompt: bool,
    ) -> Result<Vec<Segment>, TemplateError> {
        let shield = self.shield(messages, tools);
        let whole = self.run(messages, tools, add_generation_prompt, shield)?;
        let [marker, ..] = self.unused(messages, tools);
        let marked: Vec<_> = messages
            .iter()
            .enumerate()
            // Templates ask whether there is content at all.
            .map(|(index, message)| match is_blank(message) {
                true => message.clone(),
                false => Message { content: format!("{marker}{index}{marker}"), ..message.clone() },
            })
            .collect();
        let skeleton = self.run(&marked, tools, add_generation_prompt, shield)?;

        let mut segments = Vec::new();
        let mut missing: BTreeSet<_> =
            (0..messages.len()).filter(|index| !is_blank(&messages[*index])).collect();
        let (mut skeleton, mut whole) = (skeleton.as_str(), whole.as_str());
        while let Some((before, index, behind)) = next_place(skeleton, marker) {
            let changed = TemplateError::ContentChanged { index };
            let content = messages.get(index).map_or("", |message| message.content.as_str());
            if !missing.remove(&index) {
                return Err(changed);
            }
            let Some(rest) = whole.strip_prefix(before) else { return Err(changed) };
            // What follows in the skeleton tells a trimmed content from one with its white space.
            let next = behind.split(marker).next().unwrap_or(behind);
            let forms = [content, content.trim(), content.trim_end(), content.trim_start()];
            let found = forms.into_iter().find_map(|form| {
                let rest = rest.strip_prefix(form)?;
                rest.starts_with(next).then_some((form, rest))
            });
            let Some((form, rest)) = found else { return Err(changed) };
            push(&mut segments, Segment::Template(before.to_owned()));
            push(&mut segments, Segment::Content { index, text: form.to_owned() });
            (skeleton, whole) = (behind, rest);
        }
        if let Some(index) = missing.pop_first() {
            return Err(TemplateError::ContentChanged { index });
        }
        if skeleton != whole {
            return Err(TemplateError::ContentChanged { index: messages.len().saturating_sub(1) });
        }
        push(&mut segments, Segment::Template(whole.to_owned()));
        Ok(shield.cut(segments))
    }

    /// Three private-use characters that neither the template nor a message nor a tool contains: a marker, and what a
    /// shield needs.
    fn unused(&self, messages: &[Message], tools: &[serde_json::Value]) -> [char; 3] {
        let tools: Vec<String> = tools.iter().map(ToString::to_string).collect();
        let calls = messages.iter().flat_map(|message| &message.tool_calls);
        let texts: Vec<&str> = [self.source.as_str()]
            .into_iter()
            .chain(tools.iter().map(String::as_str))
            .chain(messages.iter().map(|message| message.content.as_str()))
            .chain(
                messages
                    .iter()
                    .flat_map(|message| [&message.tool_call_id, &message.name])
                    .flatten()
                    .map(String::as_str),
            )
            .chain(calls.flat_map(|call| [call.id.as_str(), call.name.as_str(), call.arguments.as_str()]))
            .collect();
        let used = |symbol: char| texts.iter().any(|text| text.contains(symbol));
        let mut free = ('\u{f0000}'..='\u{ffffd}').filter(|symbol| !used(*symbol));
        [0, 1, 2].map(|_| free.next().unwrap_or('\u{f0000}'))
    }

    pub(super) fn shield(&self, messages: &[Message], tools: &[serde_json::Value]) -> Shield {
        let [_, first, second] = self.unused(messages, tools);
        Shield([first, second])
    }
}

fn is_blank(message: &Message) -> bool {
    message.content.trim().is_empty()
}

/// The first placeholder: what stands before it, its index, what stands behind.
fn next_place(skeleton: &str, marker: char) -> Option<(&str, usize, &str)> {
    let (before, rest) = skeleton.split_once(marker)?;
    let (index, behind) = rest.split_once(marker)?;
    Some((before, index.parse().ok()?, behind))
}

fn push(segments: &mut Vec<Segment>, segment: Segment) {
    if !segment.text().is_empty() {
        segments.push(segment);
    }
}
