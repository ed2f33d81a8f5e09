//! Tools from a request to a call: small random models, and the real one.

use crate::common;
use loci_engine::tools::{Calling, Tool, ToolChoice, plan};
use loci_models::template::Message;
use serde_json::{Value, json};

fn tools() -> Vec<Tool> {
    let place = json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 12}},
                       "required": ["name"], "additionalProperties": false});
    Tool::list(&[
        json!({"type": "function", "function": {
            "name": "weather",
            "description": "Tells the weather.",
            "parameters": {
                "type": "object",
                "properties": {"place": {"$ref": "#/$defs/place"}, "unit": {"enum": ["C", "F"]}},
                "required": ["place", "unit"],
                "additionalProperties": false,
                "$defs": {"place": place},
            },
        }}),
        json!({"type": "function", "function": {"name": "now"}}),
    ])
    .unwrap()
}

fn fits(name: &str, arguments: &str) -> bool {
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    match name {
        "now" => arguments == json!({}),
        "weather" => {
            arguments["place"]["name"].as_str().is_some_and(|place| place.chars().count() <= 12)
                && ["C", "F"].contains(&arguments["unit"].as_str().unwrap_or_default())
                && arguments.as_object().is_some_and(|members| members.len() == 2)
        }
        _ => false,
    }
}

fn by(choice: ToolChoice) -> Calling {
    Calling { choice, ..Calling::default() }
}

#[test]
fn a_model_without_a_template_for_tools_reads_them_as_text() {
    let engine = common::engine();
    let messages = [Message::new("system", "Be brief."), Message::new("user", "Rain?")];
    let made = plan(&engine, &messages, &tools(), &by(ToolChoice::None)).unwrap();
    assert_eq!(made.messages, messages);
    assert!(made.grammar.is_none());
    #[cfg(feature = "grammar")]
    {
        let made = plan(&engine, &messages, &tools(), &by(ToolChoice::Auto)).unwrap();
        assert!(made.tools.is_empty() && made.grammar.is_some());
        assert_eq!(made.messages.len(), 2);
        let system = &made.messages[0].content;
        assert!(system.starts_with("Be brief.\n\n") && system.contains("Tells the weather."), "{system}");
        assert!(system.contains("<tool_call>"));
        let forced = plan(&engine, &messages[1..], &tools(), &by(ToolChoice::Named("now".into()))).unwrap();
        assert_eq!(forced.messages[0].role, "system");
        assert!(!forced.messages[0].content.contains("weather"), "only the named one is shown");
    }
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let function = |name: &str, parameters: Value| json!({"type": "function", "function": {"name": name, "parameters": parameters}});
    for (tools, named) in [
        (vec![json!({"type": "retrieval"})], "function"),
        (vec![json!({"type": "function"})], "name"),
        (vec![function("a b", Value::Null)], "a b"),
        (vec![function("a", json!({"type": "string"}))], "object"),
        (vec![function("a", json!([]))], "object"),
        (vec![function("a", Value::Null), function("a", Value::Null)], "two are called a"),
        (vec![function("a", json!({"properties": {"b": {"$ref": "#/$defs/c"}}}))], "#/$defs/c"),
    ] {
        let error = Tool::list(&tools).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    assert!(Tool::list(&vec![function("a", Value::Null); 200]).unwrap_err().to_string().contains("128"));
    assert_eq!(ToolChoice::from_json(&json!("auto")).unwrap(), ToolChoice::Auto);
    let named = json!({"type": "function", "function": {"name": "now"}});
    assert_eq!(ToolChoice::from_json(&named).unwrap(), ToolChoice::Named("now".to_owned()));
    assert!(ToolChoice::from_json(&json!(3)).is_err());
    let engine = common::engine();
    let ask =
        |choice: ToolChoice, tools: &[Tool]| plan(&engine, &[], tools, &by(choice)).unwrap_err().to_string();
    assert!(ask(ToolChoice::Named("other".into()), &tools()).contains("other"));
    assert!(ask(ToolChoice::Required, &[]).contains("no tools"));
}

#[cfg(feature = "grammar")]
mod held {
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use super::*;
    use loci_engine::tools::{CallReader, parse};
    use loci_engine::{Control, Engine, Finish, GenerateOptions, Grammar, Input, LanguageModel, LocalModel};
    use loci_kernels::Pool;
    use loci_models::sampling::SamplerConfig;
    use loci_testing::real_model;

    /// Whether `text` may be written, and whether it may end then.
    fn follow(engine: &Engine, grammar: &Grammar, text: &str) -> (usize, bool) {
        let mut constraint = grammar.constraint().unwrap();
        let tokenizer = engine.tokenizer().unwrap();
        for (at, byte) in text.bytes().enumerate() {
            let token = tokenizer.id_of(&format!("<0x{byte:02X}>")).unwrap();
            if constraint.is_complete() || !constraint.allowed().unwrap().contains(token) {
                return (at, false);
            }
            constraint.accept(token).unwrap();
        }
        (text.len(), constraint.may_end().unwrap())
    }

    #[test]
    fn with_a_free_choice_text_is_free_and_calls_are_held() {
        let engine = common::engine();
        let call = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"place\": {\"name\": \"Rome\"}, \"unit\": \"C\"}}\n</tool_call>";
        for parallel in [true, false] {
            let made = plan(&engine, &[], &tools(), &Calling { parallel, ..Calling::default() }).unwrap();
            let grammar = made.grammar.unwrap();
            let ends = |text: &str| {
                let (taken, end) = follow(&engine, &grammar, text);
                (taken == text.len()).then_some(end)
            };
            assert_eq!(ends(""), Some(true));
            assert_eq!(ends("It is sunny, é <tool_ca {}."), Some(true));
            assert_eq!(ends(call), Some(true));
            assert_eq!(ends(&format!("I look.\n{call}")), Some(true));
            assert_eq!(ends("<tool_call>\n{\"name\": \"weather\""), Some(false));
            assert_eq!(ends("<tool_call>\n{\"name\": \"other"), None);
            assert_eq!(ends("<tool_call>\n{\"name\": \"now\", \"arguments\": {\"x\""), None);
            assert_eq!(ends(&format!("{call}\n{call}")), parallel.then_some(true));
        }
        let forced = plan(&engine, &[], &tools(), &by(ToolChoice::Required)).unwrap().grammar.unwrap();
        assert_eq!(follow(&engine, &forced, "Well").0, 0);
        assert_eq!(follow(&engine, &forced, r#"{"name": "now", "arguments": {}}"#), (32, true));
    }

    #[test]
    fn the_real_model_calls_what_it_has_to() {
        let Some(path) = real_model() else { return };
        let engine = Arc::new(Engine::open(&path, "real", Arc::new(Pool::new(2))).unwrap());
        let messages = [Message::new("user", "What is the weather in Rome, in Celsius?")];
        let names = ["weather", "now"];
        let mut model = LocalModel::new(Arc::clone(&engine), common::context("full"));
        for choice in [ToolChoice::Required, ToolChoice::Named("weather".into()), ToolChoice::Auto] {
            let made = plan(&engine, &messages, &tools(), &by(choice.clone())).unwrap();
            for temperature in [0.0, 1.0] {
                let options = GenerateOptions {
                    max_tokens: 80,
                    grammar: made.grammar.clone(),
                    sampler: SamplerConfig { temperature, seed: 5, ..SamplerConfig::default() },
                    ..GenerateOptions::default()
                };
                let input = Input { tools: &made.tools, ..Input::messages(&made.messages) };
                let mut reader = CallReader::new(names);
                let mut on_text = |text: &str| {
                    reader.push(text);
                    ControlFlow::Continue(())
                };
                let generation =
                    model.answer(&input, &options, &mut Control::default(), &mut on_text).unwrap();
                eprintln!("{choice:?}: {}", generation.text);
                let parsed = parse(&generation.text, &names);
                assert_eq!(reader.finish().calls, parsed.calls);
                assert!(parsed.calls.iter().all(|(name, arguments)| fits(name, arguments)), "{parsed:?}");
                if choice == ToolChoice::Auto {
                    continue;
                }
                assert_eq!(generation.finish, Finish::End);
                assert_eq!(parsed.calls.len(), 1, "{}", generation.text);
            }
        }
    }
}
