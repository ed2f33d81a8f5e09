//! The recipes against independent NumPy references of one layer (`scripts/golden/{inf_llm,lm_infinite}.py`).

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Stream, build, context, prompt_then_singles};
use loci_models::memory::AttentionShape;
use serde_json::Value;

fn number(case: &Value, key: &str) -> usize {
    case[key].as_u64().unwrap_or_else(|| panic!("{key} is missing")) as usize
}

fn check(file: &str, spec: impl Fn(&Value) -> String) {
    let path = format!("{}/tests/fixtures/{file}", env!("CARGO_MANIFEST_DIR"));
    let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 5);
    for case in cases {
        let shape = AttentionShape {
            layers: 1,
            heads: number(case, "heads"),
            kv_heads: number(case, "kv_heads"),
            head_dim: number(case, "head_dim"),
        };
        let n = number(case, "tokens");
        let stream =
            Stream::new(shape, n, number(case, "seed") as u64, case["query_scale"].as_f64().unwrap() as f32);
        let spec = spec(case);
        let mut memory = build(&spec, context(shape, 2));
        let out = stream.run(&mut *memory, &prompt_then_singles(number(case, "prompt"), n));
        let name = case["name"].as_str().unwrap();
        for token in 0..n {
            let found = stream.token(&out, 0, token);
            for (head, row) in found.chunks(shape.head_dim).enumerate() {
                let check: f64 = row
                    .iter()
                    .enumerate()
                    .map(|(i, x)| f64::from(*x) * (i + 1) as f64 / shape.head_dim as f64)
                    .sum();
                let expected = case["checks"][token][head].as_f64().unwrap();
                assert!(
                    (check - expected).abs() < 2e-4,
                    "{name} ({spec}), token {token}, head {head}: {check} for {expected}"
                );
            }
        }
        for (token, expected) in case["outputs"].as_object().unwrap() {
            let found = stream.token(&out, 0, token.parse().unwrap());
            for (x, y) in found.iter().zip(expected.as_array().unwrap()) {
                let y = y.as_f64().unwrap();
                assert!((f64::from(*x) - y).abs() < 1e-4, "{name}, token {token}: {x} for {y}");
            }
        }
    }
}

#[test]
fn inf_llm_equals_its_reference() {
    check("inf_llm.json", |case| {
        format!(
            "inf-llm:sinks={},window={},block_size={},top_k={},repr_top_k={},queries={}",
            case["sinks"],
            case["window"],
            case["block_size"],
            case["top_k"],
            case["representatives"],
            case["exec_block"]
        )
    });
}

#[test]
fn lm_infinite_equals_its_reference() {
    check("lm_infinite.json", |case| {
        format!(
            "lm-infinite:sinks={},window={},top_k={},insert_at={},from_layer=0",
            case["sinks"], case["window"], case["top_k"], case["insert_at"]
        )
    });
}
