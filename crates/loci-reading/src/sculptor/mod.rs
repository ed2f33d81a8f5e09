//! A conversation whose text a model manages itself: cut into fragments, hidden, summarised, restored, searched.
//!
//! In a long prompt, old and superseded text disturbs the recall of what is newest, even where everything fits. Sculptor
//! (Li et al., Sculptor: Empowering LLMs with Cognitive Agency via Active Context Management, 2025) gives the model six tools
//! to work on its own context. This is their deterministic part; no model runs here. A loop around it shows the model
//! [`Sculpture::visible`] and [`tools`], gives each call to [`Sculpture::call`], and [pushes](Sculpture::push) the call and
//! its result at the end, where models read best; at most [`MOST_STEPS`] calls a turn.
//!
//! What holds always: tools change no message's place, role or number, only the text inside; originals are kept, so that
//! restoring every fragment gives every byte back; a call that is wrong changes nothing and says what to do; without a call
//! what is visible is what was said. The paper gives the tools' arguments and effects. Wording of markers, where text is cut,
//! and what happens in rare cases are ours; they are marked as inferred where they stand.
//!
//! Hidden text remains: whoever has to forget a message must drop the whole [`Sculpture`], for summaries, the model's own
//! searches and their results repeat text of others.
//!
//! [`first_change`] tells from where a key-value cache has to be read again, [`trajectory`] turns a recorded run into training
//! samples, and [`policy`] drives the tools without a model.

mod cut;
mod fragment;
mod ids;
mod markers;
mod near;
pub mod policy;
pub mod reading;
mod schema;
mod search;
mod segments;
pub mod trajectory;

use loci_engine::EngineError;
use loci_models::template::Message;
use serde_json::Value;

pub use markers::{escape, unescape};
pub use segments::{Fragment, View};

use ids::Ids;
use schema::Arguments;
use search::Hit;
use segments::Held;

/// Most tool calls of one turn, as in the paper.
pub const MOST_STEPS: usize = 20;
/// Where the sequence of ids begins if nobody says so: any number would do.
const SEED: u64 = 61_803;
/// Fragments that an error lists.
const MOST_LISTED: usize = 20;

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the model is told: the text of the tool's message.
    pub text: String,
    /// The visible prompt is another one than before the call.
    pub changed: bool,
    /// The call was wrong (unknown tool or id, bad argument, text not found), and nothing changed.
    pub failed: bool,
}

impl Outcome {
    /// Nothing changed.
    fn read(text: String) -> Self {
        Self { text, changed: false, failed: false }
    }

    fn failed(text: String) -> Self {
        Self { text, changed: false, failed: true }
    }
}

/// An outcome, or what was wrong with the call.
type Told = Result<Outcome, String>;

/// The six tools, as [`Tool::list`](loci_engine::tools::Tool::list) takes them.
pub fn tools() -> Vec<Value> {
    schema::TOOLS.iter().map(schema::Declared::to_json).collect()
}

/// Whether the tool `name` can change the visible prompt; searches, and names of no tool, do not.
pub fn modifies(name: &str) -> bool {
    schema::TOOLS.iter().any(|tool| tool.modifies && tool.name == name)
}

/// A conversation with fragments and search hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sculpture {
    messages: Vec<Held>,
    hits: Vec<Hit>,
    ids: Ids,
}

impl Sculpture {
    /// A conversation in which nothing is cut yet.
    pub fn new(messages: Vec<Message>) -> Self {
        Self::with_seed(messages, SEED)
    }

    /// The same with another sequence of ids. A document that knows the seed knows the ids; it cannot use them, as markers in
    /// it are escaped, but whoever minds gives a secret one.
    pub fn with_seed(messages: Vec<Message>, seed: u64) -> Self {
        Self {
            messages: messages.into_iter().map(Held::new).collect(),
            hits: Vec::new(),
            ids: Ids::new(seed),
        }
    }

    /// Puts a message at the end.
    pub fn push(&mut self, message: Message) {
        self.messages.push(Held::new(message));
    }

    /// The messages as the model is to see them; as they were said while there are no fragments.
    ///
    /// Only their content is rendered: calls and names stay as they are.
    pub fn visible(&self) -> Vec<Message> {
        if self.fragments().next().is_none() {
            return self.originals();
        }
        self.messages.iter().map(Held::rendered).collect()
    }

    /// The messages as they were said.
    pub fn originals(&self) -> Vec<Message> {
        self.messages.iter().map(Held::message).collect()
    }

    /// All fragments in the order of their text.
    pub fn fragments(&self) -> impl Iterator<Item = &Fragment> {
        self.messages.iter().flat_map(Held::fragments)
    }

    /// Runs a tool. `summarise` is given a fragment's original text and the focus, and gives its summary.
    ///
    /// Several calls may follow each other before the prompt is read again: [`visible`](Self::visible) renders the newest state.
    ///
    /// # Errors
    /// Those of `summarise`; then nothing has changed. A wrong call is no error but an [`Outcome`] that says so.
    pub fn call(
        &mut self,
        name: &str,
        arguments: &Value,
        summarise: &mut dyn FnMut(&str, &str) -> Result<String, EngineError>,
    ) -> Result<Outcome, EngineError> {
        let Some(tool) = schema::TOOLS.iter().find(|tool| tool.name == name) else {
            let names: Vec<&str> = schema::TOOLS.iter().map(|tool| tool.name).collect();
            let text = format!("There is no tool {}; there are {}.", quoted(name), names.join(", "));
            return Ok(Outcome::failed(text));
        };
        let told = match tool.check(arguments) {
            Err(text) => Err(text),
            Ok(arguments) => match name {
                "fragment_context" => self.fragment(&arguments),
                "fold_fragment" => self.fold(&arguments),
                "summarize_fragment" => self.summarise(&arguments, summarise)?,
                "restore_fragment" => self.restore(&arguments),
                "search_context" => self.search(&arguments),
                _ => self.detail(&arguments),
            },
        };
        Ok(told.unwrap_or_else(Outcome::failed))
    }

    /// Hides a fragment's text; of one that shows a summary, that too.
    fn fold(&mut self, arguments: &Arguments<'_>) -> Told {
        let fragment = self.named(arguments)?;
        let changed = fragment.show(View::Folded);
        let text = match changed {
            true => format!("Folded {}.", fragment.id()),
            false => format!("{} was folded already; nothing to do.", fragment.id()),
        };
        Ok(Outcome { text, changed, failed: false })
    }

    fn restore(&mut self, arguments: &Arguments<'_>) -> Told {
        let fragment = self.named(arguments)?;
        let changed = fragment.show(View::Full);
        let text = match changed {
            true => format!("Restored {}.", fragment.id()),
            false => format!("{} is shown in full already; nothing to do.", fragment.id()),
        };
        Ok(Outcome { text, changed, failed: false })
    }

    /// Shows a summary of a fragment's original, whatever is shown of it now.
    fn summarise(
        &mut self,
        arguments: &Arguments<'_>,
        summarise: &mut dyn FnMut(&str, &str) -> Result<String, EngineError>,
    ) -> Result<Told, EngineError> {
        let fragment = match self.named(arguments) {
            Ok(fragment) => fragment,
            Err(text) => return Ok(Err(text)),
        };
        let summary = summarise(fragment.original(), arguments.text("focus"))?;
        let summary = summary.trim();
        let id = fragment.id().to_owned();
        if summary.is_empty() {
            return Ok(Err(format!(
                "No summary of {id} was written; try another focus, or call fold_fragment, which loses nothing."
            )));
        }
        let text = format!("{id} now shows a summary of {} characters.", summary.chars().count());
        let changed = fragment.show(View::Summary(summary.to_owned()));
        Ok(Ok(Outcome { text, changed, failed: false }))
    }

    /// The fragment that a call names.
    fn named(&mut self, arguments: &Arguments<'_>) -> Result<&mut Fragment, String> {
        let id = arguments.text("fragment_id");
        let known: Vec<String> =
            self.fragments().map(|fragment| fragment.id().to_owned()).take(MOST_LISTED).collect();
        let found =
            self.messages.iter_mut().flat_map(Held::fragments_mut).find(|fragment| fragment.id() == id);
        found.ok_or_else(|| match known.as_slice() {
            [] => format!(
                "There is no fragment {}: there are none yet. Call fragment_context first.",
                quoted(id)
            ),
            known => format!("There is no fragment {}; there are {}.", quoted(id), known.join(", ")),
        })
    }

    /// The messages that a search or a cut looks at. `all` takes every role, results of tools and instructions included
    /// (inferred).
    fn of_role<'s>(&'s self, role: &'s str) -> impl Iterator<Item = (usize, &'s Held)> {
        self.messages.iter().enumerate().filter(move |(_, held)| role == "all" || held.role() == role)
    }
}

/// Where two visible prompts first differ: message, and byte of its content at a border of characters. Before it a key-value
/// cache holds; nothing where they are the same.
///
/// A message that differs in more than its content, or that only one of them has, differs from its first byte on.
pub fn first_change(before: &[Message], after: &[Message]) -> Option<(usize, usize)> {
    for (at, (one, other)) in before.iter().zip(after).enumerate() {
        let same_frame = one.role == other.role
            && one.name == other.name
            && one.tool_calls == other.tool_calls
            && one.tool_call_id == other.tool_call_id;
        if !same_frame {
            return Some((at, 0));
        }
        if one.content != other.content {
            let same = one
                .content
                .bytes()
                .zip(other.content.bytes())
                .take_while(|(one, other)| one == other)
                .count();
            return Some((
                at,
                one.content.floor_char_boundary(same).min(other.content.floor_char_boundary(same)),
            ));
        }
    }
    (before.len() != after.len()).then(|| (before.len().min(after.len()), 0))
}

/// A text as it may have been said: as it is given, and, if that is different, as it was before it was escaped.
fn as_said(text: &str) -> Vec<String> {
    let mut forms = vec![text.to_owned()];
    let plain = unescape(text);
    if plain != text {
        forms.push(plain);
    }
    forms
}

/// A text as a JSON string, so that it can be copied into the arguments of a call; long ones are cut.
fn quoted(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", Value::from(text.get(..at).unwrap_or_default())),
        None => Value::from(text).to_string(),
    }
}

/// The messages of a role in words.
fn whose(role: &str) -> String {
    if role == "all" { "any message".to_owned() } else { format!("messages of the {role}") }
}

fn no_ids() -> String {
    "There are no ids left; go on with the fragments and matches that there are.".to_owned()
}

#[cfg(test)]
mod tests;
