//! What a model with tools reads, and what its answer is held to.

use loci_models::template::{Message, ToolSupport};
use serde_json::{Value, json};

use super::{CLOSE, OPEN, Tool, ToolChoice, refuse};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::grammar::{Form, Grammar};

/// What to give the model.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The conversation, in roles and members that the model's chat template knows.
    pub messages: Vec<Message>,
    /// For [`Input::tools`](crate::Input::tools): empty when the messages hold them already.
    pub tools: Vec<Value>,
    /// For [`GenerateOptions::grammar`](crate::GenerateOptions::grammar).
    pub grammar: Option<Grammar>,
}

/// How tools are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calling {
    /// Whether and what.
    pub choice: ToolChoice,
    /// One answer may hold several calls.
    pub parallel: bool,
    /// The tools are shown in words even if the model's chat template knows them: what it would put before the conversation
    /// was read already.
    pub in_words: bool,
}

impl Default for Calling {
    fn default() -> Self {
        Self { choice: ToolChoice::default(), parallel: true, in_words: false }
    }
}

/// Prepares `messages` for a model with `tools`.
///
/// # Errors
/// [`EngineError::Grammar`] when a tool's schema cannot be compiled or the choice names none of the tools;
/// [`EngineError::Unsupported`] when calls have to be enforced and this build has no grammars.
pub fn plan(
    engine: &Engine,
    messages: &[Message],
    tools: &[Tool],
    calling: &Calling,
) -> Result<Plan, EngineError> {
    let choice = &calling.choice;
    let chosen: Vec<&Tool> = match choice {
        ToolChoice::None => Vec::new(),
        ToolChoice::Auto | ToolChoice::Required => tools.iter().collect(),
        ToolChoice::Named(name) => tools.iter().filter(|tool| tool.name == *name).collect(),
    };
    match choice {
        ToolChoice::Named(name) if chosen.is_empty() => {
            return refuse(format!("tool_choice asks for {name:?}, which is none of the tools"));
        }
        ToolChoice::Required if chosen.is_empty() => {
            return refuse("tool_choice asks for a call, but there are no tools".to_owned());
        }
        _ => {}
    }
    let forced = matches!(choice, ToolChoice::Required | ToolChoice::Named(_));
    let grammar = match chosen.as_slice() {
        [] => None,
        chosen if forced => Some(engine.grammar(&Form::JsonSchema(call_schema(chosen)))?),
        chosen => free_or_call(engine, &call_schema(chosen), calling.parallel)?,
    };
    let support = engine.chat_template().map(|template| template.tool_support()).unwrap_or_default();
    let mut messages = in_known_roles(messages, support);
    let mut listed: Vec<Value> = chosen.iter().map(|tool| tool.to_json()).collect();
    if (calling.in_words || !support.definitions) && !listed.is_empty() {
        let text = instructions(&listed, forced);
        match messages.first_mut().filter(|message| message.role == "system") {
            Some(system) => system.content = format!("{}\n\n{text}", system.content),
            None => messages.insert(0, Message::new("system", text)),
        }
        listed.clear();
    }
    Ok(Plan { messages, tools: listed, grammar })
}

/// The schema of one call of one of `tools`.
fn call_schema(tools: &[&Tool]) -> Value {
    let mut definitions = json!({});
    let mut calls = Vec::with_capacity(tools.len());
    for (index, tool) in tools.iter().enumerate() {
        let place = format!("tool{index}");
        let reference = format!("#/$defs/{place}");
        definitions[place] = moved(&tool.parameters, &reference);
        calls.push(json!({
            "type": "object",
            "properties": {"name": {"const": tool.name}, "arguments": {"$ref": reference}},
            "required": ["name", "arguments"],
            "additionalProperties": false,
        }));
    }
    json!({"anyOf": calls, "$defs": definitions})
}

/// A schema as it stands below `place`: its references begin there.
fn moved(schema: &Value, place: &str) -> Value {
    match schema {
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| match value.as_str() {
                Some(reference) if key == "$ref" && reference.starts_with('#') => {
                    let rest = reference.trim_start_matches('#').trim_end_matches('/');
                    (key.clone(), format!("{place}{rest}").into())
                }
                _ => (key.clone(), moved(value, place)),
            };
            Value::Object(members.iter().map(member).collect())
        }
        Value::Array(items) => items.iter().map(|item| moved(item, place)).collect(),
        other => other.clone(),
    }
}

/// Free text without a call, or text that ends with calls, of which the last is the end of the answer.
#[cfg(feature = "grammar")]
fn free_or_call(engine: &Engine, call: &Value, parallel: bool) -> Result<Option<Grammar>, EngineError> {
    Form::JsonSchema(call.clone()).check()?;
    let repeat = if parallel { "+" } else { "" };
    let call = crate::grammar::in_our_style(call);
    let text = format!(
        "start: FREE | (open call close){repeat}\n\
         FREE: /(?s:.*)/ & ~/(?s:.*){OPEN}(?s:.*)/\n\
         open[lazy]: /(?s:.*){OPEN}\\n/\n\
         call: %json {call}\n\
         close: \"\\n{CLOSE}\"\n"
    );
    engine.compiler().compile_lark(engine.tokenizer()?, text).map(Some)
}

/// Without grammars the model is free, and what it wrote is looked through afterwards.
#[cfg(not(feature = "grammar"))]
fn free_or_call(_engine: &Engine, _call: &Value, _parallel: bool) -> Result<Option<Grammar>, EngineError> {
    Ok(None)
}

/// What a model reads whose template does not know tools.
fn instructions(tools: &[Value], forced: bool) -> String {
    let listed: Vec<String> =
        tools.iter().map(|tool| tool.get("function").unwrap_or(tool).to_string()).collect();
    let listed = listed.join("\n");
    let form = r#"{"name": "NAME", "arguments": {"PARAMETER": VALUE}}"#;
    let how = if forced {
        format!("Answer with one call as JSON and nothing else:\n{form}")
    } else {
        format!("To call one, write\n{OPEN}\n{form}\n{CLOSE}\nWhere no call is needed, answer as usual.")
    };
    format!(
        "You can call the functions below. Each line is one function in JSON, with a JSON schema of its parameters.\n\
         <tools>\n{listed}\n</tools>\n{how}"
    )
}

/// Calls and results as text where the template does not know them: calls in what the assistant said, results in a
/// message of the user, those that follow each other in one.
fn in_known_roles(messages: &[Message], support: ToolSupport) -> Vec<Message> {
    let mut out: Vec<Message> = Vec::with_capacity(messages.len());
    let mut results = false;
    for message in messages {
        if message.role == "tool" && !support.results {
            let text = format!("<tool_response>\n{}\n</tool_response>", message.content);
            match out.last_mut().filter(|_| results) {
                Some(last) => last.content = format!("{}\n{text}", last.content),
                None => out.push(Message::new("user", text)),
            }
            results = true;
            continue;
        }
        results = false;
        let mut message = message.clone();
        if !message.tool_calls.is_empty() && !support.calls {
            for call in std::mem::take(&mut message.tool_calls) {
                if !message.content.is_empty() {
                    message.content.push('\n');
                }
                let arguments =
                    serde_json::from_str(&call.arguments).unwrap_or(Value::String(call.arguments));
                let call = json!({"name": call.name, "arguments": arguments});
                message.content.push_str(&format!("{OPEN}\n{call}\n{CLOSE}"));
            }
        }
        out.push(message);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use loci_models::template::ToolCall;

    #[test]
    fn references_move_with_their_schema() {
        let schema = json!({"properties": {"a": {"$ref": "#/$defs/b"}, "c": {"items": [{"$ref": "#"}]}}});
        let expected = json!({"properties": {
            "a": {"$ref": "#/$defs/tool0/$defs/b"}, "c": {"items": [{"$ref": "#/$defs/tool0"}]}}});
        assert_eq!(moved(&schema, "#/$defs/tool0"), expected);
    }

    #[test]
    fn calls_and_results_become_text_only_where_the_template_does_not_know_them() {
        let mut called = Message::new("assistant", "I look.");
        let arguments = r#"{"city": "Rome"}"#.to_owned();
        called.tool_calls = vec![ToolCall { id: "1".to_owned(), name: "weather".to_owned(), arguments }];
        let messages = [
            Message::new("user", "Weather?"),
            called,
            Message::new("tool", "rain"),
            Message::new("tool", "wind"),
        ];
        let plain = in_known_roles(&messages, ToolSupport::default());
        let roles: Vec<_> = plain.iter().map(|message| message.role.as_str()).collect();
        assert_eq!(roles, ["user", "assistant", "user"]);
        assert_eq!(
            plain[1].content,
            "I look.\n<tool_call>\n{\"name\":\"weather\",\"arguments\":{\"city\":\"Rome\"}}\n</tool_call>"
        );
        assert!(plain[1].tool_calls.is_empty());
        assert_eq!(
            plain[2].content,
            "<tool_response>\nrain\n</tool_response>\n<tool_response>\nwind\n</tool_response>"
        );
        let known = ToolSupport { definitions: true, calls: true, results: true };
        assert_eq!(in_known_roles(&messages, known), messages);
    }
}
