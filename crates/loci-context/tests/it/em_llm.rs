//! EM-LLM as a memory: golden values from `scripts/golden/em_llm.py`, and what holds for its variants. Its events alone are
//! in `em_llm_events.rs`, its recall alone in `src/select/events/tests.rs`.

use crate::common::{
    Stream, build, chunk_ends, compare_layer, context, fixture, largest_difference, number,
    prompt_then_singles,
};
use loci_context::{BuildError, MethodSpec};
use loci_models::memory::{AttentionShape, MemoryError, Signals};
use serde_json::Value;

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };
const N: usize = 421;

/// The paper's variants and the controls, small.
const VARIANTS: [&str; 7] = [
    "refine=none",
    "refine=modularity",
    "refine=conductance,refine_with_buffer=false",
    "contiguity=0.7",
    "refine=modularity,contiguity=40",
    "split=uniform,contiguity=0.3",
    "split=random,seed=3,refine=conductance,refine_from_layer=0",
];

fn small(variant: &str) -> String {
    format!(
        "em-llm:window=50,sinks=5,recall=40,min_block_size=4,max_block_size=12,queries=16,refine_from_layer=1,\
         {variant}"
    )
}

/// The spec of a golden case.
fn spec(case: &Value) -> String {
    let given = [
        ("sinks", "sinks"),
        ("window", "window"),
        ("recall", "recall"),
        ("split", "split"),
        ("gamma", "gamma"),
        ("min_block_size", "min_size"),
        ("max_block_size", "max_size"),
        ("refine", "refine"),
        ("refine_from_layer", "from_layer"),
        ("refine_with_buffer", "buffer"),
        ("contiguity", "contiguity"),
        ("repr_top_k", "representatives"),
        ("queries", "chunk"),
        ("seed", "split_seed"),
    ];
    let given = given.iter().filter_map(|(name, key)| match &case[*key] {
        Value::Null => None,
        Value::String(word) => Some(format!("{name}={word}")),
        value => Some(format!("{name}={value}")),
    });
    format!("em-llm:{}", given.collect::<Vec<_>>().join(","))
}

#[test]
fn layers_equal_their_reference() {
    let fixture = fixture("em_llm.json");
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 6);
    for case in cases {
        let [layers, heads, kv_heads, head_dim] =
            ["layers", "heads", "kv_heads", "head_dim"].map(|key| number(case, key));
        let shape = AttentionShape { layers, heads, kv_heads, head_dim };
        let n = number(case, "tokens");
        let scale = case["query_scale"].as_f64().unwrap() as f32;
        let stream = Stream::new(shape, n, number(case, "seed") as u64, scale);
        let spec = spec(case);
        let mut memory = build(&spec, context(shape, 2));
        let out = stream.run(&mut *memory, &prompt_then_singles(number(case, "prompt"), n));
        for (layer, out) in out.iter().enumerate() {
            let name = format!("{}, layer {layer} ({spec})", case["name"].as_str().unwrap());
            compare_layer(&name, &case["per_layer"][layer], &stream, out);
        }
    }
}

#[test]
fn surprise_that_is_missing_is_an_error() {
    let mut memory = build(&small("refine=none"), context(SHAPE, 1));
    let [q, kv] = [SHAPE.heads, SHAPE.kv_heads].map(|heads| vec![0.5; 4 * heads * SHAPE.head_dim]);
    let mut out = q.clone();
    memory.begin_chunk(4).unwrap();
    for layer in 0..SHAPE.layers {
        memory.attend(layer, &q, &kv, &kv, &mut out).unwrap();
    }
    assert!(matches!(memory.end_chunk(Signals::default()), Err(MemoryError::Misuse(_))));
}

#[test]
fn equal_events_behave_as_the_blocks_of_inf_llm() {
    let stream = Stream::new(SHAPE, N, 3, 3.0);
    // Chunks as long as a block: what waits outside the window takes what the budget allows for it.
    let ends: Vec<usize> = (16..=N).step_by(16).collect();
    let events =
        "em-llm:split=uniform,min_block_size=16,max_block_size=16,window=48,sinks=16,queries=16,recall=48";
    let inf = "inf-llm:block_size=16,window=48,sinks=16,queries=16,top_k=3";
    let run = |spec: &str, ends: &[usize]| stream.run(&mut *build(spec, context(SHAPE, 2)), ends);
    assert_eq!(run(events, &ends), run(inf, &ends));
    // Token by token: the budget changes by less than half a block either way.
    let ends: Vec<usize> = (1..=N).collect();
    let events =
        "em-llm:split=uniform,min_block_size=8,max_block_size=8,window=40,sinks=5,queries=1,recall=28";
    let inf = "inf-llm:block_size=8,window=40,sinks=5,queries=1,top_k=3";
    assert_eq!(run(events, &ends), run(inf, &ends));
    assert!(
        largest_difference(
            &run(events, &ends),
            &run("inf-llm:window=40,block_size=8,sinks=5,queries=1,top_k=0", &ends)
        ) > 1e-3
    );
}

#[test]
fn a_window_over_everything_is_full_attention_in_all_variants() {
    let stream = Stream::new(SHAPE, N, 4, 3.0);
    let cuts = prompt_then_singles(400, N);
    let full = stream.run(&mut *build("full", context(SHAPE, 2)), &cuts);
    for variant in VARIANTS {
        let spec = format!("em-llm:window=421,{variant}");
        let out = stream.run(&mut *build(&spec, context(SHAPE, 2)), &cuts);
        assert!(largest_difference(&full, &out) < 1e-4, "{spec}");
    }
}

#[test]
fn what_is_recalled_keeps_to_the_budget() {
    let shape = AttentionShape { layers: 1, ..SHAPE };
    // Small queries, so that no weight is rounded to 0.
    let stream = Stream::new(shape, N, 5, 0.5);
    for (contiguity, over) in [("0", 6), ("0.3", 12), ("16", 12)] {
        let spec = format!(
            "em-llm:window=50,sinks=5,recall=40,min_block_size=4,max_block_size=12,queries=16,contiguity={contiguity}"
        );
        let mut memory = build(&spec, context(shape, 2));
        stream.run(&mut *memory, &[300]);
        let mut most = 0;
        for token in 300..N {
            memory.record_evidence(true);
            stream.run(&mut *memory, &[token + 1]);
            most = most.max(memory.report().recalled);
        }
        // Sinks, events, and what waits to become one, for which the budget allows as much as a chunk.
        assert!(most <= 5 + 40 + 16 + over, "{spec}: {most}");
        assert!(most > 5 + 40, "{spec}: {most}");
    }
}

#[test]
fn variants_differ_and_can_be_forked_saved_and_restored() {
    let stream = Stream::new(SHAPE, N, 6, 3.0);
    let mut outputs: Vec<Vec<Vec<f32>>> = Vec::new();
    for variant in VARIANTS {
        let spec = small(variant);
        let whole = stream.run(&mut *build(&spec, context(SHAPE, 2)), &[320, 321, N]);
        let width = SHAPE.heads * SHAPE.head_dim;
        let expected: Vec<Vec<f32>> = whole.iter().map(|layer| layer[320 * width..].to_vec()).collect();
        let mut memory = build(&spec, context(SHAPE, 2));
        stream.run(&mut *memory, &[320]);
        let mut bytes = Vec::new();
        memory.save(&mut bytes).unwrap();
        let mut restored = build(&spec, context(SHAPE, 2));
        restored.load(bytes.into()).unwrap();
        let mut fork = memory.fork().unwrap();
        assert_eq!(expected, stream.run(&mut *memory, &[321, N]), "{spec}");
        assert_eq!(expected, stream.run(&mut *fork, &[321, N]), "{spec} forked");
        assert_eq!(expected, stream.run(&mut *restored, &[321, N]), "{spec} restored");
        // Back to before the answer, and the answer again: the neighbours too must be those of then.
        let mut memory = build(&spec, context(SHAPE, 2));
        stream.run(&mut *memory, &[320]);
        stream.run(&mut *memory, &(321..328).collect::<Vec<_>>());
        assert_eq!(memory.truncate(325).unwrap(), 320);
        assert_eq!(expected, stream.run(&mut *memory, &[321, N]), "{spec} after going back");
        assert!(outputs.iter().all(|other| largest_difference(other, &whole) > 1e-3), "{spec} does nothing");
        outputs.push(whole);
    }
}

#[test]
fn cold_events_change_nothing() {
    let n = 1500;
    let stream = Stream::new(SHAPE, n, 7, 3.0);
    for variant in ["contiguity=0.3", "refine=modularity,refine_from_layer=0"] {
        let spec = format!(
            "em-llm:window=50,sinks=5,recall=48,min_block_size=24,max_block_size=32,queries=16,{variant}"
        );
        let method = MethodSpec::parse(&spec).unwrap();
        let mut free = method.build(context(SHAPE, 2)).unwrap();
        let cuts = prompt_then_singles(n - 20, n);
        let expected = stream.run(&mut *free, &cuts);
        let with_budget = |budget| {
            let mut context = context(SHAPE, 2);
            (context.budget, context.planned_tokens) = (Some(budget), n);
            method.build(context)
        };
        let Err(BuildError::Memory(MemoryError::Budget { needed, .. })) = with_budget(1) else {
            panic!("a budget of one byte was not refused")
        };
        let mut memory = with_budget(needed).unwrap();
        let (mut out, mut from) = (vec![Vec::new(); SHAPE.layers], 0);
        for to in cuts {
            for to in chunk_ends(&*memory, from, to) {
                stream.feed(&mut *memory, from, to, &mut out).unwrap();
                assert!(memory.bytes() <= needed, "{spec}: {} bytes after {to} tokens", memory.bytes());
                from = to;
            }
        }
        assert_eq!(expected, out, "{spec}");
        assert!(memory.bytes() < free.bytes(), "no page is cold: this budget tests nothing");
    }
}
