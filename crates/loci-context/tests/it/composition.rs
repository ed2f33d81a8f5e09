//! Parts of several methods in one.

use crate::common::specs::EXCHANGED;
use crate::common::{Stream, Weights, ask, build, context, prompt_then_singles};
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

/// Window, sinks and groups of queries that all methods over blocks have.
const AROUND: &str = "window=50,sinks=5,queries=16";

#[test]
fn a_part_works_in_another_method_as_in_its_own() {
    let events = "min_block_size=4,max_block_size=12";
    let same = [
        // From both sides the same recipe.
        (
            format!("inf-llm:{AROUND},top_k=3+segment=surprise:{events}"),
            format!("em-llm:{AROUND},{events}+select=top-blocks:top_k=3"),
        ),
        (
            format!("em-llm:{AROUND},recall=40,contiguity=0.3+segment=fixed:block_size=12"),
            format!("inf-llm:{AROUND},block_size=12+select=similar:recall=40,contiguity=0.3"),
        ),
        (
            format!("inf-llm:{AROUND}+segment=surprise:{events}+select=activation:top_k=6,temperature=0.05"),
            format!("act-qkv:{AROUND},top_k=6,temperature=0.05+segment=em-llm:{events}"),
        ),
        // Back at the method whose parts they are.
        (
            format!("act-qkv:{AROUND},block_size=12+select=top-blocks:top_k=3"),
            format!("inf-llm:{AROUND},block_size=12,top_k=3"),
        ),
        (
            format!("inf-llm:{AROUND}+segment=em-llm:{events}+select=em-llm:recall=40"),
            format!("em-llm:{AROUND},{events},recall=40"),
        ),
    ];
    for (one, other) in same {
        assert_eq!(out(&one, RowType::F32), out(&other, RowType::F32), "{one} and {other}");
    }
}

#[test]
fn an_exchanged_part_changes_what_is_read() {
    // With and without the part, all else alike.
    let inf = format!("inf-llm:{AROUND},top_k=3,block_size=12");
    let em = format!("em-llm:{AROUND},recall=40,min_block_size=4,max_block_size=12");
    for (exchanged, base) in [
        (format!("inf-llm:{AROUND},top_k=3+segment=surprise:min_block_size=4,max_block_size=12"), &inf),
        (format!("inf-llm:{AROUND},block_size=12+select=similar:recall=60"), &inf),
        (format!("inf-llm:{AROUND},block_size=12+select=activation:top_k=4"), &inf),
        (format!("em-llm:{AROUND},recall=40+segment=fixed:block_size=12"), &em),
        (format!("em-llm:{AROUND},min_block_size=4,max_block_size=12+select=top-blocks:top_k=3"), &em),
    ] {
        assert_ne!(out(&exchanged, RowType::F32), out(base, RowType::F32), "{exchanged} and {base}");
    }
}

#[test]
fn top_blocks_of_events_are_whole_events() {
    let stream = Stream::new(SHAPE, N, 6, 3.0);
    let spec = format!("inf-llm:{AROUND},top_k=3+segment=surprise:min_block_size=4,max_block_size=12");
    let cuts = prompt_then_singles(PROMPT, N);
    let mut memory = build(&spec, context(SHAPE, 2));
    stream.run(&mut *memory, &cuts);
    let events = memory.blocks();
    assert!(events.windows(2).any(|pair| pair[0].len() != pair[1].len()), "no fixed blocks: {events:?}");
    let weights = Weights::of(&spec, || context(SHAPE, 2), &stream, &cuts);
    for token in PROMPT..N {
        let read = weights.read(1, token, 2);
        // Events that have surely been cut before this token: no open one is among them.
        let cut = events.iter().filter(|event| event.end + 50 + 12 + 16 < token);
        let recalled: usize = cut
            .map(|event| match read.iter().filter(|row| event.contains(row)).count() {
                0 => 0,
                rows => {
                    assert_eq!(rows, event.len(), "token {token} reads a part of {event:?}");
                    1
                }
            })
            .sum();
        assert!((1..=3).contains(&recalled), "token {token}: {recalled}");
    }
}

/// `row` turned to `position`, in f64.
fn rotated(row: &[f32], position: usize) -> Vec<f64> {
    let half = row.len() / 2;
    let angle = |i: usize| position as f64 * 10_000_f64.powf(-2.0 * i as f64 / row.len() as f64);
    let low =
        (0..half).map(|i| f64::from(row[i]) * angle(i).cos() - f64::from(row[half + i]) * angle(i).sin());
    let high =
        (0..half).map(|i| f64::from(row[half + i]) * angle(i).cos() + f64::from(row[i]) * angle(i).sin());
    low.chain(high).collect()
}

#[test]
fn events_of_long_heads_stand_side_by_side() {
    let stream = Stream::new(SHAPE, N, 6, 3.0);
    let spec = |attention: usize| {
        format!(
            "long-heads:chunk_size=16,attention={attention}+segment=surprise:min_block_size=4,max_block_size=16"
        )
    };
    let cuts = prompt_then_singles(PROMPT, N);
    let mut memory = build(&spec(64), context(SHAPE, 2));
    stream.run(&mut *memory, &cuts[..1]);
    // The first, the previous and the own event: nothing to choose, so choices do not depend on values.
    let weights = Weights::of(&spec(64), || context(SHAPE, 2), &stream, &cuts);
    let d = SHAPE.head_dim;
    for token in PROMPT - 1..N {
        let mut events = memory.blocks();
        assert_eq!(events.last().map(|last| last.end), Some(token));
        // The last one is open, unless it is full.
        events.pop_if(|last| last.len() < 16);
        let [first, .., previous] = events.as_slice() else { panic!("too few events") };
        let expected: Vec<usize> = first.clone().chain(previous.start..token + 1).collect();
        stream.run(&mut *memory, &[token + 1]);
        for (layer, head) in [(0, 0), (1, 3)] {
            let read = weights.read(layer, token, head);
            assert_eq!(read, expected, "token {token}");
            // Every row stands where it has come to stand among those read.
            let row = |numbers: &[f32], heads: usize, token: usize, head: usize| {
                numbers[(token * heads + head) * d..(token * heads + head + 1) * d].to_vec()
            };
            let query = rotated(&row(&stream.q[layer], 4, token, head), read.len() - 1);
            let logit = |(place, position): (usize, &usize)| {
                let key = rotated(&row(&stream.k[layer], 2, *position, head / 2), place);
                query.iter().zip(&key).map(|(q, k)| q * k).sum::<f64>() / (d as f64).sqrt()
            };
            let expected: Vec<f64> = read.iter().enumerate().map(logit).map(f64::exp).collect();
            let sum: f64 = expected.iter().sum();
            for (position, expected) in read.iter().zip(expected) {
                let found = f64::from(weights.row(layer, token, head)[*position]);
                assert!((found - expected / sum).abs() < 1e-5, "token {token}, position {position}: {found}");
            }
        }
    }
    // With more places there is something to choose.
    assert_ne!(out(&spec(96), RowType::F32), out(&spec(64), RowType::F32));
    assert_ne!(out(&spec(96), RowType::F32), out("long-heads:chunk_size=16,attention=96", RowType::F32));
}

#[test]
fn what_is_printed_is_read_again() {
    let joined =
        ["full", "em-llm:gamma=1.5+int4", "snap-kv:budget=60+think:ratio=0.5+f16", "full+random-rows:seed=3"];
    for spec in joined.iter().chain(EXCHANGED).copied().chain(["em-llm + segment=fixed + i4"]) {
        let printed = MethodSpec::parse(spec).unwrap().to_string();
        assert_eq!(MethodSpec::parse(&printed).unwrap().to_string(), printed);
        assert_eq!(printed.matches('+').count(), spec.matches('+').count(), "{printed}");
    }
}

#[test]
fn parts_that_cannot_be_exchanged_are_refused_with_the_reason() {
    for (spec, reason) in [
        // Nobody would read the blocks.
        ("hip-attention+segment=surprise", "cut and read by nobody"),
        ("full+segment=fixed", "cut and read by nobody"),
        ("inf-llm+segment=surprise+select=hip", "the blocks which em-llm cuts would be read by nobody"),
        ("inf-llm+select=hip+segment=surprise", "the blocks which inf-llm cuts would be read by nobody"),
        ("em-llm+select=squeezed", "works on the positions of rows"),
        ("long-heads+select=recycled", "works on the positions of rows"),
        ("snap-kv+select=hip", "neither has blocks"),
        // There is nothing to choose from, or to give.
        ("window+select=top-blocks", "cuts no blocks that inf-llm could choose from"),
        ("inf-llm+segment=hip", "works on rows and cuts no blocks"),
        ("em-llm+segment=long-heads", "use segment=fixed"),
        // Choice, description and distances belong together.
        ("inf-llm+select=per-head", "choice and distances belong together"),
        ("long-heads+select=top-blocks", "described for the query of a single head"),
        // What the method has already, or has not any more.
        ("inf-llm+segment=fixed", "has that part already"),
        ("inf-llm+segment=act-qkv", "has that part already"),
        ("long-heads+segment=fixed", "has that part already"),
        ("long-heads:chunk_size=64+segment=surprise", "max_block_size=64 or less"),
        ("long-heads:chunk_size=128,attention=384+segment=surprise", "attention=512"),
        ("long-heads+segment=surprise:refine=modularity", "use refine=none"),
        ("em-llm+select=em-llm", "give its parameters to em-llm itself"),
        ("full+select=full", "neither has blocks"),
        ("inf-llm:block_size=32+segment=surprise", "block_size belongs to the part that is replaced"),
        ("em-llm:contiguity=0.3+select=top-blocks", "contiguity belongs to the part that is replaced"),
        ("inf-llm+segment=surprise:window=64", "others stand behind inf-llm"),
        ("inf-llm+segment=surprise:gamma=much", "gamma=much"),
        ("inf-llm+segment=surprise+segment=act-qkv", "given twice"),
        ("inf-llm+segment=nothing", "there are: fixed, surprise, inf-llm"),
        ("inf-llm+select=", "there are: top-blocks"),
        // Sizes of two methods must fit, too.
        ("inf-llm:window=64,queries=32+segment=surprise", "max_block_size=64 or less"),
        (
            "inf-llm:window=64,queries=32+segment=surprise:max_block_size=64,min_block_size=65",
            "min_block_size=64",
        ),
        ("inf-llm+select=activation:top_k=4,k_min=3", "k_min=2 or less"),
        ("inf-llm+segment=surprise+think", "unrotated keys"),
    ] {
        let found = refusal(spec);
        assert!(found.contains(reason), "{spec}: {found}");
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
        ("full+nothing", "random-rows, f32, f16, i8, i4, segment=NAME, select=NAME"),
        ("full+i3", "nothing is named \"i3\""),
        ("full+", "could stand behind a +"),
        ("full+think:ratio=2", "ratio"),
    ] {
        let found = refusal(spec);
        assert!(found.contains(reason), "{spec}: {found}");
    }
}
