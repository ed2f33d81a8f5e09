//! The events of EM-LLM without a model: golden values from `scripts/golden/em_llm.py`, and what holds for all events.

use std::ops::Range;

use crate::common::{Numbers, Stream, fixture, number};
use loci_context::segment::{ChunkView, EventRule, Events, Graph, Metric, Segment, Split, Weights};
use loci_context::store::{KvStore, Layout};
use loci_kernels::Isa;
use loci_kernels::tiles::RowType;
use loci_models::memory::{AttentionShape, Signals};
use serde_json::Value;

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };
const N: usize = 421;

/// An empty store: events without refinement do not read it.
fn no_rows() -> KvStore {
    let layout =
        Layout { shape: SHAPE, row_type: RowType::F32, raw: true, rotated_reach: 1, far_pages: None };
    KvStore::new(layout, Isa::Portable, &std::env::temp_dir())
}

/// Shows the events the tokens of a stream, `chunks` being the ends of chunks.
fn observe(events: &mut Events, surprise: &[f32], chunks: &[usize]) {
    let store = no_rows();
    let mut first = 0;
    for end in chunks.iter().copied() {
        let signals = Signals { surprise: &surprise[first..end], ..Signals::default() };
        events.observe(&ChunkView { first, end, signals, store: &store }).unwrap();
        first = end;
    }
}

fn blocks(events: &Events, read: usize) -> Vec<Range<usize>> {
    (0..events.count(read)).map(|event| events.block(event)).collect()
}

/// Chunks of `size` for the prompt but its last token, then each token alone.
fn chunks(prompt: usize, n: usize, size: usize) -> Vec<usize> {
    let mut ends: Vec<usize> = (size..prompt - 1).step_by(size).collect();
    ends.extend(prompt - 1..=n);
    ends
}

#[test]
fn events_are_cut_where_the_reference_cuts_them() {
    let fixture = fixture("em_llm.json");
    let cases = fixture["cuts"].as_array().unwrap();
    assert!(cases.len() >= 8);
    for case in cases {
        let gamma =
            case["gamma"].as_f64().unwrap_or_else(|| case["gamma"].as_str().unwrap().parse().unwrap());
        let rule = EventRule {
            sinks: number(case, "sinks"),
            window: number(case, "window"),
            min_size: number(case, "min_size"),
            max_size: number(case, "max_size"),
            chunk: number(case, "chunk"),
            split: match case["split"].as_str().unwrap() {
                "surprise" => Split::Surprise { gamma },
                "uniform" => Split::Uniform,
                _ => Split::Random { seed: number(case, "seed") as u64 },
            },
            refinement: None,
        };
        let (n, seed) = (number(case, "tokens"), number(case, "stream") as u64);
        let surprise = Stream::new(SHAPE, n, seed, 1.0).surprise;
        let mut events = Events::new(rule);
        observe(&mut events, &surprise, &chunks(number(case, "prompt"), n, rule.chunk));
        let ends: Vec<usize> = blocks(&events, n).iter().map(|block| block.end).collect();
        let expected: Vec<usize> =
            case["event_ends"].as_array().unwrap().iter().map(|end| end.as_u64().unwrap() as usize).collect();
        assert_eq!(ends, expected, "{rule:?}");
    }
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-6 * expected.abs().max(1e-9)
}

/// The keys of a text whose topic changes every `topic` tokens, as the script makes them, and their graph.
fn topic_graph(case: &Value) -> (Vec<f64>, Graph) {
    let [tokens, head_dim, topic] = ["tokens", "head_dim", "topic"].map(|key| number(case, key));
    let (noise, shift) = (case["noise"].as_f64().unwrap(), case["shift"].as_f64().unwrap());
    let mut numbers = Numbers::new(number(case, "seed") as u64);
    let mut draw = || (0..head_dim).map(|_| f64::from(numbers.value())).collect::<Vec<f64>>();
    let (mut keys, mut current) = (Vec::new(), Vec::new());
    for token in 0..tokens {
        if token % topic == 0 {
            current = draw();
        }
        keys.extend(draw().iter().zip(&current).map(|(own, topic)| shift + topic + noise * own));
    }
    let mut weights = Weights::new(tokens);
    for from in 0..tokens {
        for to in 0..tokens {
            let key = |token: usize| &keys[token * head_dim..(token + 1) * head_dim];
            weights.add(from, to, key(from).iter().zip(key(to)).map(|(a, b)| a * b).sum());
        }
    }
    (keys, weights.graph())
}

#[test]
fn sums_over_rectangles_equal_the_naive_formulas() {
    let fixture = fixture("em_llm.json");
    for case in fixture["graphs"].as_array().unwrap() {
        let (keys, exact) = topic_graph(case);
        let rounded: Vec<f32> = keys.iter().map(|x| *x as f32).collect();
        for isa in Isa::available() {
            let mut weights = Weights::new(exact.tokens());
            weights.add_products(isa, number(case, "head_dim"), &rounded);
            let graph = weights.graph();
            let everything = 0..graph.tokens();
            let difference = graph.modularity(&everything, 20) - exact.modularity(&everything, 20);
            assert!(difference.abs() < 1e-4, "{}", isa.name());
        }
        for score in case["scores"].as_array().unwrap() {
            let at = |index: usize| score[index].as_u64().unwrap() as usize;
            let (window, cut) = (at(0)..at(1), at(2));
            let expected = [score[3].as_f64().unwrap(), score[4].as_f64().unwrap()];
            let found = [exact.modularity(&window, cut), exact.conductance(&window, cut)];
            assert!(close(found[0], expected[0]), "modularity of {window:?} cut at {cut}: {found:?}");
            assert!(close(found[1], expected[1]), "conductance of {window:?} cut at {cut}: {found:?}");
        }
        for moved in case["moves"].as_array().unwrap() {
            let list = |key: &str| -> Vec<usize> {
                moved[key].as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect()
            };
            let metric = match moved["metric"].as_str().unwrap() {
                "modularity" => Metric::Modularity,
                _ => Metric::Conductance,
            };
            let (min_size, offset) = (number(moved, "min_size"), number(moved, "offset"));
            let refined = exact.refine(metric, min_size, offset, &list("boundaries"));
            assert_eq!(refined, list("refined"), "{moved}");
        }
    }
}

/// Random graphs with weights of both signs.
fn random_graph(numbers: &mut Numbers, tokens: usize) -> (Vec<f64>, Graph) {
    let mut cells = vec![0.0; tokens * tokens];
    let mut weights = Weights::new(tokens);
    for from in 0..tokens {
        for to in 0..=from {
            let weight = f64::from(numbers.value()) + 0.3;
            for (from, to) in [(from, to), (to, from)].into_iter().take(if from == to { 1 } else { 2 }) {
                cells[from * tokens + to] = weight;
                weights.add(from, to, weight);
            }
        }
    }
    (cells, weights.graph())
}

#[test]
fn refinement_keeps_count_and_order_and_takes_the_best_candidate() {
    let mut numbers = Numbers::new(5);
    for _ in 0..200 {
        let tokens = 20 + numbers.below(60);
        let (cells, graph) = random_graph(&mut numbers, tokens);
        let (min_size, offset) = (1 + numbers.below(6), numbers.below(tokens / 2));
        let mut boundaries: Vec<usize> = (offset..tokens).filter(|_| numbers.below(6) == 0).collect();
        // Those that stand apart far enough, of which none is dropped.
        let mut last = None;
        boundaries.retain(|at| {
            let keep = last.map_or(*at >= min_size, |last| at - last >= min_size);
            last = if keep { Some(*at) } else { last };
            keep
        });
        for metric in [Metric::Modularity, Metric::Conductance] {
            let refined = graph.refine(metric, min_size, offset, &boundaries);
            assert_eq!(refined.len(), boundaries.len());
            assert!(refined.windows(2).all(|pair| pair[0] + min_size <= pair[1]), "{refined:?}");
            assert!(refined.iter().zip(&boundaries).all(|(after, before)| after <= before));
            assert!(refined.iter().all(|at| *at >= offset));
            let mut before = 0;
            for (after, boundary) in refined.iter().zip(&boundaries) {
                let half = (boundary - before) / 2;
                let window = before.saturating_sub(half)..(boundary + half).min(tokens);
                let score = |cut| match metric {
                    Metric::Modularity => graph.modularity(&window, cut),
                    Metric::Conductance => -graph.conductance(&window, cut),
                };
                if after < boundary {
                    let best = |cut| score(cut) <= score(*after);
                    assert!((before.max(offset) + min_size..*boundary).all(best));
                }
                before = *after;
            }
        }
        let everything = 0..tokens;
        let cut = 1 + numbers.below(tokens - 1);
        let total: f64 = cells.iter().sum();
        let degree = |row: usize| cells[row * tokens..(row + 1) * tokens].iter().sum::<f64>();
        let mut naive = 0.0;
        for i in 0..tokens {
            for j in (0..tokens).filter(|j| (i < cut) == (*j < cut)) {
                naive += cells[i * tokens + j] - degree(i) * degree(j) / total;
            }
        }
        naive /= 2.0 * total;
        let found = graph.modularity(&everything, cut);
        assert!((found - naive).abs() <= 1e-6 * naive.abs().max(1e-6), "{found} for {naive}");
    }
}

#[test]
fn events_sinks_and_the_rest_partition_the_stream() {
    let mut numbers = Numbers::new(6);
    for round in 0..60 {
        let min_size = 1 + numbers.below(10);
        let chunk = 8 + numbers.below(40);
        let rule = EventRule {
            sinks: numbers.below(20),
            window: chunk + numbers.below(40),
            min_size,
            max_size: min_size + numbers.below(20),
            chunk,
            split: match round % 3 {
                0 => Split::Random { seed: round },
                _ => Split::Surprise { gamma: f64::from(numbers.value()) },
            },
            refinement: None,
        };
        let surprise = Stream::new(SHAPE, N, round, 1.0).surprise;
        let ends = chunks(350, N, chunk);
        let mut events = Events::new(rule);
        let mut seen: Vec<Range<usize>> = Vec::new();
        for (at, end) in ends.iter().enumerate() {
            observe_next(&mut events, &surprise, if at == 0 { 0 } else { ends[at - 1] }, *end);
            let now = blocks(&events, *end);
            assert_eq!(now[..seen.len()], seen, "events never change");
            assert!(now.len() <= events.most(*end));
            seen = now;
        }
        let mut at = rule.sinks;
        for block in &seen {
            assert_eq!(block.start, at);
            assert!((rule.min_size..=rule.max_size).contains(&block.len()), "{block:?} {rule:?}");
            at = block.end;
        }
        assert!(at + rule.window <= N, "an event reaches into the window");
        assert!(N - rule.window - at <= rule.max_size, "what has left the window waits too long");
    }
}

fn observe_next(events: &mut Events, surprise: &[f32], first: usize, end: usize) {
    let signals = Signals { surprise: &surprise[first..end], ..Signals::default() };
    events.observe(&ChunkView { first, end, signals, store: &no_rows() }).unwrap();
}

fn cut_all(split: Split, surprise: &[f32], ends: &[usize]) -> Vec<usize> {
    let rule =
        EventRule { sinks: 5, window: 50, min_size: 4, max_size: 12, chunk: 16, split, refinement: None };
    let mut events = Events::new(rule);
    observe(&mut events, surprise, ends);
    blocks(&events, N).iter().map(Range::len).collect()
}

#[test]
fn an_infinite_gamma_cuts_at_the_limits() {
    let surprise = Stream::new(SHAPE, N, 1, 1.0).surprise;
    let ends = chunks(N, N, 16);
    let sizes = |gamma| cut_all(Split::Surprise { gamma }, &surprise, &ends);
    assert!(sizes(f64::INFINITY).iter().all(|size| *size == 12));
    assert!(sizes(f64::NEG_INFINITY).iter().all(|size| *size == 4));
    // Where nothing varies, nothing stands out.
    let flat = |gamma| cut_all(Split::Surprise { gamma }, &[1.5; N], &ends);
    assert!(flat(1.0).iter().all(|size| *size == 12));
    assert!(flat(f64::NEG_INFINITY).iter().all(|size| *size == 4));
    // One impossible token neither hides the others nor is hidden by them.
    let mut impossible = surprise.clone();
    impossible[200] = f32::INFINITY;
    let some = cut_all(Split::Surprise { gamma: 1.0 }, &impossible, &ends);
    assert!(some.iter().any(|size| *size < 12));
}

#[test]
fn tokens_that_come_alone_are_not_flagged() {
    let surprise = Stream::new(SHAPE, N, 2, 1.0).surprise;
    let ends: Vec<usize> = (1..=N).collect();
    for split in [Split::Surprise { gamma: f64::NEG_INFINITY }, Split::Random { seed: 1 }] {
        assert!(cut_all(split, &surprise, &ends).iter().all(|size| *size == 12));
    }
}

#[test]
fn an_event_begins_with_the_surprising_token() {
    let mut surprise = vec![1.0; N];
    (0..N).step_by(2).for_each(|at| surprise[at] = 1.1);
    surprise[130] = 9.0;
    let rule = EventRule {
        sinks: 5,
        window: 50,
        min_size: 1,
        max_size: 400,
        chunk: 16,
        split: Split::Surprise { gamma: 3.0 },
        refinement: None,
    };
    let mut events = Events::new(rule);
    observe(&mut events, &surprise, &chunks(N, N, 16));
    assert_eq!((events.count(N), events.block(0)), (1, 5..130));
}
