//! ActQKV: what its sheet demands, and numbers of an independent reference (`scripts/golden/act_qkv.py`).

use crate::common::{Numbers, Stream, build, context, largest_difference, prompt_then_singles};
use loci_context::select::{Activation, EntropyShare, spread};
use loci_kernels::Isa;
use loci_models::memory::AttentionShape;
use loci_models::rope::RopeSchedule;
use serde_json::Value;

const SHAPE: AttentionShape = AttentionShape { layers: 3, heads: 4, kv_heads: 2, head_dim: 16 };
const WIDTH: usize = 4 * 16;
const SMALL: &str = "sinks=16,window=48,block_size=16,top_k=6,queries=16,history=3,temperature=0.05";

fn number(case: &Value, key: &str) -> usize {
    case[key].as_u64().unwrap_or_else(|| panic!("{key} is missing")) as usize
}

fn floats(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn queries(seed: u64, count: usize) -> Vec<f32> {
    let mut numbers = Numbers::new(seed);
    (0..count * WIDTH).map(|_| numbers.value()).collect()
}

/// Distance of numbers at positions `i` from their expected sum of `x * (i + 1) / length`.
fn check(numbers: &[f32]) -> f64 {
    let terms = numbers.iter().enumerate().map(|(i, x)| f64::from(*x) * (i + 1) as f64);
    terms.sum::<f64>() / numbers.len() as f64
}

struct Case {
    case: Value,
    shape: AttentionShape,
    stream: Stream,
    name: String,
    released: bool,
}

fn cases() -> Vec<Case> {
    let path = format!("{}/tests/fixtures/act_qkv.json", env!("CARGO_MANIFEST_DIR"));
    let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = fixture["cases"].as_array().unwrap().clone();
    assert!(cases.len() >= 4);
    let read = |case: Value| {
        let [layers, heads, kv_heads, head_dim] =
            ["layers", "heads", "kv_heads", "head_dim"].map(|key| number(&case, key));
        let shape = AttentionShape { layers, heads, kv_heads, head_dim };
        let scale = case["query_scale"].as_f64().unwrap() as f32;
        Case {
            shape,
            stream: Stream::new(shape, number(&case, "tokens"), number(&case, "seed") as u64, scale),
            name: case["name"].as_str().unwrap().to_owned(),
            released: case["released"].as_bool().unwrap(),
            case,
        }
    };
    cases.into_iter().map(read).collect()
}

impl Case {
    fn groups(&self) -> Vec<(usize, usize)> {
        let groups = self.case["groups"].as_array().unwrap();
        groups.iter().map(|group| (floats(group)[0] as usize, floats(group)[1] as usize)).collect()
    }

    fn spec(&self) -> String {
        let case = &self.case;
        format!(
            "act-qkv:sinks={},window={},block_size={},top_k={},k_min={},repr_top_k={},queries={},history={},\
             statistics={},temperature={},profile={}",
            case["sinks"],
            case["window"],
            case["block_size"],
            case["top_k"],
            case["k_min"],
            case["representatives"],
            case["exec_block"],
            case["history"],
            case["statistics"],
            case["temperature"],
            if self.released { "released" } else { "recommended" }
        )
    }
}

#[test]
fn outputs_equal_the_reference() {
    for case in cases() {
        let cuts: Vec<usize> = case.groups().into_iter().map(|(_, end)| end).collect();
        let out = case.stream.run(&mut *build(&case.spec(), context(case.shape, 2)), &cuts);
        for (layer, expected) in case.case["outputs_of"].as_array().unwrap().iter().enumerate() {
            for token in 0..case.stream.n {
                let found = case.stream.token(&out, layer, token);
                for (head, row) in found.chunks(case.shape.head_dim).enumerate() {
                    let (found, expected) = (check(row), expected["checks"][token][head].as_f64().unwrap());
                    assert!(
                        (found - expected).abs() < 2e-4,
                        "{}, layer {layer}, token {token}, head {head}: {found} for {expected}",
                        case.name
                    );
                }
            }
            for (token, expected) in expected["outputs"].as_object().unwrap() {
                let found = case.stream.token(&out, layer, token.parse().unwrap());
                for (x, y) in found.iter().zip(floats(expected)) {
                    assert!((f64::from(*x) - y).abs() < 1e-4, "{}, token {token}: {x} for {y}", case.name);
                }
            }
        }
    }
}

#[test]
fn probes_equal_the_reference() {
    for case in cases() {
        let (cap, width) = (number(&case.case, "statistics"), case.shape.heads * case.shape.head_dim);
        let make = if case.released { Activation::as_released } else { Activation::new };
        let mut activation = make(case.shape, cap);
        let schedule = RopeSchedule::stock(10_000.0, case.shape.head_dim).unwrap();
        let (mut cos, mut sin) = (vec![0.0; case.shape.head_dim / 2], vec![0.0; case.shape.head_dim / 2]);
        schedule.rotation((number(&case.case, "window") - 1) as f64, &mut cos, &mut sin);
        for (group, (start, end)) in case.groups().into_iter().enumerate() {
            for layer in 0..case.shape.layers {
                let mut rotated = case.stream.q[layer][start * width..end * width].to_vec();
                for head in rotated.chunks_exact_mut(case.shape.head_dim) {
                    loci_kernels::vector::rotate(Isa::active(), head, &cos, &sin);
                }
                let probe = activation.probe(layer, &rotated);
                let expected = case.case["probe_checks"][group][layer].as_f64().unwrap();
                let found = check(&probe);
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{}, group {group}, layer {layer}: {found} for {expected}",
                    case.name
                );
                if group == number(&case.case["last_probes"], "group") {
                    for (x, y) in probe.iter().zip(floats(&case.case["last_probes"]["probes"][layer])) {
                        assert!((f64::from(*x) - y).abs() < 1e-5, "{}: {x} for {y}", case.name);
                    }
                }
            }
        }
    }
}

#[test]
fn budgets_of_layers_equal_the_reference() {
    let mut dynamic = 0;
    for case in cases() {
        let [top_k, floor, history] = ["top_k", "k_min", "history"].map(|key| number(&case.case, key));
        let temperature = case.case["temperature"].as_f64().unwrap();
        let mut share = EntropyShare::new(case.shape.layers, top_k, floor, history, temperature);
        if case.released {
            share = share.without_guard();
        }
        for (group, (start, end)) in case.groups().into_iter().enumerate() {
            let mut counts = Vec::new();
            for layer in 0..case.shape.layers {
                let scores: Vec<f32> =
                    floats(&case.case["scores"][group][layer]).iter().map(|score| *score as f32).collect();
                match case.case["spreads"][group][layer].as_f64() {
                    Some(expected) => {
                        assert!((spread(&scores, temperature).unwrap() - expected).abs() < 1e-5)
                    }
                    None => assert!(scores.len() < 2),
                }
                counts.push(share.blocks(layer, &scores, end - start == 1));
            }
            let expected: Vec<usize> =
                floats(&case.case["counts"][group]).iter().map(|x| *x as usize).collect();
            assert_eq!(counts, expected, "{}, group {group}", case.name);
            dynamic += usize::from(counts.windows(2).any(|pair| pair[0].abs_diff(pair[1]) > 1));
        }
    }
    assert!(dynamic > 5, "only {dynamic} groups have layers of clearly different budgets: this tests little");
}

/// Invariant (a).
#[test]
fn identical_tokens_weigh_the_same() {
    let one = queries(1, 1);
    let same = one.repeat(9);
    let mut activation = Activation::new(SHAPE, 1000);
    for earlier in [0, 1, 2] {
        let weights = activation.weights(0, &same);
        assert!(weights.iter().all(|weight| (weight - 1.0 / 9.0).abs() < 1e-12), "after {earlier} groups");
        let probe = activation.probe(1, &same);
        assert!(probe.iter().zip(&one).all(|(x, y)| (x - y).abs() < 1e-6));
        // Whatever came before.
        activation.weights(0, &queries(2 + earlier, 5));
    }
}

/// Invariant (b).
#[test]
fn weights_sum_to_one_and_do_not_change_with_the_origin() {
    let (mut here, mut moved) = (Activation::new(SHAPE, 1000), Activation::new(SHAPE, 1000));
    // Binary fractions, so that moving the origin rounds nothing away.
    let offset: Vec<f32> = (0..WIDTH).map(|i| (i as f32 - 30.0) / 16.0).collect();
    let mut unequal = false;
    for group in 0..6 {
        let own = queries(20 + group, 7 + group as usize);
        let other: Vec<f32> = own.iter().zip(offset.iter().cycle()).map(|(x, y)| x + y).collect();
        let (weights, again) = (here.weights(2, &own), moved.weights(2, &other));
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(weights.iter().all(|weight| *weight >= 0.0));
        for (x, y) in weights.iter().zip(&again) {
            assert!((x - y).abs() < 1e-5, "{x} became {y}");
        }
        unequal |= weights.iter().any(|weight| (weight * weights.len() as f64 - 1.0).abs() > 0.1);
    }
    assert!(unequal, "all weights are equal: this tests nothing");
}

#[test]
fn an_unusual_query_speaks_louder() {
    let mut activation = Activation::new(SHAPE, 1000);
    for group in 0..5 {
        activation.weights(0, &queries(40 + group, 16));
    }
    let mut group = queries(50, 16);
    group[3 * WIDTH..4 * WIDTH].iter_mut().for_each(|x| *x *= 4.0);
    let weights = activation.weights(0, &group);
    assert!(weights[3] > 5.0 / 16.0, "{weights:?}");
}

/// The blocks that the last token read, seen by the attention they got: blocks of 16 are the ranges of the evidence.
fn recalled(spec: &str, stream: &Stream) -> Vec<usize> {
    let shape = stream.shape;
    let mut memory = build(spec, context(shape, 1));
    stream.run(&mut *memory, &prompt_then_singles(stream.n - 1, stream.n - 1));
    memory.record_evidence(true);
    stream.run(&mut *memory, &[stream.n]);
    let mut starts: Vec<usize> = memory.evidence().into_iter().map(|range| range.tokens.start).collect();
    starts.sort_unstable();
    // Neither the sinks nor the window and what has left it but is in no block.
    let end = 16 + (stream.n - 1 - 16 - 48) / 16 * 16;
    starts.retain(|start| (16..end).contains(start));
    starts
}

/// Invariant (c).
#[test]
fn scaled_block_keys_are_ranked_the_same() {
    let shape = AttentionShape { layers: 1, ..SHAPE };
    let stream = Stream::new(shape, 401, 60, 3.0);
    // All rows describe a block, so that its vector grows with its keys; each block by a power of two of its own.
    let mut scaled = Stream::new(shape, 401, 60, 3.0);
    let row = shape.kv_heads * shape.head_dim;
    for (token, keys) in scaled.k[0].chunks_exact_mut(row).enumerate() {
        if token < 336 {
            let scale = [0.25, 1.0, 0.5, 0.125][token / 16 % 4];
            keys.iter_mut().for_each(|x| *x *= scale);
        }
    }
    let spec = |score: &str| format!("act-qkv:{SMALL},repr_top_k=16,budget=fixed,score={score}");
    let chosen = recalled(&spec("cosine"), &stream);
    assert_eq!(chosen.len(), 6);
    assert_eq!(chosen, recalled(&spec("cosine"), &scaled));
    assert_ne!(recalled(&spec("product"), &stream), recalled(&spec("product"), &scaled));
}

/// Invariant (d).
#[test]
fn with_every_part_off_it_is_inf_llm() {
    let stream = Stream::new(SHAPE, 421, 61, 3.0);
    let cuts: Vec<usize> = (16..400).step_by(16).chain(400..=421).collect();
    let base = "sinks=5,window=50,block_size=12,top_k=3,queries=16";
    let expected = stream.run(&mut *build(&format!("inf-llm:{base}"), context(SHAPE, 2)), &cuts);
    let run = |off: &str| stream.run(&mut *build(&format!("act-qkv:{base},{off}"), context(SHAPE, 2)), &cuts);
    assert_eq!(expected, run("probe=mean,score=product,budget=fixed"));
    for one_on in ["score=product,budget=fixed", "probe=mean,budget=fixed", "probe=mean,score=product"] {
        assert!(largest_difference(&expected, &run(one_on)) > 1e-3, "{one_on} changes nothing");
    }
}

/// Invariant (e), and the guard.
#[test]
fn layers_share_what_there_is() {
    let mut numbers = Numbers::new(62);
    for (top_k, floor, layers) in [(12, 1, 7), (9, 2, 30), (40, 20, 5), (2, 1, 3)] {
        let mut share = EntropyShare::new(layers, top_k, floor, 4, 0.1);
        for step in 0..40 {
            // Layers of very different spread: their scores are scaled.
            let counts: Vec<usize> = (0..layers)
                .map(|layer| {
                    let scale = 0.06 * (1 + layer % 5) as f32 * (1 + layer % 3) as f32;
                    let scores: Vec<f32> = (0..100).map(|_| numbers.value() * scale).collect();
                    share.blocks(layer, &scores, true)
                })
                .collect();
            let sum: usize = counts.iter().sum();
            assert!(counts.iter().all(|count| (floor..=top_k).contains(count)), "{counts:?}");
            assert!(2 * sum <= top_k * layers, "{counts:?} is more than the budget");
            let unclamped = counts.iter().all(|count| (floor + 1..top_k).contains(count));
            if unclamped {
                assert!(top_k * layers - 2 * sum <= 1, "step {step}: {counts:?} leaves blocks unused");
            }
            if step == 39 && top_k == 12 {
                assert!(counts.iter().any(|count| *count != counts[0]), "{counts:?}");
                assert!(unclamped, "{counts:?}: this tests nothing");
            }
        }
    }
    // As published, the floor holds even where nothing is left.
    let mut released = EntropyShare::new(4, 46, 32, 100, 1.0).without_guard();
    let scores = queries(63, 1);
    let counts: Vec<usize> = (0..4).map(|layer| released.blocks(layer, &scores, true)).collect();
    assert_eq!(counts, [32; 4]);
}

/// Invariant (f).
#[test]
fn spread_lies_between_nothing_and_one() {
    let mut numbers = Numbers::new(64);
    for count in [2, 3, 50] {
        let scores: Vec<f32> = (0..count).map(|_| numbers.value()).collect();
        for temperature in [1e-3, 0.1, 1.0, 10.0] {
            let spread = spread(&scores, temperature).unwrap();
            assert!((0.0..=1.0).contains(&spread), "{spread}");
        }
        assert!((spread(&vec![0.3; count], 0.1).unwrap() - 1.0).abs() < 1e-12);
        assert!(spread(&scores, 1e-3).unwrap() < spread(&scores, 1.0).unwrap());
    }
    assert_eq!(spread(&[1.0], 1.0), None);
    assert_eq!(spread(&[1.0, f32::NAN], 1.0), None);
}

/// What cannot be judged gets the floor.
#[test]
fn few_blocks_and_no_numbers_get_the_floor() {
    let mut share = EntropyShare::new(2, 12, 3, 4, 1.0);
    assert_eq!(share.blocks(0, &[], true), 0);
    assert_eq!(share.blocks(0, &[0.5], true), 1);
    assert_eq!(share.blocks(0, &[0.5, 0.1], true), 2);
    assert_eq!(share.blocks(0, &[f32::NAN; 20], true), 3);
}

/// Invariant (g).
#[test]
fn inside_the_window_it_is_full_attention() {
    let stream = Stream::new(SHAPE, 48, 65, 3.0);
    let cuts = prompt_then_singles(40, 48);
    let full = stream.run(&mut *build("full", context(SHAPE, 2)), &cuts);
    let out = stream.run(&mut *build(&format!("act-qkv:{SMALL}"), context(SHAPE, 2)), &cuts);
    assert!(largest_difference(&full, &out) < 1e-5);
}

/// Invariant (h).
#[test]
fn earlier_requests_leave_nothing_behind() {
    let (stream, other) = (Stream::new(SHAPE, 421, 66, 3.0), Stream::new(SHAPE, 421, 67, 3.0));
    let cuts: Vec<usize> = (16..400).step_by(16).chain(400..=421).collect();
    for profile in ["recommended", "released"] {
        let spec = format!("act-qkv:{SMALL},statistics=5,profile={profile}");
        let expected = stream.run(&mut *build(&spec, context(SHAPE, 2)), &cuts);
        let mut used = build(&spec, context(SHAPE, 2));
        other.run(&mut *used, &cuts);
        assert_eq!(used.truncate(0).unwrap(), 0);
        assert_eq!(expected, stream.run(&mut *used, &cuts), "{profile}");
    }
}

#[test]
fn a_floor_above_the_average_is_refused() {
    let spec = loci_context::MethodSpec::parse("act-qkv:top_k=10,k_min=6").unwrap();
    let message = spec.build(context(SHAPE, 1)).err().unwrap().to_string();
    assert!(message.contains("k_min=5") && message.contains("top_k=12"), "{message}");
}

/// A step is one group, so that every layer has judged all earlier groups.
#[test]
fn a_step_is_at_most_a_group() {
    let memory = build(&format!("act-qkv:{SMALL}"), context(SHAPE, 1));
    assert_eq!((memory.chunk_limit(), memory.chunk_multiple()), (16, 16));
}
