//! What is special to HiP attention: exactness where everything fits, what a search finds, how long a list serves.

use crate::common::{Numbers, Stream, Weights, build, context, largest_difference, prompt_then_singles};
use loci_context::{BuildContext, MethodSpec};
use loci_models::memory::AttentionShape;
use loci_models::rope::RopeSchedule;

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };
const N: usize = 200;
const PROMPT: usize = 161;
const WINDOW: usize = 20;
const SINKS: usize = 4;
const ROWS: usize = 24;

fn default_context() -> BuildContext {
    context(SHAPE, 2)
}

fn run(spec: &str, stream: &Stream, cuts: &[usize]) -> Vec<Vec<f32>> {
    stream.run(&mut *build(spec, default_context()), cuts)
}

/// Single rows are searched for, so that counts are exact.
fn spec(refresh: usize) -> String {
    format!(
        "hip-attention:rows={ROWS},queries=16,key_block=1,window={WINDOW},sinks={SINKS},dense_layers=1,refresh={refresh}"
    )
}

/// End of the rows that a search at `token` looks at, with room for the window of that token.
const fn searched_to(token: usize) -> usize {
    token + 1 - WINDOW
}

#[test]
fn a_list_with_room_for_everything_gives_full_attention() {
    let stream = Stream::new(SHAPE, N, 1, 3.0);
    let cuts = prompt_then_singles(PROMPT, N);
    let full = run("full", &stream, &cuts);
    let spec = |rows: usize| {
        format!("hip-attention:rows={rows},queries=16,window={WINDOW},sinks={SINKS},dense_layers=0,refresh=1")
    };
    let rows = N - WINDOW - SINKS;
    assert!(largest_difference(&full, &run(&spec(rows), &stream, &cuts)) < 1e-5);
    // Two rows, one block, less: the last token must leave something out, those before it need not.
    let less = run(&spec(rows - 2), &stream, &cuts);
    assert!(stream.difference(&full, &less, 0..N - 2) < 1e-5);
    assert!(stream.difference(&full, &less, N - 1..N) > 1e-6);
}

#[test]
fn the_first_layers_read_everything_and_the_others_their_lists() {
    let stream = Stream::new(SHAPE, N, 2, 3.0);
    let cuts = prompt_then_singles(PROMPT, N);
    let found = Weights::of(&spec(1), default_context, &stream, &cuts);
    found.check_against_full(&Weights::of("full", default_context, &stream, &cuts), 0);
    for token in 0..N {
        // A group begins at a multiple of its size; a token that comes alone is one of its own.
        let first = if token < PROMPT - 1 { token / 16 * 16 } else { token };
        let dense = first < WINDOW + SINKS + ROWS;
        for head in 0..SHAPE.heads {
            assert_eq!(
                found.read(0, token, head),
                (0..=token).collect::<Vec<_>>(),
                "dense layer, token {token}"
            );
            let read = found.read(1, token, head);
            if dense {
                assert_eq!(read.len(), token + 1, "token {token}");
                continue;
            }
            let between = read.iter().filter(|row| (SINKS..searched_to(first)).contains(*row)).count();
            assert_eq!(between, ROWS, "token {token}, head {head}");
            let always = SINKS + (token + 1 - searched_to(first));
            assert_eq!(read.len(), ROWS + always, "sinks and window, token {token}, head {head}");
        }
    }
    let different = (0..3).any(|head| found.read(1, N - 1, head) != found.read(1, N - 1, head + 1));
    assert!(different, "heads search for themselves");
}

#[test]
fn later_keys_change_nothing() {
    let stream = Stream::new(SHAPE, N, 3, 3.0);
    let spec = spec(1);
    let out = run(&spec, &stream, &[N]);
    for from in [70, 128, 150, N - 1] {
        let other = run(&spec, &stream.with_another_end(from, false), &[N]);
        assert!(stream.difference(&out, &other, 0..from) < 1e-6, "from {from}");
        assert!(stream.difference(&out, &other, from..N) > 0.01, "from {from}");
    }
    // Queries of a group share a list, so later queries matter inside a group and nowhere else.
    for (from, unchanged) in [(128, 128), (138, 128)] {
        let other = run(&spec, &stream.with_another_end(from, true), &[N]);
        assert!(stream.difference(&out, &other, 0..unchanged) < 1e-6, "from {from}");
    }
}

#[test]
fn a_list_serves_as_long_as_it_was_said_to() {
    let stream = Stream::new(SHAPE, N, 4, 3.0);
    let cuts = prompt_then_singles(PROMPT, N);
    let each = Weights::of(&spec(1), default_context, &stream, &cuts);
    let fourth = Weights::of(&spec(4), default_context, &stream, &cuts);
    let mut stale = 0;
    for token in PROMPT - 1..N {
        let age = (token - (PROMPT - 1)) % 4;
        let region = searched_to(token - age);
        for head in 0..SHAPE.heads {
            // What was found, sinks and window aside.
            let between = |weights: &Weights, token: usize| -> Vec<usize> {
                let read = weights.read(1, token, head).into_iter();
                read.filter(|row| (SINKS..region).contains(row)).collect()
            };
            assert_eq!(between(&fourth, token), between(&each, token - age), "token {token}, head {head}");
            stale += usize::from(between(&each, token) != between(&fourth, token));
            let read = fourth.read(1, token, head);
            assert!(
                (0..SINKS).chain(region..=token).all(|row| read.contains(&row)),
                "sinks and window move on"
            );
        }
    }
    assert!(stale > 0, "a fresh search never found anything else: this tests nothing");
}

#[test]
fn a_list_for_each_token_is_found_afresh() {
    // Whatever was searched for before: the same token after a prompt read at once finds the same.
    let stream = Stream::new(SHAPE, N, 5, 3.0);
    let out = run(&spec(1), &stream, &prompt_then_singles(PROMPT, N));
    for token in [PROMPT + 1, PROMPT + 6, N - 1] {
        let fresh = run(&spec(1), &stream, &[token, token + 1]);
        let differ = stream.difference(&out, &fresh, token..token + 1);
        assert!(differ < 1e-5, "token {token}: {differ}");
        let old = run(&spec(64), &stream, &prompt_then_singles(PROMPT, N));
        assert!(stream.difference(&out, &old, token..token + 1) > 1e-4, "token {token}");
    }
}

#[test]
fn a_prompt_forgets_the_list_of_the_answer_before_it() {
    let stream = Stream::new(SHAPE, N, 6, 3.0);
    let cuts = |answer: std::ops::Range<usize>| -> Vec<usize> { answer.chain([176, 177, N]).collect() };
    let answered = run(&spec(1000), &stream, &cuts(161..170));
    let silent = run(&spec(1000), &stream, &cuts(160..161));
    assert!(stream.difference(&answered, &silent, 176..177) < 1e-5);
}

/// Keys and queries that rotation hardly turns: all they have lies in the slowest pair.
fn smooth(n: usize, score: impl Fn(usize) -> f32) -> (Stream, BuildContext) {
    let shape = AttentionShape { layers: 1, heads: 1, kv_heads: 1, head_dim: 16 };
    let mut stream = Stream::new(shape, n, 7, 1.0);
    stream.q[0].iter_mut().enumerate().for_each(|(i, x)| *x = if i % 16 == 7 { 10.0 } else { 0.0 });
    stream.k[0].iter_mut().enumerate().for_each(|(i, x)| *x = if i % 16 == 7 { score(i / 16) } else { 0.0 });
    let mut context = context(shape, 1);
    context.schedule = RopeSchedule::stock(1e12, 16).unwrap();
    (stream, context)
}

#[test]
fn a_bump_on_a_random_walk_is_found_and_a_lone_spike_is_not() {
    let n = 1200;
    let spec = "hip-attention:rows=32,queries=32,key_block=2,window=50,sinks=4,dense_layers=0,refresh=1";
    let mut numbers = Numbers::new(8);
    let mut walk = vec![0.0_f32];
    while walk.len() < n {
        walk.push(walk.last().unwrap() * 0.98 + numbers.value() * 0.02);
    }
    let bump = |row: usize| walk[row] + (-(row as f32 - 700.0).powi(2) / 1800.0).exp();
    let (stream, context) = smooth(n, bump);
    let found = Weights::of(spec, || context.clone(), &stream, &prompt_then_singles(n, n));
    let read = found.read(0, n - 1, 0);
    let near = read.iter().filter(|row| (690..710).contains(*row)).count();
    assert_eq!(near, 20, "the top of the bump is read in full: {read:?}");
    let spike = |row: usize| if row == 701 { 1.0 } else { walk[row] - walk[row].abs() };
    let (stream, context) = smooth(n, spike);
    let found = Weights::of(spec, || context.clone(), &stream, &prompt_then_singles(n, n));
    assert!(
        !found.read(0, n - 1, 0).contains(&701),
        "the documented weakness is gone: change the documentation"
    );
}

#[test]
fn sinks_that_do_not_fit_key_blocks_are_refused_with_those_that_would() {
    let outcome = MethodSpec::parse("hip-attention:sinks=5,key_block=2").unwrap().build(default_context());
    let message = outcome.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("sinks=6"), "{message}");
}
