//! A message as segments: plain text and fragments.

use std::borrow::Cow;
use std::ops::Range;

use loci_models::template::Message;

use super::markers;

/// How a fragment is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Its text, between markers.
    #[default]
    Full,
    /// A marker alone.
    Folded,
    /// This summary, between markers.
    Summary(String),
}

/// A stretch of a message that can be hidden, shortened and shown again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    id: String,
    original: String,
    view: View,
}

impl Fragment {
    pub(super) fn new(id: String, original: &str, view: View) -> Self {
        Self { id, original: original.to_owned(), view }
    }

    /// Six characters, `f` first.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The text as it was said; nothing ever changes it.
    pub fn original(&self) -> &str {
        &self.original
    }

    /// How it is shown.
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// Whether its text is not shown.
    pub fn is_hidden(&self) -> bool {
        self.view != View::Full
    }

    /// Shows it so; tells whether that is different from before.
    pub(super) fn show(&mut self, view: View) -> bool {
        let changed = self.view != view;
        self.view = view;
        changed
    }
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Plain(String),
    Fragment(Fragment),
}

impl Segment {
    fn original(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Fragment(fragment) => fragment.original(),
        }
    }
}

/// A message whose text is held in segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// All of it but the text.
    frame: Message,
    segments: Vec<Segment>,
}

impl Held {
    pub(super) fn new(mut message: Message) -> Self {
        let text = std::mem::take(&mut message.content);
        Self { frame: message, segments: vec![Segment::Plain(text)] }
    }

    pub(super) fn role(&self) -> &str {
        &self.frame.role
    }

    /// The text as it was said.
    pub(super) fn original(&self) -> Cow<'_, str> {
        match self.segments.as_slice() {
            [segment] => Cow::Borrowed(segment.original()),
            segments => Cow::Owned(segments.iter().map(Segment::original).collect()),
        }
    }

    /// The message as it was said.
    pub(super) fn message(&self) -> Message {
        Message { content: self.original().into_owned(), ..self.frame.clone() }
    }

    /// The message as it is shown, in a conversation with fragments.
    pub(super) fn rendered(&self) -> Message {
        let mut content = String::new();
        for segment in &self.segments {
            markers::render(segment, &mut content);
        }
        Message { content, ..self.frame.clone() }
    }

    pub(super) fn fragments(&self) -> impl Iterator<Item = &Fragment> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Fragment(fragment) => Some(fragment),
            Segment::Plain(_) => None,
        })
    }

    pub(super) fn fragments_mut(&mut self) -> impl Iterator<Item = &mut Fragment> {
        self.segments.iter_mut().filter_map(|segment| match segment {
            Segment::Fragment(fragment) => Some(fragment),
            Segment::Plain(_) => None,
        })
    }

    /// The fragments that have text in `range`, bytes of the original, each with its own bytes.
    pub(super) fn touched(&self, range: &Range<usize>) -> Vec<(Range<usize>, &Fragment)> {
        let mut found = Vec::new();
        let mut end = 0;
        for segment in &self.segments {
            let own = end..end + segment.original().len();
            end = own.end;
            if let Segment::Fragment(fragment) = segment
                && own.start < range.end
                && range.start < own.end
            {
                found.push((own, fragment));
            }
        }
        found
    }

    /// Puts `fragments`, whose originals are the text of `range`, there. Fragments inside the range end; none may reach out
    /// of it.
    pub(super) fn put(&mut self, range: &Range<usize>, fragments: Vec<Fragment>) {
        let mut fragments = Some(fragments);
        let mut segments = Vec::new();
        let plain = |text: Option<&str>, segments: &mut Vec<Segment>| {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                segments.push(Segment::Plain(text.to_owned()));
            }
        };
        let mut end = 0;
        for segment in std::mem::take(&mut self.segments) {
            let start = end;
            end += segment.original().len();
            let outside = end <= range.start || range.end <= start;
            if outside {
                segments.push(segment);
                continue;
            }
            let text = segment.original();
            plain(text.get(..range.start.saturating_sub(start)), &mut segments);
            let new = fragments.take().unwrap_or_default();
            segments.extend(new.into_iter().map(Segment::Fragment));
            if range.end < end {
                plain(text.get(range.end - start..), &mut segments);
            }
        }
        self.segments = segments;
    }
}
