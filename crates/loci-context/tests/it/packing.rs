//! Methods that drop single rows or channels, against plain attention over what they should have kept.

use crate::common;
use crate::common::{Stream, build, context, largest_difference, prompt_then_singles};
use loci_kernels::tiles::RowType;
use loci_models::memory::{AttentionShape, ContextMemory};

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };
const N: usize = 300;
const PROMPT: usize = 200;

/// Rotated to a position, pairs split into halves, base 10,000.
fn rope(row: &[f32], position: f64) -> Vec<f64> {
    let half = row.len() / 2;
    let mut out = vec![0.0; row.len()];
    for pair in 0..half {
        let angle = position * 10_000_f64.powf(-(pair as f64) / half as f64);
        let (x, y) = (f64::from(row[pair]), f64::from(row[pair + half]));
        out[pair] = x * angle.cos() - y * angle.sin();
        out[pair + half] = y * angle.cos() + x * angle.sin();
    }
    out
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - top).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

struct Plain<'a>(&'a Stream);

impl Plain<'_> {
    fn query(&self, layer: usize, token: usize, head: usize) -> &[f32] {
        &self.0.q[layer][(token * SHAPE.heads + head) * SHAPE.head_dim..][..SHAPE.head_dim]
    }

    fn key(&self, layer: usize, token: usize, head: usize) -> &[f32] {
        &self.0.k[layer][(token * SHAPE.kv_heads + head / 2) * SHAPE.head_dim..][..SHAPE.head_dim]
    }

    fn value(&self, layer: usize, token: usize, head: usize) -> &[f32] {
        &self.0.v[layer][(token * SHAPE.kv_heads + head / 2) * SHAPE.head_dim..][..SHAPE.head_dim]
    }

    /// Scores of `rows`, each with the position at which it stands and the channels that count (`None`: all).
    fn scores(&self, layer: usize, token: usize, at: f64, head: usize, rows: &[Row]) -> Vec<f64> {
        let query = rope(self.query(layer, token, head), at);
        let score = |row: &Row| {
            let key = rope(self.key(layer, row.token, head), row.at);
            let all = (0..SHAPE.head_dim).collect::<Vec<_>>();
            let channels = row.channels.as_ref().unwrap_or(&all);
            channels.iter().map(|channel| query[*channel] * key[*channel]).sum::<f64>() / 4.0
        };
        rows.iter().map(score).collect()
    }

    fn attend(&self, layer: usize, token: usize, at: f64, head: usize, rows: &[Row]) -> Vec<f64> {
        let weights = softmax(&self.scores(layer, token, at, head, rows));
        let mut out = vec![0.0; SHAPE.head_dim];
        for (row, weight) in rows.iter().zip(weights) {
            let value = self.value(layer, row.token, head);
            out.iter_mut().zip(value).for_each(|(out, value)| *out += weight * f64::from(*value));
        }
        out
    }
}

#[derive(Clone)]
struct Row {
    token: usize,
    at: f64,
    channels: Option<Vec<usize>>,
}

impl Row {
    fn at_home(token: usize) -> Self {
        Self { token, at: token as f64, channels: None }
    }
}

/// Feeds a prompt as a session does, its end decided about, and then the rest token by token; outputs of the prompt's
/// last token and those behind it.
fn ask(stream: &Stream, memory: &mut dyn ContextMemory) -> Vec<Vec<f32>> {
    common::ask(stream, memory, stream.n - (N - PROMPT) - 1)
}

fn check(
    stream: &Stream,
    out: &[Vec<f32>],
    first: usize,
    rows: impl Fn(usize, usize, usize) -> (f64, Vec<Row>),
) {
    for (layer, out) in out.iter().enumerate() {
        for (offset, found) in out.chunks(SHAPE.heads * SHAPE.head_dim).enumerate() {
            let token = first + offset;
            for (head, found) in found.chunks(SHAPE.head_dim).enumerate() {
                let (at, rows) = rows(layer, token, head);
                let expected = Plain(stream).attend(layer, token, at, head, &rows);
                for (x, y) in found.iter().zip(&expected) {
                    assert!(
                        (f64::from(*x) - y).abs() < 1e-4,
                        "layer {layer}, token {token}, head {head}: {x} for {y}"
                    );
                }
            }
        }
    }
}

/// Largest softmax weight that the last `observers` prompt queries of the group give each row before `end`.
fn observed(stream: &Stream, layer: usize, kv_head: usize, observers: usize, end: usize) -> Vec<f64> {
    let mut best = vec![0.0_f64; end];
    for token in PROMPT - observers..PROMPT {
        let rows: Vec<Row> = (0..=token).map(Row::at_home).collect();
        for head in [2 * kv_head, 2 * kv_head + 1] {
            let weights = softmax(&Plain(stream).scores(layer, token, token as f64, head, &rows));
            best.iter_mut().zip(weights).for_each(|(best, weight)| *best = best.max(weight));
        }
    }
    best
}

fn top(scores: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order.truncate(count);
    order.sort_unstable();
    order
}

fn snapped(
    stream: &Stream,
    layer: usize,
    kv_head: usize,
    budget: usize,
    window: usize,
    kernel: usize,
) -> Vec<usize> {
    let old = PROMPT - 1 - window;
    let scores = observed(stream, layer, kv_head, window + 1, old);
    let reach = kernel / 2;
    let pooled: Vec<f64> = (0..old)
        .map(|at| {
            scores[at.saturating_sub(reach)..(at + reach + 1).min(old)].iter().copied().fold(0.0, f64::max)
        })
        .collect();
    top(&pooled, budget - window).into_iter().chain(old..PROMPT - 1).collect()
}

#[test]
fn snap_kv_reads_what_the_prompts_end_looked_at() {
    let stream = Stream::new(SHAPE, N, 3, 3.0);
    let mut memory = build("snap-kv:budget=40,window=8,kernel=5", context(SHAPE, 2));
    let out = ask(&stream, &mut *memory);
    let kept: Vec<Vec<Vec<usize>>> = (0..SHAPE.layers)
        .map(|layer| (0..SHAPE.kv_heads).map(|head| snapped(&stream, layer, head, 40, 8, 5)).collect())
        .collect();
    assert!(kept.iter().flatten().all(|rows| rows.len() == 40));
    check(&stream, &out, PROMPT - 1, |layer, token, head| {
        let old = kept[layer][head / 2].iter().copied();
        (token as f64, old.chain(PROMPT - 1..=token).map(Row::at_home).collect())
    });
    let report = memory.report();
    let some: std::collections::BTreeSet<usize> = kept.iter().flatten().flatten().copied().collect();
    assert_eq!(report.dropped, PROMPT - 1 - some.len());
    assert_eq!(report.kept + report.compressed + report.dropped, N);
}

#[test]
fn a_budget_over_the_prompt_keeps_everything() {
    let stream = Stream::new(SHAPE, N, 4, 3.0);
    let full = ask(&stream, &mut *build("full", context(SHAPE, 2)));
    for spec in ["snap-kv:budget=199", "think:ratio=0", "think:recent=199", "sir-llm:surprising=1000"] {
        let out = ask(&stream, &mut *build(spec, context(SHAPE, 2)));
        assert!(largest_difference(&full, &out) < 1e-4, "{spec}");
    }
}

#[test]
fn think_leaves_out_the_channels_with_the_least_contribution() {
    let stream = Stream::new(SHAPE, N, 5, 3.0);
    for (spec, budget) in
        [("think:ratio=0.4,recent=12", None), ("think:ratio=0.4,recent=12,budget=60,window=16", Some(60))]
    {
        let out = ask(&stream, &mut *build(spec, context(SHAPE, 2)));
        let plan: Vec<Vec<(Vec<usize>, Vec<usize>)>> = (0..SHAPE.layers)
            .map(|layer| {
                (0..SHAPE.kv_heads)
                    .map(|kv_head| {
                        let rows = match budget {
                            Some(budget) => snapped(&stream, layer, kv_head, budget, 16, 7),
                            None => (0..PROMPT - 1).collect(),
                        };
                        // The norm of each channel's products, row by row and query by query.
                        let mut scores = vec![0.0; SHAPE.head_dim];
                        for token in PROMPT - 32..PROMPT {
                            for head in [2 * kv_head, 2 * kv_head + 1] {
                                let query = rope(Plain(&stream).query(layer, token, head), token as f64);
                                for row in &rows {
                                    let key = rope(Plain(&stream).key(layer, *row, head), *row as f64);
                                    for channel in 0..SHAPE.head_dim {
                                        scores[channel] += (query[channel] * key[channel]).powi(2);
                                    }
                                }
                            }
                        }
                        // 0.4 of 16 channels are 6.
                        (rows, top(&scores, 10))
                    })
                    .collect()
            })
            .collect();
        check(&stream, &out, PROMPT - 1, |layer, token, head| {
            let (rows, channels) = &plan[layer][head / 2];
            let thin = |row: &usize| Row {
                channels: (*row < PROMPT - 1 - 12).then(|| channels.clone()),
                ..Row::at_home(*row)
            };
            (token as f64, rows.iter().map(thin).chain((PROMPT - 1..=token).map(Row::at_home)).collect())
        });
    }
}

/// The published bookkeeping, token by token: positions and scores of what is held.
struct Surprised {
    held: Vec<(usize, f64)>,
    capacity: usize,
    sinks: usize,
    surprising: usize,
    neighbours: usize,
}

impl Surprised {
    fn make_room(&mut self, coming: usize) {
        if self.held.len() + coming <= self.capacity {
            return;
        }
        let around = |(at, _): &(usize, f64)| {
            let near = self.held.iter().filter(|(position, _)| position.abs_diff(*at) <= self.neighbours);
            near.map(|(_, score)| *score).fold(0.0, f64::max)
        };
        let scores: Vec<f64> = self.held.iter().map(around).collect();
        let mut stays: Vec<usize> = top(&scores, self.surprising.saturating_sub(coming));
        stays.extend((0..self.sinks).filter(|token| !stays.contains(token)).collect::<Vec<_>>());
        for token in (0..self.held.len()).rev() {
            if stays.len() < self.capacity - coming && !stays.contains(&token) {
                stays.push(token);
            }
        }
        stays.sort_unstable();
        self.held = stays.into_iter().map(|token| self.held[token]).collect();
    }
}

#[test]
fn sir_llm_reads_sinks_surprises_and_the_newest_closed_up() {
    let stream = Stream::new(SHAPE, N, 6, 3.0);
    let released: Vec<f32> = std::iter::once(0.0).chain(stream.repetition.iter().copied()).collect();
    let (sinks, surprising, recent, turn, decay) = (3, 40, 10, 16, 0.9);
    let mut held = Vec::new();
    for (variant, scores, neighbours) in
        [("", &stream.surprise, 0), (",score=released", &released, 0), (",neighbours=2", &stream.surprise, 2)]
    {
        let spec = format!(
            "sir-llm:sinks={sinks},surprising={surprising},recent={recent},turn={turn},decay={decay}{variant}"
        );
        let mut memory = build(&spec, context(SHAPE, 2));
        let out = stream.run(&mut *memory, &prompt_then_singles(PROMPT, N));
        let mut plain =
            Surprised { held: vec![], capacity: sinks + surprising + recent, sinks, surprising, neighbours };
        // What each token sees: the rows of its turn's memory, and those of the turn up to itself.
        let mut seen: Vec<(f64, Vec<Row>)> = Vec::new();
        let mut turned = 0;
        let mut at = 0;
        while at < N {
            // The prompt is read in chunks of a turn, its last token and all later ones alone.
            let chunk = if at < PROMPT - 1 { turn.min(PROMPT - 1 - at) } else { 1 };
            if turned == 0 || turned + chunk > turn {
                turned = 0;
                plain.make_room(turn);
                plain.held.iter_mut().for_each(|(_, score)| *score *= decay);
            }
            // By the released code the turn says nothing of its first token.
            let known = at + usize::from(variant == ",score=released");
            let highest = scores[known..at + chunk].iter().copied().fold(0.0, f32::max);
            for token in at..at + chunk {
                let score = if turned == 0 && chunk > 1 { highest } else { scores[token] };
                turned += 1;
                plain.held.push((token, f64::from(score)));
                let rows: Vec<Row> = plain
                    .held
                    .iter()
                    .enumerate()
                    .map(|(place, (token, _))| Row { token: *token, at: place as f64, channels: None })
                    .collect();
                seen.push(((rows.len() - 1) as f64, rows));
            }
            at += chunk;
        }
        assert!(seen.iter().all(|(_, rows)| rows.len() <= sinks + surprising + recent));
        check(&stream, &out, 0, |_, token, _| seen[token].clone());
        let report = memory.report();
        assert_eq!(report.dropped, N - plain.held.len());
        assert_eq!(report.kept, plain.held.len());
        held.push(plain.held.iter().map(|(token, _)| *token).collect::<Vec<_>>());
    }
    assert!(held[0] != held[1] && held[0] != held[2], "the variants hold other tokens");
}

#[test]
fn packed_memories_are_smaller_saved_and_forked() {
    let n = 1500;
    let stream = Stream::new(SHAPE, n, 7, 3.0);
    for (spec, share) in [
        ("snap-kv:budget=40,window=8", 0.75),
        ("spec-kv:budget=40,window=8,lookahead=12", 0.75),
        ("think:ratio=0.5,recent=8", 2.0),
        ("sir-llm:surprising=60,turn=16", 0.75),
    ] {
        for row_type in [RowType::F32, RowType::I8, RowType::I4] {
            let context = || {
                let mut context = context(SHAPE, 2);
                context.row_type = row_type;
                context
            };
            let mut full = build("full", context());
            ask(&stream, &mut *full);
            let mut memory = build(spec, context());
            let out = ask(&stream, &mut *memory);
            assert!(
                (memory.bytes() as f64) < share * full.bytes() as f64,
                "{spec}: {} of {}",
                memory.bytes(),
                full.bytes()
            );
            assert_eq!(out, ask(&stream, &mut *build(spec, context())), "{spec} run twice");
            let mut bytes = Vec::new();
            memory.save(&mut bytes).unwrap();
            let mut restored = build(spec, context());
            restored.load(bytes.clone().into()).unwrap();
            let mut fork = memory.fork().unwrap();
            let other = Stream::new(SHAPE, n + 40, 8, 3.0);
            let cuts: Vec<usize> = (n + 1..=n + 40).collect();
            let expected = other.run(&mut *memory, &cuts);
            assert_eq!(expected, other.run(&mut *restored, &cuts), "{spec} restored");
            assert_eq!(expected, other.run(&mut *fork, &cuts), "{spec} forked");
            for length in [0, 60, bytes.len() / 2, bytes.len() - 1] {
                assert!(
                    build(spec, context()).load(bytes[..length].to_vec().into()).is_err(),
                    "{spec} cut to {length}"
                );
            }
        }
    }
}

#[test]
fn thin_keys_save_bytes_in_steps_of_sixteen_channels() {
    let shape = AttentionShape { head_dim: 64, ..SHAPE };
    let stream = Stream::new(shape, 1500, 10, 3.0);
    let bytes = |spec: &str| {
        let mut memory = build(spec, context(shape, 2));
        ask(&stream, &mut *memory);
        memory.bytes()
    };
    // Of 64 channels 39 stay, which take the room of 48: an eighth of keys and values together.
    let (full, thin) = (bytes("full"), bytes("think:ratio=0.4"));
    let queries = 2 * (33 + 64) * shape.heads * shape.head_dim * shape.layers * 4;
    let saved = (1500 - 100 - 33) * (64 - 48) * shape.kv_heads * shape.layers * 4;
    assert!(thin < full + queries - saved, "{thin} of {full}, {saved} should be saved");
    assert!(thin + saved > full, "{thin} of {full}: more was saved than channels were dropped");
}

#[test]
fn what_was_dropped_does_not_come_back() {
    let stream = Stream::new(SHAPE, N, 9, 3.0);
    for spec in [
        "snap-kv:budget=40,window=8",
        "spec-kv:budget=40,window=8,lookahead=12",
        "random-rows:budget=40,window=8",
        "think:ratio=0.5,recent=8",
    ] {
        let mut memory = build(spec, context(SHAPE, 2));
        let out = ask(&stream, &mut *memory);
        // Behind what was decided about, going back is exact.
        assert_eq!(memory.truncate(N - 20).unwrap(), N - 20, "{spec}");
        let again = stream.run(&mut *memory, &(N - 19..=N).collect::<Vec<_>>());
        let width = SHAPE.heads * SHAPE.head_dim;
        let tail: Vec<Vec<f32>> =
            out.iter().map(|layer| layer[layer.len() - 20 * width..].to_vec()).collect();
        assert!(largest_difference(&tail, &again) < 1e-5, "{spec}");
        // Before it, everything is read again.
        assert_eq!(memory.truncate(50).unwrap(), 0, "{spec}");
        assert_eq!(ask(&stream, &mut *memory), out, "{spec}");
    }
}
