//! Answers held to a form: random models under a list of schemas, hostile forms, and the real model.
#![cfg(feature = "grammar")]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common;
use crate::common::{engine, read, session, tokens};
use loci_engine::generate::generate;
use loci_engine::grammar::MAX_TEXT;
use loci_engine::{Control, Engine, EngineError, Finish, Form, GenerateOptions, LanguageModel, LocalModel};
use loci_kernels::Pool;
use loci_models::sampling::{Sampler, SamplerConfig};
use loci_models::template::Message;
use loci_testing::{Numbers, real_model};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The most likely tokens of all texts are letters and marks; logits at random otherwise.
fn logits(size: usize, numbers: &mut Numbers) -> Vec<f32> {
    (0..size).map(|_| 4.0 * numbers.value()).collect()
}

/// What a random model writes under `form`, `None` when it has not ended after `limit` tokens.
fn random_text(engine: &Engine, form: &Form, seed: u64, limit: usize) -> Option<String> {
    let tokenizer = engine.tokenizer().unwrap();
    let grammar = engine.grammar(form).unwrap();
    let config = SamplerConfig { temperature: 1.0, seed, ..SamplerConfig::default() };
    let mut sampler =
        Sampler::new(config).unwrap().with_constraint(grammar.constraint().unwrap(), tokenizer.ends());
    let mut numbers = Numbers::new(seed);
    let mut drawn = Vec::new();
    while drawn.len() < limit {
        let mut logits = logits(tokenizer.vocab_size(), &mut numbers);
        // Ends and closing marks are welcome, so that texts end.
        for id in tokenizer.ends().iter().copied().chain(b"\"]}".map(u32::from)) {
            logits[id as usize] += 3.0;
        }
        let token = sampler.sample(&mut logits, &[]).unwrap();
        if tokenizer.is_end(token) {
            return Some(String::from_utf8(bytes(engine, &drawn)).unwrap());
        }
        drawn.push(token);
        if sampler.is_complete() {
            return Some(String::from_utf8(bytes(engine, &drawn)).unwrap());
        }
    }
    None
}

fn bytes(engine: &Engine, tokens: &[u32]) -> Vec<u8> {
    let tokenizer = engine.tokenizer().unwrap();
    tokens.iter().flat_map(|id| tokenizer.bytes_of(*id).expect("text only").to_vec()).collect()
}

type Fits = fn(&Value) -> bool;

/// Schemas, each with a judgement of its own.
fn schemas() -> Vec<(Value, Fits)> {
    vec![
        (json!({"enum": ["red", "green", 3, null]}), |value| {
            [json!("red"), json!("green"), json!(3), Value::Null].contains(value)
        }),
        (json!({"type": "integer", "minimum": -7, "maximum": 123}), |value| {
            // -0 is one, too.
            value.as_f64().is_some_and(|number| number.fract() == 0.0 && (-7.0..=123.0).contains(&number))
        }),
        (json!({"type": "string", "pattern": "^[a-c]{2,4}$"}), |value| {
            value.as_str().is_some_and(|text| {
                (2..=4).contains(&text.len()) && text.bytes().all(|byte| (b'a'..=b'c').contains(&byte))
            })
        }),
        (json!({"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3}), |value| {
            value
                .as_array()
                .is_some_and(|items| (1..=3).contains(&items.len()) && items.iter().all(Value::is_boolean))
        }),
        (
            json!({
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 5},
                    "age": {"type": "integer", "minimum": 0, "maximum": 9},
                    "tags": {"type": "array", "items": {"enum": ["x", "y"]}, "maxItems": 2},
                },
                "required": ["name", "age"],
                "additionalProperties": false,
            }),
            |value| {
                let members = value.as_object().unwrap();
                let names: Vec<_> = members.keys().map(String::as_str).collect();
                // In the order of the schema.
                [vec!["name", "age"], vec!["name", "age", "tags"]].contains(&names)
                    && value["name"].as_str().is_some_and(|name| name.chars().count() <= 5)
                    && value["age"].as_i64().is_some_and(|age| (0..=9).contains(&age))
            },
        ),
        (
            json!({
                "$defs": {"tree": {
                    "type": "object",
                    "properties": {"leaf": {"type": "null"}, "left": {"anyOf": [{"$ref": "#/$defs/tree"}, {"const": 0}]}},
                    "required": ["leaf"],
                    "additionalProperties": false,
                }},
                "$ref": "#/$defs/tree",
            }),
            |value| {
                fn tree(value: &Value) -> bool {
                    value.as_object().is_some_and(|members| {
                        members.get("leaf") == Some(&Value::Null)
                            && members.get("left").is_none_or(|left| *left == json!(0) || tree(left))
                            && members.len() <= 2
                    })
                }
                tree(value)
            },
        ),
        (
            json!({"allOf": [
                {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"type": "object", "properties": {"a": {"minimum": 5, "maximum": 6}}, "additionalProperties": false},
            ]}),
            |value| [json!({"a": 5}), json!({"a": 6})].contains(value),
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn a_random_model_never_leaves_the_schema(seed: u64) {
        let engine = engine();
        for (schema, fits) in schemas() {
            let Some(text) = random_text(&engine, &Form::JsonSchema(schema.clone()), seed, 400) else { continue };
            let value: Value = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{text:?} is no JSON ({error}) under {schema}"));
            prop_assert!(fits(&value), "{} under {}", text, schema);
        }
    }
}

#[test]
fn every_schema_of_the_list_is_finished_by_some_random_model() {
    let engine = engine();
    for (schema, _) in schemas() {
        let form = Form::JsonSchema(schema.clone());
        assert!((0..20).any(|seed| random_text(&engine, &form, seed, 400).is_some()), "{schema}");
    }
}

#[test]
fn grammars_and_expressions_hold_and_are_written_in_one_style() {
    let engine = engine();
    let lark = Form::Lark("start: \"<\" name \">\"\nname: /[ab]{1,3}/ | \"c\" name \"c\"".to_owned());
    let regex = Form::Regex("x+/[0-9]{3}".to_owned());
    for seed in 0..20 {
        if let Some(text) = random_text(&engine, &lark, seed, 100) {
            let inner = text.strip_prefix('<').unwrap().strip_suffix('>').unwrap();
            assert!((1..=3).contains(&inner.trim_matches('c').len()), "{text}");
        }
        let text = random_text(&engine, &regex, seed, 100).unwrap();
        let (start, digits) = text.split_once('/').unwrap();
        assert!(start.bytes().all(|byte| byte == b'x') && digits.parse::<u32>().is_ok() && digits.len() == 3);
    }
    let constant = Form::JsonSchema(json!({"const": {"a": [1, {"b": null}], "c": "é\""}}));
    let text = random_text(&engine, &constant, 1, 100).unwrap();
    assert_eq!(text, r#"{"a": [1, {"b": null}], "c": "é\""}"#);
    let object = (0..20).find_map(|seed| random_text(&engine, &Form::JsonObject, seed, 200)).unwrap();
    assert!(serde_json::from_str::<Value>(&object).unwrap().is_object(), "{object}");
}

fn refusal(form: Form) -> String {
    let started = Instant::now();
    let error = engine().grammar(&form).expect_err("refused");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(matches!(error, EngineError::Grammar { .. }), "{error}");
    error.to_string()
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (schema, named) in [
        (json!({"type": "array", "uniqueItems": true}), "uniqueItems"),
        (json!({"not": {"type": "string"}}), "not"),
        (json!({"type": "object", "properties": {"a": {"type": "string", "format": "colour"}}}), "colour"),
        (json!({"type": "text"}), "text"),
        (json!({"type": "integer", "minimum": 5, "maximum": 3}), "minimum (5)"),
        (json!({"$ref": "#/$defs/missing"}), "#/$defs/missing"),
        (json!({"$ref": "https://example.org/schema"}), "example.org"),
        (json!({"type": "string", "pattern": "(a"}), "unclosed group"),
        (json!({"x-guidance": {"lenient": true}, "not": {}}), "x-guidance"),
        (json!([1]), "must be an object"),
        (json!(false), "nsatisfiable"),
    ] {
        let message = refusal(Form::JsonSchema(schema.clone()));
        assert!(message.contains(named), "{schema}: {message}");
        assert!(!message.contains("backtrace"), "{message}");
    }
    assert!(refusal(Form::Lark("start: missing".to_owned())).contains("missing"));
    assert!(refusal(Form::Lark("start: %json {\"not\": {}}".to_owned())).contains("%json"));
    assert!(refusal(Form::Regex("a(".to_owned())).contains("unclosed group"));
    assert!(refusal(Form::Regex("(?=a)b".to_owned())).contains("look"));
}

/// `count` definitions, each made by `definition` from a reference to the next.
fn chain(count: usize, definition: impl Fn(Value) -> Value) -> Value {
    let place = |index: usize| format!("d{index}");
    let next = |index: usize| match index < count {
        true => json!({"$ref": format!("#/$defs/{}", place(index))}),
        false => json!({"type": "null"}),
    };
    let definitions: serde_json::Map<_, _> =
        (0..count).rev().map(|index| (place(index), definition(next(index + 1)))).collect();
    json!({"$ref": "#/$defs/d0", "$defs": definitions})
}

#[test]
fn hostile_schemas_are_refused_or_compiled_in_bounded_time() {
    let mut deep = json!({"type": "null"});
    for _ in 0..200 {
        deep = json!({"type": "array", "items": deep});
    }
    assert!(refusal(Form::JsonSchema(deep)).contains("64 levels"));
    let objects: serde_json::Map<_, _> =
        (0..2_000).map(|index| (format!("p{index}"), json!({"type": "string"}))).collect();
    assert!(refusal(Form::JsonSchema(json!({"properties": objects}))).contains("1000 objects"));
    let values: Vec<_> = (0..60_000).collect();
    assert!(refusal(Form::JsonSchema(json!({"enum": values}))).contains("50000 values"));
    assert!(
        refusal(Form::JsonSchema(chain(300, |next| json!({"anyOf": [{"items": next}]}))))
            .contains("levels deep")
    );
    // Each step of these doubles what is compared, or more.
    let doubling = |next: Value| {
        json!({"allOf": [
            {"anyOf": [next, {"type": "object", "properties": {"q": next}}]},
            {"type": "object", "properties": {"title": next}},
        ]})
    };
    assert!(refusal(Form::JsonSchema(chain(20, doubling))).contains("merging"));
    let either = |index: usize| {
        let one = |name: &str| json!({"type": "object", "properties": {format!("{name}{index}"): {}}});
        json!({"anyOf": [one("a"), one("b")]})
    };
    let all: Vec<_> = (0..30).map(either).collect();
    assert!(refusal(Form::JsonSchema(json!({"allOf": all}))).contains("merging"));
    let endless =
        json!({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}, {"type": "object"}]}}, "$ref": "#/$defs/a"});
    assert!(refusal(Form::JsonSchema(endless)).contains("endless"));
    assert!(refusal(Form::Regex("a".repeat(MAX_TEXT + 1))).contains("65536"));
}

#[test]
fn schemas_at_the_limits_compile_without_harm() {
    let engine = engine();
    let patterns: serde_json::Map<_, _> = (0..900)
        .map(|index| {
            (
                format!("p{index}"),
                json!({"type": "string", "pattern": format!("^a{{1,{}}}$", index % 50 + 1)}),
            )
        })
        .collect();
    for form in [
        Form::JsonSchema(json!({"type": "object", "properties": patterns})),
        Form::JsonSchema(chain(
            240,
            |next| json!({"type": "object", "properties": {"a": {"anyOf": [next, {"type": "null"}]}}}),
        )),
        Form::JsonSchema(chain(300, |next| json!({"type": "array", "items": next}))),
        Form::JsonSchema(
            json!({"enum": (0..40_000).map(|index| format!("value {index}")).collect::<Vec<_>>()}),
        ),
        Form::JsonSchema(json!({"type": "string", "pattern": "(((a{1,1000}){1,1000}){1,1000}){1,1000}"})),
        Form::JsonSchema(json!({"type": "array", "minItems": 90_000_000, "items": {"type": "integer"}})),
        Form::Lark(format!("start: {}\"a\"{}", "(".repeat(30_000), ")".repeat(30_000))),
        Form::Regex(format!("{}a{}", "(".repeat(30_000), ")".repeat(30_000))),
        Form::Regex("(a|b)*a(a|b){40}c".to_owned()),
    ] {
        let started = Instant::now();
        if let Ok(grammar) = engine.grammar(&form) {
            // The first mask has limits of its own; an error is an answer.
            let _ = grammar.constraint().unwrap().allowed();
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{:?} for {}", started.elapsed(), form.kind());
    }
}

#[test]
fn an_answer_under_a_grammar_ends_by_itself_and_tells_likelihoods() {
    let engine = engine();
    let mut session = session(&engine, "full");
    read(&mut session, &tokens(40));
    let before = session.logits().unwrap().to_vec();
    let form = Form::JsonSchema(json!({"enum": ["yes", "no"]}));
    for ignore_end in [false, true] {
        let options = GenerateOptions {
            max_tokens: 30,
            ignore_end,
            log_probs: Some(3),
            grammar: Some(engine.grammar(&form).unwrap()),
            sampler: SamplerConfig { temperature: 1.0, frequency_penalty: 2.0, ..SamplerConfig::default() },
            ..GenerateOptions::default()
        };
        let mut session = session.fork().unwrap();
        let mut quiet = |_: &str| ControlFlow::Continue(());
        let generation = generate(&mut session, &options, &mut Control::default(), &mut quiet).unwrap();
        assert!(["\"yes\"", "\"no\""].contains(&generation.text.as_str()), "{}", generation.text);
        assert_eq!(generation.finish, Finish::End);
        assert_eq!(generation.log_probs.len(), generation.tokens.len());
        let written: Vec<u8> =
            generation.log_probs.iter().flat_map(|drawn| drawn.chosen.bytes.clone()).collect();
        assert_eq!(written, generation.text.as_bytes());
        // Of the model itself: the grammar left one token, and yet it is not certain.
        let first = &generation.log_probs[0];
        let sum: f64 = before.iter().map(|logit| f64::from(*logit).exp()).sum();
        let expected = f64::from(before[usize::from(b'"')]) - sum.ln();
        assert!((f64::from(first.chosen.log_prob) - expected).abs() < 1e-4);
        assert_eq!(first.top.len(), 3);
        assert!(first.top.windows(2).all(|pair| pair[0].log_prob >= pair[1].log_prob));
    }
}

#[test]
fn the_real_model_writes_json_that_fits() {
    let Some(path) = real_model() else { return };
    let engine = Arc::new(Engine::open(&path, "real", Arc::new(Pool::new(2))).unwrap());
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 30},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "colours": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "minItems": 1, "maxItems": 2},
        },
        "required": ["name", "age", "colours"],
        "additionalProperties": false,
    });
    let started = Instant::now();
    let grammar = engine.grammar(&Form::JsonSchema(schema)).unwrap();
    eprintln!("first grammar of the real model: {:?}", started.elapsed());
    let started = Instant::now();
    let mut constraint = grammar.constraint().unwrap();
    constraint.allowed().unwrap();
    eprintln!("first mask: {:?}", started.elapsed());
    let mut model = LocalModel::new(engine, common::context("full"));
    let messages = [Message::new("user", "Maria is 34 years old and likes red. Describe her as JSON.")];
    for temperature in [0.0, 1.5] {
        let options = GenerateOptions {
            max_tokens: 80,
            grammar: Some(grammar.clone()),
            sampler: SamplerConfig { temperature, seed: 3, ..SamplerConfig::default() },
            ..GenerateOptions::default()
        };
        let mut quiet = |_: &str| ControlFlow::Continue(());
        let generation = model.chat(&messages, &options, &mut Control::default(), &mut quiet).unwrap();
        eprintln!("{} ({:.0} tokens/s)", generation.text, generation.tokens_per_second());
        assert_eq!(generation.finish, Finish::End);
        let value: Value = serde_json::from_str(&generation.text).unwrap();
        assert!(value["name"].as_str().unwrap().chars().count() <= 30);
        assert!(value["age"].as_u64().unwrap() <= 120);
        let colours = value["colours"].as_array().unwrap();
        assert!((1..=2).contains(&colours.len()));
        assert!(colours.iter().all(|colour| ["red", "green", "blue"].contains(&colour.as_str().unwrap())));
    }
}
