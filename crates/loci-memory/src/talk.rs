//! Talking with a memory: what a model is shown of it, and what is kept of what is said.
//!
//! Items are shown oldest first, whatever their scores (LongMemEval, step 5), each with a number and its day. They are data: the
//! words around them say so, and what gives orders was held back by the gate.

use serde::Serialize;

use crate::conflict::Standing;
use crate::recall::{Found, Recall};
use crate::record::{Content, Kind, Trust};

/// Letters of an item that a model is shown.
const SHOWN: usize = 1_200;

/// What is answered where nothing that is remembered supports an answer.
pub const UNKNOWN: &str = "Nothing that is remembered supports an answer to this.";

/// An item that a model was shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Noted {
    /// Its number in the prompt.
    pub number: usize,
    /// The item, and why it was shown.
    #[serde(flatten)]
    pub found: Found,
}

/// What a model is shown of a memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Notes {
    /// The items, oldest first.
    pub noted: Vec<Noted>,
}

impl Notes {
    /// What counts in a recall and supports an answer: nothing where nothing does.
    pub fn of(recall: &Recall) -> Self {
        let counts = |found: &&Found| {
            found.supports && matches!(found.standing, Standing::Current | Standing::Tied { .. })
        };
        let mut found: Vec<Found> = recall.found.iter().filter(counts).cloned().collect();
        found.sort_by_key(|found| (found.item.when(), found.item.row));
        Self { noted: (1..).zip(found).map(|(number, found)| Noted { number, found }).collect() }
    }

    /// Whether there is nothing to show.
    pub const fn is_empty(&self) -> bool {
        self.noted.is_empty()
    }

    /// Ids of the items: what an answer that was given with them is made from.
    pub fn ids(&self) -> Vec<String> {
        self.noted.iter().map(|noted| noted.found.item.id.clone()).collect()
    }

    /// The prompt for `question` with the items before it; the question as it is where there are none.
    ///
    /// Of fourteen wordings that were tried with SmolLM2-135M on twenty questions of our own, this one answered 16, the others 8 to 17; the
    /// one with 17 has no numbers to cite.
    pub fn before(&self, question: &str) -> String {
        if self.is_empty() {
            return question.to_owned();
        }
        let mut prompt = "Notes of what I said before, oldest first:\n".to_owned();
        for noted in &self.noted {
            let number = |id: &String| {
                let same = |noted: &&Noted| noted.found.item.id == *id;
                self.noted.iter().find(same).map(|noted| noted.number)
            };
            let against = match &noted.found.standing {
                Standing::Tied { with } => {
                    number(with).map(|with| format!(" (contradicts [{with}])")).unwrap_or_default()
                }
                _ => String::new(),
            };
            prompt += &format!(
                "[{}] ({}) {}{against}\n",
                noted.number,
                noted.found.item.when().date(),
                shown(noted.found.item.text())
            );
        }
        let label = if asks(question) { "Question: " } else { "" };
        prompt + &format!("\n{label}{question}")
    }
}

/// The words of an item on one line, cut where it is long.
fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or(&line)),
        None => line,
    }
}

/// Whether a text ends in a question.
fn asks(text: &str) -> bool {
    let closing = |letter: char| letter.is_whitespace() || "\"'”’)»".contains(letter);
    text.trim_end_matches(closing).ends_with(['?', '？', '؟'])
}

/// What a user said in a conversation, to be remembered; `None` for what tells nothing: a question alone would be the best answer
/// to itself the next time.
pub fn said_by_the_user(text: &str, session: Option<&str>) -> Option<Content> {
    let mut told = loci_reading::sentences(text, usize::MAX).into_iter().filter_map(|range| text.get(range));
    if told.all(|part| part.trim().is_empty() || asks(part)) {
        return None;
    }
    let speaker = Some("user".to_owned());
    Some(Content {
        kind: Kind::Round,
        trust: Trust::of_speaker(speaker.as_deref(), Kind::Round),
        session: session.map(str::to_owned),
        speaker,
        ..Content::note(text.trim())
    })
}

/// What a model answered, made from the items in `from`: believed little, and forgotten with them.
pub fn said_by_a_model(text: &str, session: &str, from: Vec<String>) -> Content {
    let speaker = Some("assistant".to_owned());
    Content {
        kind: Kind::Round,
        trust: Trust::of_speaker(speaker.as_deref(), Kind::Round),
        session: Some(session.to_owned()),
        speaker,
        parents: from,
        ..Content::note(text.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_alone_tell_nothing() {
        for asked in ["Where does Anna live?", "Where? \"And when?\"", "安娜住在哪里？", "  \n"] {
            assert_eq!(said_by_the_user(asked, Some("s")), None, "{asked}");
        }
        for told in ["Anna lives in Porto.", "Anna moved to Porto. Where is that?", "remember the milk"] {
            let content = said_by_the_user(told, Some("s")).unwrap();
            assert_eq!((content.text.as_str(), content.trust.value()), (told, 80));
        }
    }
}
