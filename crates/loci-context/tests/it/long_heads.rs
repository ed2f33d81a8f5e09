//! What is special to LongHeads: distances, forced chunks, causality, any order of reading.

use crate::common::{Stream, Weights, build, context, largest_difference};
use loci_context::MethodSpec;
use loci_models::memory::AttentionShape;
use loci_models::watch::Watch;

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };
const CHUNK: usize = 16;
/// Five chunks for each query.
const SPEC: &str = "long-heads:chunk_size=16,attention=80";
/// The first, the previous and the own chunk: nothing to choose.
const FORCED: &str = "long-heads:chunk_size=16,attention=48";

fn run(spec: &str, stream: &Stream, cuts: &[usize]) -> Vec<Vec<f32>> {
    stream.run(&mut *build(spec, context(stream.shape, 2)), cuts)
}

#[test]
fn everything_is_read_until_selection_begins() {
    let stream = Stream::new(SHAPE, 200, 1, 3.0);
    let full = run("full", &stream, &[200]);
    let out = run("long-heads:chunk_size=16,attention=80,begin=160", &stream, &[200]);
    assert!(stream.difference(&full, &out, 0..160) < 1e-5);
    assert!(stream.difference(&full, &out, 160..200) > 0.1);
    let out = run(SPEC, &stream, &[200]);
    assert!(stream.difference(&full, &out, 0..80) < 1e-5);
    assert!(stream.difference(&full, &out, 80..96) > 0.1, "begin=0 means: as many as attention");
}

#[test]
fn distances_do_not_grow_with_the_text() {
    // One beginning, then the same chunk again and again: each copy must see what the others see, however far on.
    let mut stream = Stream::new(SHAPE, 40 * CHUNK, 2, 3.0);
    for numbers in stream.q.iter_mut().chain(&mut stream.k).chain(&mut stream.v) {
        let chunk = numbers.len() / 40;
        for copy in 2..40 {
            numbers.copy_within(chunk..2 * chunk, copy * chunk);
        }
    }
    for (spec, chunks) in [(SPEC, 5), (FORCED, 3)] {
        let out = run(spec, &stream, &[stream.n]);
        for layer in 0..SHAPE.layers {
            for token in 0..CHUNK {
                let first = stream.token(&out, layer, chunks * CHUNK + token);
                for copy in chunks + 1..40 {
                    let other = stream.token(&out, layer, copy * CHUNK + token);
                    let differ = first.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(differ < 1e-4, "{spec}, token {token} of chunk {copy}: {differ}");
                }
            }
        }
    }
}

#[test]
fn the_first_the_previous_and_the_own_chunk_are_read_and_no_more_than_allowed() {
    // Queries of zeros weigh all rows read alike and prefer no chunk, so the earlier ones fill the free places.
    let stream = Stream::new(SHAPE, 10 * CHUNK - 3, 3, 0.0);
    for cuts in [vec![stream.n], (1..=stream.n).collect()] {
        let found = Weights::of(SPEC, || context(SHAPE, 2), &stream, &cuts);
        for token in 0..stream.n {
            let own = token / CHUNK;
            let chunks: Vec<usize> = if own < 5 { (0..=own).collect() } else { vec![0, 1, 2, own - 1, own] };
            let rows = chunks.iter().flat_map(|chunk| chunk * CHUNK..(chunk + 1) * CHUNK);
            let wanted: Vec<usize> = rows.filter(|row| *row <= token).collect();
            for (layer, head) in [(0, 0), (0, 3), (1, 2)] {
                assert_eq!(found.read(layer, token, head), wanted, "token {token}, head {head}");
                let share = found.row(layer, token, head)[token];
                assert!((share * wanted.len() as f32 - 1.0).abs() < 1e-5, "each row counts once");
            }
        }
    }
}

#[test]
fn heads_and_queries_choose_for_themselves() {
    // A value that only the rows of chunk 3 have shows who reads it.
    let mut stream = Stream::new(SHAPE, 12 * CHUNK, 4, 3.0);
    for values in &mut stream.v {
        let width = SHAPE.kv_heads * SHAPE.head_dim;
        for (token, row) in values.chunks_exact_mut(width).enumerate() {
            row.chunks_exact_mut(SHAPE.head_dim).for_each(|head| head[0] = f32::from(token / CHUNK == 3));
        }
    }
    let out = run(SPEC, &stream, &[stream.n]);
    let sees = |token: usize| -> Vec<bool> {
        stream.token(&out, 0, token).chunks(SHAPE.head_dim).map(|head| head[0] > 0.0).collect()
    };
    let far: Vec<Vec<bool>> = (6 * CHUNK..stream.n).map(sees).collect();
    assert!(far.iter().any(|heads| heads.contains(&true) && heads.contains(&false)), "heads differ");
    let of_head = |head: usize| far.iter().map(|heads| heads[head]).collect::<Vec<_>>();
    assert!((0..4).all(|head| of_head(head).contains(&true) && of_head(head).contains(&false)));
    // Two of eight or more free chunks: about that share of the queries reads any one of them.
    let share = far.iter().flatten().filter(|sees| **sees).count() as f64 / (far.len() * 4) as f64;
    assert!((0.1..0.6).contains(&share), "{share}");
}

#[test]
fn what_comes_later_changes_nothing() {
    let stream = Stream::new(SHAPE, 200, 5, 3.0);
    let out = run(SPEC, &stream, &[200]);
    for from in [90, 128, 135, 199] {
        let other = run(SPEC, &stream.with_another_end(from, true), &[200]);
        assert!(stream.difference(&out, &other, 0..from) < 1e-6, "from {from}");
        assert!(stream.difference(&out, &other, from..200) > 0.1, "from {from}");
    }
}

#[test]
fn reading_at_once_equals_token_by_token() {
    let stream = Stream::new(SHAPE, 200, 6, 3.0);
    let whole = run(SPEC, &stream, &[200]);
    assert!(largest_difference(&whole, &run(SPEC, &stream, &(1..=200).collect::<Vec<_>>())) < 1e-4);
}

#[test]
fn queries_that_choose_together_give_what_each_gives_alone() {
    let stream = Stream::new(SHAPE, 200, 8, 3.0);
    let alone: Vec<usize> = (1..=200).collect();
    let looked_at = |cuts: &[usize]| {
        let mut memory = build(SPEC, context(SHAPE, 2));
        memory.watch(Watch { by_layer: true, ..Watch::default() }).unwrap();
        memory.record_evidence(true);
        let out = stream.run(&mut *memory, cuts);
        (out, memory.evidence_by_layer())
    };
    let ((out, sums), (out_alone, sums_alone)) = (looked_at(&[200]), looked_at(&alone));
    // From where they choose on; before it, queries of a chunk read everything as one group.
    assert!(stream.difference(&out, &out_alone, 80..200) == 0.0);
    assert!(stream.difference(&out, &run(SPEC, &stream, &[200]), 0..200) < 1e-5, "nobody watches");
    assert!(largest_difference(&sums, &sums_alone) < 1e-4);
    assert!(sums.iter().all(|layer| layer.iter().sum::<f32>() > 0.9));
}

/// `row` turned to `position`, in f64.
fn rotated(row: &[f32], position: usize) -> Vec<f64> {
    let half = row.len() / 2;
    let turn = |i: usize| position as f64 * 10_000_f64.powf(-2.0 * i as f64 / row.len() as f64);
    let low = (0..half).map(|i| f64::from(row[i]) * turn(i).cos() - f64::from(row[half + i]) * turn(i).sin());
    let high =
        (0..half).map(|i| f64::from(row[half + i]) * turn(i).cos() + f64::from(row[i]) * turn(i).sin());
    low.chain(high).collect()
}

#[test]
fn moved_keys_equal_keys_rotated_where_they_then_stand() {
    let stream = Stream::new(SHAPE, 600, 7, 3.0);
    let out = run(FORCED, &stream, &[600]);
    let d = SHAPE.head_dim;
    let row = |numbers: &[f32], heads: usize, token: usize, head: usize| {
        numbers[(token * heads + head) * d..(token * heads + head + 1) * d].to_vec()
    };
    for (layer, token, head) in [(0, 48, 0), (0, 300, 1), (1, 333, 2), (1, 599, 3), (0, 592, 3)] {
        let own = token / CHUNK;
        let rows: Vec<usize> = [0, own - 1, own]
            .iter()
            .flat_map(|chunk| chunk * CHUNK..(chunk + 1) * CHUNK)
            .filter(|row| *row <= token)
            .collect();
        let query = rotated(&row(&stream.q[layer], 4, token, head), rows.len() - 1);
        let logit = |(place, key): (usize, &usize)| {
            let key = rotated(&row(&stream.k[layer], 2, *key, head / 2), place);
            query.iter().zip(&key).map(|(q, k)| q * k).sum::<f64>() / (d as f64).sqrt()
        };
        let weights: Vec<f64> = rows.iter().enumerate().map(logit).map(f64::exp).collect();
        let sum: f64 = weights.iter().sum();
        for i in 0..d {
            let value = |key: &usize| f64::from(row(&stream.v[layer], 2, *key, head / 2)[i]);
            let expected =
                rows.iter().zip(&weights).map(|(key, weight)| weight * value(key)).sum::<f64>() / sum;
            let found = f64::from(stream.token(&out, layer, token)[head * d + i]);
            assert!((found - expected).abs() < 1e-5, "token {token}, head {head}: {found} for {expected}");
        }
    }
}

#[test]
fn parameters_that_do_not_fit_are_refused_with_those_that_would() {
    for (parameters, hint) in [
        ("chunk_size=16,attention=90", "attention=96"),
        ("chunk_size=16,attention=32", "attention=48"),
        ("chunk_size=16,attention=80,begin=64", "begin=80"),
        ("chunk_size=16,attention=80,begin=100", "begin=112"),
    ] {
        let spec = MethodSpec::parse(&format!("long-heads:{parameters}")).unwrap();
        let message = spec.build(context(SHAPE, 1)).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains(hint), "{parameters}: {message}");
    }
}
