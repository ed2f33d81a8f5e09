//! Squeezed attention: what its sheet demands. Numbers of a reference are in `squeezed_golden.rs`.

use std::collections::BTreeSet;

use crate::common::{Numbers, Stream, build, context, largest_difference, prompt_then_singles};
use loci_context::MethodSpec;
use loci_context::index::{Clustering, Clusters, quantile};
use loci_kernels::{Isa, Pool};
use loci_models::memory::{AttentionShape, ContextMemory, MemoryError};
use loci_models::rope::RopeSchedule;

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };
const N: usize = 280;
/// [`Stream::context_end`] of 280 tokens.
const END: usize = 200;
const DIM: usize = 16;
const SMALL: &str = "clusters=10,observed=32,queries=16";

fn vectors(seed: u64, count: usize, scale: f32) -> Vec<f32> {
    let mut numbers = Numbers::new(seed);
    (0..count * DIM).map(|_| numbers.value() * scale).collect()
}

fn rows(vectors: &[f32]) -> impl Iterator<Item = &[f32]> + Clone {
    vectors.chunks_exact(DIM)
}

fn clusters(keys: &[f32], share: f64, seed: u64) -> Clusters {
    let how = Clustering { share, coarse_share: None, iterations: 50, seed };
    Clusters::build(keys, DIM, &how, &mut Vec::new(), Isa::active(), &Pool::new(2)).unwrap()
}

fn run(spec: &str, stream: &Stream) -> Vec<Vec<f32>> {
    let cuts = prompt_then_singles(270, N);
    stream.run(&mut *build(&format!("squeezed-attention:{spec}"), context(SHAPE, 2)), &cuts)
}

/// Invariant (a).
#[test]
fn without_sparsity_it_is_full_attention() {
    let stream = Stream::new(SHAPE, N, 71, 3.0);
    let full = stream.run(&mut *build("full", context(SHAPE, 2)), &prompt_then_singles(270, N));
    assert!(largest_difference(&full, &run(&format!("{SMALL},sparsity=0"), &stream)) < 1e-5);
    let two = format!("{SMALL},sparsity=0,coarse_sparsity=0,levels=2,coarse_clusters=3");
    assert!(largest_difference(&full, &run(&two, &stream)) < 1e-5);
    assert!(largest_difference(&full, &run(&format!("{SMALL},sparsity=0.7"), &stream)) > 1e-2);
}

/// Invariant (b).
#[test]
fn with_a_cluster_for_each_key_scores_are_softmax_weights() {
    let (keys, queries) = (vectors(72, 50, 1.0), vectors(73, 3, 4.0));
    let found = clusters(&keys, 1.0, 0);
    assert_eq!(found.labels().iter().collect::<BTreeSet<_>>().len(), 50);
    let scores = found.fine().scores(rows(&queries), Isa::active());
    let mut expected = vec![0.0_f64; 50];
    for query in rows(&queries) {
        let logit = |key: &[f32]| key.iter().zip(query).map(|(x, y)| f64::from(x * y)).sum::<f64>() / 4.0;
        let weights: Vec<f64> = rows(&keys).map(|key| logit(key).exp()).collect();
        let sum: f64 = weights.iter().sum();
        expected.iter_mut().zip(&weights).for_each(|(mean, weight)| *mean += weight / sum / 3.0);
    }
    for (key, label) in found.labels().iter().enumerate() {
        assert!((scores[*label as usize] - expected[key]).abs() < 1e-6);
    }
    let threshold = 0.02;
    let kept = found.kept(rows(&queries), threshold, f64::NEG_INFINITY, Isa::active());
    let exact: Vec<bool> = expected.iter().map(|weight| *weight > threshold).collect();
    let found: Vec<bool> = found.labels().iter().map(|label| kept[*label as usize]).collect();
    assert_eq!(found, exact);
    assert!(exact.contains(&true) && exact.contains(&false));
}

/// Invariant (c), also where exponentials overflow.
#[test]
fn scores_of_all_keys_sum_to_one() {
    for (scale, query_scale) in [(1.0, 3.0), (300.0, 500.0), (0.0, 1.0)] {
        let (keys, queries) = (vectors(74, 90, scale), vectors(75, 5, query_scale));
        let found = clusters(&keys, 0.1, 0);
        for query in rows(&queries) {
            let scores = found.fine().scores(std::iter::once(query), Isa::active());
            let sum: f64 = scores.iter().zip(&found.fine().counts).map(|(s, n)| s * f64::from(*n)).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        }
    }
}

/// Invariant (d): what is read is one softmax over kept keys and everything behind them, merged from two parts here.
#[test]
fn two_partial_attentions_are_one_softmax_over_their_union() {
    let shape = AttentionShape { layers: 1, heads: 1, kv_heads: 1, head_dim: DIM };
    let stream = Stream::new(shape, N, 76, 3.0);
    let mut memory = build(&format!("squeezed-attention:{SMALL},sparsity=0.6"), context(shape, 1));
    stream.run(&mut *memory, &[N - 1]);
    memory.record_evidence(true);
    let out = stream.run(&mut *memory, &[N]);
    let schedule = RopeSchedule::stock(10_000.0, DIM).unwrap();
    let rotated = |row: &[f32], position: usize| {
        let (mut cos, mut sin) = ([0.0; DIM / 2], [0.0; DIM / 2]);
        schedule.rotation(position as f64, &mut cos, &mut sin);
        let mut row = row.to_vec();
        loci_kernels::vector::rotate(Isa::Portable, &mut row, &cos, &sin);
        row
    };
    let keys: Vec<f32> =
        rows(&stream.k[0]).enumerate().flat_map(|(position, key)| rotated(key, position)).collect();
    let query = rotated(&stream.q[0][(N - 1) * DIM..], N - 1);
    let observed: Vec<f32> = rows(&stream.q[0])
        .enumerate()
        .skip(END - 32)
        .take(32)
        .flat_map(|(position, query)| rotated(query, position))
        .collect();
    // The same seed gives the same clusters, so the selection can be made again from the published parts.
    let how = Clustering { share: 0.1, coarse_share: None, iterations: 20, seed: 0 };
    let held =
        Clusters::build(&keys[..(END - 32) * DIM], DIM, &how, &mut Vec::new(), Isa::active(), &Pool::new(1))
            .unwrap();
    let scores = held.fine().scores(rows(&observed), Isa::active());
    let mut values: Vec<(f64, u32)> = scores.into_iter().zip(held.fine().counts.iter().copied()).collect();
    let threshold = quantile(&mut values, 0.6);
    let kept = held.kept(std::iter::once(query.as_slice()), threshold, f64::NEG_INFINITY, Isa::active());
    let far: Vec<usize> = (0..END - 32).filter(|row| kept[held.labels()[*row] as usize]).collect();
    assert!(!far.is_empty() && far.len() < END - 32);
    let partial = |positions: &mut dyn Iterator<Item = usize>| {
        let logits: Vec<(usize, f64)> = positions
            .map(|j| {
                let key = &keys[j * DIM..(j + 1) * DIM];
                (j, key.iter().zip(&query).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>() / 4.0)
            })
            .collect();
        let top = logits.iter().fold(f64::NEG_INFINITY, |top, (_, logit)| top.max(*logit));
        let sum: f64 = logits.iter().map(|(_, logit)| (logit - top).exp()).sum();
        let mut out = vec![0.0_f64; DIM];
        for (j, logit) in logits {
            let weight = (logit - top).exp() / sum;
            let value = &stream.v[0][j * DIM..(j + 1) * DIM];
            out.iter_mut().zip(value).for_each(|(out, value)| *out += weight * f64::from(*value));
        }
        (out, sum, top)
    };
    let (o1, l1, m1) = partial(&mut far.into_iter());
    let (o2, l2, m2) = partial(&mut (END - 32..N));
    let m = m1.max(m2);
    let (w1, w2) = (l1 * (m1 - m).exp(), l2 * (m2 - m).exp());
    for (found, (a, b)) in out[0].iter().zip(o1.iter().zip(&o2)) {
        assert!((f64::from(*found) - (a * w1 + b * w2) / (w1 + w2)).abs() < 1e-5);
    }
    let mass: f32 = memory.evidence().iter().map(|range| range.mass).sum();
    assert!((mass - 1.0).abs() < 1e-4);
}

/// Invariant (e).
#[test]
fn every_key_is_in_one_cluster() {
    for (count, share) in [(1, 0.5), (7, 0.3), (200, 0.05), (300, 0.4)] {
        let keys = vectors(count as u64, count, 1.0);
        let mut found = clusters(&keys, share, 3);
        assert_eq!(found.labels().len(), count);
        let mut sizes = vec![0_u32; found.fine().counts.len()];
        found.labels().iter().for_each(|label| sizes[*label as usize] += 1);
        assert_eq!(sizes, found.fine().counts);
        assert!(sizes.iter().all(|size| *size > 0) && sizes.iter().sum::<u32>() as usize == count);
        let parents = (0..u32::try_from(sizes.len()).unwrap()).map(|cluster| 2 * (cluster % 3)).collect();
        found.add_coarse(parents);
        assert_eq!(found.coarse().unwrap().counts.iter().sum::<u32>() as usize, count);
    }
}

/// Invariant (f).
#[test]
fn the_threshold_keeps_the_share_it_was_set_for() {
    let queries = vectors(78, 32, 2.0);
    for sparsity in [0.5, 0.7, 0.9] {
        let heads: Vec<Clusters> =
            (0..6).map(|head| clusters(&vectors(80 + head, 400, 1.0), 0.1, head)).collect();
        let scores: Vec<Vec<f64>> =
            heads.iter().map(|head| head.fine().scores(rows(&queries), Isa::active())).collect();
        let mut values: Vec<(f64, u32)> = scores
            .iter()
            .zip(&heads)
            .flat_map(|(scores, head)| scores.iter().copied().zip(head.fine().counts.iter().copied()))
            .collect();
        let threshold = quantile(&mut values, sparsity);
        let kept: u32 = values.iter().filter(|(score, _)| *score > threshold).map(|(_, count)| count).sum();
        let most = values.iter().map(|(_, count)| *count).max().unwrap();
        let wanted = (1.0 - sparsity) * 2400.0;
        assert!((f64::from(kept) - wanted).abs() <= f64::from(most) + 1.0, "{kept} kept for {wanted}");
    }
}

/// The ranges of 16 tokens that a token read, for one layer and head.
fn read_ranges(spec: &str, stream: &Stream) -> BTreeSet<usize> {
    let mut memory = build(&format!("squeezed-attention:{spec}"), context(stream.shape, 1));
    stream.run(&mut *memory, &[N - 1]);
    memory.record_evidence(true);
    stream.run(&mut *memory, &[N]);
    memory.evidence().into_iter().map(|range| range.tokens.start / 16).collect()
}

/// Invariant (g).
#[test]
fn the_end_of_the_documents_is_always_read() {
    let shape = AttentionShape { layers: 1, heads: 1, kv_heads: 1, head_dim: DIM };
    // The last token's query is weak, so no key stands out for it, least of all the weak ones at the documents' end.
    let mut stream = Stream::new(shape, N, 90, 3.0);
    stream.k[0][(END - 32) * DIM..END * DIM].iter_mut().for_each(|x| *x *= 0.01);
    stream.q[0][(N - 1) * DIM..].iter_mut().for_each(|x| *x *= 0.01);
    for levels in [1, 2] {
        let spec = format!("{SMALL},sparsity=0.99,coarse_sparsity=0.9,coarse_clusters=3,levels={levels}");
        // The clustered keys are 0 to 167, the others 168 to 279, here in ranges of 16.
        let read = read_ranges(&spec, &stream);
        assert_eq!(read, (10..=17).collect(), "{levels} levels");
    }
}

/// Invariant (h).
#[test]
fn keys_of_one_direction_go_together() {
    let mut keys = vectors(91, 40, 1.0);
    for lengths in [0.5_f32, 2.0, 3.0] {
        let scaled: Vec<f32> = keys[..40 * DIM].iter().map(|x| x * lengths).collect();
        keys.extend(scaled);
    }
    for share in [0.05, 0.2, 0.25, 0.9] {
        let found = clusters(&keys, share, 5);
        for (key, label) in found.labels().iter().enumerate() {
            assert_eq!(*label, found.labels()[key % 40], "{share}");
        }
        assert!(found.fine().counts.len() <= 40);
    }
}

/// Invariant (i).
#[test]
fn an_upper_level_that_keeps_all_changes_nothing() {
    let stream = Stream::new(SHAPE, N, 92, 3.0);
    let one = run(&format!("{SMALL},sparsity=0.7"), &stream);
    let two = |coarse: f64| {
        run(&format!("{SMALL},sparsity=0.7,levels=2,coarse_clusters=3,coarse_sparsity={coarse}"), &stream)
    };
    assert_eq!(one, two(0.0));
    assert!(largest_difference(&one, &two(0.6)) > 1e-3);
}

/// Invariant (j).
#[test]
fn the_same_seed_gives_the_same_clusters() {
    let keys = vectors(93, 300, 1.0);
    assert_eq!(clusters(&keys, 0.1, 7), clusters(&keys, 0.1, 7));
    assert_ne!(clusters(&keys, 0.1, 7).labels(), clusters(&keys, 0.1, 8).labels());
    let stream = Stream::new(SHAPE, N, 94, 3.0);
    let seeded = |seed: u64| run(&format!("{SMALL},sparsity=0.7,seed={seed}"), &stream);
    assert_eq!(seeded(1), seeded(1));
    assert!(largest_difference(&seeded(1), &seeded(2)) > 1e-3);
}

#[test]
fn a_text_too_short_to_cluster_is_read_in_full() {
    let stream = Stream::new(SHAPE, N, 95, 3.0);
    let cuts = prompt_then_singles(270, N);
    let full = stream.run(&mut *build("full", context(SHAPE, 2)), &cuts);
    // As long as what is observed, one longer, and too few keys for two clusters.
    for spec in ["observed=200", "observed=199", "observed=180,clusters=9"] {
        assert_eq!(full, run(&format!("{spec},sparsity=0.99"), &stream), "{spec}");
    }
    assert!(largest_difference(&full, &run("observed=180,clusters=10,sparsity=0.99", &stream)) > 1e-4);
}

#[test]
fn a_context_that_never_ends_is_read_in_full() {
    let stream = Stream::new(SHAPE, N, 96, 3.0);
    let spec = format!("squeezed-attention:{SMALL},sparsity=0.9");
    let mut memory = build(&spec, context(SHAPE, 2));
    let mut out = vec![Vec::new(); SHAPE.layers];
    for cut in [0..100, 100..270, 270..271, 271..N] {
        stream.feed_chunk(&mut *memory, cut.start, cut.end, &mut out).unwrap();
    }
    let full = stream.run(&mut *build("full", context(SHAPE, 2)), &prompt_then_singles(270, N));
    assert!(largest_difference(&full, &out) < 1e-5);
}

/// Ends the context of a memory that holds `to` tokens.
fn ended(stream: &Stream, spec: &str, to: usize) -> Box<dyn ContextMemory> {
    let mut memory = build(spec, context(SHAPE, 2));
    stream.run(&mut *memory, &[to]);
    memory
}

#[test]
fn a_context_ends_once_and_truncation_opens_it_again() {
    let stream = Stream::new(SHAPE, N, 97, 3.0);
    let spec = format!("squeezed-attention:{SMALL},sparsity=0.8");
    let expected = run(&format!("{SMALL},sparsity=0.8"), &stream);
    // Back to the documents' end, again and again: the clusters are still there.
    let mut memory = ended(&stream, &spec, 260);
    let bytes = memory.bytes();
    for _ in 0..3 {
        memory.end_context().unwrap();
        assert_eq!(memory.truncate(END).unwrap(), END);
        let mut out = vec![Vec::new(); SHAPE.layers];
        stream.feed_chunk(&mut *memory, END, 260, &mut out).unwrap();
        assert_eq!(memory.bytes(), bytes);
        let width = SHAPE.heads * SHAPE.head_dim;
        for (layer, out) in out.iter().enumerate() {
            // 256..260 chose with fewer queries than in the longer run.
            let (found, expected) = (&out[..56 * width], &expected[layer][END * width..256 * width]);
            assert_eq!(found, expected, "layer {layer}");
        }
    }
    // To within them: the clusters go, and enough is read again to have the queries that set the threshold.
    for to in [END - 1, 150, 40, 20] {
        let mut memory = ended(&stream, &spec, 260);
        let restored = memory.truncate(to).unwrap();
        assert_eq!(restored, to.saturating_sub(32));
        let again = stream.run(&mut *memory, &prompt_then_singles(270, N));
        let width = SHAPE.heads * SHAPE.head_dim;
        let rest: Vec<Vec<f32>> = expected.iter().map(|layer| layer[restored * width..].to_vec()).collect();
        assert!(largest_difference(&rest, &again) < 1e-5, "back to {to}");
    }
}

#[test]
fn a_context_cannot_end_within_a_chunk() {
    let mut memory = build(&format!("squeezed-attention:{SMALL}"), context(SHAPE, 1));
    memory.begin_chunk(4).unwrap();
    assert!(matches!(memory.end_context(), Err(MemoryError::Misuse(_))));
    // Methods that do nothing there do not mind.
    let mut full = build("full", context(SHAPE, 1));
    assert!(!full.wants_context_end());
    full.end_context().unwrap();
}

#[test]
fn clusters_are_saved_and_damage_is_found() {
    let stream = Stream::new(SHAPE, N, 98, 3.0);
    for extra in ["", ",levels=2,coarse_clusters=3"] {
        let spec = format!("squeezed-attention:{SMALL},sparsity=0.8{extra}");
        // Before the end, at it, and behind it.
        for at in [150, END, 250] {
            let mut memory = ended(&stream, &spec, at);
            let mut bytes = Vec::new();
            memory.save(&mut bytes).unwrap();
            let mut restored = build(&spec, context(SHAPE, 2));
            restored.load(bytes.clone().into()).unwrap();
            let cuts = prompt_then_singles(270, N);
            assert_eq!(stream.run(&mut *memory, &cuts), stream.run(&mut *restored, &cuts), "{at}{extra}");
            for cut in (0..bytes.len()).step_by(997) {
                let outcome = build(&spec, context(SHAPE, 2)).load(bytes[..cut].to_vec().into());
                assert!(matches!(outcome, Err(MemoryError::Saved(_))), "cut to {cut}");
            }
        }
    }
}

#[test]
fn levels_that_cannot_work_are_refused_with_a_way_out() {
    for (spec, hint) in [
        ("levels=2,clusters=1,coarse_clusters=2", "coarse_clusters=0.2"),
        ("levels=2,sparsity=0.4", "coarse_sparsity=0.4"),
    ] {
        let spec = MethodSpec::parse(&format!("squeezed-attention:{spec}")).unwrap();
        let message = spec.build(context(SHAPE, 1)).err().unwrap().to_string();
        assert!(message.contains(hint), "{message}");
    }
}
