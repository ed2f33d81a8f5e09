//! The recipes against independent NumPy references of one or two layers (`scripts/golden/<method>.py`).

use std::sync::Arc;

use crate::common::{Stream, Weights, build, compare_layer, context, fixture, number, prompt_then_singles};
use loci_context::BuildContext;
use loci_context::heads::HeadScores;
use loci_models::memory::AttentionShape;
use serde_json::Value;

/// The layers of a case: a case of one layer holds its outputs itself.
fn layers(case: &Value) -> &[Value] {
    case["layers"].as_array().map_or(std::slice::from_ref(case), Vec::as_slice)
}

fn table<T>(rows: &Value, cell: impl Fn(&Value) -> T) -> Vec<Vec<T>> {
    let row = |row: &Value| row.as_array().unwrap().iter().map(&cell).collect();
    rows.as_array().unwrap().iter().map(row).collect()
}

/// A shape, inputs and a context as a case describes them.
struct Setup {
    name: String,
    stream: Stream,
    cuts: Vec<usize>,
    scores: Option<Arc<HeadScores>>,
}

impl Setup {
    fn new(case: &Value) -> Self {
        let shape = AttentionShape {
            layers: layers(case).len(),
            heads: number(case, "heads"),
            kv_heads: number(case, "kv_heads"),
            head_dim: number(case, "head_dim"),
        };
        let n = number(case, "tokens");
        let scale = case["query_scale"].as_f64().unwrap() as f32;
        let scores = case.get("head_scores").map(|scores| {
            Arc::new(HeadScores::new(table(scores, |score| score.as_f64().unwrap()), shape).unwrap())
        });
        Self {
            name: case["name"].as_str().unwrap().to_owned(),
            stream: Stream::new(shape, n, number(case, "seed") as u64, scale),
            cuts: prompt_then_singles(number(case, "prompt"), n),
            scores,
        }
    }

    fn context(&self) -> BuildContext {
        let mut context = context(self.stream.shape, 2);
        context.heads = self.scores.clone().or(context.heads);
        context
    }
}

fn check(file: &str, spec: impl Fn(&Value) -> String) {
    let fixture = fixture(file);
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 5);
    for case in cases {
        let setup = Setup::new(case);
        let (stream, name, spec) = (&setup.stream, &setup.name, spec(case));
        let out = stream.run(&mut *build(&spec, setup.context()), &setup.cuts);
        for (layer, expected) in layers(case).iter().enumerate() {
            compare_layer(&format!("{name} ({spec}), layer {layer}"), expected, stream, &out[layer]);
        }
    }
}

/// Which rows are read, seen through values that are 1 for one row and 0 for the others.
fn check_reads(file: &str, spec: impl Fn(&Value) -> String) {
    for case in fixture(file)["cases"].as_array().unwrap() {
        let setup = Setup::new(case);
        let heads = setup.stream.shape.heads;
        let found = Weights::of(&spec(case), || setup.context(), &setup.stream, &setup.cuts);
        for (layer, expected) in layers(case).iter().enumerate() {
            for (token, lists) in expected["reads"].as_object().unwrap() {
                let lists = lists.as_array().unwrap();
                for head in 0..heads {
                    // Lists are given for each head or for each kv head.
                    let runs =
                        table(&lists[head * lists.len() / heads], |end| end.as_u64().unwrap() as usize);
                    let wanted: Vec<usize> = runs.iter().flat_map(|run| run[0]..run[1]).collect();
                    let read = found.read(layer, token.parse().unwrap(), head);
                    assert_eq!(read, wanted, "{}, layer {layer}, token {token}, head {head}", setup.name);
                }
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

#[test]
fn long_heads_equals_its_reference() {
    check("long_heads.json", |case| {
        format!(
            "long-heads:chunk_size={},attention={},begin={}",
            case["chunk_size"], case["attention"], case["begin"]
        )
    });
}

fn hip_attention(case: &Value) -> String {
    format!(
        "hip-attention:rows={},queries={},key_block={},stride={},window={},sinks={},dense_layers={},refresh={},sample={}",
        case["rows"],
        case["queries"],
        case["key_block"],
        case["stride"],
        case["window"],
        case["sinks"],
        case["dense_layers"],
        case["refresh"],
        case["sample"].as_str().unwrap()
    )
}

#[test]
fn hip_attention_equals_its_reference() {
    check("hip_attention.json", hip_attention);
}

#[test]
fn hip_attention_reads_what_its_reference_finds() {
    check_reads("hip_attention.json", hip_attention);
}

fn recycled_attention(case: &Value) -> String {
    format!(
        "recycled-attention:rows={},share={},stride={},threshold={},kernel={}",
        case["rows"], case["share"], case["stride"], case["threshold"], case["kernel"]
    )
}

#[test]
fn recycled_attention_equals_its_reference() {
    check("recycled_attention.json", recycled_attention);
}

#[test]
fn recycled_attention_reads_the_lists_of_its_reference() {
    check_reads("recycled_attention.json", recycled_attention);
}

fn duo_attention(case: &Value) -> String {
    format!(
        "duo-attention:sparsity={},sinks={},recent={},queries={},profile={}",
        case["sparsity"],
        case["sinks"],
        case["recent"],
        case["queries"],
        case["profile"].as_str().unwrap()
    )
}

#[test]
fn duo_attention_equals_its_reference() {
    check("duo_attention.json", duo_attention);
}

#[test]
fn duo_attention_reads_the_rows_of_its_reference() {
    check_reads("duo_attention.json", duo_attention);
}

#[test]
fn full_heads_are_those_above_the_quantile() {
    for case in fixture("duo_attention.json")["tables"].as_array().unwrap() {
        let scores = table(&case["head_scores"], |score| score.as_f64().unwrap());
        let shape = AttentionShape {
            layers: scores.len(),
            heads: scores[0].len(),
            kv_heads: scores[0].len(),
            head_dim: 16,
        };
        let sparsity = case["sparsity"].as_f64().unwrap();
        let full = HeadScores::new(scores, shape).unwrap().full_heads(sparsity);
        assert_eq!(full, table(&case["full_heads"], |full| full.as_bool().unwrap()), "sparsity {sparsity}");
    }
}
