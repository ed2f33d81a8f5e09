//! The budget against the allocator: nothing that grows with the input may escape the count.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "it/common/mod.rs"]
mod common;

use common::{Stream, context, prompt_then_singles};
use loci_context::registry::METHODS;
use loci_context::{BuildError, MethodSpec};
use loci_kernels::counting::Counting;
use loci_kernels::tiles::RowType;
use loci_models::memory::{AttentionShape, MemoryError};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

const SHAPE: AttentionShape = AttentionShape { layers: 4, heads: 4, kv_heads: 2, head_dim: 32 };
const N: usize = 3000;

/// Methods with parts of others.
const EXCHANGED: &[&str] = &[
    "long-heads:chunk_size=32,attention=256+segment=surprise:min_block_size=8,max_block_size=32",
    "inf-llm:window=256,sinks=16,top_k=8,queries=64+segment=surprise:min_block_size=8,max_block_size=32,refine=modularity",
    "em-llm:window=256,sinks=16,queries=64,recall=128,contiguity=0.3+segment=fixed:block_size=32",
    "em-llm:window=256,sinks=16,queries=64,min_block_size=8,max_block_size=32+select=activation:top_k=8,history=10",
];

/// Small buffers of fixed size that lie beside the counted bytes: tables of angles, lists of tasks.
const SLACK: usize = 64 << 10;

fn spec(id: &str) -> String {
    match id {
        "full" => "full".into(),
        "inf-llm" => "inf-llm:window=256,sinks=16,block_size=32,top_k=8,queries=64".into(),
        // Events of at least 24 tokens, or one choice might touch all pages and none would be cold.
        "em-llm" => "em-llm:window=256,sinks=16,recall=128,min_block_size=24,max_block_size=32,queries=64,\
                     refine=modularity,contiguity=0.3"
            .into(),
        "act-qkv" => "act-qkv:window=256,sinks=16,top_k=8,queries=64,history=10".into(),
        "long-heads" => "long-heads:chunk_size=32,attention=256".into(),
        "duo-attention" => "duo-attention:sinks=16,recent=128".into(),
        "hip-attention" => "hip-attention:rows=128,key_block=1,window=256,dense_layers=1".into(),
        "sir-llm" => "sir-llm:surprising=250,turn=64".into(),
        "snap-kv" | "spec-kv" | "spec-kv-pc" | "think" | "random-rows" => format!("{id}:budget=200"),
        "spec-pc" => "spec-pc:from_layer=0".into(),
        "recycled-attention" | "squeezed-attention" => id.into(),
        _ => format!("{id}:window=256"),
    }
}

// The only test of this binary: others would allocate beside it.
#[test]
fn the_allocators_peak_stays_below_the_budget() {
    let stream = Stream::new(SHAPE, N, 1, 3.0);
    for row_type in [RowType::I8, RowType::I4] {
        METHODS.iter().for_each(|info| check(&spec(info.id), row_type, &stream));
        EXCHANGED.iter().for_each(|spec| check(spec, row_type, &stream));
    }
}

fn check(text: &str, row_type: RowType, stream: &Stream) {
    let spec = MethodSpec::parse(text).unwrap();
    let mut probe = context(SHAPE, 2);
    (probe.row_type, probe.budget, probe.planned_tokens) = (row_type, Some(1), N);
    let Err(BuildError::Memory(MemoryError::Budget { needed, .. })) = spec.build(probe.clone()) else {
        panic!("{text}: a budget of one byte was not refused")
    };
    probe.budget = Some(needed);
    let mut outputs: Vec<Vec<f32>> =
        (0..SHAPE.layers).map(|_| Vec::with_capacity(N * SHAPE.heads * SHAPE.head_dim)).collect();
    let before = ALLOCATOR.live();
    ALLOCATOR.reset_peak();
    let mut memory = spec.build(probe).unwrap();
    let mut from = 0;
    for to in prompt_then_singles(N - 8, N).into_iter().flat_map(|to| {
        let mut cuts: Vec<usize> = if to == N - 9 { (64..to).step_by(64).collect() } else { vec![] };
        cuts.push(to);
        cuts
    }) {
        stream.feed(&mut *memory, from, to, &mut outputs).unwrap();
        from = to;
    }
    let used = ALLOCATOR.peak() - before;
    // Each thread unpacks 4-bit rows into buffers of its own: four tiles of keys and four of values.
    let unpacked =
        if row_type == RowType::I4 { 3 * 8 * 16 * RowType::I8.key_bytes(SHAPE.head_dim) } else { 0 };
    assert!(used <= needed + SLACK + unpacked, "{text}: the peak is {used} bytes, the budget {needed}");
    println!("{text}: budget {needed}, peak {used}");
}
