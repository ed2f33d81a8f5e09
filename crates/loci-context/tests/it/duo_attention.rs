//! What is special to DuoAttention: which heads stream, what they see and what they hold.

use crate::common::{Stream, Weights, build, context, prompt_then_singles};
use loci_context::store::PAGE;
use loci_context::{BuildContext, MethodSpec};
use loci_kernels::tiles::RowType;
use loci_models::memory::AttentionShape;

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };

fn default_context() -> BuildContext {
    context(SHAPE, 2)
}

fn run(spec: &str, stream: &Stream, cuts: &[usize]) -> Vec<Vec<f32>> {
    stream.run(&mut *build(spec, default_context()), cuts)
}

#[test]
fn without_streaming_heads_attention_is_full() {
    let stream = Stream::new(SHAPE, 300, 1, 3.0);
    let cuts = prompt_then_singles(280, 300);
    let full = run("full", &stream, &cuts);
    for profile in ["exact", "released"] {
        let spec =
            |sparsity| format!("duo-attention:sparsity={sparsity},sinks=4,recent=20,profile={profile}");
        assert!(stream.difference(&full, &run(&spec("0"), &stream, &cuts), 0..300) < 1e-5);
        assert!(stream.difference(&full, &run(&spec("0.5"), &stream, &cuts), 280..300) > 0.1);
    }
}

#[test]
fn what_fits_sinks_and_window_is_read_in_full_by_all_heads() {
    // The first query that misses a row comes after sinks, recent rows and itself.
    let (sinks, recent) = (8, 40);
    let stream = Stream::new(SHAPE, 60, 2, 3.0);
    for cuts in [vec![60], prompt_then_singles(30, 60)] {
        let full = run("full", &stream, &cuts);
        for sparsity in ["0.5", "1"] {
            let spec = format!("duo-attention:sparsity={sparsity},sinks={sinks},recent={recent}");
            let out = run(&spec, &stream, &cuts);
            assert!(stream.difference(&full, &out, 0..sinks + recent + 1) < 1e-5);
            assert!(stream.difference(&full, &out, sinks + recent + 1..60) > 1e-4);
        }
    }
}

#[test]
fn a_streaming_head_sees_sinks_and_recent_rows_however_the_text_was_cut() {
    let stream = Stream::new(SHAPE, 180, 3, 3.0);
    let (sinks, recent) = (5, 30);
    let spec = format!("duo-attention:sparsity=1,sinks={sinks},recent={recent},queries=16");
    let singles: Vec<usize> = (1..=180).collect();
    for cuts in [vec![180], singles.clone(), prompt_then_singles(100, 180)] {
        let found = Weights::of(&spec, default_context, &stream, &cuts);
        found.check_against_full(&Weights::of("full", default_context, &stream, &cuts), 0);
        for token in 0..180 {
            let wanted: Vec<usize> =
                (0..=token).filter(|row| *row < sinks || row + recent >= token).collect();
            for (layer, head) in [(0, 0), (1, 3)] {
                assert_eq!(found.read(layer, token, head), wanted, "token {token}");
            }
        }
    }
    let spec = format!("duo-attention:sparsity=0.5,sinks={sinks},recent={recent},queries=16");
    let whole = run(&spec, &stream, &[180]);
    assert!(stream.difference(&whole, &run(&spec, &stream, &singles), 0..180) < 1e-4);
}

#[test]
fn the_share_of_streaming_heads_is_what_was_asked_for() {
    let shape = AttentionShape { layers: 3, heads: 8, kv_heads: 4, head_dim: 16 };
    let stream = Stream::new(shape, 64, 4, 3.0);
    let mut before: Option<Vec<bool>> = None;
    for (sparsity, streaming) in [("0", 0), ("0.01", 1), ("0.25", 3), ("0.5", 6), ("0.75", 9), ("1", 12)] {
        let spec = format!("duo-attention:sparsity={sparsity},sinks=2,recent=10");
        let found = Weights::of(&spec, || context(shape, 2), &stream, &[64]);
        let full: Vec<bool> = (0..shape.layers)
            .flat_map(|layer| (0..shape.heads).map(move |head| (layer, head)))
            .map(|(layer, head)| match found.read(layer, 63, head).len() {
                64 => true,
                13 => false,
                other => panic!("a head that reads {other} rows"),
            })
            .collect();
        let of_group = |pair: &[bool]| pair[0] == pair[1];
        assert!(full.chunks(shape.group()).all(of_group), "heads of a kv head belong together");
        assert_eq!(full.iter().filter(|full| !**full).count() / shape.group(), streaming, "{sparsity}");
        if let Some(before) = before.replace(full.clone()) {
            assert!(before.iter().zip(&full).all(|(before, now)| *before || !now), "the last ones stay");
        }
    }
}

#[test]
fn a_streaming_head_holds_sinks_and_recent_rows_only() {
    let n = 16 * PAGE;
    let stream = Stream::new(SHAPE, n, 5, 3.0);
    let (sinks, recent) = (10, 100);
    let bytes = |sparsity: f64| {
        let spec = format!("duo-attention:sparsity={sparsity},sinks={sinks},recent={recent},queries=32");
        let mut context = context(SHAPE, 1);
        context.row_type = RowType::I8;
        let mut memory = build(&spec, context);
        let mut out = vec![Vec::new(); SHAPE.layers];
        let mut held = Vec::new();
        let mut from = 0;
        for to in (32..=n).step_by(32) {
            stream.feed(&mut *memory, from, to, &mut out).unwrap();
            held.push(memory.bytes());
            from = to;
        }
        held
    };
    let row = 2 * RowType::I8.key_bytes(SHAPE.head_dim);
    let heads = SHAPE.layers * SHAPE.kv_heads;
    let (all, half, none) = (bytes(0.0), bytes(0.5), bytes(1.0));
    for (step, ((all, half), none)) in all.iter().zip(&half).zip(&none).enumerate() {
        let read = (step + 1) * 32;
        assert_eq!(*all, read.div_ceil(PAGE) * PAGE * row * heads);
        // Pages are dropped whole: one is cut at the sinks, one at each end of the recent rows.
        let held = none / (row * heads);
        assert!(held >= (sinks + recent).min(read) && held <= sinks + recent + 3 * PAGE, "{held} rows");
        // Two of the four kv heads stream.
        assert_eq!(*half, all / 2 + none / 2, "after {read} tokens");
    }
    let report = {
        let mut memory = build("duo-attention:sparsity=0.5,sinks=10,recent=100", context(SHAPE, 1));
        stream.run(&mut *memory, &[n]);
        memory.report()
    };
    // No token is gone for all heads, but those between are gone for some.
    assert_eq!((report.dropped, report.compressed), (0, n - sinks - recent));
}

#[test]
fn what_comes_later_changes_nothing() {
    let stream = Stream::new(SHAPE, 150, 6, 3.0);
    let spec = "duo-attention:sparsity=0.5,sinks=4,recent=20";
    let out = run(spec, &stream, &[150]);
    for from in [10, 64, 149] {
        let other = run(spec, &stream.with_another_end(from, true), &[150]);
        assert!(stream.difference(&out, &other, 0..from) < 1e-6, "from {from}");
    }
}

#[test]
fn as_published_a_short_first_chunk_is_followed_by_streaming() {
    // The rows that streaming heads have dropped must not be asked for, though the first chunk could have been longer.
    let stream = Stream::new(SHAPE, 400, 7, 3.0);
    let spec = "duo-attention:sparsity=1,sinks=4,recent=16,queries=256,profile=released";
    let found = Weights::of(spec, default_context, &stream, &prompt_then_singles(100, 400));
    assert_eq!(found.read(0, 98, 0).len(), 99, "the first chunk is read in full");
    for token in 99..400 {
        assert_eq!(found.read(1, token, 2).len(), 4 + 16 + 1, "token {token}");
    }
}

#[test]
fn unknown_heads_are_refused_with_a_way_out() {
    let mut context = default_context();
    context.heads = None;
    let outcome = MethodSpec::parse("duo-attention").unwrap().build(context);
    let message = outcome.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("--heads"), "{message}");
}
