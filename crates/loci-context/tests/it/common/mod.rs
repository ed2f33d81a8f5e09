//! Random inputs for context memories, and feeding them without a model.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)] // each test file uses its own part

pub mod specs;

use std::sync::Arc;

use loci_context::heads::HeadScores;
use loci_context::{BuildContext, MethodSpec};
use loci_kernels::tiles::RowType;
use loci_kernels::{Isa, Pool};
use loci_models::memory::{AttentionShape, ContextMemory, MemoryError, Signals};
use loci_models::rope::RopeSchedule;
pub use loci_testing::Numbers;
use serde_json::Value;

/// Queries, keys and values of `n` tokens for every layer: `[layers][n, heads, head_dim]`; and what a model might think of
/// the tokens.
#[derive(Clone)]
pub struct Stream {
    pub shape: AttentionShape,
    pub n: usize,
    pub q: Vec<Vec<f32>>,
    pub k: Vec<Vec<f32>>,
    pub v: Vec<Vec<f32>>,
    pub surprise: Vec<f32>,
    pub entropy: Vec<f32>,
    pub repetition: Vec<f32>,
}

/// Surprise and entropy of `n` tokens, from numbers of their own, so that the others do not depend on them: mostly between
/// 0 and 4 nats, one in sixteen a surprise. As `scripts/golden/em_llm.py` has it.
fn signals(n: usize, seed: u64) -> (Vec<f32>, Vec<f32>) {
    let mut numbers = Numbers::new(seed ^ 0x5EED);
    let (mut surprise, mut entropy) = (Vec::new(), Vec::new());
    for token in 0..n {
        let (base, peak) = (2.0 + 2.0 * numbers.value(), numbers.value());
        surprise.push(if token == 0 { 0.0 } else { base + if peak >= 0.875 { 6.0 } else { 0.0 } });
        entropy.push(2.0 + peak);
    }
    (surprise, entropy)
}

/// Ends of the chunks in which `memory` takes the tokens `from..to`: at most what it allows, at multiples of that.
pub fn chunk_ends(memory: &dyn ContextMemory, from: usize, to: usize) -> Vec<usize> {
    let limit = memory.chunk_limit();
    let free = limit == usize::MAX;
    assert!(
        free || limit.is_multiple_of(memory.chunk_multiple()),
        "chunks of {limit} cannot end where asked"
    );
    let mut ends: Vec<usize> = (from / limit + 1..to.div_ceil(limit)).map(|chunk| chunk * limit).collect();
    ends.push(to);
    ends
}

impl Stream {
    pub fn new(shape: AttentionShape, n: usize, seed: u64, query_scale: f32) -> Self {
        let mut numbers = Numbers::new(seed);
        let (surprise, entropy) = signals(n, seed);
        let (repetition, _) = signals(n, !seed);
        let mut stream = Self { shape, n, q: vec![], k: vec![], v: vec![], surprise, entropy, repetition };
        for _ in 0..shape.layers {
            let (mut q, mut k, mut v) = (vec![], vec![], vec![]);
            for _ in 0..n {
                q.extend((0..shape.heads * shape.head_dim).map(|_| numbers.value() * query_scale));
                k.extend((0..shape.kv_heads * shape.head_dim).map(|_| numbers.value()));
                v.extend((0..shape.kv_heads * shape.head_dim).map(|_| numbers.value()));
            }
            stream.q.push(q);
            stream.k.push(k);
            stream.v.push(v);
        }
        stream
    }

    /// The same with other keys and values from token `from` on, and other queries where `queries` says so.
    pub fn with_another_end(&self, from: usize, queries: bool) -> Self {
        let other = Self::new(self.shape, self.n, 4711, 3.0);
        let join = |own: &[Vec<f32>], other: &[Vec<f32>]| {
            let layer = |(own, other): (&Vec<f32>, &Vec<f32>)| {
                let at = own.len() / self.n * from;
                [&own[..at], &other[at..]].concat()
            };
            own.iter().zip(other).map(layer).collect()
        };
        let mut stream = self.clone();
        (stream.k, stream.v) = (join(&self.k, &other.k), join(&self.v, &other.v));
        if queries {
            stream.q = join(&self.q, &other.q);
        }
        stream
    }

    /// The largest difference between the outputs of two runs, for the tokens `tokens`.
    pub fn difference(&self, a: &[Vec<f32>], b: &[Vec<f32>], tokens: std::ops::Range<usize>) -> f32 {
        let width = self.shape.heads * self.shape.head_dim;
        let cut = |out: &[Vec<f32>]| -> Vec<Vec<f32>> {
            out.iter().map(|layer| layer[tokens.start * width..tokens.end * width].to_vec()).collect()
        };
        largest_difference(&cut(a), &cut(b))
    }

    /// Where documents end for methods that want to know: then a chunk ends there.
    pub fn context_end(&self) -> usize {
        self.n * 5 / 7
    }

    /// Feeds the tokens `from..to`, in one chunk where the memory takes that; a method that wants to know where documents
    /// end is told on the way. Appends the outputs to `out[layer]`.
    pub fn feed(
        &self,
        memory: &mut dyn ContextMemory,
        mut from: usize,
        to: usize,
        out: &mut [Vec<f32>],
    ) -> Result<(), MemoryError> {
        let context_end = self.context_end();
        let told = from < to && memory.wants_context_end() && (from..=to).contains(&context_end);
        let mut ends = chunk_ends(memory, from, to);
        if told && context_end > from && !ends.contains(&context_end) {
            ends.push(context_end);
            ends.sort_unstable();
        }
        if told && from == context_end {
            memory.end_context()?;
        }
        for end in ends {
            self.feed_chunk(memory, from, end, out)?;
            from = end;
            if told && from == context_end {
                memory.end_context()?;
            }
        }
        Ok(())
    }

    /// Feeds the tokens `from..to` as one chunk, wherever documents end.
    pub fn feed_chunk(
        &self,
        memory: &mut dyn ContextMemory,
        from: usize,
        to: usize,
        out: &mut [Vec<f32>],
    ) -> Result<(), MemoryError> {
        let q_width = self.shape.heads * self.shape.head_dim;
        let kv_width = self.shape.kv_heads * self.shape.head_dim;
        memory.begin_chunk(to - from)?;
        for (layer, out) in out.iter_mut().enumerate() {
            let start = out.len();
            out.resize(start + (to - from) * q_width, f32::NAN);
            memory.attend(
                layer,
                &self.q[layer][from * q_width..to * q_width],
                &self.k[layer][from * kv_width..to * kv_width],
                &self.v[layer][from * kv_width..to * kv_width],
                &mut out[start..],
            )?;
        }
        let [surprise, entropy, repetition] =
            [&self.surprise, &self.entropy, &self.repetition].map(|signal| &signal[from..to]);
        let signals = Signals { surprise, entropy, repetition };
        memory.end_chunk(if memory.wants_signals() { signals } else { Signals::default() })
    }

    /// Feeds everything, `cuts` being the ends of the chunks.
    pub fn run(&self, memory: &mut dyn ContextMemory, cuts: &[usize]) -> Vec<Vec<f32>> {
        let mut out = vec![Vec::new(); self.shape.layers];
        let mut from = memory.len();
        for to in cuts {
            self.feed(memory, from, *to, &mut out).unwrap();
            from = *to;
        }
        out
    }

    /// The outputs of token `token` in `layer`.
    pub fn token<'a>(&self, out: &'a [Vec<f32>], layer: usize, token: usize) -> &'a [f32] {
        let width = self.shape.heads * self.shape.head_dim;
        &out[layer][token * width..(token + 1) * width]
    }
}

pub fn context(shape: AttentionShape, threads: usize) -> BuildContext {
    BuildContext {
        shape,
        trained_window: 128,
        schedule: RopeSchedule::stock(10_000.0, shape.head_dim).unwrap(),
        row_type: RowType::F32,
        budget: None,
        pool: Arc::new(Pool::new(threads)),
        isa: Isa::active(),
        cold_folder: None,
        heads: Some(Arc::new(head_scores(shape))),
        planned_tokens: 0,
    }
}

/// Scores that differ from head to head.
fn head_scores(shape: AttentionShape) -> HeadScores {
    let mut numbers = Numbers::new(77);
    let row = |_| (0..shape.kv_heads).map(|_| f64::from(numbers.value()).abs()).collect();
    HeadScores::new((0..shape.layers).map(row).collect(), shape).unwrap()
}

pub fn build(spec: &str, context: BuildContext) -> Box<dyn ContextMemory> {
    MethodSpec::parse(spec).unwrap().build(context).unwrap()
}

/// Chunk ends: the prompt but its last token in one chunk, then each token alone.
pub fn prompt_then_singles(prompt: usize, n: usize) -> Vec<usize> {
    let mut cuts = if prompt > 1 { vec![prompt - 1] } else { vec![] };
    cuts.extend(prompt.max(1)..=n);
    cuts
}

/// Outputs for the tokens from the last one of a prompt, at `end`, on: what is left of the prompt in one chunk, then each
/// token alone.
pub fn ask(stream: &Stream, memory: &mut dyn ContextMemory, end: usize) -> Vec<Vec<f32>> {
    let mut nowhere = vec![Vec::new(); stream.shape.layers];
    let read = memory.len();
    stream.feed(memory, read, end, &mut nowhere).unwrap();
    if memory.wants_prompt_end() {
        stream.feed(memory, end, end + 1, &mut nowhere).unwrap();
        memory.end_prompt(end).unwrap();
        assert_eq!(memory.truncate(end).unwrap(), end);
    }
    stream.run(memory, &(end + 1..=stream.n).collect::<Vec<_>>())
}

/// Attention weights, `[layers][n, heads, n]`.
pub struct Weights {
    shape: AttentionShape,
    n: usize,
    layers: Vec<Vec<f32>>,
}

impl Weights {
    /// The weight that each query of `stream` gives to each position, found by giving each row in turn a value of its
    /// own. Only for methods whose choices do not depend on values.
    pub fn of(spec: &str, context: impl Fn() -> BuildContext, stream: &Stream, cuts: &[usize]) -> Self {
        let AttentionShape { layers, heads, kv_heads, head_dim } = stream.shape;
        let n = stream.n;
        let mut found = vec![vec![0.0; n * heads * n]; layers];
        for from in (0..n).step_by(head_dim) {
            let mut v = vec![0.0; n * kv_heads * head_dim];
            for row in from..(from + head_dim).min(n) {
                (0..kv_heads).for_each(|head| v[(row * kv_heads + head) * head_dim + row - from] = 1.0);
            }
            let mut one_hot = stream.clone();
            one_hot.v = vec![v; layers];
            let out = one_hot.run(&mut *build(spec, context()), cuts);
            let width = head_dim.min(n - from);
            for (found, out) in found.iter_mut().zip(&out) {
                for (query, row) in out.chunks_exact(head_dim).enumerate() {
                    found[query * n + from..query * n + from + width].copy_from_slice(&row[..width]);
                }
            }
        }
        Self { shape: stream.shape, n, layers: found }
    }

    /// The weights `[n]` of one query.
    pub fn row(&self, layer: usize, token: usize, head: usize) -> &[f32] {
        &self.layers[layer][(token * self.shape.heads + head) * self.n..][..self.n]
    }

    /// The positions that one query reads.
    pub fn read(&self, layer: usize, token: usize, head: usize) -> Vec<usize> {
        let row = self.row(layer, token, head);
        (0..self.n).filter(|position| row[*position] > 0.0).collect()
    }

    /// Checks that from token `from` on the weights are those of full attention over the rows read: each row stands at
    /// its true distance and counts once.
    pub fn check_against_full(&self, full: &Self, from: usize) {
        for layer in 0..self.shape.layers {
            for (token, head) in (from..self.n).flat_map(|t| (0..self.shape.heads).map(move |h| (t, h))) {
                let (row, all) = (self.row(layer, token, head), full.row(layer, token, head));
                let read = self.read(layer, token, head);
                let sum: f32 = read.iter().map(|position| all[*position]).sum();
                for position in read {
                    let (found, expected) = (row[position], all[position] / sum);
                    assert!(
                        (found - expected).abs() < 1e-5,
                        "layer {layer}, token {token}, head {head}, position {position}: {found} for {expected}"
                    );
                }
            }
        }
    }
}

pub fn largest_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    assert_eq!(a.len(), b.len());
    let mut largest = 0.0_f32;
    for (a, b) in a.iter().zip(b) {
        assert_eq!(a.len(), b.len());
        for (x, y) in a.iter().zip(b) {
            assert!(x.is_finite() && y.is_finite(), "outputs must be finite");
            largest = largest.max((x - y).abs());
        }
    }
    largest
}

/// A file of golden values.
pub fn fixture(file: &str) -> Value {
    let path = format!("{}/tests/fixtures/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn number(case: &Value, key: &str) -> usize {
    case[key].as_u64().unwrap_or_else(|| panic!("{key} is missing")) as usize
}

/// Compares one layer's outputs with a case's `checks` and `outputs`, as `scripts/golden/layer_stream.py` writes them.
pub fn compare_layer(name: &str, case: &Value, stream: &Stream, out: &[f32]) {
    let head_dim = stream.shape.head_dim;
    let width = stream.shape.heads * head_dim;
    assert_eq!(out.len(), stream.n * width);
    for (token, found) in out.chunks(width).enumerate() {
        for (head, row) in found.chunks(head_dim).enumerate() {
            let weigh = |(i, x): (usize, &f32)| f64::from(*x) * (i + 1) as f64 / head_dim as f64;
            let check: f64 = row.iter().enumerate().map(weigh).sum();
            let expected = case["checks"][token][head].as_f64().unwrap();
            assert!(
                (check - expected).abs() < 2e-4,
                "{name}, token {token}, head {head}: {check} for {expected}"
            );
        }
    }
    for (token, expected) in case["outputs"].as_object().unwrap() {
        let token: usize = token.parse().unwrap();
        for (x, y) in out[token * width..].iter().zip(expected.as_array().unwrap()) {
            let y = y.as_f64().unwrap();
            assert!((f64::from(*x) - y).abs() < 1e-4, "{name}, token {token}: {x} for {y}");
        }
    }
}
