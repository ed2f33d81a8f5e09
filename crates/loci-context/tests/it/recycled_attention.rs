//! What is special to Recycled Attention: full steps, the list between them, what pushes out what.

use crate::common::{Stream, Weights, build, context, largest_difference, prompt_then_singles};
use loci_context::{BuildContext, BuildError, MethodSpec};
use loci_models::memory::{AttentionShape, MemoryError};

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };
const N: usize = 160;
const PROMPT: usize = 121;
/// The prompt's last token: the first full step.
const STEP_0: usize = PROMPT - 1;

fn default_context() -> BuildContext {
    context(SHAPE, 2)
}

fn run(spec: &str, stream: &Stream, cuts: &[usize]) -> Vec<Vec<f32>> {
    stream.run(&mut *build(spec, default_context()), cuts)
}

fn cuts() -> Vec<usize> {
    prompt_then_singles(PROMPT, N)
}

fn weights(parameters: &str, stream: &Stream) -> Weights {
    Weights::of(&format!("recycled-attention:{parameters}"), default_context, stream, &cuts())
}

/// The `count` rows with the largest pooled weight, by their definition: the row with the next largest is looked for
/// `count` times.
fn largest_rows(weights: [&[f32]; 2], end: usize, kernel: usize, count: usize) -> Vec<usize> {
    let of = |row: usize| weights[0][row].max(weights[1][row]);
    let pooled = |row: usize| {
        let around = (0..end).filter(|other| other.abs_diff(row) <= kernel / 2);
        around.map(of).fold(0.0, f32::max)
    };
    let mut taken: Vec<usize> = Vec::new();
    while taken.len() < count {
        let left = (0..end).filter(|row| !taken.contains(row));
        let next = left.fold(None, |best: Option<usize>, row| match best {
            Some(best) if pooled(best) >= pooled(row) => Some(best),
            _ => Some(row),
        });
        taken.push(next.unwrap());
    }
    taken.sort_unstable();
    taken
}

#[test]
fn a_full_step_at_every_token_or_a_list_of_everything_is_full_attention() {
    let stream = Stream::new(SHAPE, N, 1, 3.0);
    let full = run("full", &stream, &cuts());
    for parameters in [
        "rows=10,share=0,stride=1",
        "share=1,rows=1,stride=1000",
        "share=0,rows=160,stride=1000",
        "share=1,rows=1,stride=7",
    ] {
        let out = run(&format!("recycled-attention:{parameters}"), &stream, &cuts());
        assert!(largest_difference(&full, &out) < 1e-5, "{parameters}");
    }
    let out = run("recycled-attention:rows=10,share=0,stride=2", &stream, &cuts());
    assert!(stream.difference(&full, &out, 0..PROMPT) < 1e-5, "a prompt is read in full");
    assert!(stream.difference(&full, &out, PROMPT..N) > 0.1);
}

#[test]
fn without_further_full_steps_the_list_is_that_of_the_prompts_last_token() {
    let stream = Stream::new(SHAPE, N, 2, 3.0);
    for kernel in [7, 1, 3] {
        let found = weights(&format!("rows=20,share=0,stride=1000,kernel={kernel}"), &stream);
        for (layer, kv_head) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let heads = [2 * kv_head, 2 * kv_head + 1];
            let rows = heads.map(|head| found.row(layer, STEP_0, head));
            let mut wanted = largest_rows(rows, PROMPT, kernel, 20);
            wanted.push(PROMPT);
            for head in heads {
                assert_eq!(found.read(layer, PROMPT, head), wanted, "layer {layer}, head {head}");
            }
        }
        assert_ne!(found.read(0, PROMPT, 0), found.read(0, PROMPT, 2), "kv heads have their own lists");
    }
}

#[test]
fn a_list_keeps_its_size_and_holds_the_newest_tokens() {
    let stream = Stream::new(SHAPE, N, 3, 3.0);
    let (rows, stride) = (8, 30);
    let found = weights(&format!("rows={rows},share=0,stride={stride},kernel=1"), &stream);
    found.check_against_full(&Weights::of("full", default_context, &stream, &cuts()), 0);
    for (layer, head) in [(0, 0), (1, 2)] {
        let mut before = Vec::new();
        for token in STEP_0..N {
            let step = (token - STEP_0) % stride;
            let read = found.read(layer, token, head);
            if step == 0 {
                assert_eq!(read, (0..=token).collect::<Vec<_>>(), "a full step reads all, once");
            } else {
                // The token itself comes to the list before the lowest entry goes.
                assert_eq!(read.len(), rows + 1, "token {token}");
                let newest = token - (step - 1).min(rows)..=token;
                assert!(newest.clone().all(|row| read.contains(&row)), "token {token}: {read:?}");
                if step > 1 {
                    let gone: Vec<_> = before.iter().filter(|row| !read.contains(row)).collect();
                    assert_eq!(gone.len(), 1, "token {token}: one goes for one that comes");
                }
                if (2..=rows).contains(&step) {
                    // Of the old ones that with the least weight at the full step.
                    let full = token - step;
                    let weight = |row: usize| {
                        let row_of = |head: usize| found.row(layer, full, head)[row];
                        row_of(head).max(row_of(head + 1))
                    };
                    let old: Vec<usize> = before.iter().copied().filter(|row| *row <= full).collect();
                    let gone = old.iter().copied().find(|row| !read.contains(row)).unwrap();
                    assert!(old.iter().all(|row| weight(gone) <= weight(*row)), "token {token}: {gone} went");
                }
            }
            before = read;
        }
    }
}

#[test]
fn a_list_of_a_share_grows_with_the_text() {
    let stream = Stream::new(SHAPE, N, 4, 3.0);
    let found = weights("rows=1,share=0.25,stride=1000", &stream);
    let size = |tokens: usize| tokens / 4;
    for token in PROMPT..N {
        // What was kept after the token before, and the token itself.
        assert_eq!(found.read(0, token, 0).len(), size(token) + 1, "token {token}");
    }
}

#[test]
fn a_list_holds_the_most_attention_that_so_many_rows_can() {
    let shape = AttentionShape { kv_heads: 4, ..SHAPE };
    let stream = Stream::new(shape, N, 5, 3.0);
    let spec = "recycled-attention:rows=15,share=0,stride=6,kernel=1";
    let found = Weights::of(spec, || context(shape, 2), &stream, &cuts());
    for (step, head) in [(STEP_0, 0), (STEP_0 + 6, 1), (STEP_0 + 12, 3)] {
        let full = found.row(1, step, head);
        let listed: f32 = found.read(1, step + 1, head).iter().map(|row| full[*row]).sum();
        let mut sorted = full.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let most: f32 = sorted[..15].iter().sum();
        assert!((listed - most).abs() < 1e-6, "step {step}: {listed} of at most {most}");
    }
}

#[test]
fn the_threshold_decides_about_due_steps_only() {
    let stream = Stream::new(SHAPE, N, 6, 3.0);
    let full_steps = |threshold: &str| -> Vec<usize> {
        let found = weights(&format!("rows=8,share=0,stride=5,threshold={threshold}"), &stream);
        (PROMPT..N).filter(|token| found.read(0, *token, 0).len() == token + 1).map(|t| t - STEP_0).collect()
    };
    let due: Vec<usize> = (5..N - STEP_0).step_by(5).collect();
    assert_eq!(full_steps("1"), due);
    assert!(full_steps("-1").is_empty(), "no query is less alike than -1");
    let some = full_steps("0");
    assert!(!some.is_empty() && some.len() < due.len(), "{some:?}");
    assert!(some.iter().all(|step| due.contains(step)));
}

#[test]
fn queries_that_stay_alike_need_no_further_full_step() {
    let mut stream = Stream::new(SHAPE, N, 7, 3.0);
    for queries in &mut stream.q {
        let width = SHAPE.heads * SHAPE.head_dim;
        // Against the position's turn all the same: only the slowest pair is used, which hardly turns.
        for (i, x) in queries.iter_mut().enumerate() {
            let slow = i % SHAPE.head_dim == SHAPE.head_dim / 2 - 1;
            let changed = i / width >= PROMPT + 22;
            *x = if !slow {
                0.0
            } else if changed {
                -3.0
            } else {
                3.0
            };
        }
    }
    let found = weights("rows=8,share=0,stride=5,threshold=0.9", &stream);
    let full: Vec<usize> = (PROMPT..N).filter(|token| found.read(1, *token, 3).len() == token + 1).collect();
    assert_eq!(full, [STEP_0 + 25], "one full step, at the first due one after the queries turned round");
}

#[test]
fn a_prompts_rest_of_one_token_is_no_answer() {
    // 256 queries make a group, so the last group of this chunk has one query.
    let stream = Stream::new(SHAPE, 262, 8, 3.0);
    let spec = "recycled-attention:rows=8,share=0,stride=4";
    let whole = run(spec, &stream, &[257, 258, 259, 260, 261, 262]);
    let other = run(spec, &stream, &[200, 257, 258, 259, 260, 261, 262]);
    assert!(largest_difference(&whole, &other) < 1e-5);
    let full = run("full", &stream, &[262]);
    assert!(stream.difference(&whole, &full, 0..258) < 1e-5, "the prompt's last token reads everything");
    assert!(stream.difference(&whole, &full, 258..261) > 0.01);
}

#[test]
fn a_second_prompt_is_read_in_full() {
    let stream = Stream::new(SHAPE, N, 9, 3.0);
    let spec = "recycled-attention:rows=8,share=0,stride=50";
    let cuts: Vec<usize> = (120..=130).chain([149]).chain(150..=N).collect();
    let out = run(spec, &stream, &cuts);
    let full = run("full", &stream, &cuts);
    assert!(stream.difference(&out, &full, 130..150) < 1e-5, "the question and its last token");
    assert!(stream.difference(&out, &full, 121..130) > 0.01 && stream.difference(&out, &full, 150..N) > 0.01);
}

#[test]
fn what_comes_later_changes_nothing() {
    let stream = Stream::new(SHAPE, N, 10, 3.0);
    let spec = "recycled-attention:rows=8,share=0,stride=5";
    let out = run(spec, &stream, &cuts());
    for from in [60, 130, N - 1] {
        let other = run(spec, &stream.with_another_end(from, true), &cuts());
        assert!(stream.difference(&out, &other, 0..from) < 1e-6, "from {from}");
    }
}

#[test]
fn lists_of_many_layers_fit_the_budget() {
    let shape = AttentionShape { layers: 30, heads: 2, kv_heads: 2, head_dim: 16 };
    let n = 1500;
    let stream = Stream::new(shape, n, 11, 3.0);
    let spec = MethodSpec::parse("recycled-attention").unwrap();
    let mut limited = context(shape, 1);
    (limited.budget, limited.planned_tokens) = (Some(1), n);
    let Err(BuildError::Memory(MemoryError::Budget { needed, .. })) = spec.build(limited.clone()) else {
        panic!("a budget of one byte was not refused")
    };
    limited.budget = Some(needed);
    let mut memory = spec.build(limited).unwrap();
    let mut out = vec![Vec::new(); shape.layers];
    let (mut from, mut held) = (0, 0);
    for to in prompt_then_singles(n - 20, n) {
        stream.feed(&mut *memory, from, to, &mut out).unwrap();
        held = held.max(memory.bytes());
        assert!(memory.bytes() <= needed, "{} bytes after {to} tokens, budget {needed}", memory.bytes());
        from = to;
    }
    let mut full = build("full", context(shape, 1));
    stream.run(&mut *full, &[n]);
    // Lists have room for what they may hold and no more.
    let lists = held - full.bytes();
    let most = (n / 8 + 1) * size_of::<usize>() * shape.kv_heads * shape.layers;
    assert!(lists > most / 2 && lists <= most, "lists take {lists} bytes, at most {most} are needed");
}

#[test]
fn an_even_kernel_is_refused_with_an_odd_one() {
    let outcome = MethodSpec::parse("recycled-attention:kernel=4").unwrap().build(default_context());
    let message = outcome.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("kernel=5"), "{message}");
}
