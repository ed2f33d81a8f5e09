//! Tools in a conversation: what a template can write of them, and how what they say is kept from becoming notation.
//!
//! Descriptions of tools and arguments of calls are data, but templates write them in forms of their own, mostly as JSON,
//! so they cannot be found again in the prompt as contents of messages are. Instead the two characters with which marks
//! such as `<|im_end|>` and `[INST]` begin are replaced before the template runs, and put back afterwards as stretches of
//! their own: a mark that is cut behind its first character is text.

use minijinja::value::{Serde, Value};
use serde_json::Value as Json;

use super::{ChatTemplate, Message, Segment};

/// Beginnings of marks.
const BEGINNINGS: [char; 2] = ['<', '['];

/// A call that the model made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// By which the result names its call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// A JSON object, as text.
    pub arguments: String,
}

/// What a template can write of tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToolSupport {
    /// Which tools there are.
    pub definitions: bool,
    /// Calls that the model made earlier.
    pub calls: bool,
    /// What the tools gave back (messages of role `tool`).
    pub results: bool,
}

impl ChatTemplate {
    /// What the template can write of tools, judged by the names that it uses.
    pub fn tool_support(&self) -> ToolSupport {
        let definitions = self
            .environment
            .get_template("chat")
            .is_ok_and(|template| template.undeclared_variables(false).contains("tools"));
        let source = self.source.as_str();
        ToolSupport {
            definitions,
            calls: source.contains("tool_calls"),
            results: source.contains("\"tool\"") || source.contains("'tool'"),
        }
    }
}

/// The characters that stand for the beginnings of marks while a template runs.
#[derive(Clone, Copy)]
pub(super) struct Shield(pub(super) [char; 2]);

impl Shield {
    pub(super) fn text(self, text: &str) -> String {
        let stand_in = |symbol: char| {
            let index = BEGINNINGS.iter().position(|beginning| *beginning == symbol);
            index.and_then(|index| self.0.get(index)).copied().unwrap_or(symbol)
        };
        text.chars().map(stand_in).collect()
    }

    fn beginning(self, symbol: char) -> Option<char> {
        let index = self.0.iter().position(|stand_in| *stand_in == symbol)?;
        BEGINNINGS.get(index).copied()
    }

    fn json(self, value: &Json) -> Json {
        match value {
            Json::String(text) => Json::String(self.text(text)),
            Json::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Json::Object(members) => {
                Json::Object(members.iter().map(|(key, value)| (self.text(key), self.json(value))).collect())
            }
            other => other.clone(),
        }
    }

    /// The tools as the template gets them.
    pub(super) fn tools(self, tools: &[Json]) -> Value {
        Value::from(Serde(tools.iter().map(|tool| self.json(tool)).collect::<Vec<_>>()))
    }

    /// A message as the template gets it. Members that do not apply are not there, because templates ask for that.
    pub(super) fn message(self, message: &Message) -> Value {
        let mut members =
            vec![("role", message.role.as_str().into()), ("content", message.content.as_str().into())];
        if !message.tool_calls.is_empty() {
            let calls = message.tool_calls.iter().map(|call| self.call(call)).collect::<Vec<_>>();
            members.push(("tool_calls", Value::from(calls)));
        }
        let named = [("tool_call_id", &message.tool_call_id), ("name", &message.name)];
        for (name, value) in named {
            if let Some(value) = value {
                members.push((name, Value::from(self.text(value))));
            }
        }
        Value::from_pairs(members)
    }

    fn call(self, call: &ToolCall) -> Value {
        // Templates write the object themselves; what is no JSON can only stay text.
        let arguments = match serde_json::from_str::<Json>(&call.arguments) {
            Ok(arguments) => Value::from(Serde(self.json(&arguments))),
            Err(_) => Value::from(self.text(&call.arguments)),
        };
        let function =
            Value::from_pairs([("name", Value::from(self.text(&call.name))), ("arguments", arguments)]);
        Value::from_pairs([
            ("id", Value::from(self.text(&call.id))),
            ("type", Value::from("function")),
            ("function", function),
        ])
    }

    /// Puts the beginnings back.
    pub(super) fn restore(self, text: &str) -> String {
        text.chars().map(|symbol| self.beginning(symbol).unwrap_or(symbol)).collect()
    }

    /// Cuts what the template wrote at the beginnings that are data.
    pub(super) fn cut(self, segments: Vec<Segment>) -> Vec<Segment> {
        let mut out = Vec::with_capacity(segments.len());
        for segment in segments {
            let Segment::Template(text) = segment else {
                out.push(segment);
                continue;
            };
            let mut own = String::new();
            for symbol in text.chars() {
                match self.beginning(symbol) {
                    None => own.push(symbol),
                    Some(beginning) => {
                        if !own.is_empty() {
                            out.push(Segment::Template(std::mem::take(&mut own)));
                        }
                        out.push(Segment::Data(beginning.to_string()));
                    }
                }
            }
            if !own.is_empty() {
                out.push(Segment::Template(own));
            }
        }
        out
    }
}
