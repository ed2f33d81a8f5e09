//! A rendered prompt, cut into notation and data.
//!
//! The template runs twice: with the messages, and with a placeholder in place of each message's content. The second
//! result is cut at the placeholders; when its pieces with the contents between them are exactly the first result,
//! they are the prompt. A template that trims contents is recognised by trying trimmed contents. Anything else
//! (contents repeated, dropped, changed, or steering the template) is refused: it is not known which part of the
//! result is data.

use std::collections::BTreeSet;

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
}

impl Segment {
    /// The text, whoever wrote it.
    pub fn text(&self) -> &str {
        match self {
            Self::Template(text) | Self::Content { text, .. } => text,
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
        let whole = self.render(messages, add_generation_prompt)?;
        let marker = self.unused_marker(messages);
        let marked: Vec<_> = messages
            .iter()
            .enumerate()
            // Templates ask whether there is content at all.
            .map(|(index, message)| match is_blank(message) {
                true => message.clone(),
                false => Message::new(message.role.clone(), format!("{marker}{index}{marker}")),
            })
            .collect();
        let skeleton = self.render(&marked, add_generation_prompt)?;

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
        Ok(segments)
    }

    /// A private-use character that neither the template nor a message contains.
    fn unused_marker(&self, messages: &[Message]) -> char {
        let used = |symbol: char| {
            self.source.contains(symbol) || messages.iter().any(|message| message.content.contains(symbol))
        };
        ('\u{f0000}'..='\u{ffffd}').find(|symbol| !used(*symbol)).unwrap_or('\u{f0000}')
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
