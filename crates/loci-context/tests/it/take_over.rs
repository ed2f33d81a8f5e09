//! Rows that another method has made already.

use crate::common::specs::small;
use crate::common::{Stream, ask, build, context};
use loci_context::registry::METHODS;
use loci_models::memory::{AttentionShape, ContextMemory};

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };
const N: usize = 421;
/// Where the prompt ends.
const END: usize = 410;
/// Tokens that another method has read: fewer than there are documents.
const READ: usize = 280;

/// A memory of `spec` that has read `READ` tokens.
fn having_read(spec: &str, stream: &Stream) -> Box<dyn ContextMemory> {
    let mut memory = build(spec, context(stream.shape, 2));
    stream.run(&mut *memory, &[READ]);
    memory
}

#[test]
fn what_is_taken_over_equals_what_is_read() {
    let stream = Stream::new(SHAPE, N, 5, 3.0);
    let full = having_read("full", &stream);
    let mut takers = Vec::new();
    for info in METHODS {
        let spec = small(info);
        let mut memory = build(&spec, context(SHAPE, 2));
        let taken = memory.take_over(full.whole_rows().unwrap(), READ).unwrap();
        assert_eq!(memory.len(), taken, "{spec}");
        if taken == 0 {
            assert!(having_read(&spec, &stream).whole_rows().is_none(), "{spec} gives what it does not take");
            continue;
        }
        takers.push(info.id);
        let mut alone = build(&spec, context(SHAPE, 2));
        assert_eq!(ask(&stream, &mut *memory, END), ask(&stream, &mut *alone, END), "{spec}");
        assert_eq!(memory.report(), alone.report(), "{spec}");
        // Full attention takes over from it as well, until it drops something.
        let mut again = build("full", context(SHAPE, 2));
        let other = having_read(&spec, &stream);
        assert_eq!(again.take_over(other.whole_rows().unwrap(), READ).unwrap(), READ, "{spec}");
        let expected = ask(&stream, &mut *build("full", context(SHAPE, 2)), END);
        assert_eq!(ask(&stream, &mut *again, END), expected, "{spec}");
    }
    let known = [
        "full",
        "random-rows",
        "recycled-attention",
        "squeezed-attention",
        "snap-kv",
        "spec-kv",
        "spec-pc",
        "spec-kv-pc",
        "think",
    ];
    takers.sort_by_key(|id| known.iter().position(|known| known == id));
    assert_eq!(takers, known);
}

#[test]
fn early_layers_take_over_from_the_whole_model() {
    let stream = Stream::new(SHAPE, N, 8, 3.0);
    let full = having_read("full", &stream);
    let early = AttentionShape { layers: 1, ..SHAPE };
    // The first layer of the same stream.
    let first = Stream::new(early, N, 8, 3.0);
    let mut memory = build("full", context(early, 2));
    assert_eq!(memory.take_over(full.whole_rows().unwrap(), READ).unwrap(), READ);
    assert_eq!(ask(&first, &mut *memory, END), ask(&first, &mut *build("full", context(early, 2)), END));
    // The other way round rows are missing.
    let mut whole = build("full", context(SHAPE, 2));
    assert_eq!(whole.take_over(having_read("full", &first).whole_rows().unwrap(), READ).unwrap(), 0);
}

#[test]
fn going_back_behind_what_was_taken_over_works() {
    let stream = Stream::new(SHAPE, N, 6, 3.0);
    let full = having_read("full", &stream);
    for spec in ["full", "recycled-attention:rows=20", "snap-kv:budget=60,window=8"] {
        let mut memory = build(spec, context(SHAPE, 2));
        memory.take_over(full.whole_rows().unwrap(), READ).unwrap();
        stream.run(&mut *memory, &[END]);
        // The giver's rows stay as they are.
        let held = memory.truncate(READ / 2).unwrap();
        assert!(held <= READ / 2, "{spec}");
        let expected = ask(&stream, &mut *build(spec, context(SHAPE, 2)), END);
        assert_eq!(ask(&stream, &mut *memory, END), expected, "{spec}");
    }
    assert_eq!(full.len(), READ);
}

#[test]
fn nothing_is_taken_over_that_would_have_been_read_otherwise() {
    let stream = Stream::new(SHAPE, N, 7, 3.0);
    let full = having_read("full", &stream);
    let taken = |memory: &mut dyn ContextMemory, tokens| {
        memory.take_over(full.whole_rows().unwrap(), tokens).unwrap()
    };
    assert_eq!(
        taken(&mut *build("snap-kv:budget=60,window=8", context(SHAPE, 2)), 50),
        0,
        "its queries are newer"
    );
    assert_eq!(taken(&mut *having_read("full", &stream), READ), 0, "it has read something");
    assert_eq!(taken(&mut *build("full+i8", context(SHAPE, 2)), READ), 0, "other rows");
    let mut stretched = context(SHAPE, 2);
    stretched.schedule = loci_models::rope::RopeSchedule::stock(40_000.0, SHAPE.head_dim).unwrap();
    assert_eq!(taken(&mut *build("full", stretched), READ), 0, "other positions");
    let mut bounded = context(SHAPE, 2);
    bounded.budget = Some(1 << 30);
    assert_eq!(taken(&mut *build("full", bounded), READ), 0, "a budget");
    // Once rows were dropped there is nothing to give.
    let mut dropped = build("snap-kv:budget=60,window=8", context(SHAPE, 2));
    assert!(having_read("snap-kv:budget=60,window=8", &stream).whole_rows().is_some());
    ask(&stream, &mut *dropped, END);
    assert!(dropped.whole_rows().is_none());
}
