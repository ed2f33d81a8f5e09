//! Tools that a model can call, as OpenAI's interface has them.
//!
//! [`plan`] says what the model reads and what its answer is held to; [`parse`] finds the calls in what it wrote. A model
//! whose chat template knows tools reads them in its own notation, every other one as plain text. Calls are written in
//! Hermes' convention, `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, or, where a call is required, as the bare
//! JSON object.

mod parse;
mod plan;

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::error::EngineError;
use crate::grammar::Form;

pub use parse::{CallReader, Parsed, parse};
pub use plan::{Calling, Plan, plan};

/// What a call begins and ends with.
const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";
/// Most tools of a request, and longest name, as OpenAI has them.
const MAX_TOOLS: usize = 128;
const MAX_NAME: usize = 64;

/// A call as a model writes it; `arguments` is a JSON object.
pub fn written(name: &str, arguments: &str) -> String {
    format!("{OPEN}\n{{\"name\": {}, \"arguments\": {arguments}}}\n{CLOSE}", json!(name))
}

fn refuse<T>(message: String) -> Result<T, EngineError> {
    Err(EngineError::Grammar { kind: "tool", message })
}

/// A function that the model can call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Letters, digits, `_` and `-`; at most 64.
    name: String,
    description: Option<String>,
    /// JSON schema of the arguments, an object.
    parameters: Value,
}

impl Tool {
    /// A tool; without `parameters` it takes none.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] for a name that is not allowed or a schema that is refused.
    pub fn new(
        name: &str,
        description: Option<&str>,
        parameters: Option<Value>,
    ) -> Result<Self, EngineError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
            let name: String = name.chars().take(MAX_NAME).collect();
            return refuse(format!(
                "name {name:?} is not allowed; use up to {MAX_NAME} letters, digits, '_' or '-'"
            ));
        }
        let none = || json!({"type": "object", "properties": {}, "additionalProperties": false});
        let mut parameters = parameters.filter(|value| !value.is_null()).unwrap_or_else(none);
        let Some(schema) = parameters.as_object_mut() else {
            return refuse(format!("the parameters of {name} are no JSON schema of an object"));
        };
        // Arguments are always an object, so a schema that does not say so means one.
        let kind = schema.entry("type").or_insert_with(|| "object".into());
        if kind != "object" {
            return refuse(format!("the parameters of {name} have type {kind}; arguments are an object"));
        }
        Form::JsonSchema(parameters.clone())
            .check()
            .or_else(|error| refuse(format!("parameters of {name}: {error}")))?;
        Ok(Self { name: name.to_owned(), description: description.map(str::to_owned), parameters })
    }

    /// The tools of a request: `{"type": "function", "function": {"name", "description", "parameters"}}` each.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] for another form or kind, for more than 128, and for two of one name.
    pub fn list(tools: &[Value]) -> Result<Vec<Self>, EngineError> {
        if tools.len() > MAX_TOOLS {
            return refuse(format!("there are {}, more than the {MAX_TOOLS} of a request", tools.len()));
        }
        let mut names = HashSet::new();
        let mut list = Vec::with_capacity(tools.len());
        for (index, tool) in tools.iter().enumerate() {
            if tool.get("type").and_then(Value::as_str) != Some("function") {
                return refuse(format!("number {index} is not of type \"function\", the only one there is"));
            }
            let function = tool.get("function").unwrap_or(&Value::Null);
            let Some(name) = function.get("name").and_then(Value::as_str) else {
                return refuse(format!("number {index} has no function.name"));
            };
            let description = function.get("description").and_then(Value::as_str);
            if !names.insert(name) {
                return refuse(format!("two are called {name}"));
            }
            list.push(Self::new(name, description, function.get("parameters").cloned())?);
        }
        Ok(list)
    }

    /// What it is called by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As a request lists it.
    pub fn to_json(&self) -> Value {
        let mut function = json!({"name": self.name});
        if let Some(description) = &self.description {
            function["description"] = description.as_str().into();
        }
        function["parameters"] = self.parameters.clone();
        json!({"type": "function", "function": function})
    }
}

/// Whether and what the model calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// Nothing; the tools are not shown.
    None,
    /// As it likes.
    #[default]
    Auto,
    /// One of the tools.
    Required,
    /// This one.
    Named(String),
}

impl ToolChoice {
    /// The `tool_choice` of a request: a word, or `{"type": "function", "function": {"name"}}`.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] for anything else.
    pub fn from_json(choice: &Value) -> Result<Self, EngineError> {
        match choice.as_str() {
            Some("none") => Ok(Self::None),
            Some("auto") => Ok(Self::Auto),
            Some("required") => Ok(Self::Required),
            _ => match choice.pointer("/function/name").and_then(Value::as_str) {
                Some(name) => Ok(Self::Named(name.to_owned())),
                None => refuse(
                    "tool_choice is \"none\", \"auto\", \"required\" or {\"type\": \"function\", \"function\": \
                     {\"name\": …}}"
                        .to_owned(),
                ),
            },
        }
    }
}
