//! Messages of a request as the model's template takes them.

use loci_models::template::{Message, ToolCall};
use serde_json::Value;

use super::chat::{ChatMessage, Content};
use crate::error::ApiError;

/// The messages of a request.
///
/// # Errors
/// [`ApiError`] that names the message at fault.
pub fn messages(given: &[ChatMessage]) -> Result<Vec<Message>, ApiError> {
    if given.is_empty() {
        return Err(ApiError::invalid("empty_messages", "messages is empty; say something").at("messages"));
    }
    given.iter().enumerate().map(|(at, message)| one(at, message)).collect()
}

fn wrong(at: usize, field: &str, what: String) -> ApiError {
    ApiError::invalid("invalid_message", what).at(format!("messages[{at}].{field}"))
}

fn one(at: usize, message: &ChatMessage) -> Result<Message, ApiError> {
    let role = match message.role.as_str() {
        "system" | "developer" => "system",
        role @ ("user" | "assistant" | "tool") => role,
        other => {
            let what = format!("the role {other:?} is not known; use system, user, assistant or tool");
            return Err(wrong(at, "role", what));
        }
    };
    let calls = message.tool_calls.as_ref().filter(|calls| !calls.is_null());
    let calls = calls.map(|calls| self::calls(at, calls)).transpose()?.unwrap_or_default();
    if role != "assistant" && !calls.is_empty() {
        return Err(wrong(at, "tool_calls", "only an assistant's message calls tools".to_owned()));
    }
    let content = match &message.content {
        Some(content) => text(at, content)?,
        None if !calls.is_empty() => String::new(),
        None => return Err(wrong(at, "content", "a message without content says nothing".to_owned())),
    };
    Ok(Message {
        tool_calls: calls,
        tool_call_id: message.tool_call_id.clone(),
        name: message.name.clone(),
        ..Message::new(role, content)
    })
}

fn text(at: usize, content: &Content) -> Result<String, ApiError> {
    let parts = match content {
        Content::Text(text) => return Ok(text.clone()),
        Content::Parts(parts) => parts,
    };
    let mut text = String::new();
    for part in parts {
        match (part.r#type.as_str(), &part.text) {
            ("text" | "input_text" | "output_text", Some(words)) => text.push_str(words),
            (other, _) => {
                let what = format!("a part of type {other:?} is not understood; send text");
                return Err(wrong(at, "content", what));
            }
        }
    }
    Ok(text)
}

fn calls(at: usize, calls: &Value) -> Result<Vec<ToolCall>, ApiError> {
    let form = || {
        let what = "tool_calls is a list of {\"id\", \"function\": {\"name\", \"arguments\"}}";
        wrong(at, "tool_calls", what.to_owned())
    };
    let read = |call: &Value| -> Option<ToolCall> {
        let text = |pointer: &str| Some(call.pointer(pointer)?.as_str()?.to_owned());
        Some(ToolCall {
            id: text("/id").unwrap_or_default(),
            name: text("/function/name")?,
            arguments: text("/function/arguments")?,
        })
    };
    let list = calls.as_array().ok_or_else(form)?;
    list.iter().map(|call| read(call).ok_or_else(form)).collect()
}
