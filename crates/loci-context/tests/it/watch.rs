//! Looking at single heads and switching them off, against the whole matrix of attention weights.

use crate::common::{Stream, Weights, build, context, largest_difference, prompt_then_singles};
use loci_context::BuildContext;
use loci_models::memory::AttentionShape;
use loci_models::watch::{Ablation, Watch};

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };
const METHODS: [&str; 3] =
    ["full", "inf-llm:sinks=4,window=32,block_size=8,top_k=2,repr_top_k=2,queries=16", "window:window=24"];

fn default_context() -> BuildContext {
    context(SHAPE, 2)
}

#[test]
fn a_head_looks_where_its_row_of_the_matrix_is_largest() {
    // Longer than a task of the kernel, so that rows come in several parts.
    for (method, n) in [("full", 1100), (METHODS[1], 150), (METHODS[2], 90)] {
        let stream = Stream::new(SHAPE, n, 5, 3.0);
        let prompt = n - 8;
        let cuts = prompt_then_singles(prompt, n);
        let weights = Weights::of(method, default_context, &stream, &cuts);
        let mut memory = build(method, default_context());
        memory.watch(Watch { looks: true, ..Watch::default() }).unwrap();
        let mut out = vec![Vec::new(); SHAPE.layers];
        stream.feed(&mut *memory, 0, prompt - 1, &mut out).unwrap();
        assert!(memory.looks().is_empty(), "the tokens of a chunk are not looked at");
        let mut different = 0;
        for token in prompt - 1..n {
            stream.feed(&mut *memory, token, token + 1, &mut out).unwrap();
            let looks = memory.looks().to_vec();
            assert_eq!(looks.len(), SHAPE.layers * SHAPE.heads);
            for (index, look) in looks.iter().enumerate() {
                let (layer, head) = (index / SHAPE.heads, index % SHAPE.heads);
                let row = weights.row(layer, token, head);
                let largest = row.iter().copied().fold(0.0, f32::max);
                // Weights are handed out in 16 bits, so the two largest may change places when they are that close.
                assert!(
                    row[look.unwrap()] >= largest * (1.0 - 1e-4),
                    "{method}, token {token}, {layer}-{head}"
                );
            }
            different += usize::from(looks[0] != looks[1]) + usize::from(looks[2] != looks[3]);
        }
        assert!(different > 0, "{method}: heads that share keys look at places of their own");
    }
}

#[test]
fn watching_changes_no_bit() {
    let stream = Stream::new(SHAPE, 120, 6, 3.0);
    let cuts = prompt_then_singles(100, 120);
    for method in METHODS {
        let plain = stream.run(&mut *build(method, default_context()), &cuts);
        for ablation in [Ablation::ZeroQuery, Ablation::ZeroOutput] {
            let mut memory = build(method, default_context());
            memory.watch(Watch { looks: true, by_layer: true, ablation, ..Watch::default() }).unwrap();
            memory.record_evidence(true);
            assert_eq!(stream.run(&mut *memory, &cuts), plain, "{method}");
        }
    }
}

#[test]
fn a_head_without_query_averages_the_values_it_sees() {
    let stream = Stream::new(SHAPE, 90, 7, 3.0);
    let ablated = vec![(0, 1), (1, 2)];
    let run = |ablation, ablated: &[(usize, usize)]| {
        let mut memory = build("full", default_context());
        memory.watch(Watch { ablated: ablated.to_vec(), ablation, ..Watch::default() }).unwrap();
        stream.run(&mut *memory, &prompt_then_singles(80, 90))
    };
    let plain = run(Ablation::ZeroQuery, &[]);
    let (averaged, silent) = (run(Ablation::ZeroQuery, &ablated), run(Ablation::ZeroOutput, &ablated));
    let group = SHAPE.heads / SHAPE.kv_heads;
    for layer in 0..SHAPE.layers {
        for (token, head) in (0..stream.n).flat_map(|token| (0..SHAPE.heads).map(move |head| (token, head))) {
            let own = head * SHAPE.head_dim..(head + 1) * SHAPE.head_dim;
            let of = |out: &[Vec<f32>]| stream.token(out, layer, token)[own.clone()].to_vec();
            if !ablated.contains(&(layer, head)) {
                assert_eq!((of(&averaged), of(&silent)), (of(&plain), of(&plain)));
                continue;
            }
            assert!(of(&silent).iter().all(|number| *number == 0.0));
            for (channel, found) in of(&averaged).iter().enumerate() {
                let value = |row: usize| {
                    stream.v[layer][(row * SHAPE.kv_heads + head / group) * SHAPE.head_dim + channel]
                };
                #[allow(clippy::cast_precision_loss)]
                let mean = (0..=token).map(value).sum::<f32>() / (token + 1) as f32;
                assert!((found - mean).abs() < 1e-5, "{layer}-{head}, token {token}: {found} for {mean}");
            }
        }
    }
}

#[test]
fn evidence_counts_the_heads_that_have_weight() {
    let stream = Stream::new(SHAPE, 100, 8, 3.0);
    let cuts = prompt_then_singles(99, 100);
    let weights = Weights::of("full", default_context, &stream, &cuts);
    let mut of_heads = vec![0.0; 8];
    (of_heads[1], of_heads[6]) = (0.2, 0.6);
    let mut memory = build("full", default_context());
    let watch = Watch { weights: Some(of_heads.into()), by_layer: true, ..Watch::default() };
    memory.watch(watch).unwrap();
    let mut out = vec![Vec::new(); SHAPE.layers];
    stream.feed(&mut *memory, 0, 99, &mut out).unwrap();
    memory.record_evidence(true);
    stream.feed(&mut *memory, 99, 100, &mut out).unwrap();
    let (first, second) = (weights.row(0, 99, 1), weights.row(1, 99, 2));
    for found in memory.evidence() {
        let sum = |row: &[f32]| row[found.tokens.clone()].iter().sum::<f32>();
        let expected = (0.2 * sum(first) + 0.6 * sum(second)) / 0.8;
        assert!((found.mass - expected).abs() < 1e-4, "{found:?} for {expected}");
    }
    for (row, expected) in memory.evidence_by_layer().iter().zip([first, second]) {
        assert!(largest_difference(std::slice::from_ref(row), &[expected.to_vec()]) < 1e-4);
    }
}

#[test]
fn going_back_keeps_the_watch() {
    let stream = Stream::new(SHAPE, 60, 9, 3.0);
    let mut of_heads = vec![0.0; 8];
    of_heads[0] = 1.0;
    let run = |truncated: bool| {
        let mut memory = build("full", default_context());
        memory.watch(Watch { weights: Some(of_heads.clone().into()), ..Watch::default() }).unwrap();
        memory.record_evidence(true);
        let mut out = vec![Vec::new(); SHAPE.layers];
        if truncated {
            stream.feed(&mut *memory, 0, 60, &mut out).unwrap();
            assert_eq!(memory.truncate(0).unwrap(), 0);
        }
        stream.feed(&mut *memory, 0, 59, &mut out).unwrap();
        stream.feed(&mut *memory, 59, 60, &mut out).unwrap();
        memory.evidence()
    };
    assert_eq!(run(false), run(true));
}
