//! A scripted policy: cut a text into pieces, keep the last ones, fold the rest.
//!
//! It stands in for a model that cannot plan tool calls, so that what folding does to such a model's answers can be measured
//! apart from how well it calls tools. Figures that were made with it have to say so.

use std::collections::VecDeque;

use loci_models::template::Message;
use serde_json::{Value, json};

use super::Outcome;
use super::ids::is_id;

/// Most fragments of a call, as its schema has it.
const MOST_PIECES: usize = 20;

/// Name and arguments of a call.
pub type Call = (&'static str, Value);

/// Yields the calls of the policy one after the other.
#[derive(Clone, Debug)]
pub struct Scripted {
    keep: usize,
    cutting: Cutting,
    folding: VecDeque<String>,
}

#[derive(Clone, Debug)]
enum Cutting {
    /// To be asked for.
    Ahead(Value),
    /// Its result is to come.
    Asked,
    Done,
}

impl Scripted {
    /// Cuts `text`, which stands in a user's message of `messages`, into `pieces` (1 to 20, others are moved there), and
    /// folds all but the last `keep`. `messages` are those of a conversation without fragments.
    ///
    /// Nothing where no user's message holds the text, or it is empty.
    pub fn new(messages: &[Message], text: &str, pieces: usize, keep: usize) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let said = || {
            messages.iter().filter(|message| message.role == "user").map(|message| message.content.as_str())
        };
        let (holding, at) =
            said().enumerate().find_map(|(number, content)| Some((number, content.find(text)?)))?;
        let first = |marker: &str| {
            said().enumerate().find_map(|(number, content)| Some((number, content.find(marker)?)))
        };
        // The longer a marker, the fewer places: the shortest ones that are met first where they should be.
        let ends: Vec<&str> = text
            .char_indices()
            .map(|(at, one)| at + one.len_utf8())
            .filter_map(|end| text.get(..end))
            .collect();
        let start = ends.get(ends.partition_point(|marker| first(marker) != Some((holding, at))))?;
        let tails: Vec<&str> = text.char_indices().rev().filter_map(|(at, _)| text.get(at..)).collect();
        let alone = |marker: &str| text.find(marker).is_some_and(|at| at + marker.len() == text.len());
        let end = tails.get(tails.partition_point(|marker| !alone(marker)))?;
        let arguments = json!({
            "start_marker": start,
            "end_marker": end,
            "num_fragments": pieces.clamp(1, MOST_PIECES),
            "role": "user",
        });
        Some(Self { keep, cutting: Cutting::Ahead(arguments), folding: VecDeque::new() })
    }

    /// The next call, given what the last one came to (nothing before the first); nothing when all is done, or when the text
    /// could not be cut.
    pub fn next(&mut self, last: Option<&Outcome>) -> Option<Call> {
        match std::mem::replace(&mut self.cutting, Cutting::Done) {
            Cutting::Ahead(arguments) => {
                self.cutting = Cutting::Asked;
                return Some(("fragment_context", arguments));
            }
            Cutting::Asked => {
                let last = last.filter(|outcome| !outcome.failed)?;
                self.folding = listed(&last.text).into();
                self.folding.truncate(self.folding.len().saturating_sub(self.keep));
            }
            Cutting::Done => {}
        }
        let id = self.folding.pop_front()?;
        Some(("fold_fragment", json!({"fragment_id": id})))
    }
}

/// The ids of fragments with which lines of a result begin, as a model would read them.
fn listed(result: &str) -> Vec<String> {
    let ids = result.lines().filter_map(|line| line.split(' ').next()).filter(|word| is_id(word, b'f'));
    ids.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sculptor::{Sculpture, View};
    use proptest::prelude::*;

    fn run(messages: &[Message], text: &str, pieces: usize, keep: usize) -> (Sculpture, usize) {
        let mut sculpture = Sculpture::new(messages.to_vec());
        let mut policy = Scripted::new(messages, text, pieces, keep).unwrap();
        let (mut last, mut calls) = (None, 0);
        while let Some((name, arguments)) = policy.next(last.as_ref()) {
            let outcome = sculpture.call(name, &arguments, &mut |_, _| Ok(String::new())).unwrap();
            assert!(outcome.changed && !outcome.failed, "{}", outcome.text);
            last = Some(outcome);
            calls += 1;
        }
        (sculpture, calls)
    }

    #[test]
    fn a_stream_of_updates_is_folded_but_for_its_end() {
        let updates: String = (0..40).map(|update| format!("colour: {}\n", update % 3)).collect();
        let content = format!("Updates follow.\n{updates}What is the colour?");
        let messages = [Message::new("system", "Be brief."), Message::new("user", content.clone())];
        let (sculpture, calls) = run(&messages, &updates, 10, 3);
        assert_eq!(calls, 8);
        let views: Vec<bool> = sculpture.fragments().map(super::super::Fragment::is_hidden).collect();
        assert_eq!(views, [vec![true; 7], vec![false; 3]].concat());
        let all: String = sculpture.fragments().map(super::super::Fragment::original).collect();
        assert_eq!(all, updates, "just the text was cut");
        assert!(sculpture.visible()[1].content.starts_with("Updates follow.\n[folded f"));
        assert!(sculpture.visible()[1].content.ends_with("colour: 0\n[/fragment]What is the colour?"));
        assert!(sculpture.fragments().all(|fragment| !matches!(fragment.view(), View::Summary(_))));
    }

    #[test]
    fn what_cannot_be_cut_ends_it() {
        let messages = [Message::new("assistant", "text")];
        assert!(Scripted::new(&messages, "text", 5, 1).is_none(), "not the user's");
        assert!(Scripted::new(&[], "", 5, 1).is_none());
        let messages = [Message::new("user", "text")];
        let mut policy = Scripted::new(&messages, "text", 5, 1).unwrap();
        assert!(policy.next(None).is_some());
        let failed = Outcome { text: "f1a2b3".to_owned(), changed: false, failed: true };
        assert!(policy.next(Some(&failed)).is_none() && policy.next(None).is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_cut_whole(
            before in "[ab\\né]{0,12}",
            text in "[ab\\né]{1,40}",
            pieces in 0..25_usize,
            keep in 0..6_usize,
        ) {
            let messages = [Message::new("user", "ab"), Message::new("user", format!("{before}{text}"))];
            let (sculpture, _) = run(&messages, &text, pieces, keep);
            let all: String = sculpture.fragments().map(super::super::Fragment::original).collect();
            prop_assert_eq!(all, text);
            let shown = sculpture.fragments().filter(|fragment| !fragment.is_hidden()).count();
            prop_assert_eq!(shown, keep.min(sculpture.fragments().count()));
        }
    }
}
