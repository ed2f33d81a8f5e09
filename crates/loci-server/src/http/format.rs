//! What an answer is held to, and how tokens' likelihoods and calls are told.

use loci_engine::grammar::Form;
use loci_engine::likelihood::{Drawn, Likely};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::state::fresh_id;

/// The form that a `response_format` asks for; `None` for text.
pub(super) fn form(format: Option<&Value>) -> Result<Option<Form>, ApiError> {
    let Some(format) = format.filter(|format| !format.is_null()) else { return Ok(None) };
    let wrong = |message: &str| ApiError::invalid("invalid_value", message).at("response_format");
    match format.get("type").and_then(Value::as_str) {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(Form::JsonObject)),
        // The chat interface wraps the schema, the other one does not.
        Some("json_schema") => {
            let schema = format.pointer("/json_schema/schema").or_else(|| format.get("schema"));
            schema.cloned().map(|schema| Some(Form::JsonSchema(schema))).ok_or_else(|| {
                wrong("json_schema wants the schema: {\"type\":\"json_schema\",\"json_schema\":{\"name\":…,\"schema\":{…}}}")
            })
        }
        // Ours: what no schema can say.
        Some("grammar") => text(format, "grammar").map(|text| Some(Form::Lark(text))),
        Some("regex") => text(format, "regex").map(|text| Some(Form::Regex(text))),
        _ => Err(wrong("the type is text, json_object, json_schema, grammar or regex")),
    }
}

fn text(format: &Value, member: &str) -> Result<String, ApiError> {
    format.get(member).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
        let message = format!("it is given as {{\"type\":\"{member}\",\"{member}\":\"…\"}}");
        ApiError::invalid("invalid_value", message).at("response_format")
    })
}

fn shown(likely: &Likely) -> Value {
    json!({
        "token": String::from_utf8_lossy(&likely.bytes),
        "logprob": likely.log_prob,
        "bytes": likely.bytes,
    })
}

/// Likelihoods as a chat tells them; null where none were asked for.
pub(super) fn chat_likelihoods(drawn: &[Drawn]) -> Option<Value> {
    if drawn.is_empty() {
        return None;
    }
    let content: Vec<Value> = drawn
        .iter()
        .map(|drawn| {
            let mut token = shown(&drawn.chosen);
            token["top_logprobs"] = drawn.top.iter().map(shown).collect();
            token
        })
        .collect();
    Some(json!({ "content": content, "refusal": null }))
}

/// Likelihoods as a completion tells them; `before` bytes of text stand before the first token.
pub(super) fn completion_likelihoods(drawn: &[Drawn], before: usize) -> Option<Value> {
    if drawn.is_empty() {
        return None;
    }
    let name = |likely: &Likely| String::from_utf8_lossy(&likely.bytes).into_owned();
    let mut at = before;
    let mut offsets = Vec::with_capacity(drawn.len());
    for drawn in drawn {
        offsets.push(at);
        at += drawn.chosen.bytes.len();
    }
    let top: Vec<Value> = drawn
        .iter()
        .map(|drawn| drawn.top.iter().map(|likely| (name(likely), json!(likely.log_prob))).collect())
        .map(Value::Object)
        .collect();
    Some(json!({
        "tokens": drawn.iter().map(|drawn| name(&drawn.chosen)).collect::<Vec<_>>(),
        "token_logprobs": drawn.iter().map(|drawn| drawn.chosen.log_prob).collect::<Vec<_>>(),
        "top_logprobs": top,
        "text_offset": offsets,
    }))
}

/// Calls as a message tells them; in a stream each with its number.
pub(super) fn calls(calls: &[(String, String)], numbered: bool) -> Option<Value> {
    if calls.is_empty() {
        return None;
    }
    let list = calls.iter().enumerate().map(|(at, (name, arguments))| {
        let function = json!({ "name": name, "arguments": arguments });
        let mut call = json!({ "id": fresh_id("call_"), "type": "function", "function": function });
        if numbered {
            call["index"] = json!(at);
        }
        call
    });
    Some(list.collect())
}
