//! Cutting a part of a conversation into fragments.

use std::ops::Range;

use super::cut::{cut, shares};
use super::markers::hint;
use super::schema::Arguments;
use super::segments::{Fragment, Held, View};
use super::{Outcome, Sculpture, Told, near, quoted, whose};

/// The part of a span that stands in one message: bytes of its original text.
type Part = (usize, Range<usize>);

impl Sculpture {
    /// Cuts the text between two markers, both included, and gives each piece an id.
    ///
    /// Inferred, as the paper does not say it: the first place of the start marker counts, and the first place of the end
    /// marker at or behind it, if need be in a later message of the role; what then stands in each message is cut by itself,
    /// and pieces are shared among them by length, so that there must be one for each. Existing fragments inside the part are
    /// cut anew, unless some of their text is hidden; a part that begins or ends inside one would nest them and is refused.
    pub(super) fn fragment(&mut self, arguments: &Arguments<'_>) -> Told {
        let pieces = arguments.whole("num_fragments");
        let parts =
            self.span(arguments.text("start_marker"), arguments.text("end_marker"), arguments.text("role"))?;
        for (message, range) in &parts {
            self.messages.get(*message).map_or(Ok(()), |held| may_cut(held, range))?;
        }
        let lengths: Vec<usize> = parts.iter().map(|part| self.text_of(part).chars().count()).collect();
        let Some(shares) = shares(&lengths, pieces) else {
            return Err(format!(
                "The part runs over {} messages, and fragments do not reach over several; ask for {0} num_fragments or \
                 more (20 at most), or mark a shorter part.",
                parts.len()
            ));
        };
        let cuts: Vec<Vec<Range<usize>>> =
            parts.iter().zip(shares).map(|(part, pieces)| cut(&self.text_of(part), pieces)).collect();
        let count = cuts.iter().map(Vec::len).sum();
        let mut ids = self.ids.take('f', count).ok_or_else(super::no_ids)?.into_iter();
        let mut text = format!("Cut into {count} fragments (id, characters, first words):");
        for (part, ranges) in parts.iter().zip(cuts) {
            let whole = self.text_of(part);
            let mut fragments = Vec::with_capacity(ranges.len());
            for (range, id) in ranges.into_iter().zip(&mut ids) {
                let original = whole.get(range).unwrap_or_default();
                text.push_str(&format!("\n{id} {} {}", original.chars().count(), hint(original)));
                fragments.push(Fragment::new(id, original, View::Full));
            }
            if let Some(held) = self.messages.get_mut(part.0) {
                held.put(&part.1, fragments);
            }
        }
        Ok(Outcome { text, changed: true, failed: false })
    }

    fn text_of(&self, (message, range): &Part) -> String {
        let text = self.messages.get(*message).map(Held::original).unwrap_or_default();
        text.get(range.clone()).unwrap_or_default().to_owned()
    }

    /// What stands from `start_marker` to `end_marker` in messages of `role`: one part a message, none empty.
    fn span(&self, start_marker: &str, end_marker: &str, role: &str) -> Result<Vec<Part>, String> {
        let found = super::as_said(start_marker).into_iter().find_map(|marker| {
            self.of_role(role).find_map(|(message, held)| {
                let start = held.original().find(&marker)?;
                Some((message, start, start + marker.len()))
            })
        });
        let Some((first, start, least)) = found else {
            let near = self.near(role, 0, start_marker);
            return Err(format!("start_marker {} is not in {}.{near}", quoted(start_marker), whose(role)));
        };
        for marker in super::as_said(end_marker) {
            let mut parts = Vec::new();
            for (message, held) in self.of_role(role).skip_while(|(message, _)| *message < first) {
                let text = held.original();
                let from = if message == first { start } else { 0 };
                let behind = text.get(from..).unwrap_or_default();
                let Some(at) = behind.find(&marker) else {
                    parts.extend((!behind.is_empty()).then_some((message, from..text.len())));
                    continue;
                };
                let end = from + at + marker.len();
                let end = if message == first { end.max(least) } else { end };
                parts.push((message, from..end));
                return Ok(parts);
            }
        }
        let near = self.near(role, first, end_marker);
        Err(format!(
            "end_marker {} does not stand at or behind start_marker in {}.{near}",
            quoted(end_marker),
            whose(role)
        ))
    }

    /// The places nearest to a marker that was not found, as the end of an error; only in messages from `first` on.
    pub(super) fn near(&self, role: &str, first: usize, marker: &str) -> String {
        let texts: Vec<_> = self
            .of_role(role)
            .filter(|(message, _)| *message >= first)
            .map(|(_, held)| held.original())
            .collect();
        let near: Vec<String> =
            near::nearest(texts.iter().map(AsRef::as_ref), marker).iter().map(|text| quoted(text)).collect();
        if near.is_empty() {
            return " Copy it exactly from the text.".to_owned();
        }
        format!(" Nearest: {}. Copy it exactly from the text.", near.join(", "))
    }
}

/// Whether `range` of a message can be cut.
fn may_cut(held: &Held, range: &Range<usize>) -> Result<(), String> {
    let touched = held.touched(range);
    let hidden: Vec<&str> = touched
        .iter()
        .filter(|(_, fragment)| fragment.is_hidden())
        .map(|(_, fragment)| fragment.id())
        .collect();
    if !hidden.is_empty() {
        return Err(format!(
            "The part between the markers holds hidden text of {}; call restore_fragment for it first, or give markers \
             of another part.",
            hidden.join(", ")
        ));
    }
    match touched.iter().find(|(own, _)| own.start < range.start || own.end > range.end) {
        Some((_, fragment)) => Err(format!(
            "The part begins or ends inside fragment {}, and fragments cannot be nested; use that fragment, or give markers \
             that stand outside of it.",
            fragment.id()
        )),
        None => Ok(()),
    }
}
