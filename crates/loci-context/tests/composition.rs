//! Parts of several methods in one.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_precision_loss)]

mod common;

use common::{Stream, ask, build, context};
use loci_context::{BuildContext, MethodSpec};
use loci_kernels::tiles::RowType;
use loci_models::memory::AttentionShape;

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };
const N: usize = 260;
const PROMPT: usize = 200;

fn out(spec: &str, row_type: RowType) -> Vec<Vec<f32>> {
    let stream = Stream::new(SHAPE, N, 6, 3.0);
    let mut memory = build(spec, BuildContext { row_type, ..context(SHAPE, 2) });
    ask(&stream, &mut *memory, PROMPT - 1)
}

fn refusal(spec: &str) -> String {
    match MethodSpec::parse(spec) {
        Ok(spec) => match spec.build(context(SHAPE, 1)) {
            Ok(_) => panic!("{spec} was built"),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_part_works_as_in_its_own_method() {
    let same = [
        ("full+think:ratio=0.4,recent=12", "think:ratio=0.4,recent=12"),
        ("full+snap-kv:budget=40,window=8", "snap-kv:budget=40,window=8"),
        ("full+random-rows:budget=60", "random-rows:budget=60"),
        (
            "snap-kv:budget=60,window=16+think:ratio=0.4,recent=12",
            "think:ratio=0.4,recent=12,budget=60,window=16",
        ),
    ];
    for (composed, alone) in same {
        assert_eq!(out(composed, RowType::F32), out(alone, RowType::F32), "{composed}");
        assert_ne!(out(composed, RowType::F32), out("full", RowType::F32), "{composed}");
    }
}

#[test]
fn a_method_brings_its_number_format() {
    for (spec, plain, rows) in [
        ("duo-attention+int8", "duo-attention", RowType::I8),
        (
            "inf-llm:window=64,queries=32,block_size=16+i4",
            "inf-llm:window=64,queries=32,block_size=16",
            RowType::I4,
        ),
        ("snap-kv:budget=60+think+f16", "snap-kv:budget=60+think", RowType::F16),
    ] {
        assert_eq!(out(spec, RowType::F32), out(plain, rows), "{spec}");
        assert_ne!(out(spec, RowType::F32), out(plain, RowType::F32), "{spec}");
        let of = |spec: &str| {
            let asked = BuildContext { planned_tokens: 4096, ..context(SHAPE, 1) };
            MethodSpec::parse(spec).unwrap().footprint(&asked).unwrap().ram_bytes
        };
        assert!(of(spec) < of(plain), "{spec}");
    }
}

#[test]
fn what_is_printed_is_read_again() {
    for spec in
        ["full", "em-llm:gamma=1.5+int4", "snap-kv:budget=60+think:ratio=0.5+f16", "full+random-rows:seed=3"]
    {
        let printed = MethodSpec::parse(spec).unwrap().to_string();
        assert_eq!(MethodSpec::parse(&printed).unwrap().to_string(), printed);
        assert_eq!(printed.matches('+').count(), spec.matches('+').count(), "{printed}");
    }
}

#[test]
fn what_cannot_go_together_is_refused_with_the_reason() {
    for (spec, reason) in [
        ("em-llm+think", "unrotated keys"),
        ("inf-llm+snap-kv", "unrotated keys"),
        ("window+think", "decides itself which rows stay"),
        ("duo-attention+think", "decides itself which rows stay"),
        ("hip-attention+think", "looks for rows by where they stand"),
        ("snap-kv+snap-kv", "have been chosen already"),
        ("snap-kv+think:budget=100", "have been chosen already"),
        ("full+em-llm", "can only stand in front"),
        ("full+think+snap-kv", "given twice"),
        ("full+i8+i4", "given twice"),
        ("full+nothing", "there is no context method"),
        ("full+", "there is no context method"),
        ("full+think:ratio=2", "ratio"),
    ] {
        let found = refusal(spec);
        assert!(found.contains(reason), "{spec}: {found}");
    }
}
